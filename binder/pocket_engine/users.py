"""Who a program runs as: `User` of an image or container, looked up in the image's own /etc/passwd and /etc/group.

The rules are those of moby's user package (github.com/moby/sys, user.GetExecUser).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from .errors import BadRequest

LARGEST_ID = 2**31 - 1
Read = Callable[[str], bytes | None]


class User(NamedTuple):
    """`groups` are the supplementary ones; `home` is "/" for a user whom /etc/passwd does not have."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def resolve(user: str, read: Read) -> User:
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


def _group(group: str, read: Read) -> int:
    number = _number(group)
    if number is not None:
        return _checked(number)
    for fields in _lines(read("/etc/group"), 4):
        if fields[0] == group:
            return _checked(_number(fields[2]) or 0)
    raise BadRequest(f"unable to find group {group}: no matching entries in group file")


def _members(user: str, read: Read) -> Iterator[int]:
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
