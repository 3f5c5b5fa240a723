"""One root filesystem in a folder: filled from layers, changed by jobs, read back as a new layer, reset.

Docker's graph drivers mount layers over each other. Here it is a plain folder, because an ordinary user may not
mount: filled once from the merged view, used by one job after the other, and compared afterwards with what it was.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..store.layers import Layer, Layers
from . import layer_diff, unpack_layers
from .metadata_ledger import MetadataLedger
from .remove_tree import remove
from .reset_to_layers import reset


class RootFilesystem:
    """A root filesystem in a folder. `path` is what a job gets as its root; one job at a time may change it."""

    def __init__(self, folder: Path, diff_ids: tuple[str, ...], layers: Layers, privileged: bool):
        self.folder, self.diff_ids, self.layers = folder, diff_ids, layers
        self.path = folder / "root"
        self.ledger = MetadataLedger(privileged)
        self.snapshot: layer_diff.Snapshot = {}
        self.mount_points: set[str] = set()  # made for what a runner mounts: no part of any layer
        self.size = 0  # bytes of its files, once it is kept
        self._ledger_then = self.ledger

    def fill(self, stop: threading.Event | None = None) -> None:
        """Create every file of the layers."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        unpack_layers.unpack(self.layers, self.diff_ids, self.path, self.ledger, stop)
        self.mount_points = unpack_layers.make_mount_points(self.path)
        self.take_snapshot()

    def take_snapshot(self) -> None:
        """What is there now is what the next commit compares with, and what reset goes back to."""
        self.snapshot = layer_diff.snapshot(self.path)
        self._ledger_then = self.ledger.copy()

    def reset(self) -> bool:
        """Make it what it was at the last commit. False: that is not worth it, and it is of no more use.

        Raises what reading and writing files does, and NotFound where a layer is gone.
        """
        if not self.snapshot:
            return False
        ledger = self._ledger_then.copy()
        changed_back = reset(self.layers, self.diff_ids, self.path, self.snapshot, ledger, self.mount_points)
        if changed_back is False:
            return False
        self.ledger = ledger
        self.size = sum(entry.size for entry in self.layers.view(self.diff_ids).entries.values())
        missing = unpack_layers.make_mount_points(self.path)
        if changed_back or missing:
            self.mount_points |= missing
            self.take_snapshot()
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
        changed = layer_diff.compare(self.path, self.snapshot, owners)
        changes = [change for change in changed if change.path not in self.mount_points]
        with self.layers.writer() as writer:
            for change in changes:
                layer_diff.write(writer, self.path, change, self.ledger, owners, user)
            layer = writer.commit()
        self.diff_ids += (layer.diff_id,)
        self.take_snapshot()
        return layer

    def owner(self, user: tuple[int, int]) -> Callable[[tuple[int, int]], tuple[int, int]]:
        """Tells the true owner of a file by (device, inode): as its layer has it, `user` for a file that is new."""
        known = {}
        for path, seen in self.snapshot.items():
            if entry := self.ledger.entry(path):
                known[seen.inode] = (entry.uid, entry.gid)
        return lambda key: known.get(key[1], user)

    def add(self, diff_id: str) -> None:
        """Lay a layer over it that was made without it."""
        unpack_layers.unpack_over(self.layers, diff_id, self.path, self.ledger)
        self.diff_ids += (diff_id,)
        self.take_snapshot()

    def discard(self) -> None:
        """Remove it."""
        with contextlib.suppress(FileNotFoundError):
            remove(self.folder)

    def __enter__(self) -> RootFilesystem:
        return self

    def __exit__(self, *_) -> None:
        self.discard()


def wait_for_clock_tick() -> None:
    """Wait until the clock that stamps files has moved on: a change right after a snapshot must show (one tick)."""
    time.sleep(2 / os.sysconf("SC_CLK_TCK"))
