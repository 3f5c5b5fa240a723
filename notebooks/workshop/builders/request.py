"""What a builder is asked for, what it hands back, and the build context that goes with it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from docker.utils.build import Pattern
from docker.utils.build import tar as context_tar

from ..dockerfiles.syntax import Dockerfile
from ..units import shorten
from .classic_log import Step

# The Dockerfile travels in the context under this name and is excluded from it again, so that `COPY . .` never
# picks it up, whatever the file on disk is called.
IN_CONTEXT = ".factory-floor.Dockerfile"

SHOWN_FROM = 100_000  # bytes; below that some engines count disk blocks instead of content

COLUMNS = ["step", "stage", "line", "instruction", "status", "seconds", "bytes", "image"]


@dataclass(frozen=True)
class Order:
    """One build to be made. target: a stage's number."""

    folder: Path
    parsed: Dockerfile
    target: int
    tag: str
    buildargs: dict[str, str] | None = None
    nocache: bool = False


@dataclass(frozen=True)
class Made:
    """What a builder made: {stage: image id} and {stage: tag}, the target last, and the bytes of the context."""

    stages: dict[str, str]
    stage_tags: dict[str, str]
    context_bytes: int


def pack_context(folder: Path, dockerfile: str | None) -> tuple[io.BufferedIOBase, int]:
    """The build context as an open tar file, and its size in bytes; .dockerignore is honoured as moby does.

    dockerfile: the text that goes with it; None for the context alone.
    """
    packed = context_tar(str(folder), exclude=_patterns(folder), dockerfile=(IN_CONTEXT, dockerfile), gzip=False)
    count = packed.seek(0, io.SEEK_END)
    packed.seek(0)
    return packed, count


def drops_itself(folder: Path) -> bool:
    """True if .dockerignore names itself: the Docker SDK packs it nevertheless, for the engine to leave out."""
    named = [one for one in map(Pattern, _patterns(folder)) if one.match(".dockerignore")]
    return bool(named) and not named[-1].exclusion


def _patterns(folder: Path) -> list[str]:
    ignore = folder / ".dockerignore"
    lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.is_file() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def steps_frame(steps: Iterable[Step]) -> pd.DataFrame:
    """The steps as `Build.steps` has them."""
    rows = [
        (step.number, step.stage, step.line, step.instruction, step.status, step.seconds, step.bytes, step.image)
        for step in steps
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def first_line(text: str) -> str:
    """An instruction on one line."""
    return shorten(text.splitlines()[0], 100)
