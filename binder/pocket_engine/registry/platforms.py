"""Which of an index's images is the one for a machine (the OCI image spec's index, containerd's way of matching)."""

from __future__ import annotations

import platform as machine
from typing import NamedTuple

from ..errors import BadRequest, NotFound

ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armv8l": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "i386": ("386", ""),
    "i686": ("386", ""),
}
IMPLIED = {"arm64": "v8", "arm": "v7", "amd64": "v1"}  # what no variant means
SYSTEMS = ("linux", "windows", "darwin", "freebsd")


class Platform(NamedTuple):
    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, self))


def host_platform() -> Platform:
    """The platform that images have to be for to run on this machine."""
    return normalized(Platform("linux", machine.machine().lower()))


def normalized(given: Platform) -> Platform:
    """Architectures by Go's names, and a variant only where it says something."""
    architecture, variant = ARCHITECTURES.get(given.architecture, (given.architecture, ""))
    variant = given.variant or variant
    return Platform(given.os, architecture, "" if variant == IMPLIED.get(architecture) else variant)


def parse_platform(text: str) -> Platform:
    """ "os/architecture[/variant]", or one of the two alone; BadRequest for anything else."""
    parts = text.lower().split("/")
    if len(parts) == 1:
        parts = [parts[0], host_platform().architecture] if parts[0] in SYSTEMS else ["linux", parts[0]]
    if len(parts) > 3 or not all(part.replace("_", "").replace("-", "").isalnum() for part in parts):
        raise BadRequest(f'"{text}" is no platform: write it like linux/amd64')
    return normalized(Platform(*parts))


def matches(offered: Platform, wanted: Platform) -> bool:
    """Whether what is offered runs where `wanted` does: the same, or an older variant of the same 32-bit ARM."""
    offered, wanted = normalized(offered), normalized(wanted)
    if offered[:2] != wanted[:2]:
        return False
    older = wanted.architecture == "arm" and (offered.variant or "v7") <= (wanted.variant or "v7")
    return offered.variant == wanted.variant or older


def platform_of(described: dict) -> Platform | None:
    """The platform that an index entry or an image config gives; None if it gives none."""
    found = Platform(*(str(described.get(key) or "") for key in Platform._fields))
    return normalized(found) if found.os and found.architecture else None


def choose_manifest(index: dict, wanted: Platform, name: str) -> dict:
    """The entry of an index for a platform; attestations are no images. NotFound, saying what there is, if none fits."""
    entries = [
        entry for entry in index.get("manifests") or () if isinstance(entry, dict) and not _is_attestation(entry)
    ]
    offered = [(platform_of(entry.get("platform") or {}), entry) for entry in entries]
    fitting = [
        (found.variant or IMPLIED.get(found.architecture, ""), entry)
        for found, entry in offered
        if found and matches(found, wanted)
    ]
    if fitting:
        return max(fitting, key=lambda pair: pair[0])[1]
    unnamed = [entry for found, entry in offered if found is None]
    if len(unnamed) == 1:  # an index of a single image that leaves the platform to the image's config
        return unnamed[0]
    available = ", ".join(sorted({str(found) for found, _ in offered if found})) or "nothing that names a platform"
    raise NotFound(
        f"no matching manifest for {wanted} in the manifest list entries: no match for platform in manifest: not found"
        f" ({name} has {available})"
    )


def _is_attestation(entry: dict) -> bool:
    described, notes = entry.get("platform") or {}, entry.get("annotations") or {}
    return "vnd.docker.reference.type" in notes or described.get("os") == "unknown"
