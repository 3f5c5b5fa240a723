"""Seccomp filters, written as the kernel wants them: no C compiler, no library but libc.

See seccomp(2). A filter is a list of classic BPF instructions over struct seccomp_data: the call's number at offset 0,
the architecture at 4, the arguments at 16, 24, … A number that is in none of the tables is allowed.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

ALLOW, ERRNO, NOTIFY = 0x7FFF0000, 0x00050000, 0x7FC00000
_LOAD, _EQUAL, _MORE_OR_EQUAL, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, JMP|JEQ|K, JMP|JGE|K, RET|K
_ENOSYS, _EINVAL, _TRACEME = 38, 22, 0
_SET_SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER, _NO_NEW_PRIVS = 22, 1, 1 << 3, 38

# Numbers per architecture: (AUDIT_ARCH_…, seccomp's own number, {name: number}). From 403 on, all have the same ones.
_ARCHITECTURES = {
    "x86_64": (
        0xC000003E,
        317,
        {"bind": 49, "listen": 50, "connect": 42, "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260}
        | {"statx": 332, "renameat2": 316, "prctl": 157, "ptrace": 101, "seccomp": 317},
    ),
    "aarch64": (
        0xC00000B7,
        277,
        {"bind": 200, "listen": 201, "connect": 203, "fchown": 55, "fchownat": 54}
        | {"statx": 291, "renameat2": 276, "prctl": 167, "ptrace": 117, "seccomp": 277},
    ),
}
_X86_32 = (0x40000003, {"prctl": 172, "statx": 383, "renameat2": 353, "seccomp": 354})
_SHARED = {
    "clone3": 435,
    "openat2": 437,
    "faccessat2": 439,
    "fchmodat2": 452,
    "setxattrat": 463,
    "getxattrat": 464,
    "listxattrat": 465,
    "removexattrat": 466,
    "file_getattr": 468,
    "file_setattr": 469,
    "io_uring_setup": 425,
}
CHOWN = ("chown", "fchown", "lchown", "fchownat")
NETWORK = ("bind", "listen", "connect")
# PRoot 5.1 does not know these and would let them through to the host's files; libc then uses older calls.
UNTRANSLATED = (
    "statx",
    "renameat2",
    "clone3",
    "openat2",
    "faccessat2",
    "fchmodat2",
    "file_getattr",
    "file_setattr",
    "setxattrat",
    "getxattrat",
    "listxattrat",
    "removexattrat",
)
UNFILTERED = ("io_uring_setup",)  # what is queued there is seen by neither ptrace nor seccomp


def machine() -> str:
    """The architecture's name as in the tables. Raises OSError where it has no table."""
    name = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    if name not in _ARCHITECTURES:
        raise OSError(f"no seccomp filter for {name}")
    return name


def numbers() -> dict[str, int]:
    """{name: number} of the system calls of this machine that the tables know."""
    return _ARCHITECTURES[machine()][2] | _SHARED


def program(missing: tuple[str, ...], notified: tuple[str, ...], tracer: bool = False) -> bytes:
    """The filter: `missing` calls answer ENOSYS, `notified` ones ask the listener, all others are allowed.

    tracer: what runs under it is PRoot. It finds no seccomp in this kernel (prctl answers EINVAL), and the listener is
    asked when a program lets itself be traced. A 32-bit program of an x86_64 machine has its missing calls answered,
    but nothing is asked; x32 is refused.
    """
    name = machine()
    audit, _, own = _ARCHITECTURES[name]
    table = own | _SHARED

    def body(known: dict[str, int], asked: tuple[str, ...]) -> list[tuple[int, int, int, int]]:
        out = [(_LOAD, 0, 0, 0)]
        if known is table and name == "x86_64":
            out += [(_MORE_OR_EQUAL, 0, 1, 0x40000000), (_RETURN, 0, 0, ERRNO | _ENOSYS)]
        if tracer:
            out += _when(known.get("prctl"), _SET_SECCOMP, ERRNO | _EINVAL)
            out += _when(known.get("ptrace"), _TRACEME, NOTIFY) if asked else []
        for calls, answer in ((missing, ERRNO | _ENOSYS), (asked, NOTIFY)):
            for number in sorted(known[call] for call in calls if call in known):
                out += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer)]
        return out + [(_RETURN, 0, 0, ALLOW)]

    code = [(_LOAD, 0, 0, 4)]
    variants = [(audit, table, notified)]
    if name == "x86_64":
        variants.append((_X86_32[0], _X86_32[1] | _SHARED, ()))
    for arch, known, asked in variants:
        block = body(known, asked)
        code += [(_EQUAL, 0, len(block), arch), *block]
    code.append((_RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _when(number: int | None, first: int, answer: int) -> list[tuple[int, int, int, int]]:
    """Instructions that answer this call if its first argument is `first`."""
    if number is None:
        return []
    body = [(_LOAD, 0, 0, 16), (_EQUAL, 0, 1, first), (_RETURN, 0, 0, answer), (_LOAD, 0, 0, 0)]
    return [(_EQUAL, 0, len(body), number), *body]


def install(code: bytes, listen: bool) -> int:
    """Put this process, and what it becomes, under a filter for good. Returns the listener's descriptor, or -1.

    Gives up new privileges first, as the kernel demands of all but root. Raises OSError.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(code, len(code))
    fprog = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions)))
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    number = _ARCHITECTURES[machine()][1]
    got = libc.syscall(number, _SET_MODE_FILTER, ctypes.c_ulong(_NEW_LISTENER if listen else 0), fprog)
    if got < 0:
        raise OSError(ctypes.get_errno(), "seccomp: " + os.strerror(ctypes.get_errno()))
    return got if listen else -1
