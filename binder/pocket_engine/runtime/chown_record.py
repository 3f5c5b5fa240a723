"""What a job wanted to chown without being able to."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from .. import inode_birth_time
from ..procfs import read_memory

UNCHANGED = 0xFFFFFFFF
_AT_FDCWD = 0xFFFFFF9C

FileKey = tuple[int, int]  # st_dev, st_ino


class ChownRecord:
    """Answers chown with success and remembers it. Thread-safe.

    user: whose the files of the job are unless it says otherwise. PRoot passes the engine's own id where the program said
    `user`'s, so that the call may succeed; `original` finds out which of the two it was.
    """

    def __init__(
        self,
        user: tuple[int, int],
        root: Path | None = None,
        original: Callable[..., tuple[int, int] | None] | None = None,
    ):
        self.user, self.root, self.original = user, root, original
        self._mine = (os.getuid(), os.getgid())
        self._lock = threading.Lock()
        self._known: dict[FileKey, tuple[int, int]] = {}
        self._born: dict[FileKey, int] = {}

    def chown(self, call) -> int:
        """Take note of one call (see seccomp_notify.Call). Returns 0; raises OSError where there is no such file."""
        args = [arg & 0xFFFFFFFF for arg in call.args]
        if call.name == "fchown":
            path_on_host, ids = f"/proc/{call.pid}/fd/{args[0]}".encode(), (args[1], args[2])
            status, born = os.stat(path_on_host), inode_birth_time.birth_time(path_on_host, follow=True)
        else:
            at = call.name == "fchownat"
            path = read_memory(call.pid, call.args[1 if at else 0], 4096).split(b"\0")[0]
            ids = (args[2], args[3]) if at else (args[1], args[2])
            path_on_host, follow = _host_path(call.pid, args[0] if at else _AT_FDCWD, path)
            status = os.stat(path_on_host, follow_symlinks=follow)
            born = inode_birth_time.birth_time(path_on_host, follow)
        self.note(status, self._meant(call, ids), born)
        return 0

    def note(self, status: os.stat_result, ids: tuple[int, int], born: int = 0) -> None:
        """This file, made at `born`, is to have this owner; UNCHANGED for a part that stays."""
        key = (status.st_dev, status.st_ino)
        with self._lock:
            same = self._born.get(key, born) == born
            before = self._known.get(key, (UNCHANGED, UNCHANGED)) if same else (UNCHANGED, UNCHANGED)
            self._born[key] = born
            self._known[key] = _merged(before, ids)

    def owners(self, before: Callable[[FileKey], tuple[int, int]] | None = None) -> dict[FileKey, tuple[int, int]]:
        """{(st_dev, st_ino): (uid, gid)}; a part never set is as `before` says of that file, else the job's user's.

        Without the files that are gone and whose number another file has got since.
        """
        with self._lock:
            known, born = dict(self._known), dict(self._born)
        if self.root is not None:
            now = inode_birth_time.birth_times(self.root, set(known))
            known = {key: ids for key, ids in known.items() if now.get(key, born[key]) == born[key]}
        owners = {}
        for key, ids in known.items():
            rest = before(key) if before and UNCHANGED in ids else self.user
            owners[key] = _merged(rest, ids)
        return owners

    def _meant(self, call, ids: tuple[int, int]) -> tuple[int, int]:
        if not any(new == mine != own for new, mine, own in zip(ids, self._mine, self.user)):
            return ids
        passed = self.original(call, ids) if self.original else None
        if passed:
            return passed
        uid, gid = (own if new == mine else new for new, mine, own in zip(ids, self._mine, self.user))
        return uid, gid


def _merged(before: tuple[int, int], ids: tuple[int, int]) -> tuple[int, int]:
    """(uid, gid) after a chown to `ids`, of which UNCHANGED parts stay as they were."""
    uid, gid = (old if new == UNCHANGED else new for old, new in zip(before, ids))
    return uid, gid


def _host_path(pid: int, folder: int, path: bytes) -> tuple[bytes, bool]:
    """Where the file is that PRoot's path is for, and whether to follow a link there: PRoot has where the call would."""
    if path.startswith(b"/"):
        return path, False
    base = f"/proc/{pid}/cwd" if folder == _AT_FDCWD else f"/proc/{pid}/fd/{folder}"
    return (os.path.join(base.encode(), path), False) if path else (base.encode(), True)
