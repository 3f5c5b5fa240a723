"""The steps of a build, whichever builder took them, and how they are shown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from ..units import shorten, size

SMALLEST_SHOWN = 100_000  # bytes; below that some engines count disk blocks instead of content

COLUMNS = ["step", "stage", "line", "instruction", "status", "began", "ended", "seconds", "bytes", "image"]

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # colours that the builder or a step's program put into its output


@dataclass
class Step:
    """One instruction under way or done. `line` is 0 for the label that we asked the builder to add."""

    number: int  # from 1
    stage: str
    line: int
    instruction: str
    status: str  # "base", "cached" or "run"; on BuildKit also "skipped"
    began: float = math.nan  # by a clock of the builder's choice; not a number for a line that was no work of its own
    ended: float = math.nan
    seconds: float = 0.0
    image: str = ""  # short id after the step
    bytes: int = 0  # what the engine's history says that it added
    printed: list[str] = field(default_factory=list)


def steps_frame(steps: Iterable[Step]) -> pd.DataFrame:
    """The steps as `Build.steps` has them: began and ended in seconds since the first of them began."""
    steps = list(steps)
    first = min((step.began for step in steps if not math.isnan(step.began)), default=0.0)
    rows = [
        (step.number, step.stage, step.line, step.instruction, step.status)
        + (round(step.began - first, 3), round(step.ended - first, 3), step.seconds, step.bytes, step.image)
        for step in steps
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def first_line(text: str) -> str:
    """An instruction on one line."""
    return shorten(text.splitlines()[0], 100)


def added(count: int, cached: bool) -> str:
    """What a step's row says of its bytes. They are the engine's own count: on some stores in whole disk blocks, so that it
    is more than the files hold."""
    return f"{'cached, ' if cached else ''}+{size(count)}, as the engine counts"
