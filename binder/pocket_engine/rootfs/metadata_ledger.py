"""What a root filesystem cannot hold where its owner is not root: true owners, modes, devices, extended attributes."""

from __future__ import annotations

import stat
from typing import NamedTuple

from ..store.entries import Entry


class LayerMetadata(NamedTuple):
    """A path as its layer has it, beside the mode that the file was given here."""

    entry: Entry
    given: int  # st_mode


class MetadataLedger:
    """{path: Truth}; stays empty where privileged."""

    def __init__(self, privileged: bool):
        self.privileged = privileged
        self._known: dict[str, LayerMetadata] = {}

    def note(self, path: str, entry: Entry, given: int) -> None:
        """A file was made for this entry, with this st_mode."""
        if not self.privileged:
            self._known[path] = LayerMetadata(entry, given)

    def copy(self) -> MetadataLedger:
        """One of its own, that knows the same."""
        other = MetadataLedger(self.privileged)
        other._known = dict(self._known)
        return other

    def forget(self, path: str) -> None:
        self._known.pop(path, None)

    def entry(self, path: str) -> Entry | None:
        """The entry behind a path, if it is remembered."""
        known = self._known.get(path)
        return known.entry if known else None

    def mode(self, path: str, now: int) -> int:
        """The true permission bits of a file whose st_mode is `now`: unless a job changed them, as the layer said."""
        known = self._known.get(path)
        if known and known.given == now:
            return known.entry.mode
        return stat.S_IMODE(now)


def usable(mode: int, directory: bool) -> int:
    """The mode to give a file here: its owner, who is not root, must be able to do what root could; no setuid."""
    return (mode & 0o1777) | (0o700 if directory else 0o600)
