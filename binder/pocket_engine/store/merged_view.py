"""The filesystem that layers stacked on each other give (OCI image spec, layer.md: "Applying", "Whiteouts")."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO, NamedTuple

from ..errors import BadRequest, NotFound
from .entries import DIRECTORY, FILE, HARDLINK, OPAQUE, WHITEOUT, Entry
from .symlinks import resolve

_HIDDEN = ".wh..wh."  # aufs' own files: nothing to see


class VisibleEntry(NamedTuple):
    """A visible entry; the number of the layer that it is from; for a file or a hard link the file that it is."""

    entry: Entry
    layer: int
    file: Entry | None = None


class MergedView:
    """Read-only, so safe in every thread. `entries`: what is visible, by path; "" only if a layer has the root itself.

    Every folder on the way to an entry is in it. A hard link's `link` is a visible file; its own size is 0.
    """

    def __init__(self, diff_ids: Sequence[str], placed: dict[str, VisibleEntry], open_layer: Callable[[str], BinaryIO]):
        self.diff_ids = tuple(diff_ids)
        self.entries: dict[str, Entry] = {path: visible.entry for path, visible in placed.items()}
        self._layers = {path: visible.layer for path, visible in placed.items()}
        self._open_layer = open_layer
        self._children: dict[str, list[str]] | None = None

    def get(self, path: str) -> Entry | None:
        """The entry of exactly this path; symbolic links are not followed."""
        return self.entries.get(path)

    def layer_of(self, path: str) -> str:
        """The diff id of the layer whose tar has the content of this path. Raises NotFound."""
        try:
            return self.diff_ids[self._layers[path]]
        except KeyError:
            raise NotFound(f"Could not find the file {path} in the image.") from None

    def children(self, path: str) -> list[str]:
        """Sorted names in a folder; "" is the root."""
        if self._children is None:
            self._children = by_folder(self.entries)
        return list(self._children.get(path, ()))

    def resolve(self, path: str, follow_last: bool = True) -> str:
        """Where a path leads inside the root, as `symlinks.resolve` has it."""
        return resolve(self.entries, path, follow_last)

    def open(self, path: str) -> BinaryIO:
        """Exactly the bytes of a file; nothing is followed but hard links. Raises NotFound, BadRequest."""
        entry = self.entries.get(path)
        if entry is None:
            raise NotFound(f"Could not find the file {path} in the image.")
        if entry.kind == HARDLINK:
            entry = self.entries[entry.link]
        if entry.kind != FILE:
            raise BadRequest(f"{path} is not a file but a {entry.kind}.")
        return io.BufferedReader(FileSlice(self._open_layer(self.layer_of(path)), entry.offset, entry.size), 1 << 16)


class FileSlice(io.RawIOBase):
    """A stretch of a file, read as a file of its own. Closes the file with itself."""

    def __init__(self, file: BinaryIO, offset: int, size: int):
        self._file, self._offset, self._size, self._at = file, offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer) -> int:
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._at)]
        count = os.preadv(self._file.fileno(), [view], self._offset + self._at) if view else 0
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    """{folder: sorted names in it}; "" is the root."""
    found: dict[str, list[str]] = {}
    for path in paths:
        if path:
            parent, _, name = path.rpartition("/")
            found.setdefault(parent, []).append(name)
    for names in found.values():
        names.sort(key=os.fsencode)
    return found


def merge_layers(layers: Sequence[Sequence[Entry]]) -> dict[str, VisibleEntry]:
    """What is visible when these layers, given as their entries, lie on each other, the lowest first."""
    merged: dict[str, VisibleEntry] = {}
    for number, entries in enumerate(layers):
        upper, gone, opaque = _own(entries, number)
        emptied = {path for path in opaque if path in merged or not path}
        gone = {path for path in gone if path in merged}
        for path, visible in upper.items():
            if visible.entry.kind != DIRECTORY and path in merged and merged[path].entry.kind == DIRECTORY:
                gone.add(path)
        if gone or emptied:
            merged = _without(merged, gone, emptied)
        for path in [*upper, *(f"{folder}/" for folder in opaque)]:
            _folders_above(path, upper, merged, number)
        merged.update(upper)
    _settle_links(merged)
    return merged


def _own(entries: Sequence[Entry], number: int) -> tuple[dict[str, VisibleEntry], set[str], set[str]]:
    """What a layer has itself, the paths that it takes away, and the folders whose lower content it hides."""
    upper: dict[str, VisibleEntry] = {}
    gone: set[str] = set()
    opaque: set[str] = set()
    for entry in entries:
        path = entry.path
        if WHITEOUT in path:
            parent, slash, name = path.rpartition("/")
            if name == OPAQUE:
                opaque.add(parent)
                continue
            if name.startswith(WHITEOUT):
                if not name.startswith(_HIDDEN):
                    gone.add(parent + slash + name[len(WHITEOUT) :])
                continue
        if entry.kind == FILE:
            upper[path] = VisibleEntry(entry, number, entry)
        elif entry.kind == HARDLINK:
            upper[path] = VisibleEntry(entry, number, upper[entry.link].file)
        else:
            upper[path] = VisibleEntry(entry, number)
    return upper, gone, opaque


def _without(merged: dict[str, VisibleEntry], gone: set[str], emptied: set[str]) -> dict[str, VisibleEntry]:
    """Without the paths that are gone, and without everything below them or below the emptied folders."""
    hides = dict.fromkeys(gone | emptied, True)  # folder: is everything below it hidden?
    hides.setdefault("", False)
    kept: dict[str, VisibleEntry] = {}
    for path, visible in merged.items():
        climbed, above = [], path.rpartition("/")[0]
        while above not in hides:
            climbed.append(above)
            above = above.rpartition("/")[0]
        hidden = hides[above]
        for folder in climbed:
            hides[folder] = hidden
        if not path or not (hidden or path in gone):
            kept[path] = visible
    return kept


def _folders_above(path: str, upper: dict[str, VisibleEntry], merged: dict[str, VisibleEntry], number: int) -> None:
    """The folders that a path needs: where no entry made one, a lower layer's folder shows through, or there is a new one."""
    parent = path.rpartition("/")[0]
    while parent and parent not in upper:
        lower = merged.get(parent)
        if lower is None or lower.entry.kind != DIRECTORY:
            lower = VisibleEntry(Entry(parent, DIRECTORY, 0o755), number)
        upper[parent] = lower
        parent = parent.rpartition("/")[0]


def _settle_links(merged: dict[str, VisibleEntry]) -> None:
    """Every hard link leads to a visible file: where that is gone, the first of its links takes its place."""
    links = sorted(path for path, visible in merged.items() if visible.entry.kind == HARDLINK)
    first: dict[tuple[int, int], str] = {}
    for path in links:
        visible = merged[path]
        file = visible.file
        assert file is not None
        key = (visible.layer, file.offset)
        there = merged.get(file.path)
        if there is not None and there.file is file and there.layer == visible.layer and there.entry.kind == FILE:
            first.setdefault(key, file.path)
        leader = first.setdefault(key, path)
        if leader == path:
            merged[path] = visible._replace(entry=file._replace(path=path))
        elif visible.entry.link != leader:
            merged[path] = visible._replace(entry=visible.entry._replace(link=leader))
