"""Where a job's TCP servers listen instead of where they asked to."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Mapping

_V4, _V6 = socket.AF_INET, socket.AF_INET6
_MAPPED = ipaddress.IPv6Address("::ffff:127.0.0.1").packed
_LOOPBACK6 = ipaddress.IPv6Address("::1").packed


def family(address: bytes) -> int:
    """A sockaddr's family; AF_UNSPEC if it is too short to have one of the two that matter here."""
    kind = int.from_bytes(address[:2], "little") if len(address) >= 2 else 0
    if (kind == _V4 and len(address) >= 16) or (kind == _V6 and len(address) >= 28):
        return kind
    return socket.AF_UNSPEC


def port(address: bytes) -> int:
    return struct.unpack_from(">H", address, 2)[0]


def loopback(address: bytes) -> bool:
    """Whether only this host can reach it."""
    if family(address) == _V4:
        return address[4] == 127
    ip = ipaddress.IPv6Address(bytes(address[8:24]))
    return ip.is_loopback or bool(ip.ipv4_mapped and ip.ipv4_mapped.is_loopback)


def listen_candidates(address: bytes, ports: Mapping[int, int]) -> list[bytes]:
    """The addresses to try in place of this one, best first; [] if it may stay as it is.

    A published port is served at 127.0.0.1 on its host port; any other address that is not the host's loopback at
    127.0.0.1 on the same port, or else a free one. An IPv6 socket takes ::ffff:127.0.0.1, or ::1 if it is IPv6 only.
    """
    asked = port(address)
    if asked in ports and asked:
        wanted = [ports[asked]]
    elif loopback(address):
        return []
    else:
        wanted = [asked, 0] if asked else [0]
    by_port = [_at(address, number) for number in wanted]
    return [candidate for candidates in by_port for candidate in candidates]


def _at(address: bytes, number: int) -> list[bytes]:
    head = address[:2] + struct.pack(">H", number)
    if family(address) == _V4:
        return [head + bytes((127, 0, 0, 1)) + address[8:16]]
    return [head + bytes(4) + ip + bytes(4) for ip in (_MAPPED, _LOOPBACK6)]


def connect_target(address: bytes, ports: Mapping[int, int]) -> bytes | None:
    """The address of the job's own server if this one is meant for it, else None."""
    number = port(address)
    if number not in ports or not loopback(address):
        return None
    return address[:2] + struct.pack(">H", ports[number]) + address[4:]
