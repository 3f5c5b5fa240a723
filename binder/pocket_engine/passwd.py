"""Who a program runs as: `User` of an image or container, looked up in the image's own /etc/passwd and /etc/group.

The rules are those of moby's user package (github.com/moby/sys, user.GetExecUser).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from .errors import BadRequest

LARGEST_ID = 2**31 - 1
ReadFile = Callable[[str], bytes | None]


class User(NamedTuple):
    """`groups` are the supplementary ones; `home` is "/" for a user whom /etc/passwd does not have."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def resolve(user: str, read: ReadFile) -> User:
    """`user` is "", "name", "uid", "name:group" or "uid:gid"; read("/etc/passwd") gives a file's bytes or None.

    A number is always taken as an id, never as a name. Raises BadRequest, worded as Docker words it, for a name that is
    not there and for an id out of range.
    """
    name, _, group = user.partition(":")
    number = _number(name)
    uid, gid, home, known_as = number or 0, 0, "/", ""
    for fields in _lines(read("/etc/passwd"), 7):
        if (fields[0] == name) if name and number is None else (_number(fields[2]) == uid):
            known_as, uid, gid, home = fields[0], _number(fields[2]) or 0, _number(fields[3]) or 0, fields[5] or "/"
            break
    else:
        if name and number is None:
            raise BadRequest(f"unable to find user {name}: no matching entries in passwd file")
    if group:
        return User(_checked(uid), _group(group, read), (), home)
    groups = tuple(_members(known_as, read)) if known_as else ()
    return User(_checked(uid), _checked(gid), groups, home)


def owner(text: str, read: ReadFile) -> tuple[int, int]:
    """--chown's user and group; a user alone stands for the group as well (moby, builder/dockerfile). Raises BadRequest."""
    name, *group = text.split(":")
    if len(group) > 1:
        raise BadRequest(f"invalid chown string format: {text}")
    wrong = "unable to convert uid/gid chown string to host mapping: can't find"
    return (
        _id(name, "/etc/passwd", 7, read, f"{wrong} uid for user {name}: {{why}}", "user"),
        _id(
            (group or [name])[0],
            "/etc/group",
            4,
            read,
            f"{wrong} gid for group {(group or [name])[0]}: {{why}}",
            "group",
        ),
    )


def _group(group: str, read: ReadFile) -> int:
    return _id(
        group, "/etc/group", 4, read, f"unable to find group {group}: no matching entries in group file", "group"
    )


def _id(name: str, file: str, columns: int, read: ReadFile, wrong: str, kind: str) -> int:
    """The number that a name has in /etc/passwd or /etc/group; a number is itself. Raises BadRequest(wrong)."""
    number = _number(name)
    if number is not None:
        return _checked(number)
    content = read(file)
    for fields in _lines(content, columns):
        if fields[0] == name:
            return _checked(_number(fields[2]) or 0)
    why = f"open {file}: no such file or directory" if content is None else f"no such {kind}: {name}"
    raise BadRequest(wrong.replace("{why}", why))


def _members(user: str, read: ReadFile) -> Iterator[int]:
    """The ids of the groups that list this user."""
    for fields in _lines(read("/etc/group"), 4):
        gid = _number(fields[2])
        if user in fields[3].split(",") and gid is not None:
            yield gid


def _lines(content: bytes | None, count: int) -> Iterator[list[str]]:
    """The lines of a colon-separated file, each padded to `count` fields."""
    for line in (content or b"").decode("utf-8", "surrogateescape").splitlines():
        fields = line.strip().split(":")
        if fields[0] and not fields[0].startswith("#"):
            yield fields + [""] * (count - len(fields))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.lstrip("-").isdigit() and text.count("-") <= 1 else None


def _checked(number: int) -> int:
    if not 0 <= number <= LARGEST_ID:
        raise BadRequest(f"uids and gids must be in range 0-{LARGEST_ID}")
    return number
