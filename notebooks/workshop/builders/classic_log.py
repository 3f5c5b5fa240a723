"""The log of a classic build, read from the builder's stream: steps, stages, new images. Docker's builder, and Podman's.

Docker says "Step 3/7 : RUN …", " ---> Running in <container>", " ---> <image>", and {"aux": {"ID": …}} after each stage;
Podman says "[1/2] STEP 2/4: RUN …", "--> <image>", and the aux once, at the end. Neither is documented further than in
their source (moby/builder/dockerfile, buildah/imagebuildah).

What a program prints comes in the same stream, in the same form, so the ids in lines are no more than claims: before anything
is removed the engine is asked (classic_leftovers.py). An aux is the builder's own: no program can send one.
"""

from __future__ import annotations

import re
import time

from ..dockerfiles.syntax import Dockerfile, Instruction
from ..labels import LABEL
from .steps import ANSI, Step

STEP = re.compile(r"(?:(?P<podman>(?:\[\d+/\d+\] )?STEP)|Step) (?P<number>\d+)/\d+ ?: (?P<text>.*)")
CACHED = re.compile(r"\s*-{2,3}> Using cache\b")
RUNNING = re.compile(r" ---> Running in ([0-9a-f]+)")
IMAGE = re.compile(r"(?: --->|-->) ([0-9a-f]{12,64})$")
NOT_OUTPUT = re.compile(
    r"\s*$| ---> Remov|Removing intermediate|Successfully (built|tagged)|(\[\d+/\d+\] )?COMMIT\b|[0-9a-f]{64}$"
)


class ClassicLog:
    """What the builder has said so far. `feed` it every message of the stream, then `end` it."""

    def __init__(self, parsed: Dockerfile) -> None:
        self.parsed = parsed
        self.steps: list[Step] = []
        self.began = 0  # by the engine's clock, in nanoseconds
        self.stage_ids: dict[str, str] = {}  # {stage name: image id}, in the order of building
        self.containers: list[str] = []
        self.images: list[str] = []  # short ids of all that the build went through, the bases' too
        self.new_images: list[str] = []  # of those, the ones that this build made, not found in the cache
        self.output: list[str] = []  # of the step under way
        self.failure = ""  # the builder's last word, if it failed
        self._aux: list[str] = []  # the ids that came apart from what is printed
        self._running = False  # a program may be printing
        self._next = self._before = 0  # index of the instruction that should come next, and of the one before

    @property
    def current(self) -> Step | None:
        return self.steps[-1] if self.steps else None

    def feed(self, message: dict) -> None:
        """Take in one message of the stream, decoded."""
        if "error" in message or "errorDetail" in message:
            self.failure = message.get("error") or message["errorDetail"].get("message", "")
        if "ID" in message.get("aux", {}) and self.current:
            self._aux.append(message["aux"]["ID"])
            self.stage_ids[self.current.stage] = self._aux[-1]
        for line in ANSI.sub("", message.get("stream", "")).splitlines():
            self._line(line)

    def end(self) -> None:
        """The stream is over."""
        if self.current:
            self.current.ended = time.monotonic()
            self.current.seconds = round(self.current.ended - self.current.began, 3)

    def where(self) -> str:
        """The place in the build, for a sentence."""
        return f"step {self.current.number} of the build" if self.current else "the build"

    def instruction(self) -> Instruction | None:
        """The Dockerfile's instruction that is under way."""
        line = self.current.line if self.current else 0
        return next((instruction for instruction in self.parsed.instructions if instruction.line == line), None)

    def stages_until(self, target: int) -> dict[str, str]:
        """{stage name: image id} of the stages that were built for the target, whatever programs printed.

        Docker builds every stage up to the target, in order, and sends an aux after each.
        """
        names = [stage.name for stage in self.parsed.stages[: target + 1]]
        if len(self._aux) == len(names):
            return dict(zip(names, self._aux))
        return {name: image for name, image in self.stage_ids.items() if name}

    def dockerfile_steps(self) -> list[Step]:
        """The steps that are lines of the Dockerfile."""
        return [step for step in self.steps if step.line]

    def printed(self) -> dict[int, list[str]]:
        """{step: the lines that its program printed}, of the steps that printed any."""
        return {step.number: step.printed for step in self.dockerfile_steps() if step.printed}

    def _line(self, line: str) -> None:
        if (found := STEP.match(line)) and (found["podman"] or self._is_due(int(found["number"]))):
            self.end()
            self._begin(found["text"])
        elif not (step := self.current):
            return
        elif CACHED.match(line):
            step.status = "cached"
        elif found := RUNNING.match(line):
            self.containers.append(found[1])
            self._running = True
        elif found := IMAGE.match(line):
            self._running = False
            self._note_image(step, found[1])
        elif not NOT_OUTPUT.match(line):
            self.output.append(line)

    def _is_due(self, number: int) -> bool:
        """True if Docker's step of this number can begin now. If it has begun already, that was a program's word."""
        if number == len(self.steps) > 1:
            false_start = self.steps.pop()
            self.steps[-1].image = false_start.image
            self._next = self._before
            return True
        return number == len(self.steps) + 1 and not self._running

    def _begin(self, text: str) -> None:
        instruction = self._find(text)
        stage = self.current.stage if self.current else ""
        if instruction:
            stage = "" if instruction.stage is None else self.parsed.stages[instruction.stage].name
        status = "base" if text.upper().startswith("FROM") else "run"
        line, words = (instruction.line, instruction.text) if instruction else (0, text)
        self.output = []
        step = Step(len(self.steps) + 1, stage, line, words, status, time.monotonic(), printed=self.output)
        self.steps.append(step)

    def _find(self, text: str) -> Instruction | None:
        """The instruction that a step's text stands for. Builders may pass over whole stages, and early ARGs."""
        word = text.split()[0].upper()
        rest = self.parsed.instructions[self._next :]
        same_word = [instruction for instruction in rest if instruction.word == word]
        same_text = [instruction for instruction in same_word if instruction.text.split() == text.split()]
        our_label = word == "LABEL" and LABEL in text and not same_text
        if our_label or not same_word:
            return None
        found = (same_text or same_word)[0] if word == "FROM" else same_word[0]
        self._before, self._next = self._next, self.parsed.instructions.index(found) + 1
        return found

    def _note_image(self, step: Step, short_id: str) -> None:
        step.image = short_id
        self.stage_ids[step.stage] = short_id
        self.images.append(short_id)
        if step.status == "run" and short_id not in self.new_images:
            self.new_images.append(short_id)
