"""Names of images, shown and kept as Docker shows them: "docker.io/library/x" is "x", and the usual tag is latest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ..errors import BadRequest

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_DOMAIN}/)?{_PART}(?:/{_PART})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>sha256:[0-9a-f]{{64}}))?",
    re.ASCII,
)
_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


class Reference(NamedTuple):
    """`name` as Docker shows it. `digest` is "" unless it was asked for; then the tag says nothing."""

    name: str
    tag: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"


def parse(reference: str) -> Reference:
    """The grammar of github.com/distribution/reference. Raises BadRequest, worded as there."""
    found = _REFERENCE.fullmatch(reference)
    if not found or re.fullmatch("[0-9a-f]{64}", reference) or len(found["name"]) > 255:
        if not found and _REFERENCE.fullmatch(reference.lower()):
            raise BadRequest(f"invalid reference format: repository name ({reference[:200]}) must be lowercase")
        raise BadRequest(f"invalid reference format: {reference[:200]!r} is no image name")
    first, slash, rest = found["name"].partition("/")
    has_domain = slash and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    if slash and not has_domain and not re.fullmatch(_PART, first):
        raise BadRequest(f"invalid reference format: {reference[:200]!r} is no image name")
    name = found["name"]
    if first in _HUB and slash:
        name = rest
    if name.startswith("library/") and name.count("/") == 1:
        name = name.removeprefix("library/")
    return Reference(name, found["tag"] or "latest", found["digest"] or "")


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
    return [one for one in ids if one.startswith(f"sha256:{digits}")] if is_hex(reference) else []


def is_id_prefix(reference: str, image_id: str) -> bool:
    """True if the image was asked for by its id, as moby's isImageIDPrefix has it."""
    return bool(beginning_with(reference, [image_id]))
