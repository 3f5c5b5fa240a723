"""Which of an image's layers came with its base image. No engine keeps that, so it is found by comparing images."""

from __future__ import annotations

from dataclasses import dataclass

import docker

from ..dockerfiles.stages import entries_of
from ..labels import CA_LAYER, LABEL, STAGE, STAND_IN, tags_of


@dataclass(frozen=True)
class Base:
    """A base image: one of its names, and how many layers it has, which are the lowest of those built on it."""

    name: str = ""
    layers: int = 0


UNKNOWN = Base()

# By image id, which is a digest: the same layers, on the same base, for as long as this process runs.
_diff_ids_by_id: dict[str, tuple[str, ...]] = {}
_base_by_id: dict[str, Base] = {}


def bases_of(client: docker.DockerClient, images: dict[str, dict]) -> dict[str, Base]:
    """The base image of each image, UNKNOWN where the engine has none. images: {name: as `inspect_image` returns it}.

    The base is what the FROM of the final stage names, or, where that is a stage, what that one's names: the image from
    outside at the bottom. It is found as the image in the engine

    - that has a tag, and not only tags of the same repository: app:1 and app:builder are other builds of app:2;
    - that the workshop did not build for an app: its images and the stages it keeps are labelled;
    - whose whole stack of diff ids is the lower part of this one's, or all of it if this one's history goes on where
      that image's ends (a Dockerfile of CMD and ENV lines adds no layer);
    - that has the most layers of all these, and of several such images or tags the shortest name.

    What it cannot know: a base whose tag was removed or has moved on to a newer image is not found, or a lower one is
    (the base's own base); and an image from outside the workshop that was built on the way to this one, and kept under
    a repository's name of its own, counts as its base.

    Costs one listing of the images, and one inspection of each that this process has not seen before; nothing for an
    image whose base it has found before.
    """
    new = {image["Id"]: image for image in images.values() if image["Id"] not in _base_by_id}
    if new:
        tags = {tag: _diff_ids(client, image["Id"]) for image in _candidates(client) for tag in tags_of(client, image)}
        found = {image_id: _base_of(client, image, tags) for image_id, image in new.items()}
        _base_by_id.update((image_id, base) for image_id, base in found.items() if base != UNKNOWN)
    return {name: _base_by_id.get(image["Id"], UNKNOWN) for name, image in images.items()}


def _candidates(client: docker.DockerClient) -> list[dict]:
    """The listed images that may be a base. A label is inherited, so an unlabelled build on a stand-in has its label."""
    tagged = client.api.images(filters={"dangling": False})  # the engine adds up the size of each that it lists
    return [image for image in tagged if (image.get("Labels") or {}).get(LABEL) in (None, STAND_IN, CA_LAYER)]


def _base_of(client: docker.DockerClient, image: dict, known: dict[str, tuple[str, ...]]) -> Base:
    diff_ids = tuple(image["RootFS"].get("Layers") or ())
    for tag in candidates(diff_ids, tags_of(client, image), known):
        if known[tag] != diff_ids or _goes_on(client, image, tag):
            return Base(tag, len(known[tag]))
    return UNKNOWN


def candidates(diff_ids: tuple[str, ...], own_tags: list[str], known: dict[str, tuple[str, ...]]) -> list[str]:
    """The tags whose stack of diff ids, as `known` has it, may be what this one is built on; the likeliest first."""
    own = {_repository(tag) for tag in own_tags}
    below = [tag for tag, stack in known.items() if stack and stack == diff_ids[: len(stack)]]
    foreign = [tag for tag in below if _repository(tag) not in own]
    return sorted(foreign, key=lambda tag: (-len(known[tag]), len(tag), tag))


def _goes_on(client: docker.DockerClient, image: dict, base: str) -> bool:
    """True if an image's history, our label aside, is the base's and more: else both are builds of one Dockerfile.

    For a stage, which may be a FROM line alone, it need not be more. False if somebody has removed the base since.
    """
    try:
        whole, start = ([entry.text for entry in entries_of(client, name)] for name in (image["Id"], base))
    except docker.errors.ImageNotFound:
        return False
    is_stage = ((image.get("Config") or {}).get("Labels") or {}).get(LABEL) == STAGE
    return whole[: len(start)] == start and (is_stage or len(whole) > len(start))


def _diff_ids(client: docker.DockerClient, image_id: str) -> tuple[str, ...]:
    """The diff ids of an image that was listed; none if somebody has removed it since."""
    if image_id not in _diff_ids_by_id:
        try:
            _diff_ids_by_id[image_id] = tuple(client.api.inspect_image(image_id)["RootFS"].get("Layers") or ())
        except docker.errors.ImageNotFound:
            return ()
    return _diff_ids_by_id[image_id]


def _repository(tag: str) -> str:
    """`python:3.11` → `python`, `localhost:5000/app:1` → `localhost:5000/app`."""
    folder, slash, name = tag.rpartition("/")
    return folder + slash + name.partition(":")[0]
