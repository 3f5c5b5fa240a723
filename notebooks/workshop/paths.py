"""Paths in an image: the wildcards of every check and helper, and the links on the way to a path."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from fnmatch import fnmatchcase

MOST_LINKS = 40  # that Linux follows on the way to one path


def names_one(pattern: str) -> bool:
    """True for a pattern that is a path: nothing in it stands for anything else."""
    parts = pattern.removeprefix("/").split("/")
    return not {"", ".", ".."} & set(parts) and not set("*?[") & set(pattern)


def followed(path: str, link: Callable[[str], str | None]) -> str | None:
    """Where a path is once the links among its folders are followed, inside of the image; None if they go in a circle.

    link: given a folder's place, where it leads if it is a link, else None. The last part of the path is not asked for.
    """
    *left, last = [part for part in path.split("/") if part]
    place, links = "/", 0
    while left:
        part = left.pop(0)
        if part in (".", ".."):
            place = posixpath.dirname(place) if part == ".." else place
        elif (target := link(posixpath.join(place, part))) is None:
            place = posixpath.join(place, part)
        elif (links := links + 1) > MOST_LINKS:
            return None
        else:
            place = "/" if target.startswith("/") else place
            left = [one for one in target.split("/") if one] + left
    return posixpath.join(place, last)


def matches(path: str, pattern: str) -> bool:
    """True if a pattern names this path. Wildcards are those of `.dockerignore` and `.gitignore`.

    `*` is any text and `?` one character, both within one folder's name; `[a-c]` is one of these characters, `[!a-c]` any
    other. `**` between slashes is any number of folders, or none: "/usr/lib/gcc/**" is everything below that folder at any
    depth, "/usr/lib/gcc/*" only what lies directly in it, and "**/gcc*" any such name anywhere.

    A pattern starts at the root, with its first slash or without: "etc/passwd" is "/etc/passwd" and nothing else. A
    folder's name alone is that folder's own entry; with a slash behind it, everything below. Upper and lower case differ.
    """
    names = [name for name in path.split("/") if name]
    wanted = [name.replace("[^", "[!") for name in pattern.split("/") if name]
    wanted += ["**"] * pattern.endswith("/")
    if names and wanted and not fnmatchcase(names[-1], wanted[-1]):
        return False  # most paths of an image end here, which is five times as fast
    return _matches(names, wanted)


def _matches(names: list[str], wanted: list[str]) -> bool:
    if not wanted or not names:
        return not wanted and not names
    first, rest = wanted[0], wanted[1:]
    if first == "**":
        return not rest or any(_matches(names[start:], rest) for start in range(len(names)))
    return fnmatchcase(names[0], first) and _matches(names[1:], rest)
