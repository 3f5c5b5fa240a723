"""Image names as people write them, and where a registry has them (the reference grammar of distribution/reference)."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from .errors import BadRequest

HUB = "docker.io"
HUB_HOST = "registry-1.docker.io"

LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
DOMAIN = re.compile(rf"(?:{LABEL}(?:\.{LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
PATH = re.compile(rf"{PART}(?:/{PART})*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Repository(NamedTuple):
    """`domain` as in the name ("docker.io", "localhost:5000"), `path` as the registry knows it ("library/python")."""

    domain: str
    path: str

    @property
    def full(self) -> str:
        return f"{self.domain}/{self.path}"

    @property
    def familiar(self) -> str:
        """The name as Docker shows it: without Docker Hub's domain and its "library/"."""
        return self.path.removeprefix("library/") if self.domain == HUB else self.full

    @property
    def host(self) -> str:
        return HUB_HOST if self.domain == HUB else self.domain


def repository(name: str) -> Repository:
    """The repository that a name without tag or digest means. BadRequest where Docker calls it an invalid reference."""
    first, slash, rest = name.partition("/")
    if slash and (re.search(r"[.:\[]", first) or first == "localhost" or first.lower() != first):
        domain, path = first, rest
    else:
        domain, path = HUB, name
    if domain in ("index.docker.io", HUB_HOST):
        domain = HUB
    if domain == HUB and "/" not in path:
        path = f"library/{path}"
    if path != path.lower():
        raise BadRequest(f"invalid reference format: repository name ({path}) must be lowercase")
    if not DOMAIN.fullmatch(domain) or not PATH.fullmatch(path) or len(path) > 255:
        raise BadRequest(f"invalid reference format: {name!r} is no image name")
    return Repository(domain, path)


def split(name: str, tag_or_digest: str = "") -> tuple[Repository, str]:
    """Repository, and tag or digest ("" if neither is given) of a name that may carry them itself."""
    base, at, digest = name.partition("@")
    head, colon, tag = base.rpartition(":")
    if colon and "/" not in tag:
        base = head
    else:
        tag = ""
    reference = tag_or_digest or digest or tag
    if (
        at
        and not digest
        or colon
        and base == head
        and not tag
        or reference
        and not (TAG.fullmatch(reference) or DIGEST.fullmatch(reference))
    ):
        raise BadRequest(f"invalid reference format: {reference or name!r} is neither a tag nor a sha256 digest")
    return repository(base), reference


def joined(name: str, reference: str) -> str:
    """name:tag or name@digest."""
    return f"{name}{'@' if DIGEST.fullmatch(reference) else ':'}{reference}"


def is_loopback(host: str) -> bool:
    """Whether host[:port] is this machine by its spelling, so that Docker speaks plain HTTP to a registry there."""
    bare = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False
