"""How small gzip makes a layer: what a registry stores and a pull transfers."""

from __future__ import annotations

import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

LEVEL = 6  # Go's default, with which Docker compresses a layer when it pushes it
BLOCK = 4 << 20  # bytes that are compressed at a time; costs less than a thousandth of the ratio


class Gzip:
    """The compressed sizes of layers, worked out on every core while they stream by; nothing is kept."""

    def __init__(self):
        self._pool = ThreadPoolExecutor(max_workers=3)
        self._room = threading.BoundedSemaphore(8)  # blocks in memory at a time
        self._layers: list[list] = []

    def __enter__(self) -> Gzip:
        return self

    def __exit__(self, *_) -> None:
        self._pool.shutdown(cancel_futures=True)

    def layer(self):
        """Begin a layer; returns what is to be called with its pieces, b"" at its end."""
        blocks, pending, have = [], [], 0
        self._layers.append(blocks)

        def piece(chunk: bytes) -> None:
            nonlocal pending, have
            pending.append(chunk)
            have += len(chunk)
            if have >= BLOCK or (not chunk and have):
                self._room.acquire()
                blocks.append(self._pool.submit(self._size, b"".join(pending)))
                pending, have = [], 0

        return piece

    def _size(self, block: bytes) -> int:
        try:
            return len(zlib.compress(block, LEVEL))
        finally:
            self._room.release()

    def sizes(self) -> list[int]:
        """Bytes of each layer, in the order in which they were begun."""
        return [sum(block.result() for block in blocks) for blocks in self._layers]
