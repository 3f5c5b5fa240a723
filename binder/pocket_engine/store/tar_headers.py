"""Headers of tar archives: read as Go's archive/tar does, which Docker uses, and written so that nothing but the entry
decides about the bytes (POSIX.1-2001 pax interchange format; GNU's long names and base-256 numbers are read too)."""

from __future__ import annotations

import hashlib
import math
import struct
from typing import NamedTuple

from ..errors import BadRequest
from .entries import BLOCK, CHARACTER, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry

BLOCK_SIZE = 512
MOST_SPECIAL = 1 << 20  # bytes of one pax header or long name; Go's limit
XATTR = "SCHILY.xattr."
_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12s")
_KINDS = {
    b"0": FILE,
    b"\0": FILE,
    b"7": FILE,
    b"1": HARDLINK,
    b"2": SYMLINK,
    b"3": CHARACTER,
    b"4": BLOCK,
    b"5": DIRECTORY,
    b"6": FIFO,
}
_FLAGS = {FILE: b"0", HARDLINK: b"1", SYMLINK: b"2", CHARACTER: b"3", BLOCK: b"4", DIRECTORY: b"5", FIFO: b"6"}
_LONGEST_TIME = 2**40  # seconds: further away than any filesystem can say


class Pending(NamedTuple):
    """What the headers before an entry said about it."""

    records: dict[str, str]
    name: str | None = None  # GNU's
    link: str | None = None


NOTHING = Pending({})


def special(flag: bytes) -> bool:
    """True for a header that says something about the next one, and has content for that."""
    return flag in b"xXgLK"


def flag_and_size(block: bytes) -> tuple[bytes, int]:
    """The type of a header and the bytes of content after it. Raises BadRequest if its checksum is wrong."""
    try:
        stated = number(block[148:156])
    except BadRequest:
        stated = -1
    if stated != sum(block[:148]) + 256 + sum(block[156:]):
        signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + block[156:]) + 256
        if stated != signed:
            raise BadRequest("The archive is damaged, or no tar at all: a header's checksum is wrong.")
    return block[156:157], number(block[124:136])


def number(field: bytes) -> int:
    """A number of a header: octal digits, or GNU's base 256. Raises BadRequest."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big") - (
            1 << (8 * len(field) - 1) if field[0] & 0x40 else 0
        )
    digits = field.strip(b" \0").split(b"\0", 1)[0]
    if not digits:
        return 0
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        raise BadRequest(f"The archive is damaged: {digits!r} is not a number of a header.")
    return int(digits, 8)


def add_special(pending: Pending, flag: bytes, content: bytes) -> Pending:
    """What is pending once this special header was read. Global ones are ignored, as Docker does."""
    if flag == b"L":
        return pending._replace(name=text(content))
    if flag == b"K":
        return pending._replace(link=text(content))
    if flag in b"xX":
        return pending._replace(records=pax_records(content))
    return pending


def text(field: bytes) -> str:
    """Up to the first NUL; undecodable bytes become surrogate escapes."""
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def pax_records(content: bytes) -> dict[str, str]:
    """The records of a pax header. Raises BadRequest."""
    found: dict[str, str] = {}
    at, end = 0, len(content.rstrip(b"\0"))
    while at < end:
        space = content.find(b" ", at, at + 10)
        length = content[at:space] if space > at else b""
        record = content[space + 1 : at + int(length)] if length.isdigit() else b""
        key, equals, value = record.partition(b"=")
        if not equals or not key or not value.endswith(b"\n") or at + int(length) > len(content):
            raise BadRequest("The archive is damaged: a pax header is not one.")
        found[key.decode("utf-8", "surrogateescape")] = value[:-1].decode("utf-8", "surrogateescape")
        at += int(length)
    return found


def content_size(block: bytes, pending: Pending) -> int:
    """Bytes of content after an entry's header: only files have any, whatever the header of another kind says."""
    flag, size = block[156:157], number(block[124:136])
    if "size" in pending.records:
        size = _pax_integer(pending.records, "size")
    if size < 0:
        raise BadRequest("The archive is damaged: a size is negative.")
    return size if _KINDS.get(flag, FILE) == FILE else 0


def entry(block: bytes, pending: Pending, offset: int) -> Entry:
    """The entry of a header, its names as they are in the archive. Raises BadRequest."""
    name, mode, uid, gid, _, mtime, _, flag, link, magic, _, _, major, minor, prefix, tail = _FIELDS.unpack(block)
    kind, records = _KINDS.get(flag), pending.records
    if flag == b"S" or any(key.startswith("GNU.sparse.") for key in records):
        raise BadRequest("The archive holds a sparse file in GNU's format. Write it without --sparse.")
    if kind is None:
        raise BadRequest(f"The archive holds an entry of the unknown type {flag!r}.")
    path = pending.name if pending.name is not None else text(name)
    if pending.name is None and magic[:6] == b"ustar\0" and prefix[0]:
        path = text(prefix[:131] if tail[8:] == b"tar\0" else prefix) + "/" + path
    target = pending.link if pending.link is not None else text(link)
    permissions, owner, group, when = number(mode), number(uid), number(gid), float(number(mtime))
    xattrs: tuple[tuple[str, str], ...] = ()
    if records:
        path, target = records.get("path") or path, records.get("linkpath") or target
        owner, group = _pax_integer(records, "uid", owner), _pax_integer(records, "gid", group)
        when = _pax_time(records.get("mtime", ""), when)
        xattrs = tuple((key[len(XATTR) :], value) for key, value in sorted(records.items()) if key.startswith(XATTR))
    if kind == FILE and path.endswith("/") and flag != b"7":
        kind = DIRECTORY  # the only way that archives older than POSIX had
    device = (number(major), number(minor)) if kind in (CHARACTER, BLOCK) else (0, 0)
    when = when if abs(when) < _LONGEST_TIME else 0.0
    size = content_size(block, pending) if kind == FILE else 0
    return Entry(
        path,
        kind,
        permissions & 0o7777,
        owner,
        group,
        size,
        when,
        target if kind in (SYMLINK, HARDLINK) else "",
        "",
        offset,
        *device,
        xattrs,
    )


def _pax_integer(records: dict[str, str], key: str, otherwise: int = 0) -> int:
    value = records.get(key, "")
    if not value:
        return otherwise
    if not (value.isascii() and value.isdigit() and len(value) < 20):
        raise BadRequest(f"The archive is damaged: {value[:40]!r} is no {key} of a pax header.")
    return int(value)


def _pax_time(value: str, otherwise: float) -> float:
    if not value:
        return otherwise
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not math.isfinite(found) or "_" in value:
        raise BadRequest(f"The archive is damaged: {value[:40]!r} is no time of a pax header.")
    return found


def header(wanted: Entry) -> bytes:
    """The header blocks of an entry: a pax header first where the plain one cannot say it. Times are whole seconds."""
    records: list[tuple[str, bytes]] = []
    name, link = (part.encode("utf-8", "surrogateescape") for part in (wanted.path, wanted.link))
    name = (name or b".") + (b"/" if wanted.kind == DIRECTORY else b"")
    prefix, short = _split(name)
    if not short or not name.isascii():
        records.append(("path", name))
    if len(link) > 100 or not link.isascii():
        records.append(("linkpath", link))
    size, mtime = (wanted.size if wanted.kind == FILE else 0), math.floor(wanted.mtime)
    for key, value, most in (
        ("size", size, 8**11),
        ("uid", wanted.uid, 8**7),
        ("gid", wanted.gid, 8**7),
        ("mtime", mtime, 8**11),
    ):
        if not 0 <= value < most:
            records.append((key, b"%d" % value))
    records += [(XATTR + key, value.encode("utf-8", "surrogateescape")) for key, value in wanted.xattrs]
    fields = (wanted.mode, _fits(wanted.uid, 7), _fits(wanted.gid, 7), _fits(size, 11), _fits(mtime, 11))
    block = _block(short or name[:100], prefix, _FLAGS[wanted.kind], link[:100], fields, (wanted.major, wanted.minor))
    if not records:
        return block
    body = b"".join(_record(key, value) for key, value in sorted(records))
    if len(body) > MOST_SPECIAL:
        raise BadRequest(f"The names or attributes of {wanted.path[:200]} are too long for a layer.")
    return _block(b"PaxHeader", b"", b"x", b"", (0o644, 0, 0, len(body), 0), (0, 0)) + padded(body) + block


def padded(content: bytes) -> bytes:
    """Filled up to whole blocks."""
    return content + bytes(-len(content) % BLOCK_SIZE)


def digest(content: bytes) -> str:
    """sha256:…"""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _fits(value: int, digits: int) -> int:
    return value if 0 <= value < 8**digits else 0


def _split(name: bytes) -> tuple[bytes, bytes]:
    """(prefix, name) as ustar has them, or two empty ones if they do not fit."""
    if len(name) <= 100:
        return b"", name
    cut = name.rfind(b"/", 0, min(156, len(name) - 1)) if len(name) <= 256 else -1
    if cut > 0 and 0 < len(name) - cut - 1 <= 100:
        return name[:cut], name[cut + 1 :]
    return b"", b""


def _block(
    name: bytes, prefix: bytes, flag: bytes, link: bytes, fields: tuple[int, ...], device: tuple[int, int]
) -> bytes:
    mode, uid, gid, size, mtime = fields
    block = _FIELDS.pack(
        name,
        b"%07o" % mode,
        b"%07o" % uid,
        b"%07o" % gid,
        b"%011o" % size,
        b"%011o" % mtime,
        b" " * 8,
        flag,
        link,
        b"ustar\x0000",
        b"",
        b"",
        b"%07o" % device[0],
        b"%07o" % device[1],
        prefix,
        b"",
    )
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _record(key: str, value: bytes) -> bytes:
    """One pax record: its length counts its own digits."""
    body = b" " + key.encode("utf-8", "surrogateescape") + b"=" + value + b"\n"
    length = len(body) + len(str(len(body)))
    length = len(body) + len(str(length))
    return b"%d" % length + body
