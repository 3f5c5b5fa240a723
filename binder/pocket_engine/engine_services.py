"""What the builder and the containers need of the engine, so that neither has to know the engine itself."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from .events import Events
from .rootfs import RootfsManager
from .runtime.runner import Runner
from .store.blobs import Blobs
from .store.images import Images
from .store.layers import Layers


class EngineServices(Protocol):
    """The parts of an Engine that are there before its containers are."""

    folder: Path  # of the store
    work: Path  # for files of builds and requests under way; swept at the start
    mirrors: tuple[str, ...]
    runner: Runner
    blobs: Blobs
    layers: Layers
    images: Images
    rootfs_manager: RootfsManager
    events: Events
