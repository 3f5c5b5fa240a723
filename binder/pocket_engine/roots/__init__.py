"""Root filesystems: made from layers when something has to run, and read back as a new layer.

Docker's graph drivers mount layers over each other. Here a tree is a plain folder, because an ordinary user may not
mount: filled once from the merged view, used by one job after the other, and compared afterwards with what it was.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import no_space
from ..store.layers import Layer, Layers
from . import changes, filling
from .ledger import Ledger


class Roots:
    """Makes trees in `folder`. privileged: owners, modes and devices are real; otherwise a ledger remembers them."""

    def __init__(self, folder: Path, layers: Layers, privileged: bool):
        self.folder, self.layers, self.privileged = Path(folder), layers, privileged
        self.folder.mkdir(parents=True, exist_ok=True)

    def make(self, diff_ids: Sequence[str], folder: Path | None = None, *, stop: threading.Event | None = None) -> Tree:
        """A tree with the files that these layers give. Raises NoSpace, Interrupted; then nothing is left of it."""
        place = Path(folder) if folder else Path(tempfile.mkdtemp(prefix="tree-", dir=self.folder))
        tree = Tree(place, tuple(diff_ids), self.layers, self.privileged)
        try:
            with no_space(place):
                tree.fill(stop)
        except BaseException:
            tree.discard()
            raise
        return tree

    def sweep(self) -> None:
        """Remove the trees that an engine left which was killed."""
        for left in self.folder.glob("tree-*"):
            filling.remove(left)


class Tree:
    """A root filesystem in a folder. `path` is what a job gets as its root; one job at a time may change it."""

    def __init__(self, folder: Path, diff_ids: tuple[str, ...], layers: Layers, privileged: bool):
        self.folder, self.diff_ids, self.layers = folder, diff_ids, layers
        self.path = folder / "root"
        self.ledger = Ledger(privileged)
        self.before: changes.Snapshot = {}
        self.places: set[str] = set()  # made for what a runner mounts: no part of any layer

    def fill(self, stop: threading.Event | None = None) -> None:
        """Create every file of the layers."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        filling.fill(self.layers, self.diff_ids, self.path, self.ledger, stop)
        self.places = filling.mount_points(self.path)
        self.remember()

    def remember(self) -> None:
        """What is there now is what the next commit compares with."""
        self.before = changes.snapshot(self.path)

    def commit(self, owners: dict[tuple[int, int], tuple[int, int]], user: tuple[int, int] = (0, 0)) -> Layer:
        """What changed since the last time, as a layer on top of the others.

        owners: {(device, inode): (uid, gid)} of files that the job chowned without being able to; user: whose new
        files are. Raises NoSpace.
        """
        changed = changes.compare(self.path, self.before, owners)
        found = [change for change in changed if change.path not in self.places]
        with self.layers.writer() as writer:
            for change in found:
                changes.write(writer, self.path, change, self.ledger, owners, user)
            layer = writer.commit()
        self.diff_ids += (layer.diff_id,)
        self.remember()
        return layer

    def owner(self, user: tuple[int, int]) -> Callable[[tuple[int, int]], tuple[int, int]]:
        """Tells the true owner of a file by (device, inode): as its layer has it, `user` for a file that is new."""
        known = {}
        for path, seen in self.before.items():
            if entry := self.ledger.entry(path):
                known[seen.inode] = (entry.uid, entry.gid)
        return lambda key: known.get(key[1], user)

    def add(self, diff_id: str) -> None:
        """Lay a layer over it that was made without it."""
        filling.add(self.layers, diff_id, self.path, self.ledger)
        self.diff_ids += (diff_id,)
        self.remember()

    def discard(self) -> None:
        """Remove it."""
        with contextlib.suppress(FileNotFoundError):
            filling.remove(self.folder)

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_) -> None:
        self.discard()


def settle() -> None:
    """Wait until the clock that stamps files has moved on: a change right after a snapshot must show (one tick)."""
    time.sleep(2 / os.sysconf("SC_CLK_TCK"))
