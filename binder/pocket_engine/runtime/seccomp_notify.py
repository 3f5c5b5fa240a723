"""Answering system calls that a job's filter hands to the engine (seccomp user notification, Linux 5.0).

bind and listen, so that a job's TCP servers are reached on the ports that were given to them and on loopback only; chown,
where the job only believes itself to be root, so that what it wanted can be written into the layer.

PRoot translates paths when it stops a call, and the kernel asks the filter after that stop (since Linux 4.8), so the path
of a chown is one of the host's by then: but only where PRoot stops every call, not where its own filter picks them,
because a notification takes precedence over that. Hence `tracer` in seccomp.program: PRoot finds that it may not filter.
Debian builds PRoot 5.1 without that filter anyway. dpkg and gcc: 9.0 s with bubblewrap, 11.2 s so.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from typing import NamedTuple

from ..procfs import read_memory
from . import chown_record, listen_addresses, seccomp

_RECEIVE, _SEND, _VALID = 0xC0502100, 0xC0182101, 0x40082102
_CONTINUE = 1
_PIDFD_GETFD = 438
_REQUEST, _ANSWER = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")


class Call(NamedTuple):
    """One system call that waits for its answer."""

    id: int
    pid: int  # of the thread
    name: str
    pointer: int  # of the instruction
    args: tuple[int, ...]


class Listener:
    """Answers in a thread of its own until the job's last process is gone, or close()."""

    def __init__(
        self,
        fd: int,
        ports: dict[int, int],
        record: chown_record.ChownRecord | None = None,
        traced: Callable[[int], None] | None = None,
    ):
        """traced: called with a program that is about to let itself be traced."""
        self._traced = traced
        self._fd, self._ports, self._record = fd, ports, record
        self._names = {number: name for name, number in seccomp.numbers().items()}
        self._stop, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="answers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._wake)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        try:
            while True:
                events = dict(poll.poll())
                if self._stop in events or not events.get(self._fd, 0) & select.POLLIN:
                    return
                self._one()
        finally:
            os.close(self._fd)
            os.close(self._stop)

    def _one(self) -> None:
        room = bytearray(_REQUEST.size)
        try:
            fcntl.ioctl(self._fd, _RECEIVE, room)
        except OSError:  # the caller was killed before it could be asked for
            return
        number, pid, _flags, call, _arch, pointer, *args = _REQUEST.unpack(room)
        asked = Call(number, pid, self._names.get(call, ""), pointer, tuple(args))
        try:
            answer = self._answer(asked)
        except OSError as error:
            answer = error.errno or errno.EIO
        reply = _ANSWER.pack(number, 0, 0, _CONTINUE) if answer is None else _ANSWER.pack(number, 0, -answer, 0)
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._fd, _SEND, bytearray(reply))

    def _answer(self, call: Call) -> int | None:
        """0 for success, an errno, or None: the kernel shall carry it out."""
        if call.name in seccomp.CHOWN:
            return self._record.chown(call) if self._record else None
        if call.name == "ptrace":
            if self._traced:
                self._traced(call.pid)
            return None
        if call.name == "listen":
            return self._listen(call)
        address = read_memory(call.pid, call.args[1], min(_low(call.args[2]), 128))
        self._still(call)
        if listen_addresses.family(address) == socket.AF_UNSPEC:
            return None
        if call.name == "connect":
            target = listen_addresses.connect_target(address, self._ports)
            if target:
                self._rewrite(call, target)
            return None
        return self._bind(call, address)

    def _bind(self, call: Call, address: bytes) -> int | None:
        candidates = listen_addresses.listen_candidates(address, self._ports)
        if not candidates or not _is_tcp(call):
            return None
        borrowed = _borrow(call)
        if borrowed is None:
            self._rewrite(call, _free(candidates))
            return None
        with borrowed:
            return _bind(borrowed, candidates)

    def _listen(self, call: Call) -> int | None:
        """A server that never asked for an address would get one on every interface."""
        borrowed = _borrow(call) if _is_tcp(call) else None
        if borrowed is None:
            return None
        with borrowed:
            if borrowed.family not in (socket.AF_INET, socket.AF_INET6) or borrowed.getsockname()[1]:
                return None
            empty = struct.pack("=H", borrowed.family) + bytes(14 if borrowed.family == socket.AF_INET else 26)
            failed = _bind(borrowed, listen_addresses.listen_candidates(empty, {}))
            return failed or None

    def _rewrite(self, call: Call, address: bytes) -> None:
        """Where sockets cannot be borrowed: change what the program passes, and let it go on."""
        with open(f"/proc/{call.pid}/mem", "r+b", buffering=0) as memory:
            self._still(call)
            memory.seek(call.args[1])
            memory.write(address)

    def _still(self, call: Call) -> None:
        """Raises OSError if the caller is gone, and what was read perhaps another's."""
        fcntl.ioctl(self._fd, _VALID, bytearray(struct.pack("=Q", call.id)))


def _low(value: int) -> int:
    return value & 0xFFFFFFFF


def _is_tcp(call: Call) -> bool:
    """By the name that the kernel gives the socket's protocol (as lsof asks for it)."""
    with contextlib.suppress(OSError):
        return os.getxattr(f"/proc/{call.pid}/fd/{_low(call.args[0])}", "system.sockprotoname").startswith(b"TCP")
    return False


def _borrow(call: Call) -> socket.socket | None:
    """The program's socket, shared; None where that is not allowed (needs Linux 5.6, and a container forbids it)."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        with open(f"/proc/{call.pid}/status") as lines:
            process = int(next(line for line in lines if line.startswith("Tgid")).split()[1])
        pidfd = os.pidfd_open(process)
        try:
            fd = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, pidfd, _low(call.args[0]), 0)
        finally:
            os.close(pidfd)
        if fd >= 0:
            return socket.socket(fileno=fd)
    return None


def _bind(borrowed: socket.socket, candidates: list[bytes]) -> int:
    """Bind to the first address that can be had; 0, or the errno of the first failure."""
    libc, first = ctypes.CDLL(None, use_errno=True), 0
    for address in candidates:
        if libc.bind(borrowed.fileno(), address, len(address)) == 0:
            return 0
        first = first or ctypes.get_errno()
        if first == errno.EINVAL and borrowed.getsockname()[1]:
            return first  # it has an address already
    return first


def _free(candidates: list[bytes]) -> bytes:
    """The first address that a socket of our own can be bound to, else the first."""
    for address in candidates:
        with socket.socket(listen_addresses.family(address), socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if _bind(tried, [address]) == 0:
                return address
    return candidates[0]
