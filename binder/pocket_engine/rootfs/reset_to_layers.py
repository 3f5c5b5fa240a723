"""Making a root filesystem again what its layers say, after a job has changed it: cheaper than a new one when little has changed.

And sometimes far cheaper: ext4 gives the inode of a deleted file to nobody for minutes and looks through all of those for
each file that it creates (`recently_deleted` in its ialloc.c). One that is removed makes
the next one take 20 seconds.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Container, Sequence
from pathlib import Path

from ..store.entries import DIRECTORY, HARDLINK
from ..store.layers import Layers
from . import unpack_layers
from .layer_diff import Snapshot, is_recreated, walk
from .metadata_ledger import MetadataLedger
from .remove_tree import clear

MOST = 5000  # paths; beyond that a new one is as quick


def reset(
    layers: Layers,
    diff_ids: Sequence[str],
    root: Path,
    before: Snapshot,
    ledger: MetadataLedger,
    mount_points: Container[str],
) -> bool | None:
    """Put back what differs from `before`, the snapshot of a root filesystem with these layers. False: it is not worth
    it, or files with several names are among it; then it is of no more use. None: nothing differs.

    ledger: as it was at that time. mount_points: what was made for a runner, which no layer has.
    """
    entries, now = layers.view(diff_ids).entries, dict(walk(root))
    began = max((seen.changed for seen in before.values()), default=0)
    stale, changed = set(), set()  # to be removed; folders whose time or mode is not the layer's
    for path, status in now.items():
        was, known = before.get(path), path in entries or path in mount_points
        if known and was and was.is_still(status):
            continue
        if known and was and stat.S_ISDIR(status.st_mode) and not is_recreated(root, path, was, status, began):
            changed.add(path)
        else:
            stale.add(path)
    again = {path for path in before if path in entries and (path not in now or path in stale or _below(path, stale))}
    if not (stale or changed or again):
        return None
    links = {name for path, entry in entries.items() if entry.kind == HARDLINK for name in (path, entry.link)}
    if len(stale) + len(again) > MOST or links & (again | stale):
        return False
    for path in stale:
        if not _below(path, stale):
            clear(os.path.join(root, path))
            ledger.forget(path)
    folders = changed | {os.path.dirname(path) for path in again | stale}
    again |= {path for path in folders if path in entries and entries[path].kind == DIRECTORY}
    unpack_layers.unpack(layers, diff_ids, root, ledger, only=again)
    return True


def _below(path: str, folders: Collection[str]) -> bool:
    """True if a folder above the path is among the places."""
    while folders and (path := os.path.dirname(path)):
        if path in folders:
            return True
    return False
