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

from ..errors import EngineError, NoSpace, no_space
from ..store.layers import Layer, Layers
from . import layer_diff, unpack_layers
from .metadata_ledger import Ledger
from .reset_to_layers import undo
from .unused_pool import Kept


class Roots:
    """Makes trees in `folder`. privileged: owners, modes and devices are real; otherwise a ledger remembers them."""

    def __init__(self, folder: Path, layers: Layers, privileged: bool):
        self.folder, self.layers, self.privileged = Path(folder), layers, privileged
        self.folder.mkdir(parents=True, exist_ok=True)
        self._kept = Kept()

    def make(self, diff_ids: Sequence[str], folder: Path | None = None, *, stop: threading.Event | None = None) -> Tree:
        """A tree with the files that these layers give: a kept one, or a new one. Raises NoSpace, Interrupted; then
        nothing is left of it."""
        if tree := self._kept.take(diff_ids):
            if folder:
                tree.move(Path(folder))
            return tree
        try:
            return self._new(diff_ids, folder, stop)
        except NoSpace:
            if not self.spare():
                raise
        return self._new(diff_ids, folder, stop)

    def _new(self, diff_ids: Sequence[str], folder: Path | None, stop: threading.Event | None) -> Tree:
        place = Path(folder) if folder else self._place()
        tree = Tree(place, tuple(diff_ids), self.layers, self.privileged)
        try:
            with no_space(place):
                tree.fill(stop)
        except BaseException:
            tree.discard()
            raise
        return tree

    def give_back(self, tree: Tree) -> None:
        """The tree is needed no more: keep it for the next job on its layers, as they say, or remove it."""
        try:
            usable = tree.undo()
            if usable and tree.folder.parent != self.folder:
                tree.move(self._place())
        except (OSError, EngineError):  # the disk is full, or a layer has gone meanwhile
            usable = False
        for one in self._kept.give(tree) if usable else [tree]:
            one.discard()

    def spare(self) -> int:
        """Remove the trees that are only kept. Returns how many."""
        for tree in (trees := self._kept.clear()):
            tree.discard()
        return len(trees)

    def _place(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="tree-", dir=self.folder))

    def sweep(self) -> None:
        """Remove the trees that an engine left which was killed."""
        for left in self.folder.glob("tree-*"):
            unpack_layers.remove(left)


class Tree:
    """A root filesystem in a folder. `path` is what a job gets as its root; one job at a time may change it."""

    def __init__(self, folder: Path, diff_ids: tuple[str, ...], layers: Layers, privileged: bool):
        self.folder, self.diff_ids, self.layers = folder, diff_ids, layers
        self.path = folder / "root"
        self.ledger = Ledger(privileged)
        self.before: layer_diff.Snapshot = {}
        self.places: set[str] = set()  # made for what a runner mounts: no part of any layer
        self.size = 0  # bytes of its files, once it is kept
        self._known = self.ledger

    def fill(self, stop: threading.Event | None = None) -> None:
        """Create every file of the layers."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        unpack_layers.fill(self.layers, self.diff_ids, self.path, self.ledger, stop)
        self.places = unpack_layers.mount_points(self.path)
        self.remember()

    def remember(self) -> None:
        """What is there now is what the next commit compares with, and what undo goes back to."""
        self.before = layer_diff.snapshot(self.path)
        self._known = self.ledger.copy()

    def undo(self) -> bool:
        """Make it what it was at the last commit. False: that is not worth it, and it is of no more use.

        Raises what reading and writing files does, and NotFound where a layer is gone.
        """
        if not self.before:
            return False
        ledger = self._known.copy()
        undone = undo(self.layers, self.diff_ids, self.path, self.before, ledger, self.places)
        if undone is False:
            return False
        self.ledger = ledger
        self.size = sum(entry.size for entry in self.layers.view(self.diff_ids).entries.values())
        missing = unpack_layers.mount_points(self.path)
        if undone or missing:
            self.places |= missing
            self.remember()
        return True

    def move(self, folder: Path) -> None:
        """Put it into another folder of the same filesystem, one that is empty or not there."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.rename(folder)
        self.folder, self.path = folder, folder / "root"

    def commit(self, owners: dict[tuple[int, int], tuple[int, int]], user: tuple[int, int] = (0, 0)) -> Layer:
        """What changed since the last time, as a layer on top of the others.

        owners: {(device, inode): (uid, gid)} of files that the job chowned without being able to; user: whose new
        files are. Raises NoSpace.
        """
        changed = layer_diff.compare(self.path, self.before, owners)
        found = [change for change in changed if change.path not in self.places]
        with self.layers.writer() as writer:
            for change in found:
                layer_diff.write(writer, self.path, change, self.ledger, owners, user)
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
        unpack_layers.add(self.layers, diff_id, self.path, self.ledger)
        self.diff_ids += (diff_id,)
        self.remember()

    def discard(self) -> None:
        """Remove it."""
        with contextlib.suppress(FileNotFoundError):
            unpack_layers.remove(self.folder)

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_) -> None:
        self.discard()


def settle() -> None:
    """Wait until the clock that stamps files has moved on: a change right after a snapshot must show (one tick)."""
    time.sleep(2 / os.sysconf("SC_CLK_TCK"))
