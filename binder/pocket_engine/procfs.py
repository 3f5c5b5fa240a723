"""What /proc tells of a process: when it started, what is in its memory."""

from __future__ import annotations

import os
from pathlib import Path


def start_time(pid: int) -> str | None:
    """When a process started, in clock ticks since boot as proc(5) has it; None if it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces and parentheses
    return None if fields[0] in "ZX" else fields[19]


def read_memory(pid: int, address: int, size: int) -> bytes:
    """That many bytes of a process's memory, or fewer. Raises OSError."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        return os.pread(memory.fileno(), size, address)
