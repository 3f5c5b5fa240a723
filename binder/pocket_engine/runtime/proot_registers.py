"""What a program passed to a chown before PRoot changed it.

PRoot's `-i` replaces an id that is the job's own by the engine's, so that the kernel agrees. Where a program asks for the
very number that the engine runs under (1000 is the first user of an image and the only one of many a host), the two are
the same by the time that the engine is asked. PRoot keeps the registers that it found beside those that it set, in
the layout of ptrace, so they are found by what they share. Asked for in that case only.
"""

from __future__ import annotations

import os
import re
import struct

from . import seccomp

_WORD = 8
# Words of user_regs_struct (x86_64) and user_pt_regs (aarch64): how many, the arguments', the instruction pointer's, and
# those that PRoot never changes.
_LAYOUTS = {
    "x86_64": (27, (14, 13, 12, 7, 9, 8), 16, (0, 1, 2, 3, 4, 5, 17, 18, 20, 21, 22)),
    "aarch64": (34, (0, 1, 2, 3, 4, 5), 32, (*range(19, 31), 33)),
}


class OriginalRegisters:
    """Looks into one PRoot's memory."""

    def __init__(self, tracer: int):
        self.tracer = tracer

    def ids(self, call, ids: tuple[int, int]) -> tuple[int, int] | None:
        """The uid and gid as the program passed them (see seccomp_notify.Call); None where they cannot be found."""
        try:
            return _search(self._heap(), call, ids)
        except (OSError, KeyError, ValueError):
            return None

    def _heap(self) -> bytes:
        with open(f"/proc/{self.tracer}/maps") as lines:
            spans = [line.split()[0].split("-") for line in lines if line.rstrip().endswith("[heap]")]
        with open(f"/proc/{self.tracer}/mem", "rb", buffering=0) as memory:
            return b"".join(
                os.pread(memory.fileno(), int(end, 16) - int(start, 16), int(start, 16)) for start, end in spans
            )


def _search(heap: bytes, call, ids: tuple[int, int]) -> tuple[int, int] | None:
    """Of the register sets at this instruction, those that agree with the one PRoot set, and say another id."""
    words, arguments, pointer, kept = _LAYOUTS[seccomp.machine()]
    layout = struct.Struct(f"={words}Q")
    sets = []
    for hit in re.finditer(re.escape(struct.pack("=Q", call.pointer)), heap):
        start = hit.start() - pointer * _WORD
        if start >= 0 and start % _WORD == 0 and start + layout.size <= len(heap):
            sets.append(layout.unpack_from(heap, start))
    first = 2 if call.name == "fchownat" else 1
    id_words = arguments[first], arguments[first + 1]
    current = [
        registers for registers in sets if all(registers[arguments[i]] == call.args[i] for i in range(first + 2))
    ]
    for registers in sets:
        passed = tuple(registers[index] & 0xFFFFFFFF for index in id_words)
        if passed != ids and any(all(registers[word] == other[word] for word in kept) for other in current):
            return passed
    return ids if current else None
