"""The store as a whole: its folder, the lock that one process has on it, its size limit."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ..errors import Conflict
from . import size_limit as limits
from .blobs import Blobs
from .images import Images
from .layers import Layers


class Store:
    """One process has it at a time. limit: bytes that its blobs may have together; None: as the disk allows.

    Raises Conflict if another process has the store.
    """

    def __init__(self, folder: Path, limit: int | None = None):
        self.folder, self.limit = Path(folder), limit
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take()
            self.blobs = Blobs(self.folder)
            self.layers = Layers(self.folder, self.blobs)
            self.images = Images(self.folder, self.blobs, self.layers)
            self.blobs.limit, self.blobs.make_room = limit, self._make_room
        except BaseException:
            os.close(self._lock)
            raise

    def _take(self) -> None:
        """The kernel gives the lock back when the process ends, however it ends."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise Conflict(f"The store {self.folder} is already in use by process {owner}.") from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, b"%d\n" % os.getpid(), 0)

    def sweep(self) -> None:
        """Remove what a killed engine left: half-made blobs, and layers that no image has. Before anything else runs."""
        self.blobs.sweep()
        self.layers.sweep()
        self.images.sweep()

    def usage(self) -> dict:
        """As size_limit.usage."""
        return limits.usage(self.images, self.limit)

    def _make_room(self, needed: int) -> None:
        limits.make_room(self.images, needed)

    def close(self) -> None:
        """Give the store to other processes."""
        if self._lock >= 0:
            self.images.save()
            os.close(self._lock)
            self._lock = -1
