"""Which base images the lessons use, and where the ones in the engine came from."""

from __future__ import annotations

from collections import Counter

import docker
import pandas as pd

from ..errors import translate_engine_loss
from ..labels import CA_LAYER, LABEL, STAND_IN, made_here
from ..units import plural

BASES = (
    "python:3.11",
    "python:3.11-slim",
    "python:3.11-alpine",
    "python:3.13-slim",  # builds what runs on the next but one, which has this Python
    "busybox:1.37",
    "gcr.io/distroless/python3-debian13:latest",  # in Google's registry alone: no mirror of Docker's library has it
)

MADE_FOR = f"{LABEL}.name"  # the label of an image with our certificate layer that says which base it is
DEBIAN = f"{LABEL}.debian"  # the label of a stand-in that says which Debian it is made from: its number

# Repository prefixes that hold the official images again, tried in this order when Docker Hub does not deliver.
MIRRORS = ("public.ecr.aws/docker/library/", "mirror.gcr.io/library/")


def source(image: dict) -> str:
    """Where an image (as `inspect_image` returns it) came from: "stand-in, from Debian 12", "Docker Hub", a mirror, …"""
    ours = labels_of(image)
    if is_stand_in(image):
        return stand_in_from(ours.get(DEBIAN))
    if ours.get(f"{LABEL}.from"):
        return ours[f"{LABEL}.from"]
    digests = image.get("RepoDigests") or []
    for prefix in MIRRORS:
        if any(digest.startswith(prefix) for digest in digests):
            return prefix.split("/")[0]
    for name in BASES:
        if "/" in name and any(digest.startswith(name.rsplit(":", 1)[0] + "@") for digest in digests):
            return name.split("/")[0]
    return "Docker Hub" if digests else "found in the engine"


def is_stand_in(image: dict | None) -> bool:
    """True for a stand-in, and for what is built on one: a label is inherited."""
    return labels_of(image).get(LABEL) == STAND_IN


def stand_in_from(debian: str | None) -> str:
    """What a stand-in is called. debian: the number of the Debian whose packages it is made from, if it says so."""
    return f"{STAND_IN}, from Debian {debian}" if debian else STAND_IN


def in_engine(client: docker.DockerClient, name: str) -> dict | None:
    """The image as `inspect_image` returns it, or None if the engine does not have it."""
    try:
        return client.api.inspect_image(name)
    except docker.errors.ImageNotFound:
        return None


@translate_engine_loss("the look at the base images")
def table(client: docker.DockerClient) -> pd.DataFrame:
    """One row per base image of the lessons: columns name, present (bool), source, certificates (bool), note."""
    rows = []
    for name in BASES:
        image = in_engine(client, name)
        note = labels_of(image).get(f"{LABEL}.note", "")
        rows.append((name, bool(image), source(image) if image else "", has_certificates(image), note))
    return pd.DataFrame(rows, columns=["name", "present", "source", "certificates", "note"])


def summary(client: docker.DockerClient) -> str:
    """A few words for the banner: "3 stand-ins from Debian 12, 1 from Docker Hub", with what is still to come."""
    bases = table(client)
    present = bases[bases["present"]]
    words = []
    for origin, count in Counter(present["source"]).most_common():
        made = origin.startswith(STAND_IN)
        words.append(
            plural(count, STAND_IN) + origin[len(STAND_IN) :].lstrip(",") if made else f"{count} from {origin}"
        )
    if missing := len(bases) - len(present):
        words.append(
            f"{missing} to be fetched when a lesson needs them" if words else "fetched when a lesson needs them"
        )
    extra = ", with your network's certificates" if present["certificates"].any() else ""
    return ", ".join(words).replace("from found in the engine", "found in the engine") + extra


def is_ours(client: docker.DockerClient, name: str, image: dict) -> bool:
    """True for a base image that the workshop made itself (a stand-in, or one with our certificate layer) under this name.

    Somebody may have given an image of ours a name of their own: that name is theirs.
    """
    kind = labels_of(image).get(LABEL)
    return kind in (STAND_IN, CA_LAYER) and is_made_for(name, labels_of(image)) and made_here(client, image["Id"], kind)


def is_made_for(name: str, own: dict[str, str]) -> bool:
    """True if a base image of ours, with these labels, was made under this name."""
    made_for = own.get(MADE_FOR) or own.get(f"{LABEL}.stand-in-for")  # this one may have come with its base
    return name == made_for if made_for else name in BASES


def has_certificates(image: dict | None) -> bool:
    """True if the certificate layer is on it."""
    return f"{LABEL}.ca" in labels_of(image)


def labels_of(image: dict | None) -> dict[str, str]:
    """An image's labels, from what `inspect_image` returns; none for no image."""
    return ((image or {}).get("Config") or {}).get("Labels") or {}
