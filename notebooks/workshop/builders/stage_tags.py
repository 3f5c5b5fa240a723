"""The tags under which a build's stages are kept."""

from __future__ import annotations

import re
from collections.abc import Iterable

import docker

from ..labels import LABEL, STAGE, full_tag, made_here, remove_names, tags_of


def tag_word(name: str) -> str:
    """A stage's name as a part of a tag: the name itself, for every name that a builder takes."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name) or "stage"


def stage_tags(tag: str, names: list[str]) -> dict[str, str]:
    """{stage: tag}; the last stage's is the image's own."""
    *before, last = names
    return {name: f"{full_tag(tag)}.{tag_word(name)}" for name in before} | {last: tag}


def untag_earlier_stages(client: docker.DockerClient, tag: str, current: Iterable[str]) -> None:
    """A stage that an earlier build had under this tag and that this one has not would be mistaken for its own.

    What somebody built on a stage, and named alike, inherits its label and is left alone.
    """
    full, kept = full_tag(tag), set(current)
    for image in client.api.images(name=full.rsplit(":", 1)[0], filters={"label": f"{LABEL}={STAGE}"}):
        earlier = [name for name in tags_of(client, image) if name.startswith(f"{full}.") and name not in kept]
        if earlier and made_here(client, image["Id"], STAGE):
            remove_names(client, image["Id"], earlier)
