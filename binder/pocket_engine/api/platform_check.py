"""Whether a platform that a client names is this machine's."""

from __future__ import annotations

from ..errors import Unsupported
from ..registry.platforms import host_platform, matches, parse_platform


def check_platform(asked: str) -> None:
    """Nothing for "" and for what this machine runs. Raises NotDone for another platform, BadRequest for nonsense."""
    if asked and not matches(host_platform(), parse_platform(asked)):
        raise Unsupported(f"The pocket engine does not run {asked}: it has {host_platform()}, this machine's, only.")
