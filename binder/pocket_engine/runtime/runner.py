"""What runs jobs: the interface that both runners have, and the choice between them."""

from __future__ import annotations

import importlib
import signal
from collections.abc import Callable
from typing import Protocol

from ..errors import EngineError
from .jobs import Job


class Process(Protocol):
    """A started job."""

    pid: int  # on the host; of the job's own program where the runner can tell, else of what runs it

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; 128 + n after signal n. Raises TimeoutError after `timeout` seconds."""

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""

    def kill(self, sig: int = signal.SIGKILL) -> None:
        """Signal the job's first program, as Docker does; SIGKILL ends every process of the job, wherever it went."""

    def owners(
        self, before: Callable[[tuple[int, int]], tuple[int, int]] | None = None
    ) -> dict[tuple[int, int], tuple[int, int]]:
        """{(st_dev, st_ino): (uid, gid)} of the files that it chowned without being able to; {} if chown was real.

        before: the owner that a file had, for the half that a chown or chgrp left alone; without it, the job's user.
        """


class Runner(Protocol):
    """Starts jobs. Thread-safe."""

    name: str  # "bubblewrap" or "proot"
    version: str
    privileged: bool  # whether owners, modes and devices are real
    notes: list[str]  # what is not isolated or not as in Docker, in sentences

    def start(self, job: Job, *, stdin: int | None, stdout: int, stderr: int) -> Process:
        """Run it with these file descriptors (None: /dev/null); they stay the caller's to close.

        Raises BadRequest, worded as Docker words it, where the program is not there (127) or not executable (126).
        """


def choose_runner(preferred: str | None = None) -> Runner:
    """The first runner that really runs a tiny job here, or `preferred` alone. Raises EngineError with what to do."""
    refusals = []
    for name, module in (("bubblewrap", "bubblewrap"), ("proot", "proot")):
        if preferred not in (None, "", name):
            continue
        find: Callable[[], Runner] = importlib.import_module(f".{module}", __package__).find
        try:
            return find()
        except EngineError as error:
            refusals.append(error.message)
    if not refusals:
        raise EngineError(f'There is no runner "{preferred}"; use "bubblewrap" or "proot".')
    raise EngineError(" ".join(refusals))
