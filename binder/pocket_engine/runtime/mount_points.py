"""What a job finds around its root filesystem: name files of its own, its working folder, places to mount on."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import replace
from pathlib import Path

from .jobs import Job, Mount
from .program_lookup import host_path


def etc_files(job: Job) -> tuple[Mount, ...]:
    """/etc/hosts, /etc/hostname and /etc/resolv.conf, as files in the job's scratch folder; the image never gets them."""
    folder = Path(job.scratch) / "etc"
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "hostname": f"{job.hostname}\n",
        "hosts": f"127.0.0.1\tlocalhost {job.hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n",
        "resolv.conf": "",
    }
    with contextlib.suppress(OSError):
        texts["resolv.conf"] = Path("/etc/resolv.conf").read_text()
    taken = {mount.target for mount in job.mounts}
    mounts = []
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)
        if f"/etc/{name}" not in taken:
            mounts.append(Mount(folder / name, f"/etc/{name}"))
    return tuple(mounts)


def working_folder(job: Job) -> str:
    """The job's cwd with its links followed inside the root, made if it is missing, as Docker does."""
    path, on_host = host_path(job, job.cwd)
    on_host.mkdir(parents=True, exist_ok=True)
    return path


def mount_point(job: Job, target: str) -> Path:
    """Where on the host the folder or file lies that a mount at `target` covers."""
    return host_path(replace(job, mounts=()), target)[1]


class MountPoints:
    """Makes what mounts need below a root, and takes it away after the last job there that needed it. Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._users: dict[Path, int] = {}
        self._made: dict[Path, tuple[int, tuple[int, int]]] = {}  # inode; the folder's times before and after

    def take(self, path: Path, folder: bool) -> None:
        """There shall be a folder, or else a file, at `path`; links in it have been followed already."""
        with self._lock:
            missing = [path]
            while not os.path.lexists(missing[-1].parent):
                missing.append(missing[-1].parent)
            for missing_path in reversed(missing):
                self._take(missing_path, folder or missing_path != path)

    def _take(self, path: Path, folder: bool) -> None:
        known = self._users.get(path, 0)
        if known or not os.path.lexists(path):
            self._users[path] = known + 1
        if os.path.lexists(path):
            return
        before = os.stat(path.parent)
        if folder:
            path.mkdir(mode=0o755)
        else:
            path.touch(mode=0o644)
        after = os.stat(path.parent)
        self._made[path] = (os.lstat(path).st_ino, (before.st_mtime_ns, after.st_mtime_ns))

    def release(self, path: Path, root: Path) -> None:
        """One that needed it is done. What the program has put there or replaced stays."""
        with self._lock:
            while path != root and path in self._users:
                self._users[path] -= 1
                if self._users[path] == 0:
                    del self._users[path]
                    self._remove(path, *self._made.pop(path))
                path = path.parent

    def _remove(self, path: Path, inode: int, times: tuple[int, int]) -> None:
        with contextlib.suppress(OSError):
            found, parent = os.lstat(path), os.stat(path.parent)
            if found.st_ino != inode:
                return
            if os.path.isdir(path):
                path.rmdir()
            elif found.st_size == 0:
                path.unlink()
            if parent.st_mtime_ns == times[1]:  # nothing else happened there: leave no trace of this either
                os.utime(path.parent, ns=(parent.st_atime_ns, times[0]))
