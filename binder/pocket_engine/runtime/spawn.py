"""Starting a program through launch.py, and hearing from it before it becomes the job's program."""

from __future__ import annotations

import array
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import BadRequest, EngineError

LAUNCH = Path(__file__).with_name("launch.py")
# A process's death signal comes when the *thread* that started it ends; this one ends with the engine.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="jobs")
_CREDENTIALS = struct.Struct("3i")


class StartedProcess:
    """A process under way: `popen`, and `pid`, that of the program itself as the host counts."""

    def __init__(self, popen: subprocess.Popen, pid: int):
        self.popen, self.pid = popen, pid


def start(
    command: Callable[[list[str], int], list[str]],
    plan: dict,
    listen: Callable[[int, int], None],
    *,
    stdin: int | None,
    stdout: int,
    stderr: int,
    keep: Sequence[int] = (),
    env: dict[str, str] | None = None,
) -> StartedProcess:
    """Carry out `plan` (see launch.run) and return once the program runs.

    command: makes the command line from that of launch.py and the number of its socket. listen: called with the
    descriptor of the filter's listener and the program's pid before anything is asked there. Raises BadRequest or
    EngineError with what went wrong.
    """
    mine, theirs = socket.socketpair()
    with mine, theirs:
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        launch = [sys.executable, "-I", "-S", str(LAUNCH), str(theirs.fileno())]
        popen = _starter.submit(
            subprocess.Popen,
            command(launch, theirs.fileno()),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(theirs.fileno(), *keep),
            env=env or {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
        ).result()
        theirs.close()
        try:
            return StartedProcess(popen, _converse(mine, plan, listen) or popen.pid)
        except BaseException:
            popen.kill()
            popen.wait()
            raise


def _converse(channel: socket.socket, plan: dict, listen: Callable[[int, int], None]) -> int:
    text = json.dumps(plan).encode()
    pid, said = 0, b""
    with contextlib.suppress(BrokenPipeError):  # then the other side has ended, and what it said is there to read
        channel.sendall(len(text).to_bytes(4, "big") + text)
    while True:
        try:
            data, control, *_ = channel.recvmsg(65536, socket.CMSG_SPACE(4) + socket.CMSG_SPACE(_CREDENTIALS.size))
        except ConnectionResetError:  # the sandbox died before it read the plan
            break
        for _level, kind, content in control:
            if kind == socket.SCM_CREDENTIALS:
                pid = _CREDENTIALS.unpack(content)[0] or pid
            elif kind == socket.SCM_RIGHTS:
                listen(array.array("i", content)[0], pid)
                channel.sendall(b"g")
        if not data:
            break
        said += data
    trouble = said.lstrip(b"PL")
    if trouble:
        raise _worded(json.loads(trouble), plan)
    if not said.startswith(b"P"):
        raise EngineError("The sandbox for this program could not be set up; the engine's log says more.")
    return pid


def _worded(trouble: dict, plan: dict) -> EngineError:
    step, error = trouble["step"], trouble["error"]
    if step == "exec":
        return BadRequest(f"exec {plan['program']}: {os.strerror(trouble['errno'] or 2).lower()}")
    return EngineError(f"The program could not be started: {step}: {error}")
