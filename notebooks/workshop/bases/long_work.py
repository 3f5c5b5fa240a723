"""Work that takes minutes: by one process at a time, and followed line by line, so that somebody can watch it.

How much of it is left is worked out anew all the time, from what each part takes on a quiet machine and from how fast this
machine has been so far.
"""

from __future__ import annotations

import contextlib
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

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


class Part(NamedTuple):
    """One part of long work. begins: a regular expression for the line with which it begins, at the line's start."""

    begins: str
    seconds: float  # roughly, on 2 cores that have nothing else to do
    words: str = ""  # what it does


# (seconds on a quiet machine, seconds here) of the parts that this process has seen last: other work, and the machine, count.
_seen: deque[tuple[float, float]] = deque(maxlen=6)

FREE = 0.2  # of what a part takes: one that is done sooner came from the cache, and says nothing of the machine
OVER = 0.9  # a part that takes longer than it should is taken to be done to this share


class Estimate:
    """How far the work is, and how long it still takes, as it goes on. parts: in order; clock: in seconds."""

    def __init__(self, parts: Sequence[Part], clock: Callable[[], float] = time.monotonic) -> None:
        self._parts, self._clock = parts, clock
        self._current, self._began, self._part_began = -1, clock(), clock()
        self._furthest = 0.0

    def hear(self, line: str) -> None:
        """A line of the log: does it begin one of the parts that are still to come?"""
        for number in range(self._current + 1, len(self._parts)):
            if re.match(self._parts[number].begins, line, re.IGNORECASE):
                self._begin(number)
                return

    def finish(self) -> None:
        """The work is done."""
        self._begin(len(self._parts))

    @property
    def words(self) -> str:
        """What the part that is under way does; "" before the first."""
        return self._parts[self._current].words if 0 <= self._current < len(self._parts) else ""

    def left(self) -> float:
        """Seconds until it is done."""
        pace, rest = _pace(), sum(part.seconds for part in self._parts[self._current + 1 :])
        if not 0 <= self._current < len(self._parts):
            return rest * pace
        expected, passed = self._parts[self._current].seconds, self._clock() - self._part_began
        pace = max(pace, passed / (OVER * expected))
        return expected * pace - passed + rest * pace

    def fraction(self) -> float:
        """How much is done, 0 to 1; what was shown once is not taken back."""
        passed = self._clock() - self._began
        self._furthest = max(self._furthest, passed / (passed + self.left() or 1))
        return self._furthest

    def __str__(self) -> str:
        left = self.left()
        return f"about {round(left / 60)} min left" if left >= 90 else f"about {max(5, round(left / 5) * 5)} s left"

    def _begin(self, number: int) -> None:
        now = self._clock()
        if 0 <= self._current < len(self._parts):
            expected, took = self._parts[self._current].seconds, now - self._part_began
            if took >= FREE * expected:
                _seen.append((expected, took))
        self._current, self._part_began = number, now


def _pace() -> float:
    """How many times as long as on a quiet machine it takes here; 1 until something was seen."""
    return sum(took for _, took in _seen) / sum(expected for expected, _ in _seen) if _seen else 1.0


def follow(lines: Iterable[str], title: str, report: Report, estimate: Estimate) -> list[str]:
    """Report, at each step and every second, which one it is and what it does; returns the last 15 lines.

    The lines themselves are a package manager's or a compiler's: they are for whoever looks for an error.
    """
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
    step, reported = title, 0.0
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
            estimate.hear(line)
        new_step = re.match(r"step (\d+)/(\d+)", line, re.IGNORECASE)
        if new_step:
            step = f"step {new_step[1]} of {new_step[2]}"
        now = time.monotonic()
        if tail and (new_step or now - reported >= 1):
            reported = now
            report(f"{step}: {words}" if (words := estimate.words.removeprefix(f"{title}: ")) else step)
