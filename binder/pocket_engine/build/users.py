"""USER and --chown: names of users and groups, looked up in the layers of a stage."""

from __future__ import annotations

from ..errors import BadRequest
from ..roots import Tree
from ..store.view import View
from ..users import Read, User, resolve


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


def owner(text: str, read: Read) -> tuple[int, int]:
    """--chown's user and group; a user alone stands for the group as well (moby, builder/dockerfile). Raises BadRequest."""
    parts = text.split(":")
    if len(parts) > 2:
        raise BadRequest(f"invalid chown string format: {text}")
    name, group = parts[0], parts[-1]
    uid = _number(name)
    if uid is None:
        people = read("etc/passwd")
        found = next((one for one in _table(people, 7) if one[0] == name), None)
        if found is None:
            why = "open /etc/passwd: no such file or directory" if people is None else f"no such user: {name}"
            raise BadRequest(
                f"unable to convert uid/gid chown string to host mapping: can't find uid for user {name}: {why}"
            )
        uid = _number(found[2]) or 0
    missing = (
        "unable to convert uid/gid chown string to host mapping: "
        f"can't find gid for group {group}: no such group: {group}"
    )
    return uid, _group(group, _table(read("etc/group"), 4), missing)


def _group(name: str, groups: list[list[str]], missing: str) -> int:
    number = _number(name)
    if number is not None:
        return number
    found = next((one for one in groups if one[0] == name), None)
    if found is None:
        raise BadRequest(missing)
    return _number(found[2]) or 0


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and int(text) < 1 << 32 else None


def _table(data: bytes | None, columns: int) -> list[list[str]]:
    lines = (data or b"").decode("utf-8", "surrogateescape").splitlines()
    rows = [line.split(":") for line in lines if line and not line.startswith("#")]
    return [row + [""] * (columns - len(row)) for row in rows]
