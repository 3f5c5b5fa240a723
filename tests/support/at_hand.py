"""What is on this machine, and what an engine holds: for tests that have to know, or to compare before and after."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from pathlib import Path

import docker
import pytest
from workshop.engine import connect
from workshop.labels import PREFIX, remove_untagged, tags_of

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"

# Seconds to wait for a state. A ceiling, so that a test ends, and no claim: a busy machine may take minutes for what takes
# one second on a quiet one.
PATIENCE = 240

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
    if not connect.has_buildkit(client):
        pytest.skip(f"{connect.describe(client)['engine']} has no BuildKit")


def forget(client, name: str) -> None:
    """Remove the images that a test built under factory/<name>…, and the steps behind them, as `tidy` does.

    The engine is asked for these alone: `tidy` looks at everything with the workshop's label, which takes a well-used
    engine up to half a minute.
    """
    built = client.api.images(filters={"reference": f"{PREFIX}{name}*"})
    for image in sorted(built, key=lambda one: -one["Created"]):  # what was built on another goes first
        steps = client.api.inspect_image(image["Id"]).get("Parent")
        for tag in tags_of(client, image):
            if tag.startswith(f"{PREFIX}{name}"):
                client.api.remove_image(tag)
        remove_untagged(client, steps)


def traces_of(client, word: str) -> list[str]:
    """Images and containers of the last hour, finished or not, in whose making the word occurs."""
    found = []
    for image in client.api.images(all=True):
        if image["Created"] < time.time() - 3600:
            continue  # asking a well-used engine for each one's history takes it long
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
        "tags": {tag for image in client.api.images() for tag in tags_of(client, image)},
        "containers": {container["Id"] for container in client.api.containers(all=True)},
        "networks": {network["Id"] for network in client.api.networks()},
        "volumes": {volume["Name"] for volume in client.api.volumes()["Volumes"] or []},
    }


def refuse(monkeypatch, name):
    """A folder that this user may not look into; root may look into all."""
    listdir = os.listdir

    def denied(path):
        if os.path.basename(path) == name:
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", denied)
