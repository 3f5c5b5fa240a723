"""Protocol buffers, read and written without their description: BuildKit's messages need no more of them than this.

protobuf.dev, "Encoding": a key is number << 3 | wire type; type 0 is a varint, 1 eight bytes, 2 a length and as many
bytes, 5 four bytes.
"""

from __future__ import annotations

from collections.abc import Iterator


def encode(*parts: tuple[int, int | bytes | str]) -> bytes:
    """A protocol buffer of (number, value) fields, in that order; what is 0 or empty is left out, as proto3 does.

    An int becomes a varint (a negative one its two's complement, as int64 has it), the rest a length and its bytes.
    """
    written = bytearray()
    for number, value in parts:
        if isinstance(value, int) and value:
            written += _to_varint(number << 3) + _to_varint(value % (1 << 64))
        elif value:
            content = value.encode() if isinstance(value, str) else value
            written += _to_varint(number << 3 | 2) + _to_varint(len(content)) + content
    return bytes(written)


def _to_varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; the top bit says that more follow."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer: (number, value), an int for a varint, else bytes. Raises ValueError if cut short."""
    at = 0
    value: int | bytes
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind in (1, 2, 5):
            length, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = data[at : at + length], at + length
        else:
            raise ValueError(f"wire type {kind} is not in use")
        if at > len(data):
            raise ValueError("the message is cut short")
        yield key >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, where the next field begins)"""
    value = shift = 0
    while at < len(data):
        if shift >= 70:
            raise ValueError("a number has more than ten bytes")
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at
    raise ValueError("the message is cut short")


class Message:
    """One message, by its fields' numbers. Of a field that comes several times the last counts, as the format has it."""

    def __init__(self, data: bytes) -> None:
        self.fields = list(fields(data))
        self._last = dict(self.fields)

    def integer(self, number: int) -> int:
        """A varint; 0 if it is not there."""
        value = self._last.get(number, 0)
        return value if isinstance(value, int) else 0

    def raw(self, number: int) -> bytes:
        """Bytes; none if the field is not there."""
        value = self._last.get(number, b"")
        return value if isinstance(value, bytes) else b""

    def text(self, number: int) -> str:
        """A string; "" if it is not there."""
        return self.raw(number).decode(errors="replace")

    def message(self, number: int) -> Message:
        """A message inside of this one; an empty one if it is not there."""
        return Message(self.raw(number))

    def messages(self) -> Iterator[tuple[int, Message]]:
        """(number, message) for all fields that hold bytes, in order: for messages that are made of others only."""
        yield from ((number, Message(value)) for number, value in self.fields if isinstance(value, bytes))
