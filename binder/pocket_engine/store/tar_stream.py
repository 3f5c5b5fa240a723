"""A layer's tar as it comes in: uncompressed, kept while it is read, and taken apart into entries."""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

import zstandard

from ..errors import BadRequest, Interrupted
from . import tar_headers
from .entries import FILE, Entry
from .layer_rules import LayerRules

CHUNK = 1 << 20
_UNSUSPICIOUS = 1 << 30  # bytes that a compressed archive may give without a look at how much it was
_PROPORTION = 200
_WINDOW = 128 << 20  # bytes of memory that unpacking zstd may take; what `zstd -d` allows


class Readable(Protocol):
    """All that is asked of a stream."""

    def read(self, size: int, /) -> bytes: ...


class CountedStream:
    """Counts what is read from a stream, and stops when the caller does."""

    def __init__(
        self, stream: Readable, stop: threading.Event | None = None, progress: Callable[[int], None] | None = None
    ):
        self._stream, self._stop, self._progress = stream, stop, progress
        self._again = b""
        self.count = 0

    def peek(self, size: int) -> bytes:
        """The first bytes, which stay there."""
        while len(self._again) < size and (data := self._stream.read(size - len(self._again))):
            self._again += data
        return self._again

    def read(self, size: int = CHUNK) -> bytes:
        if self._stop and self._stop.is_set():
            raise Interrupted("The work was stopped.")
        if self._again:
            data, self._again = self._again[:size], self._again[size:]
        else:
            data = self._stream.read(size)
        self.count += len(data)
        if self._progress:
            self._progress(self.count)
        return data


class GzipStream:
    """Members one after the other, never more than a chunk of output at a time."""

    def __init__(self, stream: CountedStream):
        self._stream = stream
        self._member = zlib.decompressobj(31)
        self._left = b""

    def read(self, size: int) -> bytes:
        while True:
            if self._member.eof:
                self._left = self._member.unused_data.lstrip(b"\0") or self._next()
                if not self._left:
                    return b""
                self._member = zlib.decompressobj(31)
            data = self._left or self._stream.read(CHUNK)
            if not data:
                raise BadRequest("The archive ends too early: its gzip stream is cut off.")
            found = self._member.decompress(data, size)
            self._left = self._member.unconsumed_tail
            if found:
                return found

    def _next(self) -> bytes:
        """What comes after zeros that fill up to a tape's block."""
        while data := self._stream.read(CHUNK):
            if rest := data.lstrip(b"\0"):
                return rest
        return b""


class DecompressedStream:
    """The uncompressed bytes of a stream that may be gzip or zstd, told apart by their first bytes."""

    def __init__(self, stream: CountedStream):
        self._stream = stream
        head = stream.peek(4)[:4]
        self.compression = ""
        self._from: Readable = stream
        if head[:3] == b"\x1f\x8b\x08":
            self.compression, self._from = "gzip", GzipStream(stream)
        elif head == b"\x28\xb5\x2f\xfd" or (head[1:] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50):
            unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
            self.compression = "zstd"
            # Its stubs want a whole file on either side; read() is all that is called.
            self._from = unpacker.stream_reader(stream, read_across_frames=True)  # type: ignore[arg-type]
        self._count = 0

    def read(self, size: int) -> bytes:
        """Raises BadRequest for what cannot be unpacked, or grows out of all proportion."""
        try:
            data = self._from.read(size)
        except (zlib.error, zstandard.ZstdError) as error:
            raise BadRequest(
                f"The archive is damaged: its {self.compression} stream cannot be read ({error})."
            ) from None
        self._count += len(data)
        if self.compression and self._count > _UNSUSPICIOUS and self._count > _PROPORTION * self._stream.count:
            raise BadRequest(f"The archive unpacks to more than {_PROPORTION} times its size: this is refused.")
        return data


def read_entries(
    stream: Readable, keep: Callable[[bytes], object], rules: LayerRules, *, whole: bool = True
) -> Iterator[Entry]:
    """Every entry of a tar, as the rules have it, with digest and offset; `keep` gets every byte of the stream.

    whole: an archive has to have its end marker. Raises BadRequest for what is no tar, or a damaged one.
    """
    source = _Source(stream, keep)
    pending = tar_headers.NOTHING
    while True:
        block = source.take(tar_headers.BLOCK_SIZE, at_end=True)
        if not block or not any(block):
            break
        flag, size = tar_headers.flag_and_size(block)
        if tar_headers.special(flag):
            if not 0 <= size <= tar_headers.MOST_SPECIAL:
                raise BadRequest("The archive is damaged: a pax header or long name has no sensible size.")
            content = source.take(size)
            source.take(-size % tar_headers.BLOCK_SIZE)
            pending = tar_headers.add_special(pending, flag, content)
            continue
        size = tar_headers.content_size(block, pending)
        entry = rules.accept(tar_headers.entry(block, pending, source.position))
        pending = tar_headers.NOTHING
        digest = source.digest(size)
        source.take(-size % tar_headers.BLOCK_SIZE)
        yield entry._replace(digest=digest) if entry.kind == FILE else entry
    if pending is not tar_headers.NOTHING or (not block and whole):
        raise BadRequest(
            f"The archive ends too early: it has {'no end marker' if source.position else 'nothing in it'}."
        )
    source.drain()


class _Source:
    """The stream with a buffer: headers are small, and reading each on its own would take most of the time."""

    def __init__(self, stream: Readable, keep: Callable[[bytes], object]):
        self._stream, self._keep = stream, keep
        self._buffer, self._at = memoryview(b""), 0
        self.position = 0  # in the uncompressed stream

    def _more(self) -> bool:
        data = self._stream.read(CHUNK)
        self._buffer, self._at = memoryview(data), 0
        if data:
            self._keep(data)
        return bool(data)

    def take(self, size: int, at_end: bool = False) -> bytes:
        """Exactly so many bytes; at_end: or none, at the end of the stream."""
        if self._at + size <= len(self._buffer):
            self._at += size
            self.position += size
            return bytes(self._buffer[self._at - size : self._at])
        parts, missing = [], size
        while missing:
            if self._at >= len(self._buffer) and not self._more():
                if at_end and missing == size:
                    return b""
                raise BadRequest("The archive ends too early: it is cut off in the middle of an entry.")
            part = bytes(self._buffer[self._at : self._at + missing])
            parts.append(part)
            self._at += len(part)
            missing -= len(part)
        self.position += size
        return b"".join(parts)

    def digest(self, size: int) -> str:
        """sha256 (hex) of the next bytes, which are passed over."""
        if self._at + size <= len(self._buffer):
            part = self._buffer[self._at : self._at + size]
            self._at += size
            self.position += size
            return hashlib.sha256(part).hexdigest()
        total, missing = hashlib.sha256(), size
        while missing:
            if self._at >= len(self._buffer) and not self._more():
                raise BadRequest("The archive ends too early: it is cut off in the middle of a file.")
            part = self._buffer[self._at : self._at + missing]
            total.update(part)
            self._at += len(part)
            missing -= len(part)
        self.position += size
        return total.hexdigest()

    def drain(self) -> None:
        """To the end of the stream: what follows the end marker belongs to the layer's digest."""
        while self._more():
            pass


def decompressed(
    stream: BinaryIO, stop: threading.Event | None = None, progress: Callable[[int], None] | None = None
) -> DecompressedStream:
    """The uncompressed bytes of a stream. progress: called with the bytes read from it so far."""
    return DecompressedStream(CountedStream(stream, stop, progress))
