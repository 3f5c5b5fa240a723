"""One container: what it is made of, and its life from create over start and exit to removal."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..engine_services import EngineServices
from ..errors import BadRequest, Conflict, EngineError, NotFound
from ..procfs import start_time
from ..runtime.jobs import Job
from ..runtime.runner import Process
from . import config, healthcheck, mounts, published_ports
from .archive import ContainerArchive
from .change_notifier import ChangeNotifier
from .container_rootfs import ContainerRootfs
from .logs import ContainerLog
from .state_file import ContainerRecord, timestamp
from .stdio import Stdio

KILLED = 128 + signal.SIGKILL  # the exit status that Docker shows for what did not end by itself


class Container:
    """Thread-safe. `changed` tells of every new state; `ended` counts how often its program has ended or not started."""

    def __init__(
        self,
        engine: EngineServices,
        folder: Path,
        record: ContainerRecord,
        port_allocator: published_ports.PortAllocator,
        on_exit: Callable[[Container], None],
    ):
        self.engine, self.folder, self.record = engine, folder, record
        self.rootfs = ContainerRootfs(engine, folder, record)
        self.log = ContainerLog(folder / "logs")
        self.changed = ChangeNotifier()
        self.ended, self.removed = 0, False
        self.execs: dict[str, Any] = {}
        self.health: healthcheck.HealthMonitor | None = None
        self.process: Process | None = None
        self._port_allocator, self._on_exit = port_allocator, on_exit
        self._streams: Stdio | None = None
        self._mounts: tuple = ()
        self._relays: list[published_ports.PortRelay] = []
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._stopped.set()

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def running(self) -> bool:
        return self.record.status == "running"

    @property
    def scratch(self) -> Path:
        """The folder for its programs' own files."""
        return self.folder / "scratch"

    def publish_event(self, action: str, **attributes: object) -> None:
        """Publish an event."""
        known = {"image": self.record.image, "name": self.record.name, **self.record.config["Labels"]}
        self.engine.events.publish("container", action, self.id, {**known, **attributes})

    # Starting

    def streams(self) -> Stdio:
        """Its input and output: of the program that runs, or else of the next one that will."""
        with self._lock:
            self._check_there()
            if self._streams is None:
                settings = self.record.config
                self._streams = Stdio(self.log, tty=settings["Tty"], stdin=settings["OpenStdin"])
            return self._streams

    def start(self) -> bool:
        """False if it runs already. Raises BadRequest where its program cannot be started, as Docker words it."""
        with self._lock:
            self._check_there()
            if self.running:
                return False
            self.record.error, self.record.exit_code = "", 0
            try:
                self._start()
            except EngineError as error:
                self._not_started(error)
                raise
            except OSError as error:
                failure = EngineError(f"The container could not be started: {error}.")
                self._not_started(failure)
                raise failure from error
            return True

    def _start(self) -> None:
        record = self.record
        root, user = self.rootfs.path, self.rootfs.user(record.config["User"])
        record.ports = self._port_allocator.publish(record.host, record.config.get("ExposedPorts"), record.name)
        scratch = self.scratch / "main"
        self._mounts = mounts.for_job(mounts.requested(record.host), scratch)
        streams = self.streams()
        self.log.open()
        job = Job(
            root=root,
            argv=config.command(record.config),
            env=config.environment(record.config, user.home),
            scratch=scratch,
            cwd=record.config["WorkingDir"] or "/",
            uid=user.uid,
            gid=user.gid,
            groups=user.groups,
            mounts=self._mounts,
            ports=published_ports.first_of_each(record.ports),
            hostname=record.config["Hostname"],
        )
        scratch.mkdir(parents=True, exist_ok=True)
        self._relays = self._make_relays()
        process = self.process = self._run(job, streams)
        record.status, record.started_at = "running", timestamp()
        record.pid, record.born = process.pid, start_time(process.pid)
        self._stopped.clear()
        record.save(self.folder)
        watched = (process, streams)
        threading.Thread(target=self._watch, args=watched, name=f"container-{self.id[:12]}", daemon=True).start()
        self.publish_event("start")
        self._begin_health()
        self.changed.notify()

    def _run(self, job: Job, streams: Stdio) -> Process:
        stdin, stdout, stderr = streams.child
        assert stdout is not None and stderr is not None  # they are open until started() is called
        process = self.engine.runner.start(job, stdin=stdin, stdout=stdout, stderr=stderr)
        streams.started()
        return process

    def _not_started(self, error: EngineError) -> None:
        """As Docker leaves it: created or exited as before, with the error and the status of a shell."""
        self.record.error = error.message
        self.record.exit_code = getattr(error, "code", 128)
        self._clear()
        self.record.save(self.folder)
        self._over()

    def _make_relays(self) -> list[published_ports.PortRelay]:
        """For what the program itself cannot listen on: a second host port, or any where it cannot be told another."""
        relays = []
        redirects = getattr(self.engine.runner, "asks", True)  # whether the program can be made to listen elsewhere
        for key, (first, *others) in self.record.ports.items():
            inner = first if redirects else int(key.split("/")[0])
            relayed = others if redirects else [first, *others]
            relays += [published_ports.PortRelay(port, inner) for port in relayed if port != inner]
        return relays

    def _begin_health(self) -> None:
        check = self.record.config.get("Healthcheck")
        if check and healthcheck.command(check):
            self.health = healthcheck.HealthMonitor(
                check, self.probe, lambda status: self.publish_event(f"health_status: {status}")
            )
            self.health.start()

    def probe(self, command: list[str], seconds: float) -> tuple[int, str]:
        """Run a health check's command: (exit status, output)."""
        from .execs import probe  # not at the top: an exec needs its container

        return probe(self, command, seconds)

    # Ending

    def _watch(self, process: Process, streams: Stdio) -> None:
        code = process.wait()
        process.kill(signal.SIGKILL)  # nothing that it started stays
        streams.finish()
        with self._lock:
            record = self.record
            record.status, record.exit_code, record.finished_at = "exited", code, timestamp()
            self.rootfs.owners.update(process.owners())
            self._clear()
            record.save(self.folder)
        self.publish_event("die", exitCode=code)
        self._over()

    def _clear(self) -> None:
        """What belongs to one run goes with it."""
        if self.health:
            self.health.stop()
        for run in list(self.execs.values()):
            run.kill()
        for relay in self._relays:
            relay.close()
        if self._streams and self.process is None:
            self._streams.finish()
        self._port_allocator.release(self.record.ports)
        self.record.pid, self.record.born, self.record.ports = 0, None, {}
        self._streams, self.process, self._relays, self._mounts = None, None, [], ()
        self.log.close()
        shutil.rmtree(self.scratch / "main", ignore_errors=True)

    def _over(self) -> None:
        self.ended += 1
        self._stopped.set()
        self.changed.notify()
        self._on_exit(self)

    def wait(self, seconds: float | None = None) -> bool:
        """True once it does not run."""
        return self._stopped.wait(seconds)

    def kill(self, name: str | int = "SIGKILL") -> None:
        """Send a signal. Raises Conflict if it does not run."""
        number = config.signal_number(name)
        process = self.process
        if not self.running or process is None:
            raise Conflict(f"Cannot kill container: {self.id}: Container {self.id} is not running")
        process.kill(number)
        self.publish_event("kill", signal=number)
        if number == signal.SIGKILL:
            self.wait(10)

    def stop(self, seconds: float | None = None) -> bool:
        """The stop signal, and SIGKILL after so many seconds (negative: never). False if it does not run."""
        if not self.running:
            return False
        asked = self.record.config.get("StopTimeout")
        seconds = seconds if seconds is not None else config.STOP_TIMEOUT if asked is None else asked
        try:
            self._signal_and_wait(self.record.config["StopSignal"] or "SIGTERM", None if seconds < 0 else seconds)
        except Conflict:  # it ended by itself
            pass
        self.wait(10)
        self.publish_event("stop")
        return True

    def _signal_and_wait(self, name: str, seconds: float | None) -> None:
        self.kill(name)
        if not self.wait(seconds):
            self.kill("SIGKILL")

    # The rest

    def files(self) -> ContainerArchive:
        """Its files, whether it runs or not."""
        return ContainerArchive(self.id, self.rootfs.path, self._mounts, self.rootfs.true_metadata)

    def job(self, asked: Mapping[str, Any], scratch: Path) -> Job:
        """A further program in it, as ExecConfig describes it. Raises Conflict if it does not run."""
        settings = self.record.config
        if not self.running:
            raise Conflict(f"Container {self.id} is not running")
        user = self.rootfs.user(asked.get("User") or settings["User"])
        folder = asked.get("WorkingDir") or settings["WorkingDir"] or "/"
        if not folder.startswith("/"):
            raise BadRequest(f"Cwd must be an absolute path: {folder}")
        scratch.mkdir(parents=True, exist_ok=True)
        return Job(
            root=self.rootfs.path,
            argv=list(asked["Cmd"]),
            env=config.environment({**settings, "Tty": asked.get("Tty")}, user.home, asked.get("Env")),
            scratch=scratch,
            cwd=folder,
            uid=user.uid,
            gid=user.gid,
            groups=user.groups,
            mounts=self._mounts,
            ports=published_ports.first_of_each(self.record.ports),
            hostname=settings["Hostname"],
        )

    def mark_crashed(self) -> None:
        """It ran when the engine was killed: end what may be left of it, and say so."""
        record = self.record
        if record.pid and record.born and start_time(record.pid) == record.born:
            _kill(record.pid)
        shutil.rmtree(self.scratch, ignore_errors=True)
        record.status, record.exit_code, record.finished_at = "exited", KILLED, timestamp()
        record.pid, record.born, record.ports = 0, None, {}
        record.save(self.folder)

    def remove(self) -> None:
        """Remove its files and forget it. It must not run."""
        with self._lock:
            self._check_there()
            self.removed = True
            self._clear()
        for run in list(self.execs.values()):
            run.wait(5)
        (self.folder / "container.json").unlink(missing_ok=True)  # first: half a container is none
        self.rootfs.discard()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.changed.notify()

    def _check_there(self) -> None:
        if self.removed:
            raise NotFound(f"No such container: {self.id}")


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return
    deadline = time.monotonic() + 2
    while start_time(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
