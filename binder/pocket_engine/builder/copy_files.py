"""COPY and ADD: from sources to a layer, with the rules of Docker's builder (moby, builder/dockerfile/copy.go)."""

from __future__ import annotations

import functools
import io
import posixpath
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..errors import BadRequest
from ..store.entries import DIRECTORY, FILE, HARDLINK, Entry
from .build_context import BuildContext, FileSource, digest, has_wildcards, matching_paths, walk
from .compression import compression, decompressed
from .upper_dir import UpperDir


@dataclass(frozen=True)
class CopyItem:
    """One thing to copy. `name`: its last part as written, for a destination that is a folder."""

    source: FileSource
    path: str  # links followed
    name: str
    digest: str  # "file:…" or "dir:…"
    archive: BuildContext | None = None  # ADD: to unpack instead
    fetched: bool = False


def find_items(source: FileSource, names: list[str], verb: str, *, from_stage: bool = False) -> list[CopyItem]:
    """What the words before the destination name. Raises BadRequest in Docker's words."""
    items: list[CopyItem] = []
    for name in names:
        if has_wildcards(name):
            paths = matching_paths(source, posixpath.normpath("/" + name).lstrip("/"))
            items += [_item(source, path, path) for path in paths]
            continue
        items.append(_item(source, _normalized(name, from_stage), name))
    if not items:
        raise BadRequest(f"{verb} failed: no source files were specified")
    return items


def _normalized(name: str, from_stage: bool) -> str:
    name = name.replace("\\ ", " ")
    climbs = posixpath.normpath(name.lstrip("/") or ".")
    if climbs == ".." or climbs.startswith("../"):
        if not from_stage:
            raise BadRequest(f"COPY failed: forbidden path outside the build context: {name} ()")
    return posixpath.normpath("/" + name).lstrip("/")


def _item(source: FileSource, path: str, name: str) -> CopyItem:
    real = source.resolve(path)
    entry = source.entries.get(real)
    if real and entry is None:
        raise FileNotFoundError(path)
    folder = entry is None or not real or entry.kind == DIRECTORY
    sign = "dir" if folder else "file"
    return CopyItem(source, real, posixpath.basename(name.rstrip("/")), f"{sign}:{digest(source, real)}")


def with_archive_opened(item: CopyItem, folder: Path) -> CopyItem:
    """The item of an ADD, with its archive opened if it is one: a tar, plain or compressed, by content and not by name."""
    entry = item.source.entries.get(item.path)
    if item.fetched or entry is None or entry.kind not in (FILE, HARDLINK):
        return item
    with item.source.open(item.path) as file:
        head = file.read(512)
    if not compression(head) and head[257:262] != b"ustar":
        return item
    spool = Path(folder) / "added"
    with item.source.open(item.path) as file, open(spool, "wb") as out:
        while data := file.read(1 << 20):
            out.write(data)
    inner = Path(folder) / f"unpacked-{len(list(Path(folder).iterdir()))}"
    inner.mkdir()
    try:
        with decompressed(spool) as plain:
            start = plain.read(512)
        if start[257:262] != b"ustar" and not _is_old_tar(start):
            return item
        return CopyItem(item.source, item.path, item.name, item.digest, BuildContext(spool, inner))
    except (BadRequest, tarfile.TarError) as error:
        if (
            "not a readable tar" in str(error)
            or "ends in the middle" in str(error)
            or isinstance(error, tarfile.TarError)
        ):
            return item  # no archive after all: it is copied as it is
        raise


def _is_old_tar(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def copy(
    upper: UpperDir,
    items: list[CopyItem],
    dest: str,
    verb: str,
    owner: tuple[int, int] | None,
    mode: int | None,
    keep: bool = False,
) -> None:
    """Lay the items at `dest`, an absolute path whose slash at the end means a folder.

    owner: as --chown says. keep: without --chown, files stay whose they were (COPY --from), else they become root's.
    Raises BadRequest.
    """
    into = dest.endswith("/")
    if len(items) > 1 and not into:
        raise BadRequest(
            f"When using {verb} with more than one source file, the destination must be a directory and end with a /"
        )
    try:
        destination = upper.resolve(dest)
    except BadRequest:
        raise BadRequest(f"failed to copy files: evalSymlinksInScope: too many links in {dest}") from None
    for item in items:
        try:
            if item.archive:
                _unpack_archive(upper, item.archive, destination)
            else:
                _copy_item(upper, item, destination, into, _OwnerAndMode(owner, mode, keep))
        except NotADirectoryError as error:
            folder = item.source.entries.get(item.path)
            what = (
                f"lstat /{destination}"
                if folder and folder.kind != DIRECTORY
                else f"failed to copy directory: mkdir /{error}"
            )
            raise BadRequest(f"failed to copy files: {what}: not a directory") from None


class _OwnerAndMode(NamedTuple):
    """What becomes of owners and modes."""

    owner: tuple[int, int] | None
    mode: int | None
    keep: bool

    def on(self, entry: Entry) -> Entry:
        """An entry as it is laid down."""
        if self.owner or not self.keep:
            uid, gid = self.owner or (0, 0)
            entry = entry._replace(uid=uid, gid=gid)
            if entry.kind != DIRECTORY:
                entry = entry._replace(mode=_after_chown(entry.mode))
        if self.mode is not None and entry.kind in (FILE, DIRECTORY):
            entry = entry._replace(mode=self.mode)
        return entry


def _copy_item(upper: UpperDir, item: CopyItem, destination: str, into: bool, dress: _OwnerAndMode) -> None:
    source, path = item.source, item.path
    owner = dress.owner or (0, 0)
    entry = source.entries.get(path) or Entry("", DIRECTORY, 0o755)
    if entry.kind != DIRECTORY:
        goal = posixpath.join(destination, item.name) if into or upper.is_folder(destination) else destination
        upper.make_folders(posixpath.dirname(goal), owner, entry.mtime)
        if upper.is_folder(goal) and goal:
            raise BadRequest(f"failed to copy files: cannot copy to non-directory: /{goal}")
        _copy_entry(upper, source, path, goal, dress, {})
        return
    newest = max((source.entries[below].mtime for below in walk(source, path) if below in source.entries), default=0.0)
    upper.make_folders(posixpath.dirname(destination), (0, 0), newest)
    upper.make_folders(destination, owner, newest)
    upper.touch(destination)
    links: dict[str, str] = {}
    for below in walk(source, path):
        if below != path:
            _copy_entry(upper, source, below, posixpath.join(destination, below[len(path) :].lstrip("/")), dress, links)


def _copy_entry(
    upper: UpperDir, source: FileSource, path: str, goal: str, dress: _OwnerAndMode, links: dict[str, str]
) -> None:
    """links: {a file that was copied: where to}, so that names of one file stay names of one file."""
    entry = source.entries[path]._replace(digest="", offset=0)
    if entry.kind not in (FILE, HARDLINK):
        upper.put(dress.on(entry._replace(path=goal)))
        return
    first = entry.link if entry.kind == HARDLINK else path
    entry = source.entries[first]._replace(path=goal, digest="", offset=0, kind=FILE, link="")
    copied = dress.on(entry)
    if first in links:
        upper.put(copied._replace(kind=HARDLINK, link=links[first], size=0))
        return
    links[first] = goal
    upper.put(copied, lambda: source.open(path))


def _after_chown(mode: int) -> int:
    """Docker chowns what it copies, and that takes the setuid bit away, and setgid of what a group may run (chown(2))."""
    return mode & ~0o4000 & ~(0o2000 if mode & 0o010 else 0)


def _unpack_archive(upper: UpperDir, archive: BuildContext, destination: str) -> None:
    """Owners, modes and times of an archive are its own."""
    upper.make_folders(destination, (0, 0), max((entry.mtime for entry in archive.entries.values()), default=0.0))
    for path, entry in archive.entries.items():
        goal = posixpath.join(destination, path)
        copied = entry._replace(path=goal, digest="", offset=0)
        if entry.kind == HARDLINK:
            copied = copied._replace(link=posixpath.join(destination, entry.link))
        if entry.kind == FILE:
            upper.put(copied, functools.partial(archive.open, path))
        else:
            upper.put(copied)


class InMemorySource:
    """A source made of texts: heredocs and downloads."""

    def __init__(self, files: dict[str, bytes], mode: int = 0o644, mtime: float = 0.0):
        self._files = files
        self.entries = {name: Entry(name, FILE, mode, size=len(data), mtime=mtime) for name, data in files.items()}

    def children(self, path: str) -> list[str]:
        return sorted(self._files) if not path else []

    def resolve(self, path: str, follow_last: bool = True) -> str:
        return path

    def open(self, path: str) -> io.BytesIO:
        return io.BytesIO(self._files[path])
