"""Finding a path inside a root filesystem, without ever following a link out of it.

A running program may swap a folder for a link at any moment: every part is opened relative to the one before it, and
links are read and walked here (openat2's RESOLVE_IN_ROOT would do it, but not every sandbox lets it through).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from ..runtime.jobs import Mount

LINKS = 40  # as many as the kernel follows
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class ResolvedPath:
    """`name` in the folder that `folder`, a descriptor, is open on; "." for the root itself. The last part of `path`, a
    path inside the root without links before that part, may not exist. Use it in a with statement."""

    def __init__(self, folder: int, name: str, path: str):
        self.folder, self.name, self.path = folder, name, path

    def stat(self) -> os.stat_result | None:
        """What is there, not following a link; None if nothing is."""
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, flags: int, mode: int = 0o600) -> int:
        """A descriptor of it. A link is not followed: OSError."""
        return os.open(self.name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=self.folder)

    def __enter__(self) -> ResolvedPath:
        return self

    def __exit__(self, *_) -> None:
        os.close(self.folder)


def resolve(
    root: Path, path: str, *, follow: bool = True, make: bool = False, mounts: Sequence[Mount] = ()
) -> ResolvedPath:
    """Where `path` leads in the root filesystem `root`, over which `mounts` lie.

    follow: the last part as well, if it is a link. make: create missing folders before the last part. Raises OSError
    (ENOENT, ENOTDIR, ELOOP), as the kernel would.
    """
    return _Walk(root, path, follow, make, {mount.target: mount.source for mount in mounts}).spot()


class _Walk:
    def __init__(self, root: Path, path: str, follow: bool, make: bool, mounts: dict[str, Path]):
        self.root, self.follow, self.make, self.mounts = root, follow, make, mounts
        self.left = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        self.names: list[str] = []
        self.folders = [os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
        self.links = 0

    def spot(self) -> ResolvedPath:
        try:
            return self._walk()
        finally:
            for folder in self.folders:
                os.close(folder)

    def _walk(self) -> ResolvedPath:
        while self.left:
            name = self.left.pop()
            if name == "..":
                if self.names:
                    self.names.pop()
                    os.close(self.folders.pop())
                continue
            target = "/" + "/".join([*self.names, name])
            if target in self.mounts:
                spot = self._enter_mount(name, target)
            else:
                spot = self._enter(name, target)
            if spot:
                return spot
        return self._here()

    def _here(self) -> ResolvedPath:
        """The walk ended on a folder that is open already: on the root, or behind "..", or on a mount."""
        return ResolvedPath(os.dup(self.folders[-1]), ".", "/" + "/".join(self.names))

    def _enter_mount(self, name: str, target: str) -> ResolvedPath | None:
        source = self.mounts[target]
        if not self.left and not source.is_dir():
            return ResolvedPath(os.open(source.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), source.name, target)
        self.folders.append(os.open(source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        self.names.append(name)
        return None

    def _enter(self, name: str, target: str) -> ResolvedPath | None:
        here = self.folders[-1]
        try:
            mode = os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
        except FileNotFoundError:
            if not self.left:
                return ResolvedPath(os.dup(here), name, target)
            if not self.make:
                raise
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=here)
            mode = stat.S_IFDIR
        if stat.S_ISLNK(mode) and (self.left or self.follow):
            self._link(os.readlink(name, dir_fd=here))
            return None
        if not self.left:
            return ResolvedPath(os.dup(here), name, target)
        self.folders.append(os.open(name, _FOLDER, dir_fd=here))
        self.names.append(name)
        return None

    def _link(self, text: str) -> None:
        self.links += 1
        if self.links > LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if text.startswith("/"):
            for folder in self.folders[1:]:
                os.close(folder)
            del self.folders[1:]
            self.names.clear()
        self.left += [part for part in reversed(text.split("/")) if part not in ("", ".")]


def read_small(root: Path, path: str, limit: int = 1 << 20) -> bytes | None:
    """The first bytes of a file of the root; None where there is no such file."""
    try:
        with resolve(root, path) as spot, open(spot.open(os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            return file.read(limit) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except OSError:
        return None
