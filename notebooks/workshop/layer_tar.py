"""One layer's tar, entry by entry, from a stream that is never kept whole; and the limits that keep it bounded.

OCI image specification, "Image Layer Filesystem Changeset", says what an entry means; the tar itself (PAX, GNU long
names, sparse files) is Python's tarfile, with a guard against headers that would never end.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import zstandard

from . import packaged

KINDS = ["file", "directory", "symlink", "hard link", "device", "fifo", "whiteout", "opaque", "other"]
FILE, DIRECTORY, SYMLINK, HARD_LINK, DEVICE, FIFO, REMOVED, OPAQUE_DIRECTORY, OTHER = range(len(KINDS))
ENTRY = ["path", "kind", "size", "mode", "uid", "gid", "linkname", "digest", "xattrs"]

WHITEOUT, OPAQUE, AUFS = ".wh.", ".wh..wh..opq", ".wh..wh."  # OCI image specification, "Whiteouts"

MOST_ENTRIES = 1_000_000  # in one layer
LARGEST_LAYER = 64 << 30  # bytes, unpacked; a file in it cannot be larger either
LARGEST_HEADER = 1 << 20  # bytes of one PAX header or GNU long name; real ones have some hundred
LARGEST_KEPT = 32 << 20  # bytes of a package database, or of a file that is asked for

PIECE = 1 << 18  # bytes read at a time

_TYPES = {
    tarfile.REGTYPE: FILE, tarfile.AREGTYPE: FILE, tarfile.CONTTYPE: FILE, tarfile.GNUTYPE_SPARSE: FILE,
    tarfile.DIRTYPE: DIRECTORY, tarfile.SYMTYPE: SYMLINK, tarfile.LNKTYPE: HARD_LINK,
    tarfile.CHRTYPE: DEVICE, tarfile.BLKTYPE: DEVICE, tarfile.FIFOTYPE: FIFO,
}  # fmt: skip
_EXTENDED = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip


class Damaged(ValueError):
    """What is wrong with an archive or a layer, as the end of a sentence."""


# What the readers below raise for bytes that are not what they should be.
BROKEN = (
    Damaged, tarfile.TarError, zstandard.ZstdError, zlib.error, gzip.BadGzipFile, EOFError, ValueError, LookupError,
    TypeError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip


@dataclass
class Layer:
    """One layer as it was read.

    diff_id: SHA-256 of the uncompressed tar (OCI image specification, "Layer DiffID"). columns: {name in ENTRY: list},
    kind as a number in KINDS. tar_bytes: of the uncompressed tar. stored_bytes: as it was stored, None if that was not
    compressed. packages: rows of `packaged.FOUND`. found: content of the files that were asked for, by path.
    """

    diff_id: str
    columns: dict[str, list]
    tar_bytes: int
    stored_bytes: int | None = None
    packages: list[list] = field(default_factory=list)
    found: dict[str, bytes] = field(default_factory=dict)


def is_layer(head: bytes) -> bool:
    """True if these first 512 bytes begin a tar, plain or compressed: the tar's magic, its end mark, or gzip's or zstd's."""
    return head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")) or head[257:262] == b"ustar" or _is_end(head)


def read_layer(stream, wanted: str | None = None, squeeze=None) -> Layer:
    """Read a layer from a file-like object, plain, gzip or zstd. Raises one of BROKEN.

    wanted: a path whose content is kept. squeeze: is called with each piece of the uncompressed tar.
    """
    stored = Counted(stream)
    plain, compressed = uncompressed(stored)
    source = _Guarded(plain, squeeze)
    columns: dict[str, list] = {name: [] for name in ENTRY}
    add = [columns[name].append for name in ENTRY]
    keep: dict[str, bytes] = {}
    with tarfile.open(
        fileobj=source, mode="r|", bufsize=PIECE, tarinfo=Header, encoding="utf-8", errors="surrogateescape"
    ) as tar:
        for member in _members(tar, source):
            for append, value in zip(add, _row(tar, member, source, wanted, keep)):
                append(value)
            if len(columns["path"]) > MOST_ENTRIES:
                raise Damaged(f"a layer has more than {MOST_ENTRIES:,} entries")
    source.allowance = None
    source.drain()
    _resolve_hard_links(columns)
    found = {path: content for path, content in keep.items() if path == wanted}
    return Layer(
        f"sha256:{source.sum.hexdigest()}", columns, source.count, stored.count if compressed else None,
        packaged.parse({path: content for path, content in keep.items() if packaged.is_database(path)}), found,
    )  # fmt: skip


def _members(tar: tarfile.TarFile, source: _Guarded) -> Iterator[tarfile.TarInfo]:
    """The tar's headers, as long as they keep within the limits."""
    unpacked = 0
    while member := tar.next():
        tar.members.clear()  # or tarfile keeps every entry that it has seen
        unpacked += member.size
        if not 0 <= member.size <= LARGEST_LAYER or unpacked > LARGEST_LAYER:
            claim = f"{_shown(member.name)} claims {member.size:,} bytes"
            raise Damaged(f"{claim}; {LARGEST_LAYER:,} are the most that a layer may unpack to")
        yield member
        source.allowance = member.size + LARGEST_HEADER * 4


def _row(
    tar: tarfile.TarFile, member: tarfile.TarInfo, source: _Guarded, wanted: str | None, keep: dict[str, bytes]
) -> tuple:
    """One entry in the order of ENTRY, or () for what engines skip. What is to be kept of its content goes to `keep`."""
    path, kind = _path(member.name, _TYPES.get(member.type, OTHER))
    if path is None:
        return ()
    if kind in (REMOVED, OPAQUE_DIRECTORY):
        return (path, kind, 0, 0, 0, 0, "", "", "")
    size, digest, link = 0, "", member.linkname
    if kind == FILE:
        source.allowance, size = None, member.size
        digest, content = _read(tar.extractfile(member), path == wanted or packaged.is_database(path))
        if content is not None:
            keep[path] = content
    elif kind == HARD_LINK:
        link = rooted(link)
    elif kind == DEVICE:
        link = f"{member.devmajor}:{member.devminor}"
    xattrs = _xattrs(member.pax_headers) if member.pax_headers else ""
    return (path, kind, size, member.mode, member.uid, member.gid, link, digest, xattrs)


def rooted(name: str) -> str:
    """A name in a tar as an absolute path: `./a/b/` → `/a/b`. Raises Damaged if it leads out by `..`."""
    path = posixpath.normpath(name.lstrip("/"))
    if path == ".." or path.startswith("../"):
        raise Damaged(f"an entry's name leads out of the image: {_shown(name)}")
    return "/" if path == "." else f"/{path}"


def _path(name: str, kind: int) -> tuple[str | None, int]:
    """(path, kind), whiteouts with the path that they hide; (None, …) for AUFS's own notes, which engines skip."""
    path = rooted(name)
    folder, base = posixpath.split(path)
    if base == OPAQUE:
        return folder, OPAQUE_DIRECTORY
    if base.startswith(AUFS) or any(part.startswith(AUFS) for part in folder.split("/")):
        return None, kind
    if base.startswith(WHITEOUT) and len(base) > len(WHITEOUT):
        return posixpath.join(folder, base[len(WHITEOUT) :]), REMOVED
    return path, kind


def _read(content, keep: bool) -> tuple[str, bytes | None]:
    """(digest, the content if it is to be kept)."""
    total, kept = hashlib.sha256(), []
    size = 0
    while chunk := content.read(PIECE):
        total.update(chunk)
        size += len(chunk)
        if keep and size <= LARGEST_KEPT:
            kept.append(chunk)
    return f"sha256:{total.hexdigest()}", b"".join(kept) if keep and size <= LARGEST_KEPT else None


def _xattrs(headers: dict[str, str]) -> str:
    """Extended attributes, "name=hex name=hex": PAX records SCHILY.xattr.*, as every engine writes them."""
    start = "SCHILY.xattr."
    found = {key[len(start) :]: value for key, value in headers.items() if key.startswith(start)}
    return " ".join(f"{key}={value.encode('utf-8', 'surrogateescape').hex()}" for key, value in sorted(found.items()))


def _resolve_hard_links(columns: dict[str, list]) -> None:
    """Give each hard link the digest of the file that it is another name of: the one of that path before it in its tar.

    A link to what does not come before it cannot be unpacked; it keeps an empty digest.
    """
    kinds, digests = columns["kind"], columns["digest"]
    if HARD_LINK not in kinds:
        return
    so_far: dict[str, str] = {}
    for row, (path, kind, target) in enumerate(zip(columns["path"], kinds, columns["linkname"])):
        if kind == HARD_LINK:
            digests[row] = so_far.get(target, "")
        so_far[path] = digests[row]


def _is_end(head: bytes) -> bool:
    return len(head) == 512 and not head.strip(b"\0")


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else name[:79] + "…")


class Header(tarfile.TarInfo):
    """A header that is refused where tarfile would read on without end, or take damage for the end of the tar."""

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.InvalidHeaderError:
            raise Damaged("a tar header in it is damaged") from None
        except tarfile.TruncatedHeaderError:
            raise Damaged("it breaks off in a tar header") from None
        if header.size < 0 or (header.type in _EXTENDED and header.size > LARGEST_HEADER):
            raise Damaged(f"a tar header in it claims {header.size:,} bytes")
        return header


class Counted:
    """A readable that counts what passes."""

    def __init__(self, stream):
        self._stream, self.count = stream, 0

    def read(self, count: int = -1) -> bytes:
        chunk = self._stream.read(count)
        self.count += len(chunk)
        return chunk


class _Guarded(Counted):
    """The uncompressed tar: hashed, counted, bounded. `allowance`: bytes that may still pass before the next entry."""

    def __init__(self, stream, squeeze):
        super().__init__(stream)
        self.sum, self._squeeze, self.allowance = hashlib.sha256(), squeeze, LARGEST_HEADER * 4

    def read(self, count: int = -1) -> bytes:
        chunk = super().read(count)
        self.sum.update(chunk)
        if self._squeeze:
            self._squeeze(chunk)
        if self.count > LARGEST_LAYER:
            raise Damaged(f"a layer unpacks to more than {LARGEST_LAYER:,} bytes")
        if self.allowance is not None:
            self.allowance -= len(chunk)
            if self.allowance < 0:
                raise Damaged("a tar header in it does not end")
        return chunk

    def drain(self) -> None:
        """The padding behind the end mark belongs to the digest, too."""
        while self.read(PIECE):
            pass


def uncompressed(stream) -> tuple[io.RawIOBase, bool]:
    """(the stream unpacked, whether it was compressed): gzip and zstd are told by their first bytes."""
    head = stream.read(4)
    whole = Joined(head, stream)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=whole), True
    if head == b"\x28\xb5\x2f\xfd":
        reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(whole, read_across_frames=True)
        return reader, True
    return whole, False


class Joined(io.RawIOBase):
    """A stream whose first bytes have already been read."""

    def __init__(self, head: bytes, rest):
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def read(self, count: int = -1) -> bytes:
        if not self._head:
            return self._rest.read(count)
        if count < 0:
            taken, self._head = self._head, b""
            return taken + self._rest.read()
        taken, self._head = self._head[:count], self._head[count:]
        return taken + self._rest.read(count - len(taken)) if len(taken) < count else taken
