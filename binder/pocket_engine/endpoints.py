"""Where an engine serves: a unix socket or a port of 127.0.0.1, and the lock that lets only one engine have it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import time
from pathlib import Path

from .errors import BadRequest, Conflict

LONGEST = 107  # bytes of a unix socket's path, unix(7)
PATIENCE = 30.0  # seconds for another engine that is just starting or ending


def private_folder(folder: Path) -> Path:
    """The folder, resolved, made with mode 0700 if missing. Raises BadRequest if it is another user's, or no folder."""
    folder = folder.expanduser().resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.stat()
    except OSError as error:
        raise BadRequest(f"The folder {folder} cannot be used: {error.strerror}.") from None
    if about.st_uid != os.getuid():
        raise BadRequest(f"The folder {folder} belongs to another user: choose one of your own.")
    return folder


class UnixSocket:
    """A unix socket with mode 0600. Its folder, where locks and holders are kept, is the caller's alone."""

    def __init__(self, path: Path):
        self.folder = private_folder(path.parent)
        if stat.S_IMODE(self.folder.stat().st_mode) & 0o077:
            raise BadRequest(
                f"The socket's folder {self.folder} is open to others: `chmod 700` it, or choose one that is not there yet."
            )
        self.path = self.folder / path.name
        if len(os.fsencode(self.path)) > LONGEST:
            raise BadRequest(
                f"The path of the socket is longer than {LONGEST} bytes: {self.path}. Choose a shorter one."
            )
        self._identity: tuple[int, int] | None = None

    def __str__(self) -> str:
        return f"unix://{self.path}"

    def answers(self) -> bool:
        """True if a process listens on the socket."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            try:
                probe.connect(str(self.path))
            except OSError as error:
                return error.errno in (errno.EAGAIN, errno.ETIMEDOUT)  # a full backlog is somebody's
            return True

    def bind(self) -> socket.socket:
        """The bound socket, in place of what a dead engine left. Raises Conflict if something else is in its place."""
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(self.path.lstat().st_mode):
                raise Conflict(f"{self.path} is there and is no socket: move it away, or choose another path.")
            self.path.unlink()
        bound = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            bound.bind(str(self.path))
        finally:
            os.umask(before)
        about = self.path.lstat()
        self._identity = about.st_dev, about.st_ino
        return bound

    def remove(self) -> None:
        """Take the socket away, if it is still the one that was bound here."""
        with contextlib.suppress(OSError):
            about = self.path.lstat()
            if (about.st_dev, about.st_ino) == self._identity:
                self.path.unlink()


class TcpPort:
    """A TCP port of 127.0.0.1, for what cannot use a unix socket; locks and holders are kept in the store's folder."""

    def __init__(self, number: int, folder: Path):
        self.number, self.folder = number, folder

    def __str__(self) -> str:
        return f"tcp://127.0.0.1:{self.number}"

    def answers(self) -> bool:
        """True if a process listens on the port."""
        with socket.socket() as probe:
            probe.settimeout(2)
            return probe.connect_ex(("127.0.0.1", self.number)) == 0

    def bind(self) -> socket.socket:
        """The bound socket. Raises Conflict if the port is taken."""
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", self.number))
        except OSError as error:
            bound.close()
            raise Conflict(
                f"Port {self.number} of 127.0.0.1 cannot be had: {error.strerror}. Choose another."
            ) from None
        return bound

    def remove(self) -> None:
        """Nothing: a port is free when its process has ended."""


class ClaimedEndpoint:
    """An endpoint with its lock held. The lock is inherited by forks, and free when the last of them has ended."""

    def __init__(self, endpoint: UnixSocket | TcpPort, lock: int):
        self.endpoint, self._lock = endpoint, lock

    def __enter__(self) -> ClaimedEndpoint:
        return self

    def __exit__(self, *_) -> None:
        os.close(self._lock)


def claim(endpoint: UnixSocket | TcpPort) -> ClaimedEndpoint | None:
    """The endpoint for this process alone; None if an engine serves there. Waits for one that is starting or ending."""
    lock = os.open(endpoint.folder / "pocket.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if endpoint.answers():
                os.close(lock)
                return None
            if time.monotonic() > deadline:
                owner = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(lock)
                raise Conflict(f"An engine (process {owner}) has {endpoint}, but does not answer: end it.") from None
            time.sleep(0.05)
            continue
        if endpoint.answers():  # somebody's who knows nothing of the lock
            os.close(lock)
            return None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return ClaimedEndpoint(endpoint, lock)
