"""Files of a container, in and out as tar archives (`docker cp`, `docker export`)."""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import os
import posixpath
import shutil
import stat
import tarfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ..errors import BadRequest, Interrupted, NotFound, no_space
from ..runtime.jobs import Mount
from . import resolve_in_root

PIECE = 1 << 18  # bytes
TrueMetadata = Callable[
    [str, os.stat_result], tuple[int, int, int]
]  # (path, what is there) -> (uid, gid, permission bits)

# Go's os.FileMode, as PathStat has it: permission bits as in Unix, the rest in bits of its own.
_GO_KINDS = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
}
_GO_BITS = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


class ContainerArchive:
    """The root filesystem of one container. `metadata` tells owner and mode where the files themselves cannot."""

    def __init__(self, container_id: str, root: Path, mounts: Sequence[Mount], metadata: TrueMetadata):
        self.container_id, self.root, self.mounts, self.metadata = container_id, root, mounts, metadata

    def path_stat(self, path: str) -> str:
        """The header X-Docker-Container-Path-Stat: base64 of JSON. Raises NotFound."""
        with self._found(path) as spot:
            found = spot.stat()
            if found is None:  # a running program removed it meanwhile
                raise self._missing(path, None)
            target = self._target(path) if stat.S_ISLNK(found.st_mode) else ""
        about = {
            "name": posixpath.basename(path.rstrip("/")) or "/",
            "size": found.st_size,
            "mode": go_mode(found.st_mode),
            "mtime": _rfc3339(found.st_mtime),
            "linkTarget": target,
        }
        return base64.b64encode(json.dumps(about).encode()).decode()

    def archive(self, path: str, stop: threading.Event | None = None) -> Generator[bytes, None, None]:
        """A tar of a file or folder, its names beginning with the last part of `path`. Raises NotFound at once."""
        spot = self._found(path)
        name = posixpath.basename(path.rstrip("/"))
        return self._archive(spot, "." if name in ("", ".", "..") else name, stop)

    def export(self, stop: threading.Event | None = None) -> Generator[bytes, None, None]:
        """A tar of everything but what is mounted."""
        return self._archive(resolve_in_root.resolve(self.root, "/"), "", stop)

    def _archive(
        self, spot: resolve_in_root.ResolvedPath, name: str, stop: threading.Event | None
    ) -> Generator[bytes, None, None]:
        seen: dict[tuple[int, int], str] = {}
        with spot:
            for piece in self._pack(spot.folder, spot.name, spot.path.strip("/"), name, seen):
                if stop and stop.is_set():
                    raise Interrupted("The client hung up, so the work was stopped.")
                yield piece
        yield b"\0" * 1024

    def _pack(self, folder: int, name: str, path: str, shown: str, seen: dict) -> Iterator[bytes]:
        """One file, or a folder and all below it; `shown` is its name in the archive, "" for none of its own."""
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            entry = self._entry(folder, name, path, shown, found, seen)
            if entry is None:
                return
            if entry.isreg():
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
                yield from _file(entry, file)
                return
            if shown:
                yield _header(entry)
            if not entry.isdir():
                return
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except FileNotFoundError:  # a running program removed it meanwhile
            return
        try:
            for child in sorted(os.listdir(below)):
                yield from self._pack(below, child, posixpath.join(path, child), posixpath.join(shown, child), seen)
        finally:
            os.close(below)

    def _entry(self, folder: int, name: str, path: str, shown: str, found, seen: dict) -> tarfile.TarInfo | None:
        entry = tarfile.TarInfo(shown)
        entry.uid, entry.gid, entry.mode = self.metadata(path, found)
        entry.mtime = found.st_mtime
        kinds = {
            stat.S_IFREG: tarfile.REGTYPE,
            stat.S_IFDIR: tarfile.DIRTYPE,
            stat.S_IFLNK: tarfile.SYMTYPE,
            stat.S_IFIFO: tarfile.FIFOTYPE,
            stat.S_IFCHR: tarfile.CHRTYPE,
            stat.S_IFBLK: tarfile.BLKTYPE,
        }
        kind = kinds.get(stat.S_IFMT(found.st_mode))
        if kind is None:  # a socket: archives know none
            return None
        entry.type = kind
        if entry.issym():
            entry.linkname = os.readlink(name, dir_fd=folder)
        elif entry.ischr() or entry.isblk():
            entry.devmajor, entry.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
        elif entry.isreg():
            key = (found.st_dev, found.st_ino)
            first = seen.setdefault(key, shown) if found.st_nlink > 1 else shown
            if first != shown:
                entry.type, entry.linkname = tarfile.LNKTYPE, first
            else:
                entry.size = found.st_size
        return entry

    def extract(self, path: str, stream: BinaryIO, put: Callable | None = None, *, keep_kinds: bool = False) -> None:
        """Unpack a tar (plain, gzip, bzip2 or xz) into a folder. put(spot, entry) is called for all that was made.

        keep_kinds: refuse to replace a folder by a file, or the other way round. Raises NotFound, BadRequest, NoSpace.
        """
        with self._found(path + "/.") as spot:
            found = spot.stat()
            if found is None or not stat.S_ISDIR(found.st_mode):
                raise BadRequest("extraction point is not a directory")
            where = spot.path
        try:
            with no_space(self.root), tarfile.open(fileobj=stream, mode="r|*") as archive:
                for member in archive:
                    self._unpack(archive, member, where, put, keep_kinds)
        except (tarfile.TarError, EOFError) as error:
            raise BadRequest(f"the archive cannot be read: {error}") from None
        except OSError as error:
            raise BadRequest(f"the archive cannot be unpacked there: {error.strerror}") from None

    def _unpack(self, archive: tarfile.TarFile, member: tarfile.TarInfo, where: str, put, keep_kinds: bool) -> None:
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise BadRequest(f'invalid archive: the name "{member.name}" leads out of the folder')
        folder = posixpath.join(where, *parts)
        with resolve_in_root.resolve(self.root, folder, follow=not parts, make=True, mounts=self.mounts) as spot:
            there = spot.stat()
            if there is not None and not (member.isdir() and stat.S_ISDIR(there.st_mode)):
                if keep_kinds and member.isdir() != stat.S_ISDIR(there.st_mode):
                    raise BadRequest(_cannot_overwrite(spot.path, member.isdir()))
                _remove(spot, there)
                there = None
            self._create(archive, member, where, spot, there is not None)
            if put and not member.islnk():
                put(spot, member)

    def _create(
        self, archive, member: tarfile.TarInfo, where: str, spot: resolve_in_root.ResolvedPath, there: bool
    ) -> None:
        if member.isdir():
            if not there:
                os.mkdir(spot.name, 0o700, dir_fd=spot.folder)
        elif member.issym():
            os.symlink(member.linkname, spot.name, dir_fd=spot.folder)
        elif member.islnk():
            target = posixpath.join(
                where, *(part for part in member.linkname.split("/") if part not in ("", ".", ".."))
            )
            with resolve_in_root.resolve(self.root, target, follow=False, mounts=self.mounts) as first:
                os.link(first.name, spot.name, src_dir_fd=first.folder, dst_dir_fd=spot.folder, follow_symlinks=False)
            return
        elif member.isreg():
            with open(spot.open(os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
                shutil.copyfileobj(archive.extractfile(member), file, PIECE)
        elif member.isfifo():
            os.mkfifo(spot.name, 0o600, dir_fd=spot.folder)
        else:
            raise BadRequest(f'invalid archive: "{member.name}" is a device')
        if not member.issym():
            os.chmod(spot.name, member.mode & 0o7777, dir_fd=spot.folder)  # nobody swaps it: it was made a moment ago
        with contextlib.suppress(OSError, OverflowError):
            os.utime(spot.name, (member.mtime, member.mtime), dir_fd=spot.folder, follow_symlinks=False)

    def _found(self, path: str) -> resolve_in_root.ResolvedPath:
        """As Docker has it, a link at the end is not followed, unless there is a slash, or a slash and a dot behind it."""
        if "\0" in path:
            raise BadRequest("invalid path: it has a NUL in it")
        try:
            spot = resolve_in_root.resolve(self.root, path, follow=path.endswith(("/", "/.")), mounts=self.mounts)
        except OSError as error:
            raise self._missing(path, error) from None
        if spot.stat() is None:
            with spot:
                raise self._missing(path, None)
        return spot

    def _missing(self, path: str, error: OSError | None) -> NotFound | BadRequest:
        if error is not None and error.errno not in (errno.ENOENT, errno.ENOTDIR):
            return BadRequest(f"{path}: {os.strerror(error.errno or 0).lower()}")
        return NotFound(f"Could not find the file {path} in container {self.container_id}")

    def _target(self, path: str) -> str:
        try:
            with resolve_in_root.resolve(self.root, path, mounts=self.mounts) as spot:
                return spot.path
        except OSError:
            return ""


def go_mode(mode: int) -> int:
    """st_mode as Go's os.FileMode."""
    found = stat.S_IMODE(mode) & 0o777 | _GO_KINDS.get(stat.S_IFMT(mode), 0)
    return found | sum(go for unix, go in _GO_BITS.items() if mode & unix)


def _rfc3339(seconds: float) -> str:
    whole, part = divmod(int(seconds * 10**6), 10**6)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{part:06d}Z"


def _header(entry: tarfile.TarInfo) -> bytes:
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _file(entry: tarfile.TarInfo, file: int) -> Iterator[bytes]:
    """Exactly as many bytes as the header says, whatever a running program does to the file meanwhile."""
    with open(file, "rb", buffering=0) as content:
        yield _header(entry)
        left = entry.size
        while left:
            piece = content.read(min(PIECE, left)) or b"\0" * min(PIECE, left)
            yield piece
            left -= len(piece)
    if entry.size % tarfile.BLOCKSIZE:
        yield b"\0" * (tarfile.BLOCKSIZE - entry.size % tarfile.BLOCKSIZE)


def _cannot_overwrite(path: str, by_folder: bool) -> str:
    if by_folder:
        return f'cannot overwrite non-directory "{path}" with directory'
    return f'cannot overwrite directory "{path}" with non-directory'


def _remove(spot: resolve_in_root.ResolvedPath, there: os.stat_result) -> None:
    if stat.S_ISDIR(there.st_mode):
        shutil.rmtree(
            spot.name, dir_fd=spot.folder
        )  # safe against links: shutil opens every folder relative to its parent
    else:
        os.unlink(spot.name, dir_fd=spot.folder)
