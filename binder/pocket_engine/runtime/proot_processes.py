"""The processes that a PRoot traces, and their end. As a program: sees to it that they do not outlive the engine.

`python3 -I -S proot_processes.py` reads "+PID" and "-PID" lines; when they end, so does every PRoot still on the list with all
that it traces. Needed because PRoot 5.1, when it is killed, lets its processes go and they run on.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path


def tracees_of(tracer: int) -> list[int]:
    """The processes that it traces and that still run."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError, KeyError):
                about = _status(int(name))
                if int(about["TracerPid"]) == tracer and about["State"][0] not in "ZX":
                    found.append(int(name))
    return found


def children(pid: int) -> list[int]:
    """Its child processes, of those that it traces where the kernel does not list them."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as numbers:
            return [int(number) for number in numbers.read().split()]
    except OSError:
        return [child for child in tracees_of(pid) if int(_status(child)["PPid"]) == pid]


def _status(pid: int) -> dict[str, str]:
    with open(f"/proc/{pid}/status") as lines:
        pairs = (line.partition(":") for line in lines)
        return {key: value.strip() for key, _, value in pairs}


def end_tracer(tracer: int, pidfd: int) -> None:
    """End all that it traces and thereby itself. While it is stopped, what it traces gets no further than a fork."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    while not poll.poll(0):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
            for _ in range(2):  # again, for what was just being forked
                for pid in tracees_of(tracer):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            signal.pidfd_send_signal(pidfd, signal.SIGCONT)  # it has to let them go
        poll.poll(50)


class ProotGuard:
    """The process that outlives the engine by a moment, for all jobs of this engine. Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None

    def watch(self, pid: int) -> None:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(Path(__file__))],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    cwd="/",
                    start_new_session=True,
                )
            self._say(f"+{pid}\n")

    def leave(self, pid: int) -> None:
        with self._lock:
            self._say(f"-{pid}\n")

    def _say(self, line: str) -> None:
        stdin = self._process.stdin if self._process else None
        if stdin:
            with contextlib.suppress(OSError):
                stdin.write(line.encode())
                stdin.flush()


def main() -> None:
    pidfds: dict[int, int] = {}
    for line in sys.stdin.buffer:
        pid = int(line[1:])
        if line[:1] == b"+":
            with contextlib.suppress(OSError):
                pidfds[pid] = os.pidfd_open(pid)
        elif pid in pidfds:
            os.close(pidfds.pop(pid))
    for pid, pidfd in pidfds.items():
        end_tracer(pid, pidfd)


if __name__ == "__main__":
    main()
