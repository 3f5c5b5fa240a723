"""The compressed size of a layer, by gzip: what a registry stores and a pull transfers."""

from __future__ import annotations

import threading
import zlib
from concurrent.futures import Future, ThreadPoolExecutor

LEVEL = 6  # Go's default, with which Docker compresses a layer when it pushes it
BLOCK = 4 << 20  # bytes that are compressed at a time; costs less than a thousandth of the ratio


class CompressedSizes:
    """The compressed sizes of layers, worked out on every core while they stream by; nothing is kept."""

    def __init__(self):
        self._pool = ThreadPoolExecutor(max_workers=3)
        self._waiting = threading.BoundedSemaphore(8)  # blocks in memory at a time
        self._layers: list[list] = []

    def __enter__(self) -> CompressedSizes:
        return self

    def __exit__(self, *_) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin_layer(self):
        """Returns what is to be called with the pieces of one more layer, b"" at its end."""
        blocks: list[Future[int]] = []
        pending: list[bytes] = []
        length = 0
        self._layers.append(blocks)

        def add_piece(piece: bytes) -> None:
            nonlocal pending, length
            pending.append(piece)
            length += len(piece)
            if length >= BLOCK or (not piece and length):
                self._waiting.acquire()
                blocks.append(self._pool.submit(self._compressed, b"".join(pending)))
                pending, length = [], 0

        return add_piece

    def _compressed(self, block: bytes) -> int:
        try:
            return len(zlib.compress(block, LEVEL))
        finally:
            self._waiting.release()

    def bytes_of_layers(self) -> list[int]:
        """Bytes of each layer, in the order in which they were begun."""
        return [sum(block.result() for block in blocks) for blocks in self._layers]
