"""One entry of a layer, and the view that layers stacked on each other give."""

from __future__ import annotations

from typing import NamedTuple

FILE, DIRECTORY, SYMLINK, HARDLINK, CHARACTER, BLOCK, FIFO = (
    "file",
    "directory",
    "symlink",
    "hardlink",
    "char",
    "block",
    "fifo",
)
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"


class Entry(NamedTuple):
    """As in the layer's tar. `path` is relative, without "./" and without a slash at the end; undecodable bytes of a
    name are surrogate escapes. A whiteout is an entry of kind "file" whose last part begins with ".wh."."""

    path: str
    kind: str
    mode: int = 0o644  # permission, setuid, setgid and sticky bits
    uid: int = 0
    gid: int = 0
    size: int = 0  # bytes of content; 0 for all but files
    mtime: float = 0.0  # seconds
    link: str = ""  # a symlink's text; a hard link's target, relative to the root like `path`
    digest: str = ""  # sha256 of a file's content, hex
    offset: int = 0  # where its content starts in the layer's uncompressed tar
    major: int = 0
    minor: int = 0
    xattrs: tuple[
        tuple[str, str], ...
    ] = ()  # names and values (bytes as surrogate escapes) of its SCHILY.xattr records
