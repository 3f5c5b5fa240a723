"""Names of containers: given, made up, and found again."""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Collection, Mapping

from ..errors import BadRequest, NotFound

_VALID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_ADJECTIVES = (
    "able brave bright busy calm careful clever curious eager fair gentle glad happy honest jolly keen kind lively "
    "mellow nimble patient plucky proud quick quiet ready sharp smart steady sunny tidy warm wise zesty"
).split()
_PEOPLE = (
    "babbage backus boole curie dijkstra easley engelbart euler feynman franklin gauss goodall hamilton hopper "
    "johnson kepler knuth lamarr lamport liskov lovelace mccarthy meitner noether pasteur perlman ritchie shannon "
    "thompson torvalds turing wing wozniak"
).split()


def new_id() -> str:
    """64 hex digits. Not all digits at its beginning: a short id must not look like a number (moby, stringid)."""
    while True:
        new = secrets.token_hex(32)
        if not new[:12].isdigit():
            return new


def checked(name: str) -> str:
    """A name that was asked for, without the slash before it. Raises BadRequest."""
    name = name.removeprefix("/")
    if not _VALID.fullmatch(name):
        raise BadRequest(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return name


def made_up(taken: Collection[str]) -> str:
    """A name that is free."""
    while True:
        name = f"{random.choice(_ADJECTIVES)}_{random.choice(_PEOPLE)}"
        if name in taken:
            name += str(random.randrange(1_000_000))
        if name not in taken:
            return name


def find(reference: str, ids: Mapping[str, str]) -> str:
    """The id that a full id, a name or the beginning of an id stands for. ids: {id: name}.

    Raises NotFound; BadRequest where several ids begin so.
    """
    if reference in ids:
        return reference
    name = reference.removeprefix("/")
    for container_id, known_name in ids.items():
        if known_name == name:
            return container_id
    matching = [container_id for container_id in ids if container_id.startswith(reference)] if reference else []
    if len(matching) > 1:
        raise BadRequest(f"Multiple IDs found with provided prefix: {reference}")
    if not matching:
        raise NotFound(f"No such container: {reference}")
    return matching[0]
