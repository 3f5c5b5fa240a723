"""Protocol buffers, read without their description: BuildKit's messages need no more of them than this."""

from __future__ import annotations

from collections.abc import Iterator


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer: (number, value), an int for a varint, else bytes. Raises ValueError if cut short.

    protobuf.dev, "Encoding": a key is number << 3 | wire type; type 0 is a varint, 1 eight bytes, 2 a length and as many
    bytes, 5 four bytes.
    """
    at = 0
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
    """Seven bits a byte, lowest first; the top bit says that more follow. (value, where the next field begins)"""
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at
    raise ValueError("the message is cut short")
