"""Bytes passing by: pieces as a stream, unpacked, counted, begun again. Nothing here keeps more than a few pieces."""

from __future__ import annotations

import bz2
import lzma
import queue
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import zstandard

PIECE = 1 << 20  # bytes read at a time
AT_ONCE = 1 << 18  # packed bytes that are unpacked at a time
MOST_MEMORY = 1 << 27  # bytes that unpacking may take: a frame's header can ask for gigabytes

GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
ZSTD = b"\x28\xb5\x2f\xfd"
SKIPPABLE = tuple(bytes([0x50 + number]) + b"\x2a\x4d\x18" for number in range(16))  # zstd frames that hold a note
COMPRESSED = (GZIP, BZIP2, XZ, ZSTD, *SKIPPABLE)  # what `docker load` unpacks, too, by their first bytes


def uncompressed(stream: Any) -> tuple[Any, bool]:
    """(the stream unpacked, whether it was compressed): what it is compressed with is told by its first bytes."""
    head = up_to(stream, 6)
    whole: Any = _BytesReader(head, stream)
    if head.startswith(GZIP):
        return _Unpacked(whole, _Gunzip), True
    if head.startswith((ZSTD, *SKIPPABLE)):
        unpacker = zstandard.ZstdDecompressor(max_window_size=MOST_MEMORY)
        return unpacker.stream_reader(whole, read_across_frames=True), True
    if head.startswith(XZ):
        return _Unpacked(whole, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY)), True
    if head.startswith(BZIP2):
        return _Unpacked(whole, bz2.BZ2Decompressor), True
    return PrefixedReader(head, stream), False


class _Unpacked:
    """A readable that unpacks with the decompressors of Python's library, one after the other for each stream in it."""

    def __init__(self, packed: Any, decompressor: Callable[[], Any]):
        self._packed, self._new, self._unpacker, self._rest = packed, decompressor, decompressor(), b""

    def read(self, count: int = PIECE) -> bytes:
        """Up to so many bytes; b"" at the end. Raises EOFError where it breaks off, ValueError or LZMAError for rubbish."""
        while not self._unpacker.eof or self._begin_next():
            given, self._rest = self._rest, b""
            if not given and self._unpacker.needs_input and not (given := self._packed.read(AT_ONCE)):
                raise EOFError
            try:
                piece = self._unpacker.decompress(given, count)
            except OSError as error:  # what bz2 says of rubbish
                raise ValueError(str(error)) from None
            if piece:
                return piece
        return b""

    def _begin_next(self) -> bool:
        """Begin the stream behind the one that has ended; xz pads with zeros between them. False if there is none."""
        rest = self._unpacker.unused_data
        while rest is not None and not (rest := rest.lstrip(b"\0")):
            rest = self._packed.read(PIECE) or None
        if rest is None:
            return False
        self._rest, self._unpacker = rest, self._new()
        return True


class _Gunzip:
    """zlib's decompressor for gzip, which checks its sums, with what those of bz2 and lzma have."""

    def __init__(self) -> None:
        self._zlib, self._tail = zlib.decompressobj(zlib.MAX_WBITS | 16), b""

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._tail

    def decompress(self, given: bytes, count: int) -> bytes:
        piece = self._zlib.decompress(self._tail + given, count)
        self._tail = self._zlib.unconsumed_tail
        return piece


def up_to(stream, count: int) -> bytes:
    """So many bytes, or all there are: a single read may give less."""
    parts = []
    while count and (piece := stream.read(count)):
        parts.append(bytes(piece))
        count -= len(piece)
    return b"".join(parts)


class PrefixedReader:
    """A readable whose first bytes have already been read. A read may give less than was asked for, but at the end."""

    def __init__(self, head: bytes, rest: Any):
        self._head, self._rest = head, rest

    def read(self, count: int) -> bytes | memoryview:
        if not self._head:
            return self._rest.read(count)
        taken, self._head = self._head[:count], self._head[count:]
        return taken


class _BytesReader(PrefixedReader):
    """The same for libraries that want bytes, and nothing like them."""

    def read(self, count: int = PIECE) -> bytes:
        return bytes(super().read(count))


class ChunkReader:
    """A readable over an iterable of byte strings."""

    def __init__(self, chunks: Iterable[bytes]):
        self._chunks, self._rest = iter(chunks), memoryview(b"")

    def read(self, count: int) -> memoryview | bytes:
        """Up to so many bytes; b"" at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken


class CountingReader:
    """A readable that counts what passes."""

    def __init__(self, stream):
        self._stream, self.count = stream, 0

    def read(self, count: int = -1) -> bytes:
        chunk = self._stream.read(count)
        self.count += len(chunk)
        return chunk


class ReadAhead:
    """What an iterator of byte strings gives, fetched by a thread of its own while the last piece is being read.

    Engines send 32 kB at a time, and a graph driver's all at once after a long silence: it should not have to wait.
    pieces: how many may lie ready. wait: at the end, until the thread has let go of what it reads from.
    """

    def __init__(self, chunks: Iterator[bytes], pieces: int = 32, wait: bool = False):
        self._chunks, self._wait = chunks, wait
        self._pieces: queue.Queue = queue.Queue(maxsize=pieces)
        self._stopped = False
        self._thread = threading.Thread(target=self._fetch, daemon=True)

    def __enter__(self) -> Iterator[bytes]:
        self._thread.start()
        return self._fetched()

    def __exit__(self, kind: type[BaseException] | None, *_) -> None:
        self._stopped = True
        self._make_room()
        wait = self._wait and (kind is None or issubclass(kind, Exception))  # the stop button is not made to wait
        while wait and self._thread.is_alive():
            self._make_room()
            self._thread.join(0.01)

    def _make_room(self) -> None:
        """For the thread to notice that it is to stop."""
        while not self._pieces.empty():
            self._pieces.get()

    def _fetched(self) -> Iterator[bytes]:
        while (piece := self._pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def _fetch(self) -> None:
        ending, parts, length = None, [], 0
        try:
            for chunk in self._chunks:
                parts.append(chunk)
                length += len(chunk)
                if length >= PIECE:
                    self._pieces.put(b"".join(parts))
                    parts, length = [], 0
                if self._stopped:
                    return
        except Exception as error:  # told where the pieces are read
            ending = error
        if length:
            self._pieces.put(b"".join(parts))
        self._pieces.put(ending)


@contextmanager
def unpacked_ahead(stream: Any, compressed: bool) -> Iterator[Any]:
    """A readable of the same bytes; those of a compressed one are unpacked by a thread, as unpacking gives up Python's lock."""
    if not compressed:
        yield stream
        return
    with ReadAhead(iter(lambda: stream.read(PIECE), b""), pieces=8, wait=True) as pieces:
        yield ChunkReader(pieces)
