"""One layer's tar, entry by entry, from a stream that is never kept whole; and the limits that keep it bounded.

OCI image specification, "Image Layer Filesystem Changeset", says what an entry means.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import posixpath
import queue
import threading
import zlib
from dataclasses import dataclass, field

import zstandard

from ..units import shorten
from . import package_databases
from . import tar as tar_format
from .streams import COMPRESSED, PIECE, CountingReader, uncompressed, unpacked_ahead
from .tar import Damaged, Entry, Tar

KINDS = ["file", "directory", "symlink", "hard link", "device", "fifo", "whiteout", "opaque", "other"]
FILE, DIRECTORY, SYMLINK, HARD_LINK, DEVICE, FIFO, REMOVED, OPAQUE_DIRECTORY, OTHER = range(len(KINDS))
ENTRY = ["path", "kind", "bytes", "mode", "uid", "gid", "linkname", "digest", "xattrs"]

WHITEOUT, OPAQUE, AUFS = ".wh.", ".wh..wh..opq", ".wh..wh."  # OCI image specification, "Whiteouts"

MOST_ENTRIES = 1_000_000  # in one layer, and in one image
LARGEST_LAYER = 64 << 30  # bytes, unpacked; a file in it cannot be larger either
LARGEST_HEADER = 1 << 20  # bytes of one PAX header or GNU long name; real ones have some hundred
LARGEST_KEPT = 32 << 20  # bytes of a package database, or of a file that is asked for

_TYPES = {
    tar_format.FILE: FILE,
    tar_format.DIRECTORY: DIRECTORY,
    tar_format.SYMLINK: SYMLINK,
    tar_format.LINK: HARD_LINK,
    tar_format.CHARACTER: DEVICE,
    tar_format.BLOCK: DEVICE,
    tar_format.FIFO: FIFO,
}

# What the readers below raise for bytes that are not what they should be.
BROKEN = (
    Damaged,
    zstandard.ZstdError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


@dataclass
class Layer:
    """One layer as it was read.

    diff_id: SHA-256 of the uncompressed tar (OCI image specification, "Layer DiffID"). columns: {name in ENTRY: list},
    kind as a number in KINDS. tar_bytes: of the uncompressed tar. stored_bytes: as it was stored, None if that was not
    compressed. packages: rows of `package_databases.COLUMNS`. content: of the file that was asked for, None if the layer has
    no such file.
    """

    diff_id: str
    columns: dict[str, list]
    tar_bytes: int
    stored_bytes: int | None = None
    packages: list[list] = field(default_factory=list)
    content: bytes | None = None


def is_tar(head: bytes) -> bool:
    """True if these first 512 bytes may begin a tar, plain or compressed. An empty layer is one of no bytes at all."""
    return not head or head.startswith(COMPRESSED) or _is_end(head) or tar_format.is_header(head)


def read_layer(stream, wanted: str | None = None, begin=None) -> Layer:
    """Read a layer from a file-like object, plain or compressed. Raises one of BROKEN.

    wanted: a path whose content is kept. begin: called for one that is not compressed, it returns what is called with each
    piece of its tar.
    """
    stored = CountingReader(stream)
    plain, compressed = uncompressed(stored)
    columns: dict[str, list] = {name: [] for name in ENTRY}
    add = [columns[name].append for name in ENTRY]
    keep: dict[str, bytes] = {}
    on_piece = begin() if begin and not compressed else None
    with unpacked_ahead(plain, compressed) as pieces, _DiffId(on_piece) as diff_id:
        tar = Tar(pieces.read, PIECE, LARGEST_HEADER, diff_id.update)
        unpacked = 0
        for number, entry in enumerate(tar, 1):
            unpacked += entry.size
            if entry.size > LARGEST_LAYER or unpacked > LARGEST_LAYER:
                claim = f"{shorten(entry.name, 80)!r} claims {entry.size:,} bytes"
                raise Damaged(f"{claim}; {LARGEST_LAYER:,} are the most that a layer may unpack to")
            if number > MOST_ENTRIES:
                raise Damaged(f"a layer has more than {MOST_ENTRIES:,} entries")
            for append, value in zip(add, _row(tar, entry, wanted, keep)):
                append(value)
        tar.drain()
    _resolve_hard_links(columns)
    return Layer(
        diff_id.text,
        columns,
        tar.count,
        stored.count if compressed else None,
        package_databases.parse(keep),
        keep.get(wanted) if wanted else None,
    )


def _row(tar: Tar, entry: Entry, wanted: str | None, keep: dict[str, bytes]) -> tuple:
    """One entry in the order of ENTRY, or () for what engines skip. What is to be kept of its content goes to `keep`."""
    path, kind = _path(entry.name, _TYPES.get(entry.type, OTHER))
    if path is None:
        return ()
    if kind in (REMOVED, OPAQUE_DIRECTORY):
        return (path, kind, 0, 0, 0, 0, "", "", "")
    size, digest, link = 0, "", entry.linkname
    if kind == FILE:
        size = entry.size
        digest, content = _read(
            tar.content(entry), size <= LARGEST_KEPT and (path == wanted or package_databases.is_database(path))
        )
        if content is not None:
            keep[path] = content
    elif kind == HARD_LINK:
        link = absolute_path(link)
    elif kind == DEVICE:
        link = "{}:{}".format(*entry.device)
    xattrs = " ".join(f"{name}={value.hex()}" for name, value in sorted(entry.xattrs.items())) if entry.xattrs else ""
    return (path, kind, size, entry.mode, entry.uid, entry.gid, link, digest, xattrs)


def absolute_path(name: str) -> str:
    """A name in a tar as an absolute path: `./a/b/` → `/a/b`. Raises Damaged if it leads out by `..`."""
    path = posixpath.normpath(name.lstrip("/"))
    if path == ".." or path.startswith("../"):
        raise Damaged(f"an entry's name leads out of the image: {shorten(name, 80)!r}")
    return "/" if path == "." else f"/{path}"


def _path(name: str, kind: int) -> tuple[str | None, int]:
    """(path, kind), whiteouts with the path that they hide; (None, …) for AUFS's own notes, which engines skip."""
    path = absolute_path(name)
    if WHITEOUT not in path:
        return path, kind
    folder, base = posixpath.split(path)
    if base == OPAQUE:
        return folder, OPAQUE_DIRECTORY
    if base.startswith(AUFS) or any(part.startswith(AUFS) for part in folder.split("/")):
        return None, kind
    if base.startswith(WHITEOUT) and len(base) > len(WHITEOUT):
        if base[len(WHITEOUT) :] in (".", ".."):
            raise Damaged(f"an entry's name leads out of the image: {shorten(name, 80)!r}")
        return posixpath.join(folder, base[len(WHITEOUT) :]), REMOVED
    return path, kind


def _read(pieces, keep: bool) -> tuple[str, bytes | None]:
    """(digest, the content if it is to be kept)."""
    total, kept = hashlib.sha256(), []
    for piece in pieces:
        total.update(piece)
        if keep:
            kept.append(bytes(piece))
    return f"sha256:{total.hexdigest()}", b"".join(kept) if keep else None


def _resolve_hard_links(columns: dict[str, list]) -> None:
    """Give each hard link the digest of the file that it is another name of: the one of that path before it in its tar.

    A link to what does not come before it, in a lower layer perhaps, keeps an empty digest. Raises Damaged for a circle.
    """
    kinds, digests = columns["kind"], columns["digest"]
    if HARD_LINK not in kinds:
        return
    so_far: dict[str, str] = {}
    links: dict[str, str] = {}
    for row, (path, kind, target) in enumerate(zip(columns["path"], kinds, columns["linkname"])):
        if kind == HARD_LINK:
            digests[row] = so_far.get(target, "")
            if not digests[row]:
                links[path] = target
        if kind not in (REMOVED, OPAQUE_DIRECTORY):
            so_far[path] = digests[row]
    ended: set[str] = set()
    for path in links:
        walk: set[str] = set()
        while path in links and path not in ended:
            if path in walk:
                raise Damaged(f"its hard links lead in a circle at {shorten(path, 80)!r}")
            walk.add(path)
            path = links[path]
        ended |= walk


def _is_end(head: bytes) -> bool:
    return len(head) == 512 and not head.strip(b"\0")


class _DiffId:
    """SHA-256 of the uncompressed tar, worked out beside the reading: hashing gives up Python's lock."""

    def __init__(self, on_piece=None):
        self.text, self._sum, self._on_piece, self._count = "", hashlib.sha256(), on_piece, 0
        self._pieces: queue.Queue = queue.Queue(maxsize=8)
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> _DiffId:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._pieces.put(None)
        self._thread.join()
        if self._on_piece:
            self._on_piece(b"")
        self.text = f"sha256:{self._sum.hexdigest()}"

    def update(self, piece: memoryview) -> None:
        self._count += len(piece)
        if self._count > LARGEST_LAYER:
            raise Damaged(f"a layer unpacks to more than {LARGEST_LAYER:,} bytes")
        self._pieces.put(piece)
        if self._on_piece:
            self._on_piece(piece)

    def _work(self) -> None:
        while (piece := self._pieces.get()) is not None:
            self._sum.update(piece)
