"""`docker import --change`: lines of a Dockerfile applied to a configuration without building anything."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from ..errors import BadRequest
from . import config_instructions
from .dockerfile import parse_instruction
from .options_and_state import StageState

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
    state = StageState("", config=copy.deepcopy(config))
    for line in changes:
        step = parse_instruction(line)
        if step.name not in ALLOWED:
            raise BadRequest(f"{step.name} is not a valid change command")
        does = config_instructions.workdir if step.name == "WORKDIR" else config_instructions.BY_NAME[step.name]
        does(step, state)
    return state.config
