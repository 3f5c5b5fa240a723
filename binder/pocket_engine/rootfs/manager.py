"""Making root filesystems from layers, and keeping those that nobody uses for the next job on the same layers."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from ..errors import EngineError, NoSpace, no_space
from ..store.layers import Layers
from .remove_tree import remove
from .root_filesystem import RootFilesystem
from .unused_pool import UnusedPool


class RootfsManager:
    """Makes root filesystems in `folder`. privileged: owners, modes and devices are real; otherwise a ledger remembers them."""

    def __init__(self, folder: Path, layers: Layers, privileged: bool):
        self.folder, self.layers, self.privileged = Path(folder), layers, privileged
        self.folder.mkdir(parents=True, exist_ok=True)
        self._unused = UnusedPool()

    def create(
        self, diff_ids: Sequence[str], folder: Path | None = None, *, stop: threading.Event | None = None
    ) -> RootFilesystem:
        """A root filesystem with the files that these layers give: a kept one, or a new one. Raises NoSpace, Interrupted; then
        nothing is left of it."""
        if rootfs := self._unused.take(diff_ids):
            if folder:
                rootfs.move(Path(folder))
            return rootfs
        try:
            return self._new(diff_ids, folder, stop)
        except NoSpace:
            if not self.drop_unused():
                raise
        return self._new(diff_ids, folder, stop)

    def _new(self, diff_ids: Sequence[str], folder: Path | None, stop: threading.Event | None) -> RootFilesystem:
        where = Path(folder) if folder else self._new_folder()
        rootfs = RootFilesystem(where, tuple(diff_ids), self.layers, self.privileged)
        try:
            with no_space(where):
                rootfs.fill(stop)
        except BaseException:
            rootfs.discard()
            raise
        return rootfs

    def release(self, rootfs: RootFilesystem) -> None:
        """It is needed no more: keep it for the next job on its layers, as they say, or remove it."""
        try:
            usable = rootfs.reset()
            if usable and rootfs.folder.parent != self.folder:
                rootfs.move(self._new_folder())
        except (OSError, EngineError):  # the disk is full, or a layer has gone meanwhile
            usable = False
        for surplus in self._unused.give(rootfs) if usable else [rootfs]:
            surplus.discard()

    def drop_unused(self) -> int:
        """Remove those that are only kept. Returns how many."""
        for rootfs in (unused := self._unused.clear()):
            rootfs.discard()
        return len(unused)

    def _new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="tree-", dir=self.folder))

    def sweep(self) -> None:
        """Remove those that an engine left which was killed."""
        for left in self.folder.glob("tree-*"):
            remove(left)
