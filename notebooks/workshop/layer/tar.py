"""The headers of a tar, from a stream, and the bytes behind each: PAX, GNU long names, sparse files, old tars.

Written for speed: Python's tarfile needs 30 microseconds for a header, and an image has 30,000. POSIX.1-2017, "pax
Interchange Format"; GNU tar manual, "Basic Tar Format" and "Storing Sparse Files". What POSIX leaves open is read as Go's
archive/tar does, because that is what engines use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

MOST_HEADERS = 64  # extended headers before one entry; real ones have one or two

FILE, LINK, SYMLINK, CHARACTER, BLOCK, DIRECTORY, FIFO, CONTIGUOUS = b"01234567"
OLD_FILE, LONG_NAME, LONG_LINK, PAX, PAX_GLOBAL, PAX_SOLARIS, SPARSE = b"\0LKxgXS"
LONGEST_NAME = 4096  # bytes, PATH_MAX on Linux: no engine could unpack a longer one
NO_DATA = frozenset((LINK, SYMLINK, CHARACTER, BLOCK, DIRECTORY, FIFO))

ZEROS = bytes(512)


class Damaged(ValueError):
    """What is wrong with an archive or a layer, as the end of a sentence."""


@dataclass(slots=True)
class Entry:
    """A header. type: a type flag of POSIX. size: of the content, a sparse file's expanded.

    sparse: (offset, length) of what is stored of a sparse file, else None. xattrs: {name: value}.
    """

    name: str
    type: int
    size: int
    mode: int
    uid: int
    gid: int
    linkname: str
    device: tuple[int, int]
    sparse: list[tuple[int, int]] | None
    xattrs: dict[str, bytes]


class Tar:
    """The entries of a tar in order. After each, `content()` or `read()` gives what it holds; the rest is passed over.

    read: gives up to so many bytes, b"" at the end. piece: how many to ask for. largest_header: bytes of an extended
    header. seen: is called with every piece that is read. Raises Damaged, or another ValueError for rubbish in a header.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        piece: int,
        largest_header: int,
        seen: Callable[[memoryview], None] | None = None,
    ):
        self._read, self._size, self._seen, self._largest = read, piece, seen, largest_header
        self._view, self._at, self._have = memoryview(b""), 0, 0
        self._left = self._padding = 0
        self.count = 0  # bytes read so far

    def __iter__(self) -> Iterator[Entry]:
        while entry := self._next():
            yield entry

    def content(self, entry: Entry) -> Iterator[memoryview | bytes]:
        """The content of the entry last given, piece by piece; a sparse file's with its holes filled in."""
        if entry.sparse is None:
            while piece := self.read(self._left):
                yield piece
            return
        at = 0
        for offset, length in [*entry.sparse, (entry.size, 0)]:
            yield from _zeros(offset - at, self._size)
            at = offset + length
            while length:
                piece = self.read(length)
                if not piece:
                    raise Damaged("a sparse file's map in it is damaged")
                length -= len(piece)
                yield piece

    def read(self, count: int) -> memoryview | bytes:
        """Up to so many bytes of the content of the entry last given; b"" at its end."""
        if not self._left:
            return b""
        if self._at == self._have and not self._more():
            raise Damaged("it breaks off before its end")
        start, end = self._at, min(self._have, self._at + min(count, self._left))
        self._at, self._left = end, self._left - (end - start)
        return self._view[start:end]

    def drain(self) -> None:
        """Read on to the end of the stream: the padding behind the end mark belongs to a layer's digest, too."""
        while self._more():
            pass

    def _more(self) -> bool:
        piece = self._read(self._size)
        if not piece:
            return False
        self._view, self._at, self._have = memoryview(piece), 0, len(piece)
        self.count += self._have
        if self._seen:
            self._seen(self._view)
        return True

    def _take(self, count: int) -> bytes:
        start, end = self._at, self._at + count
        if end <= self._have:
            self._at = end
            return bytes(self._view[start:end])
        parts = []
        while count:
            if self._at == self._have and not self._more():
                break
            start, end = self._at, min(self._have, self._at + count)
            parts.append(bytes(self._view[start:end]))
            self._at, count = end, count - (end - start)
        return b"".join(parts)

    def _skip(self) -> None:
        left, self._left = self._left + self._padding, 0
        while left > self._have - self._at:
            left -= self._have - self._at
            if not self._more():
                raise Damaged("it breaks off before its end")
        self._at += left

    def _whole(self, size: int) -> bytes:
        """The content of an extended header."""
        if not 0 <= size <= self._largest:
            raise Damaged(f"a tar header in it claims {size:,} bytes")
        content = self._take(size + -size % 512)
        if len(content) < size:
            raise Damaged("it breaks off in a tar header")
        return content[:size]

    def _next(self) -> Entry | None:
        self._skip()
        records: dict[bytes, bytes] = {}
        for _ in range(MOST_HEADERS):
            head = self._take(512)
            if not head or head == ZEROS:
                self._left = self._padding = 0
                return None
            if len(head) < 512:
                raise Damaged("it breaks off in a tar header")
            _check(head)
            flag, size = head[156], number(head[124:136])
            if flag in (PAX, PAX_SOLARIS):
                records |= pax(self._whole(size))
            elif flag == PAX_GLOBAL:
                self._whole(size)  # engines read it and go on
            elif flag == LONG_NAME:
                records[b"path"] = self._whole(size).partition(b"\0")[0]
            elif flag == LONG_LINK:
                records[b"linkpath"] = self._whole(size).partition(b"\0")[0]
            else:
                return self._entry(head, flag, size, records)
        raise Damaged("a tar header in it does not end")

    def _entry(self, head: bytes, flag: int, size: int, records: dict[bytes, bytes]) -> Entry:
        name, link = head[:100].partition(b"\0")[0], b""
        if flag == LINK or flag == SYMLINK:
            link = head[157:257].partition(b"\0")[0]
        if head[345] and head[257:263] == b"ustar\0":
            name = head[345:500].partition(b"\0")[0] + b"/" + name
        uid, gid, xattrs, sparse = number(head[108:116]), number(head[116:124]), {}, None
        if records:
            name, link = records.get(b"path", name), records.get(b"linkpath", link)
            size, uid, gid = (
                _decimal(records.get(key), old) for key, old in ((b"size", size), (b"uid", uid), (b"gid", gid))
            )
            start = b"SCHILY.xattr."
            xattrs = {_text(key[len(start) :]): value for key, value in records.items() if key.startswith(start)}
        if size < 0:
            raise Damaged(f"a tar header in it claims {size:,} bytes")
        if max(abs(uid), abs(gid)) >= 1 << 63 or max(len(name), len(link)) > LONGEST_NAME:
            raise Damaged("a tar header in it has an owner or a name that no system could take")
        if flag == OLD_FILE or flag == CONTIGUOUS:
            flag = DIRECTORY if name.endswith(b"/") and flag == OLD_FILE else FILE
        self._left = 0 if flag in NO_DATA else size
        self._padding = -self._left % 512
        if flag == SPARSE or b"GNU.sparse.major" in records or b"GNU.sparse.size" in records:
            name, size, sparse = self._sparse(head, flag, name, size, records)
            flag = FILE
        device = (number(head[329:337]), number(head[337:345])) if flag in (CHARACTER, BLOCK) else (0, 0)
        return Entry(
            _text(name), flag, size, number(head[100:108]) & 0o7777, uid, gid, _text(link), device, sparse, xattrs
        )

    def _sparse(self, head: bytes, flag: int, name: bytes, size: int, records: dict[bytes, bytes]):
        """(name, expanded size, what is stored where) of a sparse file, in any of GNU tar's four formats."""
        if flag == SPARSE:
            return name, number(head[483:495]), _checked(self._old_map(head), number(head[483:495]))
        name = records.get(b"GNU.sparse.name", name)
        expanded = _decimal(records.get(b"GNU.sparse.realsize", records.get(b"GNU.sparse.size")), size)
        if records.get(b"GNU.sparse.major") == b"1":
            return name, expanded, _checked(self._new_map(), expanded)
        numbers = [int(one) for one in records.get(b"GNU.sparse.map", b"").split(b",") if one]
        return name, expanded, _checked(list(zip(numbers[::2], numbers[1::2])), expanded)

    def _old_map(self, head: bytes) -> list[tuple[int, int]]:
        """The map in a header of type S, and in the blocks behind it that it says there are."""
        parts, more = head[386:482], head[482]
        while more:
            block = self._take(512)
            if not block.strip(b"\0") or len(block) < 512 or len(parts) > self._largest:
                raise Damaged("a sparse file's map in it does not end")
            parts, more = parts + block[:504], block[504]
        numbers = [number(parts[at : at + 12]) for at in range(0, len(parts) - 11, 12)]
        return [(offset, length) for offset, length in zip(numbers[::2], numbers[1::2]) if length or offset]

    def _new_map(self) -> list[tuple[int, int]]:
        """The map that stands before the content, in decimal lines, in format 1.0."""
        text, wanted = b"", None
        while wanted is None or text.count(b"\n") < wanted:
            if len(text) > self._largest or self._left < 512:
                raise Damaged("a sparse file's map in it does not end")
            text, self._left = text + self._take(512), self._left - 512
            if wanted is None and b"\n" in text:
                wanted = 2 * int(text.partition(b"\n")[0]) + 1
        numbers = [int(line) for line in text.split(b"\n")[1:wanted]]
        return list(zip(numbers[::2], numbers[1::2]))


def number(text: bytes) -> int:
    """A number in a header: octal digits, or base 256 if the first bit is set (GNU)."""
    if text[0] & 0x80:
        value = int.from_bytes(text, "big") - (1 << 8 * len(text) - 1)
        return value - (1 << 8 * len(text) - 1) if text[0] & 0x40 else value
    digits = text.partition(b"\0")[0].strip() or b"0"
    if not digits.isdigit():
        raise Damaged("a tar header in it is damaged")
    return int(digits, 8)


def pax(text: bytes) -> dict[bytes, bytes]:
    """The records "length key=value\\n" of a PAX header; a sparse file's repeated ones are joined as one map."""
    records: dict[bytes, bytes] = {}
    pairs: list[bytes] = []
    at = 0
    while at < len(text) and text[at]:
        blank = text.find(b" ", at, at + 12)
        if blank < 0 or not text[at:blank].isdigit():
            raise Damaged("a PAX header in it is damaged")
        end = at + int(text[at:blank])
        key, equals, value = text[blank + 1 : end - 1].partition(b"=")
        if end <= blank + 1 or end > len(text) or text[end - 1 : end] != b"\n" or not equals:
            raise Damaged("a PAX header in it is damaged")
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            pairs.append(value)
        records[key] = value
        at = end
    if pairs:
        records[b"GNU.sparse.map"] = b",".join(pairs)
    return records


def _zeros(count: int, piece: int) -> Iterator[bytes]:
    zeros = bytes(min(count, piece))
    while count > 0:
        yield zeros[:count]
        count -= len(zeros)


def is_header(block: bytes) -> bool:
    """True if 512 bytes are a tar's header, or were meant for one: by the magic, else by the sum, as of older programs."""
    if len(block) < 512 or block[257:262] == b"ustar":
        return len(block) == 512
    try:
        _check(block)
    except ValueError:
        return False
    return True


def _check(head: bytes) -> None:
    """Compare a header's sum; some old programs added up signed bytes."""
    own = head[148:156]  # counts as eight blanks
    checksum = number(own)
    if checksum != 256 + sum(head) - sum(own):
        signed = sum(one - 256 if one > 127 else one for one in head[:148] + head[156:])
        if checksum != 256 + signed:
            raise Damaged("a tar header in it is damaged")


def _checked(regions: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    end = 0
    for offset, length in regions:
        if offset < end or length < 0 or offset + length > size:
            raise Damaged("a sparse file's map in it is damaged")
        end = offset + length
    return regions


def _decimal(text: bytes | None, otherwise: int) -> int:
    return otherwise if text is None else int(text)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
