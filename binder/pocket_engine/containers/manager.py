"""All containers of an engine."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ..engine_log import LOG
from ..engine_services import EngineServices
from ..errors import Conflict, EngineError, NotFound
from ..rootfs.remove_tree import remove
from . import config, container_json, execs, ids_and_names, mounts, published_ports
from .container import Container
from .state_file import ContainerRecord

GRACE = 10.0  # seconds for all containers together to end when the engine does


class Containers:
    """Thread-safe. Kept in <store>/containers/<id>/; what ran when the engine was killed is shown as exited (137)."""

    def __init__(self, engine: EngineServices):
        self._engine = engine
        self._folder = engine.folder / "containers"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._ports = published_ports.PortAllocator()
        self._lock = threading.RLock()
        self._known: dict[str, Container] = {}
        self._removals: list[threading.Thread] = []
        for folder in sorted(self._folder.iterdir()):
            self._load(folder)

    def _load(self, folder) -> None:
        record = ContainerRecord.load(folder)
        if record is None or record.id != folder.name:
            remove(folder)
            return
        container = Container(self._engine, folder, record, self._ports, self._on_container_exit)
        shutil.rmtree(folder / "execs", ignore_errors=True)
        if record.status == "running":
            container.mark_crashed()
        if record.host.get("AutoRemove") and record.status != "created":
            container.remove()
        else:
            self._known[record.id] = container

    def create(self, body: Mapping[str, Any], name: str = "") -> tuple[str, list[str]]:
        """Make one from the body of POST /containers/create. Returns (id, warnings).

        Raises NotFound (no such image), Conflict (the name is taken), BadRequest, NotDone.
        """
        image = self._engine.images.find(str(body.get("Image") or ""))
        container_id, host = ids_and_names.new_id(), config.host_config_with_defaults(body.get("HostConfig") or {})
        image_config = image.config.get("config") or {}
        merged = config.merged_config(body, image_config, container_id[:12])
        warnings = config.host_config_warnings(host, merged)
        published_ports.check(host)
        mounts.requested(host)
        record = ContainerRecord(container_id, "", str(body["Image"]), image.id, image.diff_ids, merged, host)
        with self._lock:
            taken = {known.record.name: known.id for known in self._known.values()}
            record.name = ids_and_names.checked(name) if name else ids_and_names.made_up(taken)
            _check_free(record.name, taken)
            container = Container(
                self._engine, self._folder / container_id, record, self._ports, self._on_container_exit
            )
            record.save(container.folder)
            self._known[container_id] = container
        self._touch(image.id)
        container.publish_event("create")
        return container_id, warnings

    def _touch(self, image_id: str) -> None:
        touch = getattr(self._engine.images, "touch", None)
        if touch:
            touch(image_id)

    def get(self, reference: str) -> Container:
        """By id, name, or the beginning of an id. Raises NotFound, BadRequest."""
        with self._lock:
            return self._known[
                ids_and_names.find(reference, {known.id: known.record.name for known in self._known.values()})
            ]

    def all(self) -> list[Container]:
        """All of them, newest first."""
        with self._lock:
            return sorted(self._known.values(), key=lambda known: known.record.created, reverse=True)

    def summaries(
        self,
        *,
        all: bool = False,
        size: bool = False,
        limit: int = 0,
        wanted: Callable[[Container], bool] = lambda _: True,
    ) -> list[dict]:
        """As GET /containers/json has them, newest first: those that run, or `all`, or the newest `limit` of all."""
        listed = [known for known in self.all() if (all or limit > 0 or known.running) and wanted(known)]
        return [container_json.summary(known, size) for known in (listed[:limit] if limit > 0 else listed)]

    def running(self) -> list[str]:
        """The ids of those that run."""
        return [known.id for known in self.all() if known.running]

    def using(self, image_id: str) -> dict[str, bool]:
        """{id: whether it runs} of those made from an image, newest first."""
        return {known.id: known.running for known in self.all() if known.record.image_id == image_id}

    def rename(self, reference: str, name: str) -> None:
        """Raises Conflict where the name is taken, BadRequest where it is none."""
        name = ids_and_names.checked(name)
        with self._lock:
            container = self.get(reference)
            _check_free(name, {known.record.name: known.id for known in self._known.values() if known is not container})
            before, container.record.name = container.record.name, name
            container.record.save(container.folder)
        container.publish_event("rename", oldName=f"/{before}")

    def remove(self, reference: str, *, force: bool = False) -> None:
        """Remove one. Raises Conflict if it runs and is not to be ended by force."""
        container = self.get(reference)
        if container.running:
            if not force:
                raise Conflict(
                    f'cannot remove container "/{container.record.name}": container is running: '
                    "stop the container before removing or force remove"
                )
            try:
                container.kill()
            except Conflict:  # it ended by itself
                pass
            container.wait(10)
        self._remove(container)

    def _remove(self, container: Container) -> None:
        with self._lock:
            if self._known.get(container.id) is not container:  # another was faster
                return
            del self._known[container.id]
        container.remove()
        container.publish_event("destroy")

    def _on_container_exit(self, container: Container) -> None:
        """A container's program has ended."""
        if container.record.host.get("AutoRemove"):
            # In a thread of its own: who ended it may hold the container.
            removal = threading.Thread(target=self._remove_quietly, args=(container,), name="removal", daemon=True)
            self._removals = [thread for thread in self._removals if thread.is_alive()] + [removal]
            removal.start()

    def _remove_quietly(self, container: Container) -> None:
        try:
            self._remove(container)
        except (EngineError, OSError):
            LOG.exception("Container %s could not be removed.", container.id)

    def prune(self, wanted: Callable[[Container], bool]) -> tuple[list[str], int]:
        """Remove those that do not run. Returns (ids, bytes freed)."""
        gone, freed = [], 0
        for container in self.all():
            if not container.running and wanted(container):
                freed += container.rootfs.size()
                self._remove(container)
                gone.append(container.id)
        return gone, freed

    def exec(self, exec_id: str) -> execs.Exec:
        """Raises NotFound."""
        for container in self.all():
            if exec_id in container.execs:
                return container.execs[exec_id]
        raise NotFound(f"No such exec instance: {exec_id}")

    def close(self) -> None:
        """End all of them: SIGKILL, as their owner asked the engine to end."""
        running = [known for known in self.all() if known.running]
        for container in running:
            threading.Thread(target=_end, args=(container,), daemon=True).start()
        for container in running:
            if not container.wait(GRACE):
                LOG.error("Container %s did not end.", container.id)
        for removal in self._removals:
            removal.join(GRACE)


def _end(container: Container) -> None:
    try:
        container.kill()
    except EngineError:
        pass  # it ended by itself


def _check_free(name: str, taken: Mapping[str, str]) -> None:
    if name in taken:
        raise Conflict(
            f'Conflict. The container name "/{name}" is already in use by container "{taken[name]}". '
            "You have to remove (or rename) that container to be able to reuse that name."
        )
