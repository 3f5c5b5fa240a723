"""The build context as the classic builder gets it: a tar archive in the body of the request."""

from __future__ import annotations

import contextlib
import os
import re
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

VARIABLE = re.compile(r"(?<!\\)\$(?P<brace>\{)?(?P<name>\w+)(?(brace)\})")

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

    The builder needs the Dockerfile, and leaves it and .dockerignore out of the context by itself, if the .dockerignore
    that is in the archive names them (moby, builder/remotecontext, removeDockerfile). It knows no .dockerignore of a
    Dockerfile's own: what that says is done here.
    """
    patterns = context.ignore_patterns(context.ignore_file(request.folder, request.dockerfile)[1])
    text = _for_platform(request)
    inside = _inside(request.folder, request.dockerfile) if text == request.parsed.text else ""
    name, lines = _hidden(request.folder, inside, patterns)
    added = {name: text.encode()} | ({} if lines is None else {IGNORE_FILE: lines})
    with contextlib.ExitStack() as failed, _in_words():
        packed = failed.enter_context(tempfile.TemporaryFile())
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for entry in context.walk(request.folder, patterns):
                if entry.path == IGNORE_FILE and lines is not None:
                    continue
                _add(archive, entry)
                added.pop(entry.path, None)
            for path, content in added.items():
                archives.add(archive, path, content)
        count = packed.tell()
        packed.seek(0)
        failed.pop_all()  # the file stays open
    return packed, name, count


def platform_asked_for(request: BuildRequest) -> dict[str, str]:
    """The values of the platform's variables that an ARG line asks for. BuildKit gives them, the classic builder is told."""
    asked = {name for line in request.parsed.instructions if line.word == "ARG" for name in line.args}
    return {name: value for name, value in request.platform.items() if name in asked}


def _for_platform(request: BuildRequest) -> str:
    """The Dockerfile, in whose FROM lines the platform's variables have their values: this builder has none for them there.

    Those that stand in an ARG line before the first FROM are passed as build arguments.
    """
    parsed = request.parsed
    asked = {name for line in parsed.of_stage(None) if line.word == "ARG" for name in line.args}
    lines, starts = parsed.text.split("\n"), [line.line for line in parsed.instructions]

    def value(found: re.Match) -> str:
        name = found["name"]
        return found[0] if name in asked else request.platform.get(name, found[0])

    for stage in parsed.stages:
        end = next((start for start in starts if start > stage.line), len(lines) + 1)
        for number in range(stage.line - 1, end - 1):
            lines[number] = VARIABLE.sub(value, lines[number])
    return "\n".join(lines)


def _hidden(folder: Path, dockerfile: str, patterns: list[str]) -> tuple[str, bytes | None]:
    """The Dockerfile's name in the archive, and the .dockerignore to be sent: None for the folder's own, as it is.

    dockerfile: its path in the folder, or "". patterns: what stays out. A Dockerfile that nothing is to copy goes under a
    name that .dockerignore itself keeps out, and only where it keeps out none, a line is added, as docker/cli does it
    (AddDockerfileToBuildContext).
    """
    out = context.excludes(patterns)
    is_sent = bool(dockerfile) and not out(dockerfile)
    content = None if out(IGNORE_FILE) else context.read_ignore_file(folder / IGNORE_FILE)
    if content is None:  # it is not copied, so what it says is free
        name = dockerfile if is_sent else DOCKERFILE_NAME
        return name, None if is_sent else f"{IGNORE_FILE}\n{name}\n".encode()
    seen = context.ignore_patterns(content)  # by the builder
    taken_out = context.excludes(seen)
    if is_sent and not taken_out(dockerfile):
        return dockerfile, None
    names = [dockerfile, DOCKERFILE_NAME, *filter(None, map(_example, seen))]
    for name in names if not taken_out(IGNORE_FILE) else []:
        free = out(name) or not os.path.lexists(folder / name)
        if name and name != IGNORE_FILE and taken_out(name) and free and not context.reaches_into(patterns, name):
            return name, None
    return DOCKERFILE_NAME, content.removesuffix(b"\n") + f"\n{DOCKERFILE_NAME}\n".encode()


def _example(pattern: str) -> str:
    """A name at the context's top that a pattern of .dockerignore matches, or "": such as "_.log" for "**/*.log"."""
    name = pattern.strip("/").removeprefix("**/").replace("**", "_").replace("*", "_").replace("?", "_")
    return name if re.fullmatch(r"[\w@+-][\w.@+-]*|\.[\w@+-][\w.@+-]*", name) else ""


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
