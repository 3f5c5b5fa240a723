"""Trees that nobody uses at the moment, as their layers say, for the next job on the same layers."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from .root_filesystem import Tree

MOST = 8  # trees
ROOM = 2_500_000_000  # bytes of their files


class Kept:
    """Thread-safe. The tree that was given last is taken first, and the one that was given first makes room."""

    def __init__(self):
        self._trees: list[Tree] = []
        self._lock = threading.Lock()

    def take(self, diff_ids: Sequence[str]) -> Tree | None:
        """A tree with exactly these layers, which is the caller's from now on; None where there is none."""
        with self._lock:
            for tree in reversed(self._trees):
                if tree.diff_ids == tuple(diff_ids):
                    self._trees.remove(tree)
                    return tree
        return None

    def give(self, tree: Tree) -> list[Tree]:
        """Keep it. Returns the trees to discard, itself perhaps."""
        with self._lock:
            self._trees.append(tree)
            out = []
            while len(self._trees) > MOST or sum(one.size for one in self._trees) > ROOM:
                out.append(self._trees.pop(0))
            return out

    def clear(self) -> list[Tree]:
        """All of them, which are the caller's to discard."""
        with self._lock:
            out, self._trees = self._trees, []
            return out
