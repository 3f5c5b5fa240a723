"""How long an engine lives: as long as somebody needs it (holders, requests, containers) and its idle timeout, no longer."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .procfs import start_time


class Lifetime:
    """Who needs the engine: holders (<folder>/holders/<pid>, each with its process's start time), requests, containers.

    A holder may be written only under flock on <folder>/holders.lock: so an engine that ends has either seen it, or has
    taken its socket away before.
    """

    def __init__(self, folder: Path, idle: float, running: Callable[[], bool]):
        self._holders, self._lock = folder / "holders", folder / "holders.lock"
        self._idle, self._running = idle, running
        self._requests, self._last = 0, time.monotonic()

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """While one is under way, the engine does not end by itself."""
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1
            self._last = time.monotonic()

    def end_if_unneeded(self, close: Callable[[], None]) -> bool:
        """True, with `close` called, if nobody needs the engine any more. Call it now and then."""
        if not self._idle or self._busy():
            return False
        with self._holders_locked() as alone:
            if not alone or self.holders() or self._busy():
                return False
            close()
            return True

    def _busy(self) -> bool:
        return bool(self._requests) or time.monotonic() - self._last < self._idle or self._running()

    def holders(self) -> list[int]:
        """The registered processes that live. What the others left is removed."""
        living = []
        for file in self._holders.glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError):
                if start_time(int(file.name)) == file.read_text().strip():
                    living.append(int(file.name))
                else:
                    file.unlink()
        return living

    @contextlib.contextmanager
    def _holders_locked(self) -> Iterator[bool]:
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(lock)
