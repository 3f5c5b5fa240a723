"""Finding a job's program inside its root, as Docker does before it starts one, and wording what is wrong with it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import BadRequest
from .jobs import Job

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LINKS = 40  # as many as the kernel follows


class CannotStart(BadRequest):
    """The program cannot be started; `code` is what a shell would make of it: 127 not there, 126 not executable."""

    def __init__(self, what: str, code: int):
        super().__init__(
            "failed to create task for container: failed to create shim task: OCI runtime create failed: "
            f"runc create failed: unable to start container process: {what}: unknown"
        )
        self.code = code


def host_path(job: Job, path: str) -> tuple[str, Path]:
    """An absolute path of the job with its links followed inside the root: (that path, where it is on the host).

    Parts that do not exist stay as they are. Raises OSError ELOOP.
    """
    done: list[str] = []
    todo, links = [part for part in path.split("/") if part not in ("", ".")][::-1], 0
    while todo:
        part = todo.pop()
        if part == "..":
            done = done[:-1]
            continue
        on_host = _place(job, [*done, part])
        try:
            target = os.readlink(on_host)
        except OSError:
            done.append(part)
            continue
        links += 1
        if links > _LINKS:
            raise OSError(40, "Too many levels of symbolic links", path)
        if target.startswith("/"):
            done = []
        todo += [piece for piece in target.split("/") if piece not in ("", ".")][::-1]
    return "/" + "/".join(done), _place(job, done)


def _place(job: Job, parts: list[str]) -> Path:
    """Where these parts lie on the host: below the mount with the longest target that holds them, or in the root."""
    best, rest = Path(job.root), parts
    longest = 0
    for mount in job.mounts:
        target = [part for part in mount.target.split("/") if part]
        if len(target) > longest and parts[: len(target)] == target:
            best, rest, longest = Path(mount.source), parts[len(target) :], len(target)
    return best.joinpath(*rest)


def find_program(job: Job) -> str:
    """The path of the job's program inside the root. Raises CannotStart (a BadRequest) in runc's words."""
    name = job.argv[0] if job.argv else ""
    if not name:
        raise BadRequest("No command specified")
    if "/" in name:
        path = name if name.startswith("/") else os.path.join(job.cwd, name)
        trouble = _trouble(job, path)
        if trouble == "directory":
            raise CannotStart(f'exec: "{name}": is a directory', 126)
        if trouble == "missing":
            raise CannotStart(f'exec: "{name}": stat {name}: no such file or directory', 127)
        if trouble:
            raise CannotStart(f'exec: "{name}": permission denied', 126)
        return path
    for folder in job.env.get("PATH", DEFAULT_PATH).split(":"):
        path = os.path.join(job.cwd, folder or ".", name)
        if not _trouble(job, path):
            return path
    raise CannotStart(f'exec: "{name}": executable file not found in $PATH', 127)


def _trouble(job: Job, path: str) -> str:
    try:
        found = os.stat(host_path(job, path)[1], follow_symlinks=False)
    except OSError:
        return "missing"
    if stat.S_ISDIR(found.st_mode):
        return "directory"
    return "" if stat.S_ISREG(found.st_mode) and found.st_mode & 0o111 else "denied"
