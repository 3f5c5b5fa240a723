"""Making root filesystems from layers, and keeping those that nobody uses for the next job on the same layers."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from ..errors import EngineError, NoSpace, no_space
from ..store.layers import Layers
from .remove_tree import remove
from .root_filesystem import Tree
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
            remove(left)
