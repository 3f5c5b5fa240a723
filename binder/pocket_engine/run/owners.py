"""What a job wanted to chown without being able to."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

UNCHANGED = 0xFFFFFFFF
_AT_FDCWD = 0xFFFFFF9C

Key = tuple[int, int]  # st_dev, st_ino


class Record:
    """Answers chown with success and remembers it. Thread-safe.

    user: whose the files of the job are unless it says otherwise. PRoot passes the engine's own id where the program said
    `user`'s, so that the call may succeed; `original` finds out which of the two it was.
    """

    def __init__(self, user: tuple[int, int], original: Callable[..., tuple[int, int] | None] | None = None):
        self.user, self.original = user, original
        self._mine = (os.getuid(), os.getgid())
        self._lock = threading.Lock()
        self._known: dict[Key, tuple[int, int]] = {}

    def chown(self, call) -> int:
        """Take note of one call (see notify.Call). Returns 0; raises OSError where there is no such file."""
        from .notify import read

        args = [arg & 0xFFFFFFFF for arg in call.args]
        if call.name == "fchown":
            found, ids = os.stat(f"/proc/{call.pid}/fd/{args[0]}"), (args[1], args[2])
        else:
            at = call.name == "fchownat"
            path = read(call.pid, call.args[1 if at else 0], 4096).split(b"\0")[0]
            ids = (args[2], args[3]) if at else (args[1], args[2])
            found = _stat(call.pid, args[0] if at else _AT_FDCWD, path)
        self.note(found, self._meant(call, ids))
        return 0

    def note(self, found: os.stat_result, ids: tuple[int, int]) -> None:
        """This file is to have this owner; UNCHANGED for a part that stays."""
        key = (found.st_dev, found.st_ino)
        with self._lock:
            before = self._known.get(key, (UNCHANGED, UNCHANGED))
            self._known[key] = tuple(old if new == UNCHANGED else new for old, new in zip(before, ids))

    def owners(self, before: Callable[[Key], tuple[int, int]] | None = None) -> dict[Key, tuple[int, int]]:
        """{(st_dev, st_ino): (uid, gid)}; a part never set is as `before` says of that file, else the job's user's."""
        with self._lock:
            known = dict(self._known)
        out = {}
        for key, ids in known.items():
            rest = before(key) if before and UNCHANGED in ids else self.user
            out[key] = tuple(old if new == UNCHANGED else new for old, new in zip(rest, ids))
        return out

    def _meant(self, call, ids: tuple[int, int]) -> tuple[int, int]:
        if not any(new == mine != own for new, mine, own in zip(ids, self._mine, self.user)):
            return ids
        found = self.original(call, ids) if self.original else None
        if found:
            return found
        return tuple(own if new == mine else new for new, mine, own in zip(ids, self._mine, self.user))


def _stat(pid: int, folder: int, path: bytes) -> os.stat_result:
    """The file that PRoot's path is for; it has followed links already where the call would."""
    if path.startswith(b"/"):
        return os.lstat(path)
    base = f"/proc/{pid}/cwd" if folder == _AT_FDCWD else f"/proc/{pid}/fd/{folder}"
    return os.lstat(os.path.join(os.fsencode(base), path)) if path else os.stat(base)
