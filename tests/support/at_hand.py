"""What is on this machine, and what an engine holds: for tests that have to know, or to compare before and after."""

from __future__ import annotations

import contextlib
import shutil
import socket
from pathlib import Path

import docker
import pytest
import workshop
from workshop.labels import tags_of

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"

REGISTRY = shutil.which("docker-registry") or shutil.which("registry")
needs_registry = pytest.mark.skipif(
    not REGISTRY, reason="needs Debian's docker-registry, to have a registry to pull from"
)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def address(client) -> str:
    """What DOCKER_HOST has to be for another process to find the same engine."""
    path = getattr(client.api._custom_adapter, "socket_path", None)
    return f"unix://{path}" if path else client.api.base_url


def need_buildkit(client) -> None:
    """Skips the test, and says so, where the engine has the classic builder alone."""
    name = workshop.engine.connect.describe(client)["engine"]
    if name in ("Podman", "Pocket engine"):
        pytest.skip(f"{name} has no BuildKit")


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
