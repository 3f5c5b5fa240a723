"""Names of images, shown and kept as Docker shows them: "docker.io/library/x" is "x", and the usual tag is latest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from .. import reference_grammar
from ..errors import BadRequest


class Reference(NamedTuple):
    """`name` as Docker shows it. `digest` is "" unless it was asked for; then the tag says nothing."""

    name: str
    tag: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"


def parse(reference: str) -> Reference:
    """The grammar of github.com/distribution/reference. Raises BadRequest, worded as there."""
    if re.fullmatch("[0-9a-f]{64}", reference):
        raise BadRequest(f"invalid reference format: {reference!r} is no image name")
    base, _, digest = reference.partition("@")
    repository, tag = reference_grammar.split(base)
    if digest:
        reference_grammar.split(base, digest)
    return Reference(repository.familiar, tag or "latest", digest)


def tagged(reference: str) -> str:
    """name:tag. Raises BadRequest for what cannot be a tag of an image."""
    found = parse(reference)
    if found.digest:
        raise BadRequest("refusing to create a tag with a digest reference")
    if found.name == "sha256":
        raise BadRequest("refusing to create an ambiguous tag using digest algorithm as name")
    return str(found)


def with_digest(name: str, digest: str) -> str:
    """name@digest."""
    return str(parse(f"{parse(name).name}@{digest}"))


def full_id(reference: str) -> str:
    """sha256:… if the reference is a whole id, else ""."""
    digits = reference.removeprefix("sha256:")
    return f"sha256:{digits}" if re.fullmatch("[0-9a-f]{64}", digits) else ""


def is_hex(reference: str) -> bool:
    """True for what may be the beginning of an id."""
    return bool(re.fullmatch("[0-9a-f]{4,64}", reference.removeprefix("sha256:")))


def beginning_with(reference: str, ids: Iterable[str]) -> list[str]:
    """The ids that begin so."""
    digits = reference.removeprefix("sha256:")
    return [image_id for image_id in ids if image_id.startswith(f"sha256:{digits}")] if is_hex(reference) else []


def is_id_prefix(reference: str, image_id: str) -> bool:
    """True if the image was asked for by its id, as moby's isImageIDPrefix has it."""
    return bool(beginning_with(reference, [image_id]))
