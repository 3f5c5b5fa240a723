"""Reading what `save` sends: every layer of every image, entry by entry, from one stream that is never kept whole.

Understands Docker 20.10's layout, the OCI layout of Docker 25 and newer with either image store, and Podman's; layers
plain, gzip or zstd (told by their first bytes).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import posixpath
import tarfile
from collections.abc import Iterable

import zstandard

from .errors import WorkshopError

ENTRY = ["path", "kind", "size", "mode", "uid", "gid", "linkname", "digest"]

KINDS = {
    tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.CONTTYPE: "file", tarfile.GNUTYPE_SPARSE: "file",
    tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "symlink", tarfile.LNKTYPE: "hard link",
    tarfile.CHRTYPE: "device", tarfile.BLKTYPE: "device", tarfile.FIFOTYPE: "fifo",
}  # fmt: skip

WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"  # OCI image specification, "Whiteouts"

LARGEST_JSON = 4 << 20  # bytes; configs and manifests are kilobytes


def read_archive(chunks: Iterable[bytes], name: str) -> tuple[dict[str, list[tuple]], list[dict]]:
    """Read one archive as `save` streams it.

    Returns ({diff id: entries}, [image config as JSON, one an image]). An entry is a tuple in the order of ENTRY;
    whiteouts have the kind "whiteout" or "opaque" and the path that they hide. name: of the archive, for errors.
    Raises WorkshopError if the stream is no such archive or breaks off.
    """
    layers: dict[str, list[tuple]] = {}
    blobs: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=_Chunks(chunks), mode="r|", bufsize=1 << 18) as outer:
            for member in outer:
                if not member.isreg():
                    continue
                content = outer.extractfile(member)
                head = content.read(512)
                if _is_json(member, head):
                    blobs[posixpath.normpath(member.name)] = head + content.read()
                elif _is_layer(head):
                    diff_id, entries = read_layer(_Joined(head, content))
                    layers[diff_id] = entries
        manifest = json.loads(blobs["manifest.json"])
        configs = [json.loads(blobs[posixpath.normpath(image["Config"])]) for image in manifest]
    except (tarfile.TarError, EOFError, zstandard.ZstdError, gzip.BadGzipFile, KeyError, ValueError) as error:
        raise WorkshopError(f"The archive {name} cannot be read: {error}.", "Run the cell again.") from None
    return layers, configs


def read_layer(stream: io.RawIOBase) -> tuple[str, list[tuple]]:
    """(diff id, entries) of one layer. The diff id is the SHA-256 of the uncompressed tar (OCI image specification)."""
    hashed = _Hashed(_uncompressed(stream))
    entries = []
    with tarfile.open(fileobj=hashed, mode="r|", bufsize=1 << 18, errorlevel=2) as layer:
        for member in layer:
            entries.append(_entry(layer, member))
    while hashed.read(1 << 18):
        pass  # the padding behind the end mark belongs to the digest, too
    return f"sha256:{hashed.sum.hexdigest()}", entries


def _entry(layer: tarfile.TarFile, member: tarfile.TarInfo) -> tuple:
    path = "/" + posixpath.normpath(member.name).strip("/").removeprefix("./")
    path = "/" if path == "/." else path
    folder, base = posixpath.split(path)
    if base == OPAQUE:
        return (folder, "opaque", 0, 0, 0, 0, "", "")
    if base.startswith(WHITEOUT) and len(base) > len(WHITEOUT):
        return (posixpath.join(folder, base[len(WHITEOUT) :]), "whiteout", 0, 0, 0, 0, "", "")
    kind = KINDS.get(member.type, "other")
    digest, size = "", 0
    if kind == "file":
        size, digest = member.size, _digest(layer.extractfile(member))
    link = member.linkname
    if kind == "hard link":
        link = "/" + posixpath.normpath(link).strip("/")
    return (path, kind, size, member.mode, member.uid, member.gid, link, digest)


def _digest(content: io.BufferedReader) -> str:
    total = hashlib.sha256()
    while chunk := content.read(1 << 18):
        total.update(chunk)
    return f"sha256:{total.hexdigest()}"


def _is_json(member: tarfile.TarInfo, head: bytes) -> bool:
    return member.size <= LARGEST_JSON and head.lstrip()[:1] in (b"{", b"[")


def _is_layer(head: bytes) -> bool:
    compressed = head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))
    return compressed or head[257:262] == b"ustar" or (len(head) == 512 and not head.strip(b"\0"))


def _uncompressed(stream: io.RawIOBase):
    head = stream.peek(4)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=stream)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    return stream


class _Chunks(io.RawIOBase):
    """A readable file over an iterable of byte strings."""

    def __init__(self, chunks: Iterable[bytes]):
        self._chunks, self._rest = iter(chunks), b""

    def read(self, count: int = -1) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while count < 0 or have < count:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            parts.append(chunk)
            have += len(chunk)
        joined = b"".join(parts)
        count = len(joined) if count < 0 else count
        self._rest = joined[count:]
        return joined[:count]


class _Joined(io.RawIOBase):
    """A stream whose first bytes have already been read."""

    def __init__(self, head: bytes, rest):
        self._head, self._rest = head, rest

    def peek(self, count: int) -> bytes:
        return self._head[:count]

    def read(self, count: int = -1) -> bytes:
        if not self._head:
            return self._rest.read(count)
        if count < 0:
            taken, self._head = self._head, b""
            return taken + self._rest.read()
        taken, self._head = self._head[:count], self._head[count:]
        return taken + self._rest.read(count - len(taken)) if len(taken) < count else taken


class _Hashed:
    """A readable that hashes what passes."""

    def __init__(self, stream):
        self._stream, self.sum = stream, hashlib.sha256()

    def read(self, count: int = -1) -> bytes:
        chunk = self._stream.read(count)
        self.sum.update(chunk)
        return chunk
