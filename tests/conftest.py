"""Fixtures: the engine that `workshop.connect()` finds, and small things that the tests build themselves.

Run against another engine with DOCKER_HOST=… python3 tests.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

import docker
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
WANTED = [str(ROOT / folder) for folder in ("notebooks", "binder", "tests/pocket")]
sys.path[:0] = [path for path in WANTED if path not in sys.path]

# A shell starts what it puts into the background with Ctrl-C ignored, and Python would keep it so: the tests that
# interrupt a build, and the processes that they start, need it back.
signal.signal(signal.SIGINT, signal.default_int_handler)

import workshop  # noqa: E402
from engines import pocket, pocket_engine_of_tests  # noqa: E402, F401
from workshop.archives import tar_of  # noqa: E402, F401
from workshop.labels import tags_of  # noqa: E402


@pytest.fixture(scope="session")
def client():
    return workshop.connect(quiet=True)


@pytest.fixture(scope="session")
def busybox(client):
    """The smallest base image of the lessons."""
    workshop.bases.ensure(client, ["busybox:1.37"])
    return "busybox:1.37"


def address(client) -> str:
    """What DOCKER_HOST has to be for another process to find the same engine."""
    path = getattr(client.api._custom_adapter, "socket_path", None)
    return f"unix://{path}" if path else client.api.base_url


def need_buildkit(client) -> None:
    """Skips the test, and says so, where the engine has the classic builder alone."""
    name = workshop.engine.connect.describe(client)["engine"]
    if name in ("Podman", "Pocket engine"):
        pytest.skip(f"{name} has no BuildKit")


@pytest.fixture
def app(client, tmp_path):
    """An empty app folder under a name that nobody else uses; what was built from it is removed afterwards."""
    folder = tmp_path / f"test-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    yield folder
    workshop.tidy(client, app=folder.name)


REGISTRY = shutil.which("docker-registry") or shutil.which("registry")
needs_registry = pytest.mark.skipif(
    not REGISTRY, reason="needs Debian's docker-registry, to have a registry to pull from"
)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """host:port of a registry on loopback, which engines use without TLS."""
    folder, port = tmp_path_factory.mktemp("registry"), free_port()
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    process = subprocess.Popen([REGISTRY, "serve", str(folder / "config.yml")], stderr=subprocess.DEVNULL)
    for _ in range(50):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/")
            break
        time.sleep(0.1)
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait()


def traces_of(client, word: str) -> list[str]:
    """Images and containers, finished or not, in whose making the word occurs. Others may be at work meanwhile."""
    found = []
    for image in client.api.images(all=True):
        with contextlib.suppress(docker.errors.NotFound):
            if any(word in entry["CreatedBy"] for entry in client.api.history(image["Id"])):
                found.append(image["Id"])
    return found + [
        one["Id"] for one in client.api.containers(all=True) if word in one["Command"] or word in one["Image"]
    ]


def everything(client) -> dict[str, set]:
    """Ids of all that an engine holds, to compare before and after."""
    return {
        "images": {image["Id"] for image in client.api.images(all=True)},
        "tags": {tag for image in client.api.images() for tag in tags_of(image)},
        "containers": {container["Id"] for container in client.api.containers(all=True)},
        "networks": {network["Id"] for network in client.api.networks()},
        "volumes": {volume["Name"] for volume in client.api.volumes()["Volumes"] or []},
    }
