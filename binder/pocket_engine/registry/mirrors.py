"""Docker Hub's mirrors, as in the Docker daemon's option registry-mirrors: what may be one, and when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from ..errors import BadRequest, EngineError, Interrupted, NoSpace
from ..reference_grammar import HUB, Repository


def checked_mirror(address: str) -> str:
    """A mirror as Docker keeps it, with a slash at its end; HTTP only if it says so. BadRequest for what is none.

    The rules are those of moby's ValidateMirror (registry/config.go).
    """
    wrong = f"invalid mirror: {address!r} has to be an address like https://mirror.example"
    try:
        there = urlsplit(address)
        host, _ = there.hostname, there.port  # whether a port is a number shows when it is asked for
    except ValueError:
        raise BadRequest(wrong) from None
    if "@" in there.netloc:  # a mirror is asked without a login, and everybody may read GET /info
        raise BadRequest("invalid mirror: an address with a user name or password is not allowed")
    if there.scheme not in ("http", "https") or not host or there.query or there.fragment:
        raise BadRequest(wrong)
    return address.rstrip("/") + "/"


def first_source(
    repository: Repository,
    auth: dict | None,
    mirrors: Sequence[str],
    ask: Callable[[str | None, dict | None], Any],
    passed_over: Callable[[str, EngineError], None] = lambda mirror, error: None,
) -> Any:
    """What ask(address, login) gives for the first source that does not fail, which is told to passed_over.

    Sources are the mirrors, in their order, if the name is Docker Hub's; then its own registry, whose address is None.
    The login is for that one alone. Raises the registry's EngineError, and Interrupted and NoSpace at once.
    """
    for mirror in mirrors if repository.domain == HUB else ():
        try:
            return ask(mirror, None)
        except (Interrupted, NoSpace):
            raise
        except EngineError as error:
            passed_over(mirror, error)
    return ask(None, auth)
