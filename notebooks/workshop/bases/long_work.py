"""Work that takes minutes: by one process at a time, and followed line by line, so that somebody can watch it."""

from __future__ import annotations

import contextlib
import queue
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

Report = Callable[[str], None]  # is called with what is going on, about every second


@contextlib.contextmanager
def alone_with(file: Path, report: Report) -> Iterator[None]:
    """Two notebooks may need the same stand-in at once: the second waits here, and finds it made."""
    import fcntl  # not on Windows, where no stand-in is made

    with file.open("rb") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                report("another notebook is making the same: waiting for it")
                time.sleep(1)
        yield


def follow(lines: Iterable[str], title: str, report: Report) -> list[str]:
    """Report each step and, every second, the seconds so far and the last line; returns the last 15 lines."""
    items: queue.Queue[str | Exception | None] = queue.Queue()

    def read() -> None:
        try:
            for line in lines:
                items.put(line)
        except Exception as error:  # raised again below, where somebody can handle it
            items.put(error)
        items.put(None)

    threading.Thread(target=read, daemon=True).start()
    tail: list[str] = []
    step, reported, started = title, 0.0, time.monotonic()
    while True:
        try:
            line = items.get(timeout=1)
        except queue.Empty:
            line = ""
        if line is None:
            return tail
        if isinstance(line, Exception):
            raise line
        if line.strip():
            tail = [*tail[-14:], line.strip()]
        new_step = re.match(r"step \d+/\d+", line, re.IGNORECASE)
        if new_step:
            step = f"{title}, {new_step[0].lower()}"
        now = time.monotonic()
        if tail and (new_step or now - reported >= 1):
            reported = now
            report(f"{step} ({now - started:.0f} s): {tail[-1][:100]}")
