"""A Dockerfile as a plan of the factory: its stages, their steps, and what each takes from which other stage."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from e2b_dockerfile_utils import parse_dockerfile_ast

OFFICE = -1  # the stage number of what stands before the first FROM


@dataclass(frozen=True)
class Step:
    """One instruction. word: as the Dockerfile has it, "COPY --from" apart from COPY; text: in one line."""

    word: str
    line: int
    text: str
    args: list[str]
    stage: int
    takes_from: int | str | None = None  # a stage's number, or the name of an image from outside

    @property
    def name(self) -> str:
        """The bare Dockerfile word."""
        return self.word.split()[0]


@dataclass
class Stage:
    """One FROM and what follows. base: the image it starts from; parent: the stage it starts from instead."""

    number: int
    name: str
    base: str
    parent: int | None
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """office: the ARGs before the first FROM; stages in order, the last one makes the image."""

    office: list[Step]
    stages: list[Stage]

    @property
    def steps(self) -> list[Step]:
        """All steps in the order of their lines."""
        return self.office + [step for stage in self.stages for step in stage.steps]

    @property
    def shipped(self) -> set[int]:
        """The stages whose whole content is in the image: the last, and those it is built upon."""
        number, found = len(self.stages) - 1, set()
        while number is not None and number >= 0:
            found.add(number)
            number = self.stages[number].parent
        return found

    @property
    def needed(self) -> set[int]:
        """The stages that the image cannot be built without; BuildKit skips the others."""
        found, queue = set(), [len(self.stages) - 1] if self.stages else []
        while queue:
            number = queue.pop()
            if number not in found:
                found.add(number)
                stage = self.stages[number]
                queue += [n for n in (stage.parent, *(step.takes_from for step in stage.steps)) if isinstance(n, int)]
        return found

    def title_of(self, number: int) -> str:
        """A stage's name, or its number where it has none."""
        return self.stages[number].name or f"stage {number}"


def plan_of(dockerfile_text: str) -> Plan:
    """Read a Dockerfile. Raises DockerfileSyntaxError (a ValueError that names the line) where it is not one."""
    office: list[Step] = []
    stages: list[Stage] = []
    values: dict[str, str] = {}  # ARGs before the first FROM: the only ones that FROM sees
    for item in parse_dockerfile_ast(dockerfile_text).instructions:
        text, args = " ".join(item.original.split()), list(item.args)
        if item.name == "FROM":
            base = _expand(args[0] if args else "?", values)
            name = args[2] if len(args) > 2 and args[1].lower() == "as" else ""
            stages.append(Stage(len(stages), name, base, _stage_called(base, stages, numbers=False)))
        elif item.name == "ARG" and not stages:
            values.update(arg.split("=", 1) for arg in args if "=" in arg)
        source = _source(item.name, item.flags, stages[:-1], values)
        word = "COPY --from" if item.name == "COPY" and source is not None else item.name
        step = Step(word, item.start_line, text, args, len(stages) - 1, source)
        (stages[-1].steps if stages else office).append(step)
    return Plan(office, stages)


def _source(name: str, flags: list[str], earlier: list[Stage], values: dict[str, str]) -> int | str | None:
    """Where COPY --from=X or RUN --mount=…,from=X takes its files: an earlier stage's number, or an image's name."""
    pattern = {"COPY": r"--from=(.+)", "RUN": r"--mount=(?:.*,)?from=([^,]+)"}.get(name)
    for match in (re.fullmatch(pattern + r"(?:,.*)?" if name == "RUN" else pattern, flag) for flag in flags if pattern):
        if match:
            called = _expand(match[1].strip("\"'"), values)
            number = _stage_called(called, earlier)
            return called if number is None else number
    return None


def _stage_called(name: str, stages: list[Stage], numbers: bool = True) -> int | None:
    """The stage of that name; names know no case. COPY --from also takes a stage's number, FROM does not."""
    for stage in reversed(stages):
        if stage.name and stage.name.lower() == name.lower():
            return stage.number
    return int(name) if numbers and name.isdigit() and int(name) < len(stages) else None


def _expand(text: str, values: dict[str, str]) -> str:
    """`${NAME}`, `$NAME` and `${NAME:-default}` replaced where the value is known."""

    def value(match: re.Match) -> str:
        name, default = match[1] or match[3], match[2]
        return values.get(name) or (default if default is not None else match[0])

    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)", value, text)
