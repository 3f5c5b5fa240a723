"""What a job changed in a root filesystem, as entries of a new layer.

The kernel stamps a file's ctime with every change of its content, owner or mode, and no program can set it back: two
walks tell what changed, without reading one byte. The result is what Docker's overlay2 driver would find in its upper
folder: every changed entry, the folders above it, whiteouts, and opaque markers for folders made anew.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

from .. import inode_birth_time
from ..store.entries import BLOCK, CHARACTER, DIRECTORY, FIFO, FILE, HARDLINK, OPAQUE, SYMLINK, WHITEOUT, Entry
from .metadata_ledger import MetadataLedger


class FileStamp(NamedTuple):
    """One path at the time of a walk."""

    inode: int
    changed: int  # st_ctime_ns
    mode: int  # st_mode
    links: int  # st_nlink
    rest: tuple[int, ...]  # st_size, st_mtime_ns, st_uid, st_gid

    @classmethod
    def of(cls, status: os.stat_result) -> FileStamp:
        rest = (status.st_size, status.st_mtime_ns, status.st_uid, status.st_gid)
        return cls(status.st_ino, status.st_ctime_ns, status.st_mode, status.st_nlink, rest)

    def is_still(self, status: os.stat_result) -> bool:
        """True if nothing has been done to it.

        A file that lost another of its names has a new ctime, too; overlay2 does not count that as a change of this one.
        """
        now = FileStamp.of(status)
        if now.links < self.links and not stat.S_ISDIR(self.mode):
            return now._replace(changed=self.changed, links=self.links) == self
        return (now.inode, now.changed) == (self.inode, self.changed)


Snapshot = dict[str, FileStamp]


class Change(NamedTuple):
    """One entry of the layer to be. `stat`: of the file; for an opaque marker of its folder, for a whiteout None.
    `link`: the earlier path of the same file, if any."""

    path: str
    stat: os.stat_result | None
    link: str = ""
    same: bool = False  # the file was there before, under this path
    marker: bool = False


def snapshot(root: Path) -> Snapshot:
    """Every path below the root, and the root itself as ""."""
    return {path: FileStamp.of(found) for path, found in walk(root)} | {"": FileStamp.of(os.lstat(root))}


def walk(root: Path | str, below: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """(path, stat) of everything below, in the order of Go's filepath.Walk: names sorted, a folder before its content."""
    folder = os.path.join(root, below) if below else root
    with os.scandir(_readable(folder)) as scanned:
        files = sorted(scanned, key=lambda file: os.fsencode(file.name))
    for file in files:
        path = f"{below}/{file.name}" if below else file.name
        status = file.stat(follow_symlinks=False)
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            yield from walk(root, path)


def _readable(folder: Path | str) -> Path | str:
    """A job may have closed a folder even to its owner; root needs no permission, others give it to themselves."""
    if not os.access(folder, os.R_OK | os.X_OK):
        os.chmod(folder, stat.S_IMODE(os.stat(folder).st_mode) | 0o500)
    return folder


def compare(root: Path, before: Snapshot, chowned: Container[tuple[int, int]] = ()) -> list[Change]:
    """What is different now, in the order of a layer's tar: markers right after the folder that they are in.

    chowned: (device, inode) of files that a job gave away without being able to, which no ctime tells.
    """
    began = max((seen.changed for seen in before.values()), default=0)
    now = dict(walk(root))
    wanted: dict[str, Change] = {}
    first: dict[int, str] = {}
    opaque: set[str] = set()
    for path, status in now.items():
        was = before.get(path)
        parent = os.path.dirname(path)
        if was and was.is_still(status) and parent not in opaque and (status.st_dev, status.st_ino) not in chowned:
            continue
        if stat.S_ISSOCK(status.st_mode):  # archive/tar knows no sockets: Docker leaves them out
            continue
        if stat.S_ISDIR(status.st_mode) and (
            parent in opaque or (was and is_recreated(root, path, was, status, began))
        ):
            opaque.add(path)
        link = ""
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            link = first.setdefault(status.st_ino, path)
            link = "" if link == path else link
        for folder in _above(path):
            if folder not in wanted:
                wanted[folder] = Change(folder, now[folder], same=folder in before)
        wanted[path] = Change(path, status, link, same=bool(was and was.inode == status.st_ino and path not in opaque))
    gone = [path for path in before if path and path not in now]
    for path in opaque:
        if os.path.dirname(path) not in opaque and path in before:
            wanted[f"{path}/{OPAQUE}"] = Change(f"{path}/{OPAQUE}", now[path], marker=True)
    for path in gone:
        parent = os.path.dirname(path)
        if parent and not (parent in now and stat.S_ISDIR(now[parent].st_mode)):
            continue  # went with its folder
        if parent in opaque:
            continue
        marker = os.path.join(parent, WHITEOUT + os.path.basename(path))
        wanted[marker] = Change(marker, None, marker=True)
        for folder in _above(path):
            wanted.setdefault(folder, Change(folder, now[folder], same=True))
    return sorted(wanted.values(), key=lambda change: [os.fsencode(part) for part in _sorting(change.path)])


def _sorting(path: str) -> list[str]:
    """Whiteouts sort where the name that they hide would, as a walk over overlay2's upper folder meets them."""
    *folders, name = path.split("/")
    if name == OPAQUE:
        return [*folders, ""]
    return [*folders, name.removeprefix(WHITEOUT)]


def _above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def is_recreated(root: Path, path: str, was: FileStamp, status: os.stat_result, began: int) -> bool:
    """True if a folder is not the one that was there: the old one was removed, and numbers of inodes are used again."""
    if was.inode != status.st_ino or not stat.S_ISDIR(was.mode):
        return True
    return inode_birth_time.birth_time(os.fsencode(os.path.join(root, path))) > began


def write(writer, root: Path, change: Change, ledger: MetadataLedger, owners: dict, user: tuple[int, int]) -> None:
    """Add one change to a layer being written."""
    if change.marker or change.stat is None:
        writer.add(_marker(change, root, ledger, owners, user))
        return
    host_path = os.path.join(root, change.path)
    entry = _entry(change, change.stat, host_path, ledger, owners, user)
    if entry.kind != FILE:
        writer.add(entry)
        return
    if not os.access(host_path, os.R_OK, follow_symlinks=False):
        os.chmod(host_path, stat.S_IMODE(change.stat.st_mode) | 0o400)
        ledger.note(change.path, entry, os.lstat(host_path).st_mode)
    with open(os.open(host_path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as content:
        writer.add(entry, content)


def _marker(change: Change, root: Path, ledger: MetadataLedger, owners: dict, user: tuple[int, int]) -> Entry:
    """A whiteout; the marker of a folder made anew has that folder's mode and owner, as Docker's export has it."""
    if change.stat is None:
        return Entry(change.path, FILE, 0o600)
    folder = os.path.dirname(change.path)
    above = _entry(Change(folder, change.stat), change.stat, os.path.join(root, folder), ledger, owners, user)
    return Entry(change.path, FILE, above.mode, above.uid, above.gid)


def _entry(
    change: Change, status: os.stat_result, host_path: str, ledger: MetadataLedger, owners: dict, user: tuple[int, int]
) -> Entry:
    """Modes as the walk met them: a folder that was closed even to its owner has been opened since, to look into it."""
    path = change.path
    kind = _kind(status.st_mode)
    known = ledger.entry(path) if change.same else None
    if not change.same:
        ledger.forget(path)
    uid, gid, mode = status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)
    xattrs: tuple[tuple[str, str], ...] = ()
    major, minor = (os.major(status.st_rdev), os.minor(status.st_rdev)) if kind in (CHARACTER, BLOCK) else (0, 0)
    if ledger.privileged:
        xattrs = _xattrs(host_path) if kind in (FILE, DIRECTORY) else ()
    else:
        uid, gid = owners.get((status.st_dev, status.st_ino)) or ((known.uid, known.gid) if known else user)
        mode = ledger.mode(path, status.st_mode)
        if known and known.kind in (CHARACTER, BLOCK):
            kind, major, minor = known.kind, known.major, known.minor
    link = os.readlink(host_path) if kind == SYMLINK else ""
    if change.link and kind == FILE:
        kind, link = HARDLINK, change.link
    size = status.st_size if kind == FILE else 0
    entry = Entry(
        path,
        kind,
        0o777 if kind == SYMLINK else mode,
        uid,
        gid,
        size,
        status.st_mtime,
        link,
        major=major,
        minor=minor,
        xattrs=xattrs,
    )
    ledger.note(path, entry, os.lstat(host_path).st_mode)
    return entry


def _kind(mode: int) -> str:
    for test, kind in (
        (stat.S_ISREG, FILE),
        (stat.S_ISDIR, DIRECTORY),
        (stat.S_ISLNK, SYMLINK),
        (stat.S_ISCHR, CHARACTER),
        (stat.S_ISBLK, BLOCK),
        (stat.S_ISFIFO, FIFO),
    ):
        if test(mode):
            return kind
    raise ValueError(f"no kind of file for mode {mode:o}")


def _xattrs(host_path: str) -> tuple[tuple[str, str], ...]:
    """Docker keeps security.capability alone (moby, pkg/archive)."""
    try:
        value = os.getxattr(host_path, "security.capability", follow_symlinks=False)
    except OSError:
        return ()
    return (("security.capability", value.decode("utf-8", "surrogateescape")),)
