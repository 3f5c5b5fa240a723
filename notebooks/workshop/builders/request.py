"""What a builder is asked for, what it hands back, what every builder has to do, and the build context."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import docker
from docker.utils.build import Pattern
from docker.utils.build import tar as context_tar

from ..dockerfiles.syntax import Dockerfile
from ..errors import WorkshopError
from ..progress import Panel
from .steps import Step

# The Dockerfile travels in the context under this name and is excluded from it again, so that `COPY . .` never
# picks it up, whatever the file on disk is called.
DOCKERFILE_NAME = ".factory-floor.Dockerfile"


@dataclass(frozen=True)
class BuildRequest:
    """One build to be made. parsed: its Dockerfile. target: a stage's number."""

    folder: Path
    parsed: Dockerfile
    target: int
    tag: str
    buildargs: dict[str, str] | None = None
    nocache: bool = False


@dataclass(frozen=True)
class BuildResult:
    """What a builder made: {stage: image id} and {stage: tag}, the target last, and the bytes of the context."""

    stages: dict[str, str]
    stage_tags: dict[str, str]
    context_bytes: int


class BuildLog(Protocol):
    """What a builder has said so far."""

    def where(self) -> str:
        """The place in the build, for a sentence."""

    def dockerfile_steps(self) -> list[Step]:
        """The steps that are lines of the Dockerfile, in its order."""


class Builder(Protocol):
    """What the module of a builder offers. The log is of the builder's own kind."""

    def check(self, client: docker.DockerClient, request: BuildRequest) -> None:
        """Raise WorkshopError for what this builder, or this engine, cannot do."""

    def start_log(self, request: BuildRequest) -> Any:
        """An empty log, a BuildLog, for `build` to fill."""

    def build(self, client: docker.DockerClient, request: BuildRequest, log: Any, panel: Panel) -> BuildResult:
        """Build and tag. Raises BuildError for a step that failed."""

    def remove_unfinished(self, client: docker.DockerClient, log: Any) -> None:
        """After an interruption: remove what the build had made."""


def pack_context(folder: Path, dockerfile: str | None) -> tuple[io.BufferedIOBase, int]:
    """The build context as an open tar file, and its size in bytes; .dockerignore is honoured as moby does.

    dockerfile: the text that goes with it; None for the context alone. Raises WorkshopError for a file or folder in it
    that cannot be read.
    """
    patterns = _patterns(folder)
    try:
        packed = context_tar(str(folder), exclude=patterns, dockerfile=(DOCKERFILE_NAME, dockerfile), gzip=False)
    except OSError as error:
        raise _unreadable(folder, error) from None
    count = packed.seek(0, io.SEEK_END)
    packed.seek(0)
    return packed, count


def ignores_itself(folder: Path) -> bool:
    """True if .dockerignore names itself: the Docker SDK packs it nevertheless, for the engine to leave out."""
    matching = [pattern for pattern in map(Pattern, _patterns(folder)) if pattern.match(".dockerignore")]
    return bool(matching) and not matching[-1].exclusion


def _patterns(folder: Path) -> list[str]:
    ignore = folder / ".dockerignore"
    try:
        lines = ignore.read_text(encoding="utf-8-sig").splitlines() if ignore.is_file() else []
    except OSError as error:
        raise _unreadable(folder, error) from None
    except UnicodeDecodeError as error:
        raise WorkshopError(
            f"{folder.name}/.dockerignore cannot be read: byte {error.start} of it is not UTF-8.",
            "Save it as UTF-8, then run the cell again.",
            "Nothing was built.",
        ) from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _unreadable(folder: Path, error: OSError) -> WorkshopError:
    """The error for what is in the context and cannot be read, with its path as seen from the folder."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error  # the SDK wraps what a file raises
    path = Path(cause.filename or str(error).rpartition(": ")[2])
    inside = path.relative_to(folder) if path.is_relative_to(folder) else path
    shown = "the folder itself" if inside == Path() else str(inside)
    return WorkshopError(
        f"The build context {folder.name} cannot be packed, because of {shown}: {cause.strerror or cause}.",
        f'Let yourself read it (`chmod -R u+rX "{path}"`, or its owner does), or name it in .dockerignore: it stays out then.',
        "Nothing was built.",
    )
