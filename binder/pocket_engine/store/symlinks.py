"""Where a path leads in a list of entries, symbolic links followed inside their root."""

from __future__ import annotations

from typing import Protocol

from ..errors import BadRequest
from .entries import SYMLINK, Entry

MOST_LINKS = 40  # symbolic links in one path, as the kernel has it


class Entries(Protocol):
    """{path: entry}, or what looks one up as a dictionary does."""

    def get(self, path: str, /) -> Entry | None: ...


def resolve(entries: Entries, path: str, follow_last: bool = True) -> str:
    """Where a path leads when "/" is the root of these entries: absolute links start at the root, ".." stops there,
    parts that do not exist are kept. Raises BadRequest for more than 40 links."""
    done: list[str] = []
    parts = _parts(path)
    followed = 0
    while parts:
        part = parts.pop()
        if part == "..":
            del done[-1:]
            continue
        done.append(part)
        entry = entries.get("/".join(done))
        if entry is None or entry.kind != SYMLINK or not (parts or follow_last):
            continue
        followed += 1
        if followed > MOST_LINKS:
            raise BadRequest(f"too many levels of symbolic links: {printable(path)}")
        done = [] if entry.link.startswith("/") else done[:-1]
        parts += _parts(entry.link)
    return "/".join(done)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")][::-1]


def printable(name: str) -> str:
    """For a message: undecodable bytes and control characters escaped, and not endless."""
    text = name.encode("unicode_escape", "backslashreplace").decode() if not name.isprintable() else name
    return text if len(text) <= 200 else text[:200] + "…"
