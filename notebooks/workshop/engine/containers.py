"""Running what was built: one command's output, or a web app's answer. Labelled containers, ports on 127.0.0.1 only."""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import docker
import requests
from docker.models.containers import Container

from ..errors import WorkshopError, translate_engine_loss
from ..labels import CONTAINER, labels
from ..units import seconds

Made = TypeVar("Made")


@dataclass(frozen=True)
class Answer:
    """What a web app said. seconds: from the container's start to its answer."""

    text: str
    status: int
    seconds: float

    def __repr__(self) -> str:
        return f"{self.status} after {seconds(self.seconds)}: {self.text.strip()[:200]!r}"


@translate_engine_loss("the run of a container")
def run(client: docker.DockerClient, image: str, command: list[str] | str | None = None) -> str:
    """What a container of this image prints (both streams), once it has ended. The container is removed.

    Raises WorkshopError if it cannot start; an exit code that is not 0 is added as the last line.
    """
    with _container(client, image, command=command) as container:
        code = container.wait()["StatusCode"]
        text = container.logs().decode(errors="replace").rstrip("\n")
        return f"{text}\n(exit code {code})" if code else text


@translate_engine_loss("the run of a container")
def answer(client: docker.DockerClient, image: str, path: str = "/", port: int = 5000, patience: float = 30) -> Answer:
    """Start the image, ask it over HTTP, and remove the container.

    port: where the app listens inside; it is published on a free port of 127.0.0.1. patience: seconds to wait.
    Raises WorkshopError with the container's last lines if it ends or never answers.
    """
    began = time.monotonic()
    with _container(client, image, ports={f"{port}/tcp": ("127.0.0.1", None)}) as container:
        while time.monotonic() - began < patience:
            container.reload()
            published = (container.ports or {}).get(f"{port}/tcp")
            if container.status == "exited":
                raise _silent(container, image, "ended instead of answering")
            try:
                if published:
                    response = ask(f"http://127.0.0.1:{published[0]['HostPort']}{path}")
                    return Answer(response.text, response.status_code, time.monotonic() - began)
            except requests.exceptions.RequestException:
                pass  # not up yet
            time.sleep(0.05)
        raise _silent(container, image, f"did not answer on port {port} within {seconds(patience)}")


def ask(address: str) -> requests.Response:
    """What a web app on this machine answers. A proxy, which many networks have in HTTP_PROXY, cannot reach it."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(address, timeout=2)


# Which files Python has opened or mapped once `import app` is done: an audit hook sees every file that is opened (PEP
# 578), the maps show the libraries, and what was imported before the hook stands in sys.modules.
_LOADED = """
import os, sys
early = list(sys.modules.values())
paths = {getattr(one, "__cached__", None) or getattr(one, "__file__", None) for one in early}
sys.addaudithook(lambda event, given: paths.add(given[0]) if event == "open" and isinstance(given[0], str) else None)
__import__(sys.argv[1])
seen = list(paths)
with open("/proc/self/maps") as maps:
    seen += [line.split(None, 5)[5].strip() for line in maps if line.count("/")]
print("\\n".join(sorted({os.path.realpath(path) for path in seen if path and os.path.isfile(path)})))
"""


def loaded(client: docker.DockerClient, image: str, module: str = "app") -> list[str]:
    """Paths of the files in the image that its Python opens or maps until it has imported the module.

    That is the interpreter, its libraries, and every module in the form that is read: what the app needs to start.
    """
    lines = run(client, image, ["python", "-c", _LOADED, module]).splitlines()
    return [line for line in lines if line.startswith("/") and not line.startswith(("/proc/", "/dev/"))]


@contextmanager
def _container(client: docker.DockerClient, image: str, **options: Any) -> Iterator[Container]:
    """A started container, removed at the end, however that comes."""
    try:
        with made_for_now(client, lambda name: _start(client, image, name, options)) as container:
            yield container
    except docker.errors.ImageNotFound:
        raise WorkshopError(f"The engine has no image {image}.", "Run the cell that builds it first.") from None
    except docker.errors.APIError as error:
        raise WorkshopError(
            _cannot_start(image, str(error.explanation or error)), "", "The container was removed."
        ) from None


@contextmanager
def made_for_now(client: docker.DockerClient, make: Callable[[str], Made]) -> Iterator[Made]:
    """What `make` makes of a container under the name that it is given; the container is removed at the end.

    Ctrl-C reaches the main thread alone, so another one makes and removes it: Podman, whose client goes away meanwhile,
    keeps half of a container, and then lists none at all any more.
    """
    name = f"factory-floor-{uuid.uuid4().hex}"
    with ThreadPoolExecutor(1) as worker:
        worker.submit(int).result()  # its one thread is there: stopped while it starts one, it would start a second
        try:
            yield worker.submit(make, name).result()
        finally:
            worker.submit(_remove, client, name).result()


def _start(client: docker.DockerClient, image: str, name: str, options: dict[str, Any]) -> Container:
    container = client.containers.create(image, name=name, labels=labels(CONTAINER), **options)
    container.start()
    return container


def _remove(client: docker.DockerClient, name: str) -> None:
    """Remove a container, killed first: Podman's removal by force would let its program run for ten seconds."""
    with contextlib.suppress(docker.errors.APIError):  # it has ended, or was never made
        client.api.kill(name)
    with contextlib.suppress(docker.errors.NotFound):
        client.api.remove_container(name, force=True, v=True)


def _cannot_start(image: str, message: str) -> str:
    """What a runtime's long message means, where the command is not there."""
    missing = re.search(r'exec: "?([^":]+)"?: (executable file not found|stat |no such file)', message) or re.search(
        r"executable file [`'\"]?([^`'\"]+)[`'\"]? not found", message
    )
    if not missing:
        return f"A container of {image} cannot start: {message.strip()}.{no_loader(message)}"
    if missing[1] in ("/bin/sh", "sh"):
        return f'A container of {image} cannot start: there is no shell in it. A CMD without one is written CMD ["program"].'
    return f"A container of {image} cannot start: there is no {missing[1]} in it (or not on its PATH). Look at its CMD line."


def no_loader(seen: str) -> str:
    """A hint where a program cannot start though its file is there: the kernel misses the loader that the file names (execve)."""
    missing = re.search(r"exec (\S+): no such file or directory", seen)
    if not missing:
        return ""
    return (
        f" The kernel does not mean {missing[1]} itself, but the loader that it was linked to need, and that this image"
        " lacks: a static program needs none."
    )


def _silent(container: Container, image: str, what: str) -> WorkshopError:
    last = container.logs(tail=10).decode(errors="replace").strip() or "(it printed nothing)"
    return WorkshopError(f"The container of {image} {what}. Its last lines:\n{last}", "", "The container was removed.")
