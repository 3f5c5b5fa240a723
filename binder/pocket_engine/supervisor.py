"""`--keep`: the process that starts the engine again when a signal killed it, and ends what that one left running."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from .engine_log import LOG

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
MOST, WITHIN = 5, 60.0  # restarts, in so many seconds


def run_supervised(serve: Callable[[], int]) -> int:
    """Run `serve` in a child process, anew whenever a signal killed it; returns its exit status, 1 if it dies too often.

    SIGTERM and SIGINT are passed on. What a killed engine left running is a child of this process then, and is ended.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child, asked = 0, False

    def pass_on(number, _):
        nonlocal asked
        asked = True
        if child:
            os.kill(child, number)

    deaths: deque[float] = deque(maxlen=MOST + 1)
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, pass_on) for number in signals}
    while True:
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        child = 0 if asked else os.fork()
        if child == 0 and not asked:
            _run_child(serve, before)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        if asked and not child:
            return 0
        status = _wait_for(child)
        child = 0
        _end_children()
        if os.WIFEXITED(status):
            return os.WEXITSTATUS(status)
        if asked:
            return 0
        deaths.append(time.monotonic())
        name = signal.Signals(os.WTERMSIG(status)).name
        if len(deaths) > MOST and deaths[-1] - deaths[0] < WITHIN:
            LOG.error("The engine was killed by %s, for the %dth time within a minute: given up.", name, len(deaths))
            return 1
        LOG.warning("The engine was killed by %s: it is started again.", name)


def _run_child(serve: Callable[[], int], handlers: dict) -> None:
    """Be the child: never returns, so that nothing of the parent runs twice."""
    status = 1
    try:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)
        status = serve()
    except BaseException:  # noqa: B036 - the last place where it can be said
        LOG.exception("The engine failed.")
    finally:
        os._exit(status)


def _wait_for(child: int) -> int:
    """The wait status of this child; others that end meanwhile are reaped."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return status


def _end_children() -> None:
    """End and reap what was left to this process, until there is nothing."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            for child_pid in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child_pid, signal.SIGKILL)
            time.sleep(0.01)


def _children() -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                found.append(int(stat.parent.name))
    return found
