"""Archives that may be compressed, told apart by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from ..errors import BadRequest


class Readable(Protocol):
    """All that is asked of an uncompressed archive."""

    def read(self, size: int = -1, /) -> bytes: ...


def compression(head: bytes) -> str:
    """ "" for none, else gzip, bzip2, xz or zstd (the four that Docker knows)."""
    for name, magic in (
        ("gzip", b"\x1f\x8b\x08"),
        ("bzip2", b"BZh"),
        ("xz", b"\xfd7zXZ\0"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
    ):
        if head.startswith(magic):
            return name
    return ""


@contextmanager
def decompressed(path: Path) -> Iterator[Readable]:
    """The uncompressed content. Raises BadRequest for what cannot be uncompressed, or grows out of all proportion."""
    with open(path, "rb") as file:
        head = file.read(8)
        file.seek(0)
        kind = compression(head)
        if not kind:
            yield file
            return
        readers: dict[str, Callable[[], Readable]] = {
            "gzip": lambda: gzip.GzipFile(fileobj=file),
            "bzip2": lambda: bz2.BZ2File(file),
            "xz": lambda: lzma.LZMAFile(file),
            "zstd": lambda: zstandard.ZstdDecompressor().stream_reader(file),
        }
        try:
            yield _BombGuard(readers[kind](), file)
        except (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise BadRequest(f"The {kind} archive is damaged: {error}. Nothing was built.") from None


class _BombGuard:
    """Reads on while what comes out is in proportion to what went in; a bomb is refused before it fills the disk."""

    FREE = 256 << 20  # bytes that need no justification

    def __init__(self, plain: Readable, packed: BinaryIO):
        self._plain, self._packed, self._out = plain, packed, 0

    def read(self, count: int = -1, /) -> bytes:
        data = self._plain.read(min(count, 1 << 20) if count and count > 0 else 1 << 20)
        self._out += len(data)
        if self._out > self.FREE and self._out > 200 * max(self._packed.tell(), 1):
            raise BadRequest("The archive unpacks to more than 200 times its size: this is refused. Nothing was built.")
        return data

    def fileno(self) -> int:
        raise OSError("compressed")
