"""One path of an image, asked of a container that is made and never started: no layer need be read for it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import docker
import requests

from ..labels import CONTAINER, labels
from ..paths import followed
from .connect import describe
from .containers import made_for_now

# Bits of a mode as Go has it (io/fs, FileMode), in which Docker tells it.
DIRECTORY, SYMLINK = 1 << 31, 1 << 27
SPECIAL = 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19  # devices, pipes, sockets, what is irregular

# What Docker puts into a container that its image may not have (daemon/initlayer): of these the layers alone can tell.
NOT_OF_IMAGE = ("/.dockerenv", "/dev", "/etc/hostname", "/etc/hosts", "/etc/mtab", "/etc/resolv.conf", "/proc", "/sys")


@dataclass(frozen=True)
class Seen:
    """What is at a path. kind: "file" (or a hard link, which no container tells apart), "directory", "symlink", "other"."""

    kind: str
    bytes: int


class CannotTell(Exception):
    """This engine, or a container of this image, cannot say what the image has there: the layers can."""


class _NotThere(Exception):
    """A folder on the way is not there, or is none."""


def peek(client: docker.DockerClient, image: str, path: str) -> Seen | None:
    """What is at an absolute path in an image, the links on the way followed as the image has them; None if nothing is.

    The last part is not followed: a link is there, wherever it leads. Bytes are those of a file's content, else 0. The
    container is labelled, never started, and removed whatever happens. Raises CannotTell, and a connection error where the
    engine goes away.
    """
    if describe(client)["engine"] != "Docker Engine":
        raise CannotTell
    try:
        if (client.api.inspect_image(image).get("Config") or {}).get("Volumes"):
            raise CannotTell  # a volume covers what the image has there, and what it has is copied: perhaps gigabytes
        with made_for_now(client, lambda name: _create(client, image, name)) as container:
            return _look(client, container, path)
    except (docker.errors.APIError, UnicodeEncodeError) as error:
        raise CannotTell from error


def _create(client: docker.DockerClient, image: str, name: str) -> str:
    """The id of a container that will not be started: an image on scratch may have no command, so one is named."""
    return client.api.create_container(image, command=["none"], name=name, labels=labels(CONTAINER))["Id"]


def _look(client: docker.DockerClient, container: str, path: str) -> Seen | None:
    try:
        place = followed(path, lambda folder: _link(_stat(client, container, folder)))
        if place is None or any(place == one or place.startswith(f"{one}/") for one in NOT_OF_IMAGE):
            raise CannotTell
        about = _stat(client, container, place)
    except _NotThere:
        return None
    mode = about["mode"]
    kind = "directory" if mode & DIRECTORY else "symlink" if mode & SYMLINK else "other" if mode & SPECIAL else "file"
    return Seen(kind, about["size"] if kind == "file" else 0)


def _link(about: dict[str, Any]) -> str | None:
    """Where a link on the way leads; None for a folder."""
    if about["mode"] & SYMLINK:
        return about["linkTarget"]
    if not about["mode"] & DIRECTORY:
        raise _NotThere
    return None


def _stat(client: docker.DockerClient, container: str, path: str) -> dict[str, Any]:
    """What Docker says of a path without sending its content (Engine API, "Get information about files in a container").

    A link's target is told as where it leads in the end, seen from the container's root.
    """
    api = client.api
    answer = api.head(api._url("/containers/{0}/archive", container), params={"path": path}, timeout=api.timeout)
    if answer.status_code == requests.codes.not_found:
        api.inspect_container(container)  # raises where it is the container that is gone
        raise _NotThere
    try:
        return json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
    except (KeyError, ValueError):
        raise CannotTell from None
