"""The build context as the classic builder gets it: a tar archive in the body of the request."""

from __future__ import annotations

import contextlib
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .. import archives
from ..errors import WorkshopError
from . import context
from .context import IGNORE_FILE, Entry
from .request import BuildRequest

DOCKERFILE_NAME = ".factory-floor.Dockerfile"  # of one that is not in the folder

TYPES = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
}


def pack(request: BuildRequest) -> tuple[BinaryIO, str, int]:
    """The archive, an open file; the Dockerfile's name in it; and its size in bytes. Raises WorkshopError as `walk` does.

    The builder needs two files that .dockerignore may name, and leaves them out of the context itself (moby,
    builder/remotecontext, removeDockerfile). So a Dockerfile that is not in the folder, which must never be copied, is
    named in the .dockerignore that goes along, as docker/cli does it (AddDockerfileToBuildContext).
    """
    ignore = context.read_ignore_file(request.folder / IGNORE_FILE)
    name = _inside(request.folder, request.dockerfile)
    text = request.parsed.text.encode()
    rewritten: dict[str, bytes] = {}
    needed = {name: text} if ignore is None else {name: text, IGNORE_FILE: ignore}
    if not name:
        lines = (IGNORE_FILE.encode() if ignore is None else ignore).removesuffix(b"\n")
        needed = rewritten = {DOCKERFILE_NAME: text, IGNORE_FILE: lines + f"\n{DOCKERFILE_NAME}\n".encode()}
    with contextlib.ExitStack() as failed, _in_words():
        packed = failed.enter_context(tempfile.TemporaryFile())
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for entry in context.walk(request.folder, context.ignore_patterns(ignore)):
                if entry.path not in rewritten:
                    _add(archive, entry)
                    needed.pop(entry.path, None)
            for path, content in needed.items():
                archives.add(archive, path, content)
        count = packed.tell()
        packed.seek(0)
        failed.pop_all()  # the file stays open
    return packed, name or DOCKERFILE_NAME, count


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    """What keeps the archive from being written, as WorkshopError: a full disk, a file that got shorter while it was read."""
    try:
        yield
    except OSError as error:
        what = f"The build context cannot be packed: {error.strerror or error}."
        remedy = f"If there is no space in {tempfile.gettempdir()}, free some; then run the cell again."
        raise WorkshopError(what, remedy, "Nothing was built.") from None


def _inside(folder: Path, dockerfile: str) -> str:
    """A Dockerfile's path in the build context; "" if it is not there."""
    path = (folder / dockerfile).resolve()
    return path.relative_to(folder).as_posix() if dockerfile and path.is_relative_to(folder) else ""


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    """Add an entry as root's: whose it is on this machine is no business of an image's. A socket has no place in an archive."""
    if stat.S_IFMT(entry.mode) not in TYPES:
        return
    header = tarfile.TarInfo(entry.path)
    header.type, header.mode = TYPES[stat.S_IFMT(entry.mode)], stat.S_IMODE(entry.mode)
    header.mtime, header.linkname = entry.modified // 10**9, entry.link
    header.devmajor, header.devminor = entry.device
    if not header.isreg():
        archive.addfile(header)
    elif entry.link:
        header.type = tarfile.LNKTYPE
        archive.addfile(header)
    else:
        with entry.open() as content:
            header.size = content.seek(0, 2)
            content.seek(0)
            archive.addfile(header, content)
