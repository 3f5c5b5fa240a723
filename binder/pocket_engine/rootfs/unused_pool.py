"""Root filesystems that nobody uses at the moment, reset to what their layers say, for the next job on the same layers."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from .root_filesystem import RootFilesystem

MOST = 8  # root filesystems
ROOM = 2_500_000_000  # bytes of their files


class UnusedPool:
    """Thread-safe. The one that was given last is taken first, and the one that was given first makes room."""

    def __init__(self):
        self._pool: list[RootFilesystem] = []
        self._lock = threading.Lock()

    def take(self, diff_ids: Sequence[str]) -> RootFilesystem | None:
        """A root filesystem with exactly these layers, which is the caller's from now on; None where there is none."""
        with self._lock:
            for rootfs in reversed(self._pool):
                if rootfs.diff_ids == tuple(diff_ids):
                    self._pool.remove(rootfs)
                    return rootfs
        return None

    def give(self, rootfs: RootFilesystem) -> list[RootFilesystem]:
        """Keep it. Returns the root filesystems to discard, itself perhaps."""
        with self._lock:
            self._pool.append(rootfs)
            surplus = []
            while len(self._pool) > MOST or sum(kept.size for kept in self._pool) > ROOM:
                surplus.append(self._pool.pop(0))
            return surplus

    def clear(self) -> list[RootFilesystem]:
        """All of them, which are the caller's to discard."""
        with self._lock:
            everything, self._pool = self._pool, []
            return everything
