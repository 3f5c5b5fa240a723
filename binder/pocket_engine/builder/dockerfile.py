"""A Dockerfile as a plan: arguments before the first FROM, then stages with their instructions.

Syntax is e2b-dockerfile-utils' (BuildKit's parser, ported); what an instruction may look like is checked here, before
anything is built, as Docker does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from e2b_dockerfile_utils import DockerfileInstruction, DockerfileSyntaxError, parse_dockerfile_ast

from ..errors import BadRequest
from . import healthcheck_instruction

FLAGS = {
    "FROM": ("platform",),
    "ADD": ("chown", "chmod"),
    "COPY": ("chown", "chmod", "from"),
    "RUN": ("mount",),
    "HEALTHCHECK": ("interval", "timeout", "start-period", "start-interval", "retries"),
}
_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_ONE_OR_MORE = {"ENV", "LABEL", "ADD", "COPY", "EXPOSE", "VOLUME", "ONBUILD", "SHELL", "HEALTHCHECK", "ARG"}
_EXACTLY_ONE = {"WORKDIR", "USER", "STOPSIGNAL", "MAINTAINER"}


@dataclass(frozen=True)
class Step:
    """One instruction. `text` is what follows "Step n/m : "; flags as {name: value}."""

    name: str
    text: str
    args: tuple[str, ...]
    flags: dict[str, str] = field(default_factory=dict)
    json: bool = False
    heredocs: tuple = ()
    line: int = 0
    escape: str = "\\"


@dataclass
class Stage:
    """One FROM and what follows; `name` is lower case, "" without AS."""

    base: str
    name: str
    start: Step
    steps: list[Step] = field(default_factory=list)


@dataclass
class Plan:
    """`global_args` holds the ARGs ahead of the first FROM."""

    global_args: list[Step]
    stages: list[Stage]
    warnings: list[str] = field(default_factory=list)

    def count(self) -> int:
        """How many steps the builder announces."""
        return len(self.global_args) + sum(1 + len(stage.steps) for stage in self.stages)

    def up_to_target(self, target: str) -> Plan:
        """The plan that ends with the stage of that name. Raises BadRequest if there is none."""
        if not target:
            return self
        number = None if target.isdecimal() else find_stage(self.stages, target)
        if number is None:
            raise BadRequest(f"failed to reach build target {target} in Dockerfile")
        return Plan(self.global_args, self.stages[: number + 1], self.warnings)


def find_stage(stages: list, name: str) -> int | None:
    """The number of the stage of that name, the last one if several have it; else the number that the name is."""
    found = [number for number, stage in enumerate(stages) if stage.name and stage.name == name.lower()]
    if found:
        return found[-1]
    return int(name) if name.isdecimal() and int(name) < len(stages) else None


def parse(text: str) -> Plan:
    """Raises BadRequest, with Docker's words and the line, for what is no Dockerfile."""
    if not text.strip():
        raise BadRequest("the Dockerfile (Dockerfile) cannot be empty")
    try:
        found = parse_dockerfile_ast(text)
    except DockerfileSyntaxError as error:
        raise BadRequest(_syntax(error)) from None
    if not found.instructions:
        raise BadRequest("failed to parse Dockerfile: file with no instructions")
    plan = Plan([], [], _warnings(found.warnings))
    for instruction in found.instructions:
        step = _step(instruction, found.escape_token)
        if step.name == "FROM":
            stage = _stage(step)
            plan.stages.append(stage)
        elif plan.stages:
            plan.stages[-1].steps.append(step)
        elif step.name == "ARG":
            plan.global_args.append(step)
        else:
            raise BadRequest("no build stage in current context")
    if not plan.stages:
        raise BadRequest("no build stage in current context")
    return plan


def _warnings(found: list) -> list[str]:
    lines = [
        f"[WARNING]: {warning.message.replace('found in: ', 'found in:' + chr(10) + '    ')}\n" for warning in found
    ]
    lines += ["[WARNING]: Empty continuation lines will become errors in a future release.\n"] if lines else []
    return ["".join(lines)] if lines else []


def _syntax(error: DockerfileSyntaxError) -> str:
    """Docker names the line only of what its second pass finds."""
    words = re.sub(r"^Dockerfile parse error( on line \d+)?: ", "", str(error))
    if words.startswith("unknown instruction"):
        return f"dockerfile parse error line {error.line}: {words.split(':')[0]}: {words.partition(': ')[2].upper()}"
    return f"failed to parse Dockerfile: {words}"


def parse_instruction(text: str) -> Step:
    """One instruction, such as an ONBUILD trigger or a change of `docker import`. Raises BadRequest."""
    try:
        found = parse_dockerfile_ast(text)
    except DockerfileSyntaxError as error:
        raise BadRequest(re.sub(r"^Dockerfile parse error( on line \d+)?: ", "", str(error))) from None
    if len(found.instructions) != 1:
        raise BadRequest(f"this is not one instruction of a Dockerfile: {text}")
    return _step(found.instructions[0], found.escape_token)


def _stage(step: Step) -> Stage:
    words = step.args
    if len(words) == 1:
        return Stage(words[0], "", step)
    if len(words) == 3 and words[1].upper() == "AS":
        name = words[2].lower()
        if not _STAGE_NAME.fullmatch(name):
            raise _problem(
                step, f'invalid name for build stage: "{words[2]}", name can\'t start with a number or contain symbols'
            )
        return Stage(words[0], name, step)
    raise _problem(step, "FROM requires either one or three arguments")


def _step(instruction: DockerfileInstruction, escape: str) -> Step:
    name = instruction.name
    args = tuple(instruction.args)
    if name == "ONBUILD":  # the parser leaves a trigger as it is
        args = tuple(instruction.original.strip().split(None, 1)[1:])
    step = Step(
        name,
        instruction.original.strip(),
        args,
        _flags(instruction),
        instruction.json,
        tuple(instruction.heredocs),
        instruction.start_line,
        escape,
    )
    _check(step)
    return step


def _flags(instruction: DockerfileInstruction) -> dict[str, str]:
    known, found = FLAGS.get(instruction.name, ()), {}
    for flag in instruction.flags:
        name, equals, value = flag.removeprefix("--").partition("=")
        if name not in known:
            raise BadRequest(f"dockerfile parse error line {instruction.start_line}: Unknown flag: {name}")
        if not equals:
            raise BadRequest(f"dockerfile parse error line {instruction.start_line}: Missing a value on flag: {name}")
        if name in found:
            raise BadRequest(f"dockerfile parse error line {instruction.start_line}: Duplicate flag specified: {name}")
        found[name] = value
    return found


def _check(step: Step) -> None:
    name, args = step.name, step.args
    if name in _ONE_OR_MORE and not args:
        raise _problem(step, f"{name} requires at least one argument")
    if name in _EXACTLY_ONE and len(args) != 1:
        raise _problem(step, f"{name} requires exactly one argument")
    if name in ("COPY", "ADD") and len(args) + len(step.heredocs) < 2:
        raise _problem(
            step,
            f"{name} requires at least two arguments, but only one was provided. Destination could not be determined",
        )
    if name == "SHELL" and not step.json:
        raise _problem(step, "SHELL requires the arguments to be in JSON form")
    if name == "ENV" and any(not key for key in args[::3]):
        raise _problem(step, "ENV names can not be blank")
    if name == "ARG" and any(not word.partition("=")[0] for word in args):
        raise _problem(step, "ARG names can not be blank")
    if name == "VOLUME" and not all(word.strip() for word in args):
        raise _problem(step, "VOLUME specified can not be an empty string")
    if name == "ONBUILD":
        _check_trigger(step)
    if name == "HEALTHCHECK":
        try:
            healthcheck_instruction.parse(step.args, step.flags, step.json)
        except BadRequest as error:
            raise _problem(step, error.message) from None


def _check_trigger(step: Step) -> None:
    word = step.args[0].split()[0].upper() if step.args else ""
    if word == "ONBUILD":
        raise _problem(step, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if word in ("FROM", "MAINTAINER"):
        raise _problem(step, f"{word} isn't allowed as an ONBUILD trigger")


def _problem(step: Step, words: str) -> BadRequest:
    return BadRequest(f"dockerfile parse error line {step.line}: {words}")
