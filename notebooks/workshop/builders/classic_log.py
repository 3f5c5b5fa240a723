"""What a builder's stream says, understood: steps, stages, what was made. Docker's classic builder, and Podman's.

Docker says "Step 3/7 : RUN …", " ---> Running in <container>", " ---> <image>", and {"aux": {"ID": …}} after each stage;
Podman says "[1/2] STEP 2/4: RUN …", "--> <image>", and the aux once, at the end. Neither is documented further than in
their source (moby/builder/dockerfile, buildah/imagebuildah).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from ..dockerfiles.syntax import Dockerfile, Instruction
from ..labels import LABEL

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # colours that the builder or a step's program put into its output
STEP = re.compile(r"(?:\[\d+/\d+\] )?(?:Step|STEP) \d+/\d+ ?: (.*)")
CACHED = re.compile(r"\s*-{2,3}> Using cache\b")
RUNNING = re.compile(r" ---> Running in ([0-9a-f]+)")
IMAGE = re.compile(r"(?: --->|-->) ([0-9a-f]{12,64})$")
CHATTER = re.compile(
    r"\s*$| ---> Remov|Removing intermediate|Successfully (built|tagged)|(\[\d+/\d+\] )?COMMIT\b|[0-9a-f]{64}$"
)


@dataclass
class Step:
    """One instruction under way or done. `line` is 0 for the label that we asked the builder to add."""

    number: int  # from 1
    stage: str
    line: int
    instruction: str
    status: str  # "base", "cached" or "run"
    began: float
    seconds: float = 0.0
    image: str = ""  # short id after the step
    bytes: int = 0  # what the engine's history says that it added


class Transcript:
    """A build as told so far. `feed` it every message of the stream, then `end` it."""

    def __init__(self, parsed: Dockerfile):
        self.parsed = parsed
        self.steps: list[Step] = []
        self.stage_ids: dict[str, str] = {}  # {stage name: image id}, in the order of building
        self.containers: list[str] = []
        self.made: list[str] = []  # short ids of images that this build made, not found in the cache
        self.output: list[str] = []  # of the step under way
        self.failure = ""  # the builder's last word, if it failed
        self._next = 0  # index of the instruction that should come next

    @property
    def current(self) -> Step | None:
        return self.steps[-1] if self.steps else None

    def feed(self, message: dict) -> None:
        """Take in one message of the stream, decoded."""
        if "error" in message or "errorDetail" in message:
            self.failure = message.get("error") or message["errorDetail"].get("message", "")
        if "ID" in message.get("aux", {}) and self.current:
            self.stage_ids[self.current.stage] = message["aux"]["ID"]
        for line in ANSI.sub("", message.get("stream", "")).splitlines():
            self._line(line)

    def end(self) -> None:
        """The stream is over."""
        if self.current:
            self.current.seconds = round(time.monotonic() - self.current.began, 3)

    def where(self) -> str:
        """The place in the build, for a sentence."""
        return f"step {self.current.number} of the build" if self.current else "the build"

    def instruction(self) -> Instruction | None:
        """The Dockerfile's instruction that is under way."""
        found = [one for one in self.parsed.instructions if self.current and one.line == self.current.line]
        return found[0] if found else None

    def lines(self) -> list[Step]:
        """The steps that are lines of the Dockerfile."""
        return [step for step in self.steps if step.line]

    def _line(self, line: str) -> None:
        if found := STEP.match(line):
            self.end()
            self._begin(found[1])
        elif not self.current:
            return
        elif CACHED.match(line):
            self.current.status = "cached"
        elif found := RUNNING.match(line):
            self.containers.append(found[1])
        elif found := IMAGE.match(line):
            self._image(found[1])
        elif not CHATTER.match(line):
            self.output.append(line)

    def _begin(self, text: str) -> None:
        known = self._find(text)
        stage = self.current.stage if self.current else ""
        if known:
            stage = "" if known.stage is None else self.parsed.stages[known.stage].name
        status = "base" if text.upper().startswith("FROM") else "run"
        line, words = (known.line, known.text) if known else (0, text)
        self.output = []
        self.steps.append(Step(len(self.steps) + 1, stage, line, words, status, time.monotonic()))

    def _find(self, text: str) -> Instruction | None:
        """The instruction that a step's text stands for. Builders may pass over whole stages, and early ARGs."""
        word = text.split()[0].upper()
        rest = self.parsed.instructions[self._next :]
        same = [one for one in rest if one.word == word]
        exact = [one for one in same if one.text.split() == text.split()]
        ours = word == "LABEL" and LABEL in text and not exact
        known = None if ours or not same else (exact or same)[0] if word == "FROM" else same[0]
        if known:
            self._next = self.parsed.instructions.index(known) + 1
        return known

    def _image(self, short_id: str) -> None:
        step = self.current
        step.image = short_id
        self.stage_ids[step.stage] = short_id
        if step.status == "run" and short_id not in self.made:
            self.made.append(short_id)
