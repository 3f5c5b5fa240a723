"""How BuildKit is sent files: the protocol of fsutil (github.com/tonistiigi/fsutil, types/wire.proto and stat.proto).

    Packet { 1 type; 2 Stat; 3 id; 4 data }
    Stat   { 1 path; 2 mode; 3 uid; 4 gid; 5 size; 6 modification time; 7 link; 8, 9 device; 10 extended attributes }

The sender tells of every entry, in the order of a walk, and an empty STAT ends that; an entry's id is its place, from 0. The
receiver compares with what it has from the last time, and asks (REQ) for the files that it lacks: their content follows in
pieces (DATA), an empty one last. FIN from either side ends it.
"""

from __future__ import annotations

import re
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from ..errors import WorkshopError
from .context import Entry
from .protobuf import Message, encode

STAT, REQ, DATA, FIN, ERR = range(5)
PIECE = 32 * 1024  # bytes of content in a packet

# Go's own bits for what is not a permission (package io/fs, FileMode). A socket has none: it arrives as an empty file.
GO_MODES = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
}
GO_BITS = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


def send(
    entries: Iterable[Entry], received: deque[bytes], count: Callable[[int], object] = lambda sent: None
) -> Iterator[bytes | None]:
    """The packets to send, in order; None where one has to wait for another packet in `received`.

    count: told of each piece's bytes. Raises WorkshopError for what cannot be read, ValueError for a packet that is none.
    """
    files: dict[int, Entry] = {}
    for number, entry in enumerate(entries):
        if entry.is_file:
            files[number] = entry
        yield encode((1, STAT), (2, encode_stat(entry)))
    yield encode((1, STAT))
    while True:
        while not received:
            yield None
        packet = Message(received.popleft())
        kind, number = packet.integer(1), packet.integer(3)
        if kind == REQ and number in files:
            with files[number].open() as content:
                while piece := content.read(PIECE):
                    count(len(piece))
                    yield encode((1, DATA), (3, number), (4, piece))
            yield encode((1, DATA), (3, number))
        elif kind in (FIN, ERR):
            yield encode((1, FIN))
            return
        else:
            raise ValueError(f"a packet of type {kind} for entry {number}")


def encode_stat(entry: Entry) -> bytes:
    """An entry as a Stat. It is root's: whose it was on this machine is no business of an image's (docker/cli, "resetUIDAndGID").

    Raises WorkshopError for a name that is not UTF-8: no string of a protocol buffer is.
    """
    try:
        attributes = [(10, encode((1, name), (2, value))) for name, value in sorted(entry.attributes.items())]
        return encode(
            (1, entry.path),
            (2, go_mode(entry.mode)),
            (5, entry.size),
            (6, entry.modified),
            (7, entry.link),
            (8, entry.device[0]),
            (9, entry.device[1]),
            *attributes,
        )
    except UnicodeEncodeError:
        name = f"{entry.path} -> {entry.link}" if entry.link else entry.path
        shown = re.sub(r"[\udc80-\udcff]", lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02x}", name)
        what = f"The build context has a name that is not UTF-8: {shown}."
        raise WorkshopError(what, "Rename it, or name it in .dockerignore, and run the cell again.", "") from None


def go_mode(mode: int) -> int:
    """A mode as Go has it: permissions as everywhere, other bits of its own."""
    bits = sum(theirs for ours, theirs in GO_BITS.items() if mode & ours)
    return GO_MODES.get(stat.S_IFMT(mode), 0) | bits | stat.S_IMODE(mode) & 0o777
