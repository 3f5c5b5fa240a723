"""The step between the engine and a job's program: `python3 -I -S launch.py CHANNEL`, with a plan on that socket.

Runs inside the sandbox and before its root is entered; only what the standard library offers without `site`. Tells the
engine over the same socket what went wrong; hands it the filter's listener; the socket closes when the program starts.
"""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import json
import os
import signal
import socket
import sys
import termios

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import seccomp  # type: ignore[import-not-found]  # noqa: E402 - found through the line above

_PDEATHSIG, _CAPBSET_READ, _CAPBSET_DROP = 1, 23, 24
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_CAPSET = {"x86_64": 126, "aarch64": 91}
_MNT_DETACH = 2


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    plan = json.loads(_receive(channel))
    try:
        run(plan, channel)
    except OSError as error:
        channel.sendall(json.dumps({"step": plan.get("step", ""), "errno": error.errno, "error": str(error)}).encode())
    sys.exit(125)


def run(plan: dict, channel: socket.socket) -> None:
    """Become the program. Returns never; raises OSError with plan["step"] set to what was being done."""
    for number in range(1, signal.NSIG):  # Python ignores SIGPIPE; the program shall not
        if number not in (signal.SIGKILL, signal.SIGSTOP) and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)
    if os.getsid(0) != os.getpid():
        os.setsid()
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    channel.sendall(b"P")  # the engine reads from the kernel whose message this is
    if plan.get("root"):
        plan["step"] = "root"
        _enter(plan["root"])
        plan["step"] = "cwd"
        os.chdir(plan["cwd"])
    plan["step"] = "filter"
    if plan["missing"] or plan["notified"]:
        code = seccomp.program(tuple(plan["missing"]), tuple(plan["notified"]), plan.get("tracer", False))
        listener = seccomp.install(code, bool(plan["notified"]))
        if listener >= 0:
            channel.sendmsg([b"L"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])
            os.close(listener)
            channel.recv(1)  # the engine listens from now on
    if plan.get("capabilities") is not None:
        plan["step"] = "user"
        _become(plan["uid"], plan["gid"], plan["groups"], plan["capabilities"])
    plan["step"] = "exec"
    os.execve(plan["program"], plan["argv"], plan["env"])


def _receive(channel: socket.socket) -> bytes:
    size = int.from_bytes(_exactly(channel, 4), "big")
    return _exactly(channel, size)


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = channel.recv(size - len(data))
        if not part:
            sys.exit(125)
        data += part
    return data


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _enter(root: str) -> None:
    """Make `root`, a mount point, the only filesystem there is: unlike after chroot, there is no way back."""
    libc, machine = _libc(), seccomp.machine()
    os.chdir(root)
    _check(libc.syscall(_PIVOT_ROOT[machine], b".", b"."), "pivot_root")
    _check(libc.umount2(b".", _MNT_DETACH), "umount")
    os.chdir("/")


def _become(uid: int, gid: int, groups: list[int], capabilities: list[int]) -> None:
    """Take on the user; keep no capability but these, and as another user than root none at all."""
    libc, last = _libc(), 0
    while (known := libc.prctl(_CAPBSET_READ, last, 0, 0, 0)) >= 0:
        if known and last not in capabilities:
            _check(libc.prctl(_CAPBSET_DROP, last, 0, 0, 0), "capabilities")
        last += 1
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    mask = sum(1 << number for number in capabilities) if uid == 0 else 0
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    _check(libc.syscall(_CAPSET[seccomp.machine()], header, data), "capset")
    _check(libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")  # a change of user has undone it


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(128 + errno.EINTR)
