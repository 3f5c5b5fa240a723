"""What a container's processes are and use, read from /proc."""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from pathlib import Path
from typing import NamedTuple

from .state_file import timestamp

TITLES = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]  # `ps -ef`, what `docker top` asks for
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessInfo(NamedTuple):
    """One process: cpu in seconds, resident memory in bytes, start in seconds after boot."""

    pid: int
    parent: int
    uid: int
    cpu: float
    start: float
    memory: int
    command: str


def process_tree(pid: int) -> list[ProcessInfo]:
    """A process and its descendants, by number."""
    seen = {process.pid: process for process in map(_read, _numbers()) if process}
    wanted, before = {pid} & seen.keys(), -1
    while len(wanted) != before:
        before = len(wanted)
        wanted |= {process.pid for process in seen.values() if process.parent in wanted}
    return [seen[number] for number in sorted(wanted)]


def top(pids: list[int]) -> dict:
    """GET /containers/{id}/top, of the container's programs and their children."""
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return {"Titles": TITLES, "Processes": [_row(process, booted) for pid in pids for process in process_tree(pid)]}


def stats(container_id: str, name: str, pids: list[int], before: dict | None = None) -> dict:
    """GET /containers/{id}/stats: CPU and memory. before: the answer before this one, for what changed since."""
    processes = [process for pid in pids for process in process_tree(pid)]
    cpus = os.cpu_count() or 1
    empty = {
        "cpu_usage": {"total_usage": 0, "usage_in_usermode": 0, "usage_in_kernelmode": 0},
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }
    return {
        "read": timestamp(),
        "preread": before["read"] if before else "0001-01-01T00:00:00Z",
        "id": container_id,
        "name": f"/{name}",
        "num_procs": 0,
        "pids_stats": {"current": len(processes)},
        "cpu_stats": {
            **empty,
            "cpu_usage": {**empty["cpu_usage"], "total_usage": int(sum(process.cpu for process in processes) * 1e9)},
            "system_cpu_usage": int(_system() * 1e9),
            "online_cpus": cpus,
        },
        "precpu_stats": before["cpu_stats"] if before else empty,
        "memory_stats": {
            "usage": sum(process.memory for process in processes),
            "limit": os.sysconf("SC_PHYS_PAGES") * _PAGE,
            "stats": {},
        },
        "blkio_stats": {"io_service_bytes_recursive": None},
        "storage_stats": {},
        "networks": {},
    }


def _numbers() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _read(pid: int) -> ProcessInfo | None:
    folder = Path("/proc") / str(pid)
    try:
        fields = (folder / "stat").read_text(errors="replace")
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        uid = folder.stat().st_uid
    except OSError:  # it has ended
        return None
    name = fields[fields.index("(") + 1 : fields.rindex(")")]
    rest = fields[fields.rindex(")") + 2 :].split()
    cpu = (int(rest[11]) + int(rest[12])) / _TICK
    return ProcessInfo(
        pid, int(rest[1]), uid, cpu, int(rest[19]) / _TICK, int(rest[21]) * _PAGE, command or f"[{name}]"
    )


def _row(process: ProcessInfo, booted: float) -> list[str]:
    user = str(process.uid)
    with contextlib.suppress(KeyError):
        user = pwd.getpwuid(process.uid).pw_name
    minutes, rest = divmod(int(process.cpu), 60)
    spent = f"{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}"
    begun = time.strftime("%H:%M", time.localtime(booted + process.start))
    return [user, str(process.pid), str(process.parent), "0", begun, "?", spent, process.command]


def _system() -> float:
    """CPU seconds of the whole machine since it started."""
    with open("/proc/stat") as lines:
        return sum(int(field) for field in lines.readline().split()[1:8]) / _TICK
