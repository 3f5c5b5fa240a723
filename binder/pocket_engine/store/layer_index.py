"""The list of a layer's entries in a file of its own, so that nobody has to read the tar again to know what is in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from .blobs import write_whole
from .entries import Entry

VERSION = 1  # of this format and of the rules: files of another version are made again


def dump(path: Path, entries: Sequence[Entry], tar_size: int) -> None:
    """One line of JSON about the layer, then one array of entries. Not synced: a broken file is noticed and made again."""
    rows = json.dumps(entries, separators=(",", ":")).encode()
    size = sum(entry.size for entry in entries)
    head = {"version": VERSION, "size": size, "tar_size": tar_size, "sha256": hashlib.sha256(rows).hexdigest()}
    write_whole(path, json.dumps(head).encode() + b"\n" + rows, sync=False)


def load(path: Path) -> tuple[Entry, ...] | None:
    """The entries; None if the file is missing, damaged, or from another version."""
    try:
        first, _, rows = path.read_bytes().partition(b"\n")
        head = json.loads(first)
        if head["version"] != VERSION or head["sha256"] != hashlib.sha256(rows).hexdigest():
            return None
        found = json.loads(rows)
        for row in found:
            row[-1] = tuple((key, value) for key, value in row[-1]) if row[-1] else ()
        return tuple(map(Entry._make, found))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def sizes(path: Path) -> tuple[int, int] | None:
    """(bytes of content, bytes of the tar) without reading the entries; None as for load."""
    try:
        with open(path, "rb") as file:
            head = json.loads(file.readline(1000))
        return (int(head["size"]), int(head["tar_size"])) if head["version"] == VERSION else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
