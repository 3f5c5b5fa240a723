"""The one label by which the workshop knows its own things again, how images are named, and how one is removed.

Only what was labelled as ours is ever removed or changed, and only while that label is its own: see `made_here`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import re
from collections.abc import Mapping
from http import HTTPStatus

import docker

from .errors import WorkshopError

LABEL = "factory-floor"

# What the label's value says a thing is.
IMAGE = "image"  # the result of a build
STAGE = "stage"  # a stage of a build, kept so that it can be opened
UNFINISHED = "unfinished"  # the last good step of a build that failed: the builder's cache
CONTAINER = "container"
STAND_IN = "stand-in"  # a base image made here
STAND_IN_STAGE = "stand-in-stage"  # a stage of such a build, kept as the builder's cache
STAND_IN_ROOT = "stand-in-root"  # what stand-ins are made from
CA_LAYER = "ca-layer"  # an official base image plus the certificates of a network that intercepts TLS

BASES = (STAND_IN, STAND_IN_STAGE, STAND_IN_ROOT, CA_LAYER)

KINDS = (IMAGE, STAGE, UNFINISHED, *BASES)

# The label that says how many entries an image's history has, where no line of the history tells of our labels.
HISTORY = f"{LABEL}.history"

# The label that says how many ONBUILD lines an image of ours has: BuildKit's history does not tell of them. It counts in a line
# of the history, never by itself: it is inherited.
ONBUILD = f"{LABEL}.onbuild"

# How a history tells a line that sets labels of ours and nothing in front of them. The shell may stand before it, and never
# the text of another instruction: a program that looks for such a line is none.
OUR_LABELS = re.compile(rf"""([^#'"]*\#\(nop\)\s+)?LABEL\s+(?P<set>"?{LABEL}(\.[\w-]+)?"?=.*)""", re.DOTALL)

# Our images live under one repository prefix, so that nobody's tag is ever taken over.
PREFIX = "factory/"


def labels(kind: str, triggers: int = 0, **more: str) -> dict[str, str]:
    """Labels for a thing of this kind; each keyword becomes `factory-floor.<keyword>`. triggers: its ONBUILD lines, counted."""
    own = {LABEL: kind, **{f"{LABEL}.{key}": value for key, value in more.items()}}
    return own | ({ONBUILD: str(triggers)} if triggers else {})


def length(history: int, triggers: int) -> str:
    """The value of the label HISTORY: how many entries the history has, and how many ONBUILD lines the image."""
    return f"{history}+{triggers}" if triggers else str(history)


def tags_of(client: docker.DockerClient, image: dict) -> list[str]:
    """The tags of an image as the engine lists it, as one writes them."""
    tags = [tag for tag in image.get("RepoTags") or [] if tag != "<none>:<none>"]
    return list(map(plain_tag, tags)) if tags and spells_out_registries(client) else tags


@functools.lru_cache(maxsize=16)
def spells_out_registries(client: docker.DockerClient) -> bool:
    """True for Podman, which lists "app" as "localhost/app". For Docker, localhost is a registry as any other."""
    return any(part["Name"] == "Podman Engine" for part in client.version().get("Components") or [])


def plain_tag(tag: str) -> str:
    """A tag as one writes it, without the registry that Podman spells out."""
    return tag.removeprefix("docker.io/").removeprefix("library/").removeprefix("localhost/")


def familiar(name: str) -> str:
    """An image's name as one writes it: what Docker Hub has needs neither its registry nor "library/" in front."""
    bare = re.sub(r"^(index\.)?docker\.io/", "", name)
    rest = bare.removeprefix("library/")
    return bare if "/" in rest else rest


def full_tag(name: str) -> str:
    """An image's name with its tag, which is "latest" if it has none; a name with a digest stays as it is."""
    return name if ":" in name.rsplit("/", 1)[-1] or "@" in name else f"{name}:latest"


def made_here(client: docker.DockerClient, image: str, kind: str | None) -> bool:
    """True if the workshop made this image, whose label has this value; asked at the moment of a change or a removal.

    An image inherits the labels of what it is built on, so a label proves nothing: ours is what ends in our LABEL lines,
    those that set this very value. BuildKit writes no line for a label that comes with the request: there the label says
    how long the image's own history is, and whatever is built on it has a longer one. (What was imported, as the
    stand-ins' root is, has one history entry and no line.)
    """
    if kind not in KINDS:
        return False
    try:
        entries = [entry.get("CreatedBy") or "" for entry in client.api.history(image)]
        config = client.api.inspect_image(image).get("Config") or {}
    except docker.errors.NotFound:
        return False  # somebody has removed it meanwhile
    return is_own(kind, entries, config.get("Labels") or {}, len(config.get("OnBuild") or []))


def is_own(kind: str, history: list[str], own: Mapping[str, str], triggers: int = 0) -> bool:
    """The decision of `made_here`. history: CreatedBy of each entry, the newest first. own: the image's labels.

    triggers: how many ONBUILD lines it has. Building on an image runs those that it has and hands none on, so others are a sign
    of another's work, and with BuildKit the only one.
    """
    if kind == STAND_IN_ROOT:
        return len(history) == 1 and not triggers
    newest = [line["set"] for line in itertools.takewhile(bool, map(OUR_LABELS.match, history)) if line]
    value = re.compile(rf'(^|\s)"?{LABEL}"?="?{kind}"?(\s|$)')
    if any(map(value.search, newest)):
        told = re.search(rf'"?{re.escape(ONBUILD)}"?="?(\d+)', " ".join(newest))
        return triggers == int(told[1] if told else 0)
    return own.get(LABEL) == kind and own.get(HISTORY) == length(len(history), triggers)


def label_without_from(
    client: docker.DockerClient,
    image: str,
    own: Mapping[str, str],
    tag: str | None,
    env: Mapping[str, str] | None = None,
    files: bytes = b"",
) -> None:
    """The same image under these labels, for one that has ONBUILD lines: they stay, where a FROM would run and end them.

    env: variables to add. files: a tar to add. The labels stand in its history as the classic builder writes them. Raises
    WorkshopError where the engine makes no images of containers.
    """
    config = client.api.inspect_image(image)["Config"]
    present = [line for line in config.get("Env") or [] if line.partition("=")[0] not in (env or {})]
    config = {
        **config,
        "Labels": {**(config.get("Labels") or {}), **own},
        "Env": [*present, *(f"{name}={value}" for name, value in (env or {}).items())],
    }
    line = "LABEL " + " ".join(f"{name}={value}" for name, value in sorted(own.items()))
    container = client.api.create_container(image, ["/bin/sh", "-c", f"#(nop)  {line}"], labels=labels(CONTAINER))["Id"]
    try:
        if files:
            client.api.put_archive(container, "/", files)
        repository, _, version = full_tag(tag).rpartition(":") if tag else (None, None, None)
        client.api.commit(container, repository, version, conf=config)
    except docker.errors.APIError as error:
        if error.status_code != HTTPStatus.NOT_IMPLEMENTED:
            raise
        what = "This engine cannot keep an image that has ONBUILD lines under a label."
        raise WorkshopError(what, "Write those lines where they are to run, or use Docker Engine.") from None
    finally:
        client.api.remove_container(container, v=True)


def remove_untagged(client: docker.DockerClient, image: str | None) -> bool:
    """Remove an image that has no name, and the nameless steps that it was built in; True if the image is gone.

    An engine refuses to remove what another image is built on: that ends the walk. The containerd store does not
    remove an image's steps along with it, hence the walk.
    """
    gone = False
    with contextlib.suppress(docker.errors.APIError):
        while image and not (about := client.api.inspect_image(image)).get("RepoTags"):
            client.api.remove_image(image)
            gone, image = True, about.get("Parent")
    return gone
