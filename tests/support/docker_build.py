"""`docker build` itself, to be compared with: buildx, which is what that command runs since Docker 23.

buildx answers without the `docker` program in front of it, and reads a folder as `docker build` does. `.ci/current-engine` has
one beside the engine; elsewhere it is the one that came with Docker.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from at_hand import address, need_buildkit

PLUGIN = "docker-buildx"
FOLDERS = (
    "/opt/factory-floor-engine/usr/libexec/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "~/.docker/cli-plugins",
)
SINCE = (28, 0)  # what is said about `docker build` is said of this version on


@functools.cache
def buildx() -> str | None:
    """Where buildx is, or None."""
    places = [Path(folder).expanduser() / PLUGIN for folder in FOLDERS]
    return next((str(place) for place in places if os.access(place, os.X_OK)), shutil.which(PLUGIN))


def need_docker_build(client, since: tuple[int, int] = SINCE) -> None:
    """Skips the test, and says so, where `docker build` cannot be had, or is older than the one that is spoken of."""
    need_buildkit(client)
    if not buildx():
        pytest.skip(
            "needs buildx, which is `docker build`: Debian's docker-buildx, or Docker's own docker-buildx-plugin"
        )
    version = client.version()["Version"]
    if tuple(map(int, version.split(".")[:2])) < since:
        pytest.skip(f"compares with `docker build` of {since[0]}.{since[1]} or newer, and this engine is {version}")


def docker_build(
    client,
    folder: Path | str,
    *options: str,
    stdin: bytes | None = None,
    ok: bool = True,
    settings: Mapping[str, str] | None = None,
) -> str:
    """`docker build OPTIONS FOLDER` on that engine; returns all that it said. ok: whether it is to succeed.

    settings: variables of the environment, of which no other that Docker has is passed on.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith(("BUILDX_", "DOCKER_"))}
    command = [str(buildx()), "build", "--progress=plain", *options, str(folder)]
    done = subprocess.run(
        command, env={**others, "DOCKER_HOST": address(client), **(settings or {})}, input=stdin, capture_output=True
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert (done.returncode == 0) is ok, said
    return said
