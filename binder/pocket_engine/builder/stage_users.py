"""USER and --chown: names of users and groups, looked up in the layers of a stage."""

from __future__ import annotations

from ..passwd import Read, User, owner, resolve
from ..rootfs import Tree
from ..store.merged_view import View


def of(user: str, tree: Tree) -> User:
    """The user of a USER instruction, by the files of a tree. Raises BadRequest for a name that is not there."""
    return resolve(user, reader(tree.layers.view(tree.diff_ids)))


def reader(view: View) -> Read:
    """Reads small files of a view, links followed."""

    def read(path: str) -> bytes | None:
        place = view.resolve(path)
        entry = view.get(place)
        if entry is None or entry.kind not in ("file", "hardlink"):
            return None
        with view.open(place) as file:
            return file.read()

    return read


__all__ = ["Read", "User", "of", "owner", "reader", "resolve"]
