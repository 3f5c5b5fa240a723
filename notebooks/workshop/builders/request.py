"""What a builder is asked for, what it hands back, and what every builder has to do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import docker

from ..dockerfiles.stages import BaseImage
from ..dockerfiles.syntax import Dockerfile
from ..errors import WorkshopError
from ..progress import Panel
from .context import read_file
from .steps import Step

LONGEST_SECRET = 500 * 1024  # bytes; BuildKit takes no more (session/secrets/secretsprovider)


@dataclass(frozen=True)
class BuildRequest:
    """One build to be made. parsed: its Dockerfile. target: a stage's number. secrets: {id: content}.

    dockerfile: where the Dockerfile is, seen from the folder; "" for one that is on no disk. bases: {image that a stage is
    built FROM: what it is now}. platform: the values of the variables that say for which platform is built
    (`syntax.platform_arguments`), as far as nobody gave them others.
    """

    folder: Path
    parsed: Dockerfile
    target: int
    tag: str
    buildargs: dict[str, str] | None = None
    nocache: bool = False
    dockerfile: str = ""
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    bases: Mapping[str, BaseImage] = field(default_factory=dict, repr=False)
    platform: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BuildResult:
    """What a builder made: {stage: image id} and {stage: tag}, the target last; bytes sent of the context; its warnings."""

    stages: dict[str, str]
    stage_tags: dict[str, str]
    context_bytes: int
    warnings: list[str] = field(default_factory=list)


class BuildLog(Protocol):
    """What a builder has said so far."""

    def where(self) -> str:
        """The place in the build, for a sentence."""

    def dockerfile_steps(self) -> list[Step]:
        """The steps that are lines of the Dockerfile, in its order."""

    def printed(self) -> dict[int, list[str]]:
        """{step: what its program printed, in lines}."""


class Builder(Protocol):
    """What the module of a builder offers. The log is of the builder's own kind."""

    def check(self, client: docker.DockerClient, request: BuildRequest) -> None:
        """Raise WorkshopError for what this builder, or this engine, cannot do."""

    def stages(self, request: BuildRequest) -> Collection[int]:
        """The numbers of the stages that this builder builds for the target."""

    def start_log(self, request: BuildRequest) -> Any:
        """An empty log, a BuildLog, for `build` to fill."""

    def build(self, client: docker.DockerClient, request: BuildRequest, log: Any, panel: Panel) -> BuildResult:
        """Build and tag. Raises BuildError for a step that failed."""

    def remove_unfinished(self, client: docker.DockerClient, log: Any) -> None:
        """After an interruption: remove what the build had made."""


def read_secrets(secrets: Mapping[str, str | Path]) -> dict[str, bytes]:
    """The content of each secret: a text, or the file of that path. Raises WorkshopError for a file that cannot be read.

    It is read before anything is built, so that a mistake is told at once.
    """
    contents = {}
    for name, value in secrets.items():
        try:
            content = read_file(value, LONGEST_SECRET + 1) if isinstance(value, Path) else str(value).encode()
        except OSError as error:
            what = f"The secret {name!r} cannot be read from {value}: {error.strerror}."
            raise WorkshopError(what, "Mend its path and run the cell again.", "Nothing was built.") from None
        if len(content) > LONGEST_SECRET:
            what = f"The secret {name!r} is longer than {LONGEST_SECRET} bytes; BuildKit takes no more."
            raise WorkshopError(what, "Pass a shorter one.", "Nothing was built.")
        contents[name] = content
    return contents
