"""The layer that a COPY or an ADD makes: what a copy-on-write filesystem would have in its upper folder."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from ..store.entries import DIRECTORY, FILE, OPAQUE, Entry
from ..store.layers import Layer, Layers
from ..store.symlinks import resolve

Opener = Callable[[], BinaryIO]


class NewEntry(NamedTuple):
    """An entry of the new layer; `content` opens a file's bytes."""

    entry: Entry
    content: Opener | None = None


class UpperDir:
    """Changes on top of `lower` ({path: Entry}, the merged view of the layers below)."""

    def __init__(self, lower: dict[str, Entry]):
        self._lower = lower
        self.new_entries: dict[str, NewEntry] = {}
        self._hidden: set[str] = set()  # folders made anew: nothing of the lower layers shows in them

    def get(self, path: str) -> Entry | None:
        """What is at this path now."""
        if path in self.new_entries:
            return self.new_entries[path].entry
        parent = path
        while parent:
            parent = posixpath.dirname(parent)
            if parent in self._hidden or (
                parent in self.new_entries and self.new_entries[parent].entry.kind != DIRECTORY
            ):
                return None
        return self._lower.get(path)

    def resolve(self, path: str) -> str:
        """Where a path leads, links followed, the last part too."""
        return resolve(self, path)

    def is_folder(self, path: str) -> bool:
        entry = self.get(path)
        return not path or bool(entry and entry.kind == DIRECTORY)

    def make_folders(self, path: str, owner: tuple[int, int], mtime: float) -> None:
        """`mkdir -p`: what is missing comes into being with mode 755. `path` is resolved already.

        Raises NotADirectoryError where a file is in the way.
        """
        parts = path.split("/") if path else []
        for count in range(len(parts)):
            here = "/".join(parts[: count + 1])
            entry = self.get(here)
            if entry is None:
                self.put(Entry(here, DIRECTORY, 0o755, *owner, mtime=mtime))
            elif entry.kind != DIRECTORY:
                raise NotADirectoryError(here)

    def touch(self, path: str) -> None:
        """Something was written into this folder: it is part of the layer, even if nothing in it is."""
        if path and path not in self.new_entries and path in self._lower:
            self.new_entries[path] = NewEntry(self._lower[path])

    def put(self, entry: Entry, content: Opener | None = None) -> None:
        """Create or replace. A folder over a folder keeps what is in it; anything else takes the old one's place."""
        before = self.get(entry.path)
        merges = before and before.kind == DIRECTORY and entry.kind == DIRECTORY
        if before and not merges:
            for path in [path for path in self.new_entries if path.startswith(entry.path + "/")]:
                del self.new_entries[path]
            if entry.kind == DIRECTORY and entry.path in self._lower:
                self._hidden.add(entry.path)
            elif entry.kind != DIRECTORY:
                self._hidden.discard(entry.path)
        self.new_entries[entry.path] = NewEntry(entry, content)

    def write(self, layers: Layers) -> Layer:
        """The layer, in the order of a walk, with the folders above its entries (as overlay2 copies them up)."""
        for path in list(self.new_entries):
            while path := posixpath.dirname(path):
                if path not in self.new_entries:
                    self.new_entries[path] = NewEntry(self._lower[path])
        for folder in self._hidden:
            above = self.new_entries[
                folder
            ].entry  # the marker has its folder's mode and owner, as overlay2's export has it
            self.new_entries[f"{folder}/{OPAQUE}"] = NewEntry(
                Entry(f"{folder}/{OPAQUE}", FILE, above.mode, above.uid, above.gid)
            )
        with layers.writer() as writer:
            for path in sorted(self.new_entries, key=_order):
                entry, content = self.new_entries[path]
                if content is None:
                    writer.add(entry._replace(offset=0, digest=""))
                    continue
                with content() as file:
                    writer.add(entry, file)
            return writer.commit()


def _order(path: str) -> list[bytes]:
    *folders, name = path.split("/")
    return [os.fsencode(part) for part in (*folders, "" if name == OPAQUE else name)]
