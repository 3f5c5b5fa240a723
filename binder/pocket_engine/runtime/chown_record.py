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

Key = tuple[int, int]  # st_dev, st_ino


class Record:
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
        self._known: dict[Key, tuple[int, int]] = {}
        self._born: dict[Key, int] = {}

    def chown(self, call) -> int:
        """Take note of one call (see seccomp_notify.Call). Returns 0; raises OSError where there is no such file."""
        args = [arg & 0xFFFFFFFF for arg in call.args]
        if call.name == "fchown":
            place, ids = f"/proc/{call.pid}/fd/{args[0]}".encode(), (args[1], args[2])
            found, born = os.stat(place), inode_birth_time.birth(place, follow=True)
        else:
            at = call.name == "fchownat"
            path = read_memory(call.pid, call.args[1 if at else 0], 4096).split(b"\0")[0]
            ids = (args[2], args[3]) if at else (args[1], args[2])
            place, follow = _place(call.pid, args[0] if at else _AT_FDCWD, path)
            found, born = os.stat(place, follow_symlinks=follow), inode_birth_time.birth(place, follow)
        self.note(found, self._meant(call, ids), born)
        return 0

    def note(self, found: os.stat_result, ids: tuple[int, int], born: int = 0) -> None:
        """This file, made at `born`, is to have this owner; UNCHANGED for a part that stays."""
        key = (found.st_dev, found.st_ino)
        with self._lock:
            same = self._born.get(key, born) == born
            before = self._known.get(key, (UNCHANGED, UNCHANGED)) if same else (UNCHANGED, UNCHANGED)
            self._born[key] = born
            self._known[key] = tuple(old if new == UNCHANGED else new for old, new in zip(before, ids))

    def owners(self, before: Callable[[Key], tuple[int, int]] | None = None) -> dict[Key, tuple[int, int]]:
        """{(st_dev, st_ino): (uid, gid)}; a part never set is as `before` says of that file, else the job's user's.

        Without the files that are gone and whose number another file has got since.
        """
        with self._lock:
            known, born = dict(self._known), dict(self._born)
        if self.root is not None:
            now = inode_birth_time.births(self.root, set(known))
            known = {key: ids for key, ids in known.items() if now.get(key, born[key]) == born[key]}
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


def _place(pid: int, folder: int, path: bytes) -> tuple[bytes, bool]:
    """Where the file is that PRoot's path is for, and whether to follow a link there: PRoot has where the call would."""
    if path.startswith(b"/"):
        return path, False
    base = f"/proc/{pid}/cwd" if folder == _AT_FDCWD else f"/proc/{pid}/fd/{folder}"
    return (os.path.join(base.encode(), path), False) if path else (base.encode(), True)
