"""Where COPY and ADD take files from: the build context's tar, a stage's layers, a folder of downloads.

Nothing is unpacked: a source is a list of entries, and their content is read from where it lies.
"""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import re
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

from ..errors import BadRequest
from ..store.entries import BLOCK, CHARACTER, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry
from ..store.merged_view import FileSlice, by_folder
from ..store.symlinks import resolve
from .compression import decompressed

MOST_FILES = 1_000_000


class FileSource(Protocol):
    """What a View of layers offers, too."""

    entries: dict[str, Entry]

    def children(self, path: str) -> list[str]: ...

    def resolve(self, path: str, follow_last: bool = True) -> str: ...

    def open(self, path: str) -> BinaryIO: ...


class BuildContext:
    """The build context. Files stay in the tar (uncompressed, in `folder`) until they are copied."""

    def __init__(self, archive: Path, folder: Path):
        self.entries: dict[str, Entry] = {}
        self._children: dict[str, list[str]] | None = None
        self._tar = Path(folder) / "context.tar"
        with decompressed(archive) as plain, open(self._tar, "wb") as file:
            shutil.copyfileobj(plain, file, 1 << 20)
        try:
            self._read()
        except (tarfile.TarError, EOFError, ValueError, OverflowError, UnicodeError) as error:
            raise BadRequest(f"The build context is not a readable tar archive: {error}. Nothing was built.") from None

    def _read(self) -> None:
        size = self._tar.stat().st_size
        with tarfile.open(self._tar, "r:", errorlevel=1) as tar:
            for member in tar:
                if len(self.entries) >= MOST_FILES:
                    raise BadRequest(f"The build context has more than {MOST_FILES:,} files. Nothing was built.")
                entry = self._entry(member)
                if entry is None:
                    continue
                if entry.size and entry.offset + entry.size > size:
                    raise BadRequest(f"The build context ends in the middle of {entry.path}. Nothing was built.")
                self._put(entry)
            if not self.entries and size and not _is_empty_tar(self._tar):
                raise BadRequest("The build context is not a readable tar archive. Nothing was built.")

    def _entry(self, member: tarfile.TarInfo) -> Entry | None:
        path = _inside(member.name)
        if path is None:
            raise BadRequest(
                f"The build context holds the name {member.name!r}, which leads out of it. Nothing was built."
            )
        if member.issparse():
            raise BadRequest(
                f"The build context holds the sparse file {path}, which is not read here. Nothing was built."
            )
        kind = _kind(member)
        if not path or kind is None:
            return None
        link = member.linkname if kind == SYMLINK else ""
        if kind == HARDLINK:
            link = _inside(member.linkname) or ""
            if not link or link not in self.entries or self.entries[link].kind == DIRECTORY:
                raise BadRequest(
                    f"The build context holds the hard link {path} to {member.linkname!r}, which is not in it. Nothing was built."
                )
        xattrs = tuple(
            (key.removeprefix("SCHILY.xattr."), value)
            for key, value in sorted(member.pax_headers.items())
            if key == "SCHILY.xattr.security.capability"
        )
        return Entry(
            path,
            kind,
            stat.S_IMODE(member.mode),
            member.uid,
            member.gid,
            member.size if kind == FILE else 0,
            float(member.mtime),
            link,
            "",
            member.offset_data,
            member.devmajor,
            member.devminor,
            xattrs,
        )

    def _put(self, entry: Entry) -> None:
        """As unpacking would: a later entry replaces an earlier one of the same name, parents come into being."""
        parent = posixpath.dirname(entry.path)
        while parent and parent not in self.entries:
            self.entries[parent] = Entry(parent, DIRECTORY, 0o755)
            parent = posixpath.dirname(parent)
        above = posixpath.dirname(entry.path)
        if above and self.entries[above].kind != DIRECTORY:
            raise BadRequest(f"The build context holds {entry.path}, but {above} is not a folder. Nothing was built.")
        before = self.entries.get(entry.path)
        if before and before.kind == DIRECTORY and entry.kind != DIRECTORY:
            for path in [path for path in self.entries if path.startswith(entry.path + "/")]:
                del self.entries[path]
        self.entries[entry.path] = entry

    def remove(self, path: str) -> None:
        """Take one file away."""
        self.entries.pop(path, None)
        self._children = None

    def children(self, path: str) -> list[str]:
        if self._children is None:
            self._children = by_folder(self.entries)
        return self._children.get(path, [])

    def resolve(self, path: str, follow_last: bool = True) -> str:
        return resolve(self.entries, path, follow_last)

    def open(self, path: str) -> BinaryIO:
        entry = self.entries[path]
        if entry.kind == HARDLINK:
            return self.open(entry.link)
        return io.BufferedReader(FileSlice(open(self._tar, "rb"), entry.offset, entry.size), 1 << 16)

    def read(self, path: str) -> bytes:
        """The content of a file, symbolic links followed inside the context. Raises KeyError."""
        found = self.entries[self.resolve(path)]
        if found.kind == DIRECTORY:
            raise KeyError(path)
        with self.open(found.path) as file:
            return file.read()


def matching_paths(source: FileSource, pattern: str) -> list[str]:
    """The paths of the source that a pattern of Go's filepath.Match names, in the order of a walk."""
    try:
        regex = re.compile(go_pattern(pattern))
    except re.error:
        return []  # Go's Match reports it, and Docker takes that for "no match"
    depth = pattern.count("/")
    found = [path for path in source.entries if path and path.count("/") == depth and regex.fullmatch(path)]
    return sorted(found, key=lambda path: [os.fsencode(part) for part in path.split("/")])


def go_pattern(pattern: str) -> str:
    """A pattern of filepath.Match (Go's documentation) as a regular expression: * and ? stop at "/"."""
    out, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "\\" and at + 1 < len(pattern):
            at += 1
            out.append(re.escape(pattern[at]))
        elif char == "[":
            end = pattern.find("]", at + 2)
            if end < 0:
                raise re.error("missing ]")
            out.append(pattern[at : end + 1])
            at = end
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out)


def has_wildcards(name: str) -> bool:
    """As Docker tells patterns from names (moby, builder/dockerfile/copy.go)."""
    return bool(re.search(r"(?<!\\)[*?\[]", name))


def digest(source: FileSource, path: str) -> str:
    """sha256 (hex) over names, kinds, modes, links and contents of a path and everything below; not over times.

    What a step was made from: the key of the cache, as Docker's tarsum is.
    """
    total = hashlib.sha256()
    for below in walk(source, path):
        entry = source.entries.get(below) or Entry(below, DIRECTORY)
        name = below[len(path) :]
        kind = FILE if entry.kind == HARDLINK else entry.kind
        link = entry.link if kind == SYMLINK else ""
        metadata = (name, kind, entry.mode, link, entry.major, entry.minor, entry.xattrs)
        total.update(repr(metadata).encode("utf-8", "surrogateescape"))
        if entry.kind in (FILE, HARDLINK):
            total.update(content_digest(source, below).encode())
    return total.hexdigest()


def content_digest(source: FileSource, path: str) -> str:
    """sha256 (hex) of a file's content."""
    entry = source.entries[path]
    if entry.kind == HARDLINK:
        return content_digest(source, entry.link)
    if entry.digest:
        return entry.digest
    total = hashlib.sha256()
    with source.open(path) as file:
        while data := file.read(1 << 20):
            total.update(data)
    source.entries[path] = entry._replace(digest=total.hexdigest())
    return total.hexdigest()


def walk(source: FileSource, path: str) -> Iterable[str]:
    """A path and everything below it, a folder before its content, names sorted."""
    yield path
    entry = source.entries.get(path)
    if not path or (entry and entry.kind == DIRECTORY):
        for name in source.children(path):
            yield from walk(source, f"{path}/{name}" if path else name)


def _inside(name: str) -> str | None:
    """A member's name relative to the root; None if it leads out."""
    parts: list[str] = []
    for part in name.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if not parts:
                return None
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _kind(member: tarfile.TarInfo) -> str | None:
    for test, kind in (
        (member.isreg, FILE),
        (member.isdir, DIRECTORY),
        (member.issym, SYMLINK),
        (member.islnk, HARDLINK),
        (member.ischr, CHARACTER),
        (member.isblk, BLOCK),
        (member.isfifo, FIFO),
    ):
        if test():
            return kind
    return None


def _is_empty_tar(path: Path) -> bool:
    with open(path, "rb") as file:
        return not file.read(1024).strip(b"\0")


def temporary_folder(folder: Path) -> tempfile.TemporaryDirectory:
    """A folder for one build's own files."""
    return tempfile.TemporaryDirectory(prefix="build-", dir=folder, ignore_cleanup_errors=True)
