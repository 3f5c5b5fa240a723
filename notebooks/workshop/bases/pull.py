"""Pulling through the engine, with progress in bytes, and failures put into words."""

from __future__ import annotations

import re

import docker

from ..errors import WorkshopError
from ..progress import Panel
from ..units import size

RATE_LIMIT = (
    "{host} answered “too many requests” (HTTP 429): it limits anonymous pulls (Docker Hub: 100 in 6 hours for each "
    "network address), and everybody behind one address shares that. `docker login` raises the limit; a class kit "
    "avoids it"
)

# (what the engine says, whether the whole registry is out of reach for now, what it means)
MEANINGS = (
    (r"toomanyrequests|\b429\b|pull rate limit|Too Many Requests", True, RATE_LIMIT),
    (
        r"no such host|server misbehaving|Temporary failure in name resolution",
        True,
        "{host}: the name cannot be resolved here",
    ),
    (r"connection refused", True, "{host}: connection refused"),
    (r"network is unreachable|no route to host", True, "{host}: the network is unreachable"),
    (r"i/o timeout|Client.Timeout|TLS handshake timeout|deadline exceeded", True, "{host}: no answer in time"),
    (r"certificate|x509", True, "{host}: the engine does not trust the certificate that this network shows it"),
    (r"no space left", True, "the engine's disk is full"),
    (r"manifest unknown|not found|does not exist|access denied|denied", False, "{host} has no {name}"),
)


class PullFailed(WorkshopError):
    """A pull that did not work. registry_unreachable: the registry as a whole is out of reach, not this image alone."""

    def __init__(self, reason: str, registry_unreachable: bool):
        super().__init__(reason, "", "Nothing was changed.")
        self.reason, self.registry_unreachable = reason, registry_unreachable


def pull(client: docker.DockerClient, name: str, panel: Panel, row: str) -> None:
    """Pull an image into the engine, showing bytes in the panel's row. Raises PullFailed, with the reason in words."""
    repository, tag = name.split("@") if "@" in name else name.rsplit(":", 1)
    layers: dict[str, tuple[int, int]] = {}
    try:
        for message in client.api.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in message or "errorDetail" in message:
                raise failure(name, message.get("error") or message["errorDetail"].get("message", ""))
            _show(message, layers, panel, row)
    except docker.errors.APIError as error:
        raise failure(name, str(error.explanation or error)) from None


def failure(name: str, message: str) -> PullFailed:
    """What an engine's message about a failed pull means."""
    host = name.split("/")[0] if re.match(r"[^/]+[.:][^/]*/|localhost/", name) else "Docker Hub"
    for signs, registry_unreachable, meaning in MEANINGS:
        if re.search(signs, message, re.IGNORECASE):
            return PullFailed(meaning.format(host=host, name=name), registry_unreachable)
    return PullFailed(f"{host}: {message.strip()}", False)


def _show(message: dict, layers: dict[str, tuple[int, int]], panel: Panel, row: str) -> None:
    detail = message.get("progressDetail") or {}
    if message.get("status") == "Downloading" and detail.get("total"):
        layers[message["id"]] = (detail.get("current", 0), detail["total"])
    elif message.get("status") in ("Download complete", "Pull complete") and message.get("id") in layers:
        layers[message["id"]] = (layers[message["id"]][1],) * 2
    if layers:
        done, total = (sum(part) for part in zip(*layers.values()))
        panel.row(row, detail=f"{size(done)} of {size(total)}", fraction=done / total)
    elif message.get("status"):
        panel.row(row, detail=message["status"])
