"""USER and --chown: names of users and groups, looked up in the layers of a stage."""

from __future__ import annotations

from ..passwd import ReadFile, User, owner, resolve
from ..rootfs import RootFilesystem
from ..store.merged_view import MergedView


def stage_user(user: str, rootfs: RootFilesystem) -> User:
    """The user of a USER instruction, by the files of a root filesystem. Raises BadRequest for a name that is not there."""
    return resolve(user, file_reader(rootfs.layers.view(rootfs.diff_ids)))


def file_reader(view: MergedView) -> ReadFile:
    """Reads small files of a view, links followed."""

    def read(path: str) -> bytes | None:
        resolved = view.resolve(path)
        entry = view.get(resolved)
        if entry is None or entry.kind not in ("file", "hardlink"):
            return None
        with view.open(resolved) as file:
            return file.read()

    return read


__all__ = ["ReadFile", "User", "file_reader", "owner", "resolve", "stage_user"]
