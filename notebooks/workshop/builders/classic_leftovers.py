"""What a classic build that was stopped or failed has left behind, as the engine knows it.

The classic builder's stream mixes its own words with what programs print, and a program can print anything: an id in the
log is a claim. What was made before the build began is not the build's, and nobody can name what does not exist yet; so
what is claimed counts if the engine says that it was made since, and that it has no name. Nothing else is ever removed.
"""

from __future__ import annotations

import contextlib
import time

import docker
import pandas as pd

from ..dockerfiles.history import instruction as as_written
from ..errors import CONNECTION_ERRORS
from ..labels import history_entries, tags_of
from .classic_log import ClassicLog

NEVER = -(2**63)  # as pandas has it for a time stamp that is empty


def engine_time(client: docker.DockerClient) -> int:
    """The engine's clock, in nanoseconds since 1970: its own records are compared with it, and never with ours."""
    return nanoseconds(client.api.info()["SystemTime"])


def nanoseconds(time_stamp: str | None) -> int:
    """An engine's time stamp (RFC 3339) in nanoseconds since 1970; of one that says nothing, a time before all others.

    An image that its builder gives no date is from the year 1, or from none.
    """
    try:
        return pd.Timestamp(time_stamp).value
    except (ValueError, OverflowError):
        return NEVER


def remove(client: docker.DockerClient, log: ClassicLog) -> None:
    """Wait until the engine has dropped the container of the step that was stopped, then remove what the build had made."""
    try:
        patience = 0.0
        for container in containers(client, log):
            # What does not run has ended, or never had a program to run (ENV, CMD): the engine may be making an image of it
            # just now. What runs is stopped, and no image comes of it.
            patience = 0.5 if container["State"]["Running"] else 3.0
            _wait_until_removed(client, container["Id"])
        deadline = time.monotonic() + patience
        while not (unreported := unreported_images(client, log)) and time.monotonic() < deadline:
            time.sleep(0.2)
        for image in [*unreported, *reversed(new_images(client, log))]:
            _remove_image(client, image)
    except (docker.errors.DockerException, *CONNECTION_ERRORS):
        pass  # the engine went away meanwhile: there is nothing left that we could remove


def containers(client: docker.DockerClient, log: ClassicLog) -> list[dict]:
    """The build's containers that are still there, as `inspect_container` returns them."""
    listed = [container["Id"] for container in client.api.containers(all=True)]
    found = []
    for container in _called(listed, log.containers):
        try:
            about = client.api.inspect_container(container)
        except docker.errors.NotFound:
            continue  # the engine was quicker
        if nanoseconds(about["Created"]) >= log.began:
            found.append(about)
    return found


def new_images(client: docker.DockerClient, log: ClassicLog) -> list[str]:
    """The ids of the nameless images that the log says were made, and that were, in that order."""
    nameless = [image["Id"] for image in client.api.images(all=True) if not tags_of(client, image)]
    return [image for image in _called(nameless, log.new_images) if _made_since(client, image, log.began)]


def unreported_images(client: docker.DockerClient, log: ClassicLog) -> list[str]:
    """The image of a step that was over, but not yet reported, when the build was stopped: the engine still made it.

    It stands on an image of the build, and is known by the step's container where the engine says that, else by its
    instruction.
    """
    if not log.current:
        return []
    listed = client.api.images(all=True)
    of_build = set(_called([image["Id"] for image in listed], log.images)) | _bases(client, log)
    unreported = []
    for image in listed:
        if tags_of(client, image) or image["Id"] in of_build or _parent(image) not in of_build:
            continue  # somebody's own, reported already, or built on something else
        if _made_since(client, image["Id"], log.began):
            try:
                container = client.api.inspect_image(image["Id"]).get("Container")
                newest = next((entry["CreatedBy"] for entry in history_entries(client, image["Id"])), None)
            except docker.errors.NotFound:
                continue  # somebody else's, which they have just removed
            same_instruction = as_written(newest).split() == log.current.instruction.split()
            if container.startswith(tuple(log.containers)) if container else same_instruction:
                unreported.append(image["Id"])
    return unreported


def _bases(client: docker.DockerClient, log: ClassicLog) -> set[str]:
    """The ids of the images that the stages are built FROM: Podman's log does not tell them."""
    found = set()
    for stage in log.parsed.stages:
        with contextlib.suppress(docker.errors.APIError):  # scratch, an earlier stage
            found.add(client.api.inspect_image(stage.base)["Id"])
    return found


def _parent(image: dict) -> str:
    """The id of the image that this one stands on; Podman leaves out the algorithm."""
    parent = image.get("ParentId") or ""
    return parent if ":" in parent or not parent else f"sha256:{parent}"


def _called(ids: list[str], claims: list[str]) -> list[str]:
    """Those of the engine's ids that the claims, shortened ids, begin, in the order of the claims."""
    by_start = {one.split(":")[-1][:12]: one for one in ids}
    found = [by_start[claim[:12]] for claim in dict.fromkeys(claims) if claim[:12] in by_start]
    return [one for one in dict.fromkeys(found)]


def _made_since(client: docker.DockerClient, image: str, began: int) -> bool:
    try:
        return nanoseconds(client.api.inspect_image(image).get("Created")) >= began
    except docker.errors.NotFound:
        return False


def _wait_until_removed(client: docker.DockerClient, container: str, patience: float = 15.0) -> None:
    """Wait until the engine has removed the container of a stopped step; remove it ourselves if it has not."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            client.api.inspect_container(container)
        except docker.errors.NotFound:
            return
        time.sleep(0.2)
    client.api.remove_container(container, force=True, v=True)


def _remove_image(client: docker.DockerClient, image: str) -> None:
    """Remove a step's image; one that something else is built on by now is not ours alone to remove.

    Podman's builder lets a step that was stopped run to its end, in a container of its own that no list names and that
    holds the image: force takes that away, if no other container is there.
    """
    try:
        client.api.remove_image(image, noprune=True)
    except docker.errors.APIError as error:
        in_use = "in use by a container" in str(error.explanation)
        if in_use and image not in {container["ImageID"] for container in client.api.containers(all=True)}:
            with contextlib.suppress(docker.errors.APIError):
                client.api.remove_image(image, noprune=True, force=True)
