"""Further programs in a running container (`docker exec`)."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Mapping
from typing import Any

from ..errors import BadRequest, Conflict, EngineError, Unsupported
from ..runtime.runner import Process
from .change_notifier import ChangeNotifier
from .container import Container
from .ids_and_names import new_id
from .logs import STDOUT, ContainerLog, LogReader
from .stdio import Stdio

REMEMBERED = 100  # ended ones of a container whose exit status can still be asked for


class Exec:
    """Created, then started once. `changed` tells when it ends."""

    def __init__(self, container: Container, asked: Mapping[str, Any]):
        self.id, self.container, self.asked = new_id(), container, dict(asked)
        self.changed = ChangeNotifier()
        self.exit_code: int | None = None
        self.begun = self.running = False
        self.pid = 0
        self.streams: Stdio | None = None
        self._folder = container.folder / "execs" / self.id
        self.log = ContainerLog(self._folder / "output")
        self._process: Process | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def start(self, detach: bool = False) -> LogReader:
        """Start it; the reader gets all that it writes, which waits for the reader, and must be closed.

        Raises Conflict if it was started before, or its container does not run. A program that is not there ends with
        127 or 126, and what it would have written is why.
        """
        with self._lock:
            if self.begun:
                raise Conflict(
                    f"exec command {self.id} is already running"
                    if self.running
                    else f"exec command {self.id} has already run"
                )
            job = self.container.job(self.asked, self._folder / "scratch")
            self.begun = True
            reader = self.log.reader(hold=not detach)
            tty = bool(self.asked.get("Tty"))
            streams = self.streams = Stdio(
                None if detach and not tty else self.log, tty=tty, stdin=self._wants_input(detach)
            )
            self.log.open()
            try:
                process = self._process = self.container._run(job, streams)
            except EngineError as error:
                self._not_started(error, streams, detach)
                return reader
            self.running, self.pid = True, process.pid
        watched = (process, streams)
        threading.Thread(target=self._watch, args=watched, name=f"exec-{self.id[:12]}", daemon=True).start()
        self.container.publish_event(f"exec_start: {' '.join(self.asked['Cmd'])}", execID=self.id)
        if not self.container.running:  # it ended meanwhile, and could not end what was not there yet
            self.kill()
        return reader

    def _wants_input(self, detach: bool) -> bool:
        return bool(self.asked.get("AttachStdin")) and not detach

    def _not_started(self, error: EngineError, streams: Stdio, detach: bool) -> None:
        streams.finish()
        self.log.write(STDOUT, f"{error.message}\r\n".encode())
        self._over(getattr(error, "code", 126))
        if detach:
            raise error

    def _watch(self, process: Process, streams: Stdio) -> None:
        code = process.wait()
        process.kill(signal.SIGKILL)
        streams.finish()
        self.container.rootfs.owners.update(process.owners())
        self._over(code)
        self.container.publish_event("exec_die", execID=self.id, exitCode=code)

    def _over(self, code: int) -> None:
        self.exit_code, self.running, self.pid = code, False, 0
        self.log.close()
        shutil.rmtree(self._folder / "scratch", ignore_errors=True)
        self._ended.set()
        self.changed.notify()

    def wait(self, seconds: float | None = None) -> bool:
        """True once it has ended, or while it has not begun."""
        return not self.begun or self._ended.wait(seconds)

    def kill(self) -> None:
        """End it and what it started, if it runs."""
        process = self._process
        if self.running and process is not None:
            process.kill(signal.SIGKILL)

    def tidy(self) -> None:
        """Its output was read, or nobody wants it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def shown(self) -> dict:
        """As GET /exec/{id}/json has it."""
        program, *arguments = self.asked["Cmd"]
        return {
            "ID": self.id,
            "Running": self.running,
            "ExitCode": self.exit_code,
            "ProcessConfig": {
                "tty": bool(self.asked.get("Tty")),
                "entrypoint": program,
                "arguments": arguments,
                "privileged": False,
                "user": self.asked.get("User") or "",
            },
            "OpenStdin": bool(self.asked.get("AttachStdin")),
            "OpenStdout": bool(self.asked.get("AttachStdout")),
            "OpenStderr": bool(self.asked.get("AttachStderr")),
            "CanRemove": False,
            "ContainerID": self.container.id,
            "DetachKeys": "",
            "Pid": self.pid,
        }


def create(container: Container, asked: Mapping[str, Any]) -> Exec:
    """Raises Conflict if the container does not run, BadRequest without a command."""
    if not container.running:
        raise Conflict(f"Container {container.id} is not running")
    if asked.get("Privileged"):
        raise Unsupported("The pocket engine does not do privileged programs (Privileged).")
    words = asked.get("Cmd")
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise BadRequest("No exec command specified")
    created = Exec(container, asked)
    ended = [run.id for run in list(container.execs.values()) if run.exit_code is not None]
    for old in ended[:-REMEMBERED]:
        container.execs.pop(old, None)
    container.execs[created.id] = created
    container.publish_event(f"exec_create: {' '.join(words)}", execID=created.id)
    return created


def probe(container: Container, command: list[str], seconds: float) -> tuple[int, str]:
    """Run a health check: (exit status, output). One that takes longer than `seconds` is ended and counts as failed."""
    run = Exec(container, {"Cmd": command})
    container.execs[run.id] = run
    try:
        reader = run.start()
        reader.close()  # it must not wait for us
        if not run.wait(seconds):
            run.kill()
            run.wait(10)
            return -1, f"Health check exceeded timeout ({seconds:g}s)"
        assert run.exit_code is not None  # it was waited for
        return run.exit_code, b"".join(record.data for record in reader.read()).decode("utf-8", "replace")
    except EngineError as error:
        return -1, error.message
    finally:
        run.tidy()
        container.execs.pop(run.id, None)
