"""The one label by which the workshop knows its own things again, how images are named, and how one is removed.

Only what was labelled as ours is ever removed or changed, and only while that label is its own: see `made_here`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping
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

# The label that names by digest what was on an image before it was ours and no line of its history tells, if anything was.
UNSAID = f"{LABEL}.unsaid"

# The label that says how many entries the history of an image's base has: what was there before the build is not ours.
BASE = f"{LABEL}.base-history"

# What a builder puts on every image that it makes.
BUILDERS_OWN = ("io.buildah.version",)

# How a history tells a line that sets labels of ours and nothing in front of them. The shell may stand before it, and never
# the text of another instruction: a program that looks for such a line is none.
OUR_LABELS = re.compile(rf"""([^#'"]*\#\(nop\)\s+)?LABEL\s+(?P<set>"?{LABEL}(\.[\w-]+)?"?=.*)""", re.DOTALL)

# Our images live under one repository prefix, so that nobody's tag is ever taken over.
PREFIX = "factory/"


def labels(kind: str, **more: str) -> dict[str, str]:
    """Labels for a thing of this kind; each keyword becomes `factory-floor.<keyword>`."""
    return {LABEL: kind, **{f"{LABEL}.{key}": value for key, value in more.items()}}


def on_base(client: docker.DockerClient, base: str, step: str | None = None) -> dict[str, str]:
    """The labels of a build that say what of it came with its base: an image by name or id, or "scratch".

    step: what the build itself starts from, where that is a step of ours on this base.
    """
    there = history_of(client, base)
    said = {BASE: str(len(there))} if there else {}
    return said | came_unsaid(client, step or base)


def came_unsaid(client: docker.DockerClient, base: str, keeps_triggers: bool = False) -> dict[str, str]:
    """The label of a build on this base that says what no line of its history will tell; none if all is told.

    keeps_triggers: its ONBUILD instructions stay, where a FROM uses them up.
    """
    try:
        history, own, triggers = _about(client, base)
    except docker.errors.APIError:  # scratch, or an image that the builder gets by itself
        return {}
    found = unsaid(history, own, triggers if keeps_triggers else ())
    return {UNSAID: found} if found or UNSAID in own else {}  # what the base has there would be inherited


def history_entries(client: docker.DockerClient, image: str) -> list[dict]:
    """An image's history as the engine tells it, the newest entry first. (containerd's store says null for one without.)"""
    return client.api.history(image) or []


def history_of(client: docker.DockerClient, image: str) -> list[str]:
    """CreatedBy of each entry of an image's history, the newest first; none for "scratch" and what the engine has not."""
    try:
        entries = history_entries(client, image) if image.lower() != "scratch" else []
    except docker.errors.APIError:
        return []
    return [entry.get("CreatedBy") or "" for entry in entries]


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
    stand-ins' root is, has one history entry and no line.) Nor does BuildKit write a line for ONBUILD, so what no line
    tells has to be what was there when we built.
    """
    if kind not in KINDS:
        return False
    try:
        return is_own(kind, *_about(client, image))
    except docker.errors.NotFound:
        return False  # somebody has removed it meanwhile


def _about(client: docker.DockerClient, image: str) -> tuple[list[str], dict[str, str], list[str]]:
    """What an image's history and configuration say: CreatedBy of each entry, the newest first; labels; ONBUILD triggers."""
    entries = [entry.get("CreatedBy") or "" for entry in history_entries(client, image)]
    config = client.api.inspect_image(image).get("Config") or {}
    return entries, config.get("Labels") or {}, config.get("OnBuild") or []


def what_is_unsaid(client: docker.DockerClient, image: str) -> str:
    """`unsaid` of an image in the engine."""
    return unsaid(*_about(client, image))


def unsaid(history: list[str], own: Mapping[str, str], triggers: Iterable[str] = ()) -> str:
    """The digest of the labels, other than ours, and ONBUILD triggers that no line of the history tells; "" for none."""
    told = [line for line in history if "LABEL" in line]
    foreign = {key: value for key, value in own.items() if key.split(".")[0] != LABEL and key not in BUILDERS_OWN}
    found = sorted((key, value) for key, value in foreign.items() if not any(key in line for line in told))
    found += [("ONBUILD", one) for one in triggers if not any(f"ONBUILD {one}" in line for line in history)]
    return hashlib.sha256(repr(found).encode()).hexdigest()[:16] if found else ""


def is_own(kind: str, history: list[str], own: Mapping[str, str], triggers: Iterable[str] = ()) -> bool:
    """The decision of `made_here`. history: CreatedBy of each entry, the newest first. own: the image's labels.

    triggers: its ONBUILD instructions.
    """
    if own.get(UNSAID, "") != unsaid(history, own, triggers):
        return False
    if kind == STAND_IN_ROOT:
        return len(history) == 1
    newest = itertools.takewhile(bool, map(OUR_LABELS.match, history))
    value = re.compile(rf'(^|\s)"?{LABEL}"?="?{kind}"?(\s|$)')
    if any(value.search(line["set"]) for line in newest if line):
        return True
    return own.get(LABEL) == kind and own.get(HISTORY) == str(len(history))


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
    own = {**own, **came_unsaid(client, image, keeps_triggers=True)}
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


def remove_untagged(client: docker.DockerClient, image: str | None, base: int = 0) -> bool:
    """Remove an image that has no name, and the nameless steps that it was built in; True if the image is gone.

    base: how many entries the history of its base has, which was there before and may be somebody's, name or not. (Left to
    itself, an engine would remove it as well.) An engine refuses to remove what another image is built on: that ends the
    walk. The containerd store does not remove an image's steps along with it, hence the walk.
    """
    gone = False
    with contextlib.suppress(docker.errors.APIError):
        while image and not (about := client.api.inspect_image(image)).get("RepoTags"):
            if base and len(history_entries(client, image)) <= base:
                break
            client.api.remove_image(image, noprune=True)
            gone, image = True, about.get("Parent")
    return gone


def remove_names(client: docker.DockerClient, image: str, names: Iterable[str]) -> None:
    """Take these names from an image of ours. If it had no other, it is gone, and the nameless steps that it was built in."""
    about = client.api.inspect_image(image)
    for name in names:
        client.api.remove_image(name, noprune=True)
    if not history_of(client, image):
        labelled = (about.get("Config") or {}).get("Labels") or {}
        remove_untagged(client, about.get("Parent"), int(labelled.get(BASE, 0)))
