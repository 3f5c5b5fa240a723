"""`docker import --change`: lines of a Dockerfile applied to a configuration without building anything."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from ..errors import BadRequest
from . import configuring
from .dockerfile import parse_line
from .options import State

ALLOWED = (
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "HEALTHCHECK",
    "LABEL",
    "ONBUILD",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
)


def apply(config: dict, changes: Sequence[str]) -> dict:
    """The configuration with these lines applied (Docker's reference, `docker image import`). Raises BadRequest."""
    state = State("", config=copy.deepcopy(config))
    for line in changes:
        step = parse_line(line)
        if step.name not in ALLOWED:
            raise BadRequest(f"{step.name} is not a valid change command")
        does = configuring.workdir if step.name == "WORKDIR" else configuring.BY_NAME[step.name]
        does(step, state)
    return state.config
