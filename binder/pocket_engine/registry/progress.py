"""Docker's progress messages, out of work that reports them while it blocks."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator

from ..errors import Interrupted

INTERVAL = 0.1  # seconds between two messages about the same transfer
GRACE = 1.0  # seconds that stopped work gets to end before nobody waits for it any longer

Say = Callable[[dict], None]


def short(digest: str) -> str:
    """The 12 digits that stand for a layer in progress messages."""
    return digest[7:19]


def step(status: str, digest: str) -> dict:
    """What happened to a layer."""
    return {"status": status, "progressDetail": {}, "id": short(digest)}


def counter(say: Say, status: str, digest: str, total: int) -> Callable[[int], None]:
    """Called with the bytes done, says so now and then, and at the end."""
    last = 0.0

    def progress(current: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= INTERVAL or current >= total:
            last = now
            say({"status": status, "progressDetail": {"current": current, "total": total}, "id": short(digest)})

    return progress


class CombinedEvent(threading.Event):
    """Set when it is set itself, or the outer event: ends a part of the work, or is ended with the whole."""

    def __init__(self, outer: threading.Event):
        super().__init__()
        self._outer = outer

    def is_set(self) -> bool:
        return super().is_set() or self._outer.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while not self.is_set() and (left := end - time.monotonic()) > 0:
            super().wait(min(left, INTERVAL))
        return self.is_set()


def stream_messages(work: Callable[[Say, threading.Event], None], stop: threading.Event) -> Generator[dict, None, None]:
    """What work(say, halt) says, as it says it; then its error, if any. `halt` is set once `stop` is or nobody listens.

    The work has a thread of its own because it may sit in a read that no event can end.
    """
    messages: queue.SimpleQueue[dict | BaseException | None] = queue.SimpleQueue()
    halt = threading.Event()

    def run() -> None:
        try:
            work(messages.put, halt)
            messages.put(None)
        except BaseException as error:
            messages.put(error)

    thread = threading.Thread(target=run, name="registry", daemon=True)
    thread.start()
    try:
        while True:
            try:
                message = messages.get(timeout=INTERVAL)
            except queue.Empty:
                if stop.is_set():
                    raise Interrupted("The transfer was stopped.") from None
                continue
            if message is None:
                return
            if isinstance(message, BaseException):
                raise message
            yield message
            if stop.is_set():
                raise Interrupted("The transfer was stopped.")
    finally:
        halt.set()
        thread.join(GRACE)
