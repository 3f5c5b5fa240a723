"""Whether a platform that a client names is this machine's."""

from __future__ import annotations

from ..errors import NotDone
from ..registry.platforms import here, matches, parse


def check_platform(asked: str) -> None:
    """Nothing for "" and for what this machine runs. Raises NotDone for another platform, BadRequest for nonsense."""
    if asked and not matches(here(), parse(asked)):
        raise NotDone(f"The pocket engine does not run {asked}: it has {here()}, this machine's, only.")
