"""tidy(): remove what the workshop made, known by its label, and nothing else, ever."""

from __future__ import annotations

import functools
from collections.abc import Callable

import docker
import pandas as pd
from docker.models.containers import Container

from ..bases import known
from ..bases.known import in_engine
from ..errors import translate_engine_loss
from ..labels import BASE, BASES, CONTAINER, LABEL, PREFIX, STAND_IN_STAGE, made_here, remove_untagged, tags_of
from ..progress import Panel


@translate_engine_loss("the tidying up")
def tidy(client: docker.DockerClient, app: str | None = None, bases: bool = False) -> pd.DataFrame:
    """Remove the workshop's containers and images; with bases=True also the base images that it made itself.

    app: only the images of this app, such as "hello", and no container; another app's tags on them stay. An image counts as
    ours if the label is its own (`labels.made_here`): what somebody built on one of ours inherits it, and is left alone. A
    tag that is not under factory/ keeps its image. Running it twice does no harm. What BuildKit keeps in its cache carries
    no label, so it stays; the engine clears it by itself when it grows.
    Returns what was looked at: columns kind, name, outcome ("removed" or "kept: …").
    """
    rows = []
    with Panel("Tidying up") as panel:
        panel.row("tidy", "containers and images with the workshop's label")
        for container in [] if app else our_containers(client):
            rows.append(
                ("container", container.name, _attempt(functools.partial(container.remove, force=True, v=True)))
            )
        for image in our_images(client, app, bases):
            if not in_engine(client, image["Id"]):
                continue  # it went with another one's steps
            rows += [("image", name, outcome) for name, outcome in _remove(client, image, app)]
            panel.row("tidy", detail=f"{len(rows)} looked at")
        removed = sum(outcome == "removed" for *_, outcome in rows)
        panel.summary = f"Removed {removed} of the workshop's containers and images; everything else is untouched."
    return pd.DataFrame(rows, columns=["kind", "name", "outcome"])


def our_containers(client: docker.DockerClient) -> list[Container]:
    """The workshop's containers. A container inherits its image's labels; ours says that it is a container.

    `docker commit` makes an image of a container of ours, label and all: what is started from that is not ours.
    """
    listed = client.containers.list(all=True, filters={"label": f"{LABEL}={CONTAINER}"})
    return [one for one in listed if _image_label(client, one.attrs.get("Image") or "") != CONTAINER]


def _image_label(client: docker.DockerClient, image: str) -> str | None:
    about = known.in_engine(client, image) if image else None
    return known.labels_of(about).get(LABEL)


def our_images(client: docker.DockerClient, app: str | None = None, bases: bool = False) -> list[dict]:
    """The images that the workshop made, newest first, as the engine lists them. Arguments as for `tidy`."""
    labelled = client.api.images(filters={"label": LABEL}, all=True)
    # an engine may list an image that is just being removed without its labels
    ours = [image for image in labelled if (image.get("Labels") or {}).get(LABEL)]
    wanted = [image for image in ours if bases or image["Labels"][LABEL] not in BASES]
    if app:
        wanted = [image for image in wanted if any(tag.startswith(f"{PREFIX}{app}:") for tag in tags_of(client, image))]
    return [image for image in sorted(wanted, key=lambda image: -image["Created"]) if _ours(client, image)]


def _ours(client: docker.DockerClient, image: dict) -> bool:
    """The steps of a stand-in that was never finished have no name, and inherit their label from the recipe's first line."""
    kind = image["Labels"][LABEL]
    return not tags_of(client, image) if kind == STAND_IN_STAGE else made_here(client, image["Id"], kind)


def _our_tag(image: dict, tag: str) -> bool:
    if image["Labels"][LABEL] in BASES:
        return known.is_made_for(tag, image["Labels"]) or tag.startswith("factory-floor/")
    return tag.startswith(PREFIX)


def _remove(client: docker.DockerClient, image: dict, app: str | None = None) -> list[tuple[str, str]]:
    """(name, outcome) for each tag. Two apps may have built the same image: the other one's tags are not looked at."""
    all_tags = tags_of(client, image)
    tags = [tag for tag in all_tags if not app or tag.startswith(f"{PREFIX}{app}:")]
    foreign = [tag for tag in tags if not _our_tag(image, tag)]
    parent, base = client.api.inspect_image(image["Id"]).get("Parent"), int(image["Labels"].get(BASE, 0))
    outcomes = [
        (tag, _attempt(functools.partial(client.api.remove_image, tag, noprune=True)))
        for tag in tags
        if tag not in foreign
    ]
    outcomes += [(tag, "kept: the tag is not the workshop's") for tag in foreign]
    if not tags:
        gone = remove_untagged(client, image["Id"], base)
        outcomes.append((image["Id"][7:19], "removed" if gone else "kept: another image is built on it"))
    elif not foreign and tags == all_tags:
        remove_untagged(client, parent, base)
    return outcomes


def _attempt(remove: Callable[[], object]) -> str:
    try:
        remove()
        return "removed"
    except docker.errors.NotFound:
        return "removed"
    except docker.errors.APIError as error:
        return f"kept: {error.explanation or error}"
