"""Running jobs as an ordinary user: PRoot stands in for chroot and mounts by stopping every system call (ptrace)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import EngineError
from . import chown_record, mount_points, program_lookup, proot_processes, proot_registers, seccomp, self_test, spawn
from .jobs import Job, Mount
from .seccomp_notify import Listener

_REMEDY = "`sudo apt-get install proot` (Debian, Ubuntu) or `conda install -c conda-forge proot`"
_SIGNALLED = 255
_mount_points, _guard = mount_points.MountPoints(), proot_processes.ProotGuard()
_GET_INFO, _INFO_EXIT = 0xC040FF0B, 1 << 3  # PIDFD_GET_INFO for 64 bytes


class FirstProgram:
    """The job's first program, held so that its number cannot come to mean another."""

    def __init__(self):
        self.pid, self._pidfd = 0, -1
        self._lock = threading.Lock()

    def set_pid(self, pid: int) -> None:
        """This is it, unless there was one already; 0 is none."""
        with self._lock, contextlib.suppress(OSError):
            if pid and not self.pid:
                self._pidfd = os.pidfd_open(pid)
                self.pid = pid

    def wait(self) -> int:
        """Until it has ended. Returns ended_by() as far as that can be told at this moment."""
        if not self.pid:
            return 0
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        poll.poll()
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{self.pid}/stat") as fields:
            return int(fields.read().split()[-1]) & 0x7F  # if PRoot has not collected it yet
        return 0

    def ended_by(self) -> int:
        """The signal that ended it, once PRoot has collected it; 0 if none did, or before Linux 6.15."""
        if not self.pid:
            return 0
        info = bytearray(64)
        struct.pack_into("=Q", info, 0, _INFO_EXIT)
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._pidfd, _GET_INFO, info)
            if struct.unpack_from("=Q", info)[0] & _INFO_EXIT:
                return struct.unpack_from("=i", info, 60)[0] & 0x7F
        return 0

    def __del__(self):
        if self._pidfd >= 0:
            os.close(self._pidfd)


class ProotProcess:
    """A job all of whose processes PRoot traces."""

    def __init__(
        self,
        started: spawn.StartedProcess,
        listener: Listener | None,
        record: chown_record.ChownRecord,
        first: FirstProgram,
        done,
    ):
        self.pid, self._popen, self._listener, self._record = started.pid, started.popen, listener, record
        self._first, self._pidfd = first, os.pidfd_open(self.pid)
        _guard.watch(self.pid)
        self._killing, self._killed, self._done = threading.Lock(), False, done
        self._signal = 0  # that ended the first program; PRoot 5.1 says 255 for all of them
        self._follower = threading.Thread(target=self._follow, name="first program", daemon=True)
        self._follower.start()

    def _follow(self) -> None:
        """The end of the first program is the end of the job, as in a container: PRoot 5.1 would wait for all others."""
        while not self._first.pid and self._popen.poll() is None:
            self._first.set_pid(next(iter(proot_processes.children(self.pid)), 0))
            time.sleep(0 if self._first.pid else 0.001)
        signalled = self._first.wait()
        self._end_all()
        self._signal = self._first.ended_by() or signalled or self._signal

    def wait(self, timeout: float | None = None) -> int:
        try:
            status = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"still running after {timeout} s") from None
        self._follower.join()
        self._tidy()
        if self._killed or status < 0:
            return 128 + (signal.SIGKILL if self._killed else -status)
        return 128 + self._signal if status == _SIGNALLED and self._signal else status

    def poll(self) -> int | None:
        return None if self._popen.poll() is None else self.wait()

    def kill(self, sig: int = signal.SIGKILL) -> None:
        """The first program gets it. SIGKILL: a stopped PRoot lets nothing go on that it traces, so none gets away."""
        if sig == signal.SIGKILL:
            self._killed = self._killed or self._popen.poll() is None
            self._end_all()
            return
        while self._popen.poll() is None and not self._first.pid:
            time.sleep(0.001)
        if self._popen.poll() is None:
            self._signal = sig
            _signal(self._first.pid, sig)

    def _end_all(self) -> None:
        with self._killing:
            if self._popen.poll() is None:
                proot_processes.end_tracer(self.pid, self._pidfd)
                self._popen.wait()

    def owners(
        self, before: Callable[[chown_record.FileKey], tuple[int, int]] | None = None
    ) -> dict[chown_record.FileKey, tuple[int, int]]:
        """See Record.owners."""
        return self._record.owners(before)

    def _tidy(self) -> None:
        with self._killing:
            done, self._done = self._done, None
        if done:
            done()
            _guard.leave(self.pid)
            os.close(self._pidfd)
        if self._listener:
            self._listener.close()
        for left in Path(tempfile.gettempdir()).glob(f"proot-{self.pid}-*"):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)


class PRoot:
    """The runner for everybody. It never gets more rights than the engine has."""

    name, privileged = "proot", False

    def __init__(self, program: str, version: str):
        self.program, self.version = program, version
        self.asks = True  # whether calls may be notified here
        self.notes = [
            "Programs run under the engine's own user id and only see themselves as root; a chown is kept for the layer.",
            "Programs see the host's processes, its network and its name; read-only mounts can be written to.",
            "Setuid programs gain nothing; CPU and memory are not limited.",
        ]

    def start(self, job: Job, *, stdin: int | None, stdout: int, stderr: int) -> ProotProcess:
        program = program_lookup.find_program(job)
        mount_points.working_folder(job)
        binds, root = _binds(job), Path(os.path.realpath(job.root))
        here = replace(job, root=root)
        taken = [(mount_points.mount_point(here, bind.target), bind) for bind in binds if bind.target != "/dev/shm"]
        # PRoot would make these itself, and leave them there when it is killed.
        for path, bind in taken:
            _mount_points.take(path, bind.source.is_dir())

        def done() -> None:
            for path, _ in reversed(taken):
                _mount_points.release(path, root)

        record = chown_record.ChownRecord((job.uid, job.gid), root)
        notified = [name for name in (*seccomp.CHOWN, *seccomp.NETWORK) if name != "connect" or job.ports]
        plan = {
            "program": self.program,
            "argv": self._command(job, program, binds),
            "env": {**_unlike_process_1(program), **job.env},
            "missing": [*seccomp.UNTRANSLATED, *seccomp.UNFILTERED, "seccomp"],
            "notified": notified if self.asks else [],
            "tracer": True,
        }
        listeners: list[Listener] = []
        first = FirstProgram()

        def listen(fd: int, pid: int) -> None:
            record.original = proot_registers.OriginalRegisters(pid).ids
            listeners.append(Listener(fd, dict(job.ports), record, first.set_pid))

        try:
            started = spawn.start(lambda launch, _: launch, plan, listen, stdin=stdin, stdout=stdout, stderr=stderr)
        except BaseException:
            done()
            raise
        return ProotProcess(started, listeners[0] if listeners else None, record, first, done)

    def _command(self, job: Job, program: str, binds: Sequence[Mount]) -> list[str]:
        out = ["proot", "-v", "-1", "-i", f"{job.uid}:{job.gid}", "-r", os.path.realpath(job.root), "-w", job.cwd]
        for mount in binds:
            out += ["-b", f"{os.path.realpath(mount.source)}:{mount.target}"]
        return [*out, program, *job.argv[1:]]


def _unlike_process_1(program: str) -> dict[str, str]:
    """For tini, which complains where it is not process 1; told so, it still takes in what is orphaned."""
    return {"TINI_SUBREAPER": "1"} if os.path.basename(program).startswith(("tini", "docker-init")) else {}


def _binds(job: Job) -> list[Mount]:
    shared = Path(job.scratch) / "shm"
    shared.mkdir(parents=True, exist_ok=True)
    host = [Mount(Path(path), path) for path in ("/proc", "/sys", "/dev")]
    return [*host, Mount(shared, "/dev/shm"), *mount_points.etc_files(job), *job.mounts]


def _signal(pid: int, sig: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sig)


def find() -> PRoot:
    """PRoot, tried with a real job. Raises EngineError with what to do."""
    program = shutil.which("proot")
    if not program:
        raise EngineError(f"PRoot is missing: {_REMEDY}, then start the engine again.")
    runner = PRoot(program, self_test.version(program))
    trouble = self_test.failure(runner)
    if trouble:
        runner.asks = False
        if self_test.failure(runner):
            raise EngineError(f"PRoot cannot run programs here ({trouble}); it needs ptrace.")
        runner.notes += [
            f"Calls cannot be answered here ({trouble}): a chown is forgotten, published ports do not lead anywhere, "
            "and a server may be reached from other hosts."
        ]
    return runner
