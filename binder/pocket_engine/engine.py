"""The engine: its store, what runs programs, and what is running."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from .containers import Containers
from .events import Events
from .registry.mirrors import checked_mirror
from .rootfs import RootfsManager
from .rootfs.remove_tree import remove
from .runtime.runner import choose_runner
from .store import Store


class Engine:
    """Everything that the API serves. One process has a store at a time; another one's attempt raises Conflict.

    mirrors: addresses of Docker Hub's mirrors, in the order in which they are asked; BadRequest for what is none.
    """

    def __init__(
        self, folder: Path, *, limit: int | None = None, runner_name: str | None = None, mirrors: Sequence[str] = ()
    ):
        self.mirrors = tuple(dict.fromkeys(checked_mirror(mirror) for mirror in mirrors))
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.runner = choose_runner(runner_name)
        self.store = Store(self.folder, limit)
        self.store.sweep()
        self.blobs, self.layers, self.images = self.store.blobs, self.store.layers, self.store.images
        self.work = self.folder / "work"
        self.work.mkdir(exist_ok=True)
        self.rootfs_manager = RootfsManager(self.folder / "trees", self.layers, self.runner.privileged)
        self.rootfs_manager.sweep()
        _sweep_work(self.work)
        self.events = Events()
        self.containers = Containers(self)
        self.images.used_by = self.containers.using
        self.id = self._id()
        self.started = time.time()

    def _id(self) -> str:
        """The same for every start on this store."""
        file = self.folder / "id"
        if not file.exists():
            file.write_text(str(uuid.uuid4()))
        return file.read_text().strip()

    def close(self) -> None:
        """End every container and give the store free."""
        self.containers.close()
        self.rootfs_manager.drop_unused()
        self.store.close()


def _sweep_work(folder: Path) -> None:
    """What builds left that were killed."""
    for left in folder.iterdir():
        if left.is_dir():
            remove(left)
        else:
            left.unlink()
