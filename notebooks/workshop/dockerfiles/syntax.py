"""Reading a Dockerfile: its instructions with their lines, its stages, the base images it names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from e2b_dockerfile_utils import DockerfileSyntaxError, ShellLex, parse_dockerfile_ast

from ..errors import WorkshopError


@dataclass(frozen=True)
class Instruction:
    """One instruction. `line` counts from 1; `text` is as written, continuation lines joined."""

    word: str
    text: str
    line: int
    stage: int | None  # None before the first FROM
    flags: tuple[str, ...] = ()  # such as --from=builder
    heredoc: bool = False


@dataclass(frozen=True)
class Stage:
    """One FROM and what follows. `base` is an image, an earlier stage's name, or "scratch"."""

    index: int
    name: str  # as after AS, else "stage-1" with its number, as BuildKit says it
    base: str
    line: int
    named: bool = False  # by AS


@dataclass(frozen=True)
class Dockerfile:
    """A parsed Dockerfile; `instructions` in the order, and with the count, of the classic builder's steps."""

    text: str
    instructions: tuple[Instruction, ...] = field(repr=False)
    stages: tuple[Stage, ...] = ()

    def images(self) -> list[str]:
        """The images from outside that a build needs, in order: bases, and `COPY --from=image`."""
        own = {stage.name for stage in self.stages} | {str(stage.index) for stage in self.stages} | {"scratch"}
        own = {name.lower() for name in own}
        named = [*(stage.base for stage in self.stages), *self.copied_from()]
        return list(dict.fromkeys(name for name in named if name.lower() not in own))

    def copied_from(self) -> list[str]:
        """What follows `--from=`, anywhere."""
        flags = [flag for instruction in self.instructions for flag in instruction.flags]
        return [flag.removeprefix("--from=") for flag in flags if flag.startswith("--from=")]

    def target(self, target: str | int | None) -> str | None:
        """What to tell the engine, which knows stages by the name after AS only: a name, or None for the last stage.

        Raises WorkshopError if there is no such stage, or if it has no name and is not the last.
        """
        stage = self.stages[self.stage_index(target)]
        if stage.named:
            return None if target is None else stage.name
        if stage.index == len(self.stages) - 1:
            return None
        raise WorkshopError(
            f"The engine cannot stop at {stage.name}: that stage has no name of its own.",
            f"Give it one on line {stage.line}: FROM {stage.base} AS something.",
        )

    def stage_index(self, target: str | int | None) -> int:
        """The number of the stage that `target` names (None: the last one).

        Raises WorkshopError if there is no such stage.
        """
        if target is None:
            return len(self.stages) - 1
        for stage in self.stages:
            if str(target).lower() in (stage.name.lower(), str(stage.index)):
                return stage.index
        names = ", ".join(stage.name for stage in self.stages)
        raise WorkshopError(f"The Dockerfile has no stage called {target!r}.", f"Its stages are: {names}.")


def parse(text: str) -> Dockerfile:
    """Parse a Dockerfile. Raises WorkshopError, naming the line, where it cannot be understood."""
    try:
        tree = parse_dockerfile_ast(text)
    except DockerfileSyntaxError as error:
        raise WorkshopError(
            f"The Dockerfile cannot be read: {str(error).removeprefix('Dockerfile parse error ')}.",
            "Mend that line and run the cell again.",
        ) from None
    instructions, stages, defaults = [], [], {}
    for node in tree.instructions:
        word = node.name.upper()
        if word == "ARG" and not stages:
            defaults |= dict(arg.split("=", 1) for arg in node.args if "=" in arg)
        if word == "FROM":
            stages.append(_stage(len(stages), node, ShellLex(tree.escape_token, env=defaults, skip_unset_env=False)))
        joined = re.sub(r"\s{2,}", " ", node.original).strip()
        stage = len(stages) - 1 if stages else None
        instructions.append(Instruction(word, joined, node.start_line, stage, tuple(node.flags), bool(node.heredocs)))
    if not stages:
        raise WorkshopError("The Dockerfile has no FROM line, so there is nothing to build on.", "Begin it with FROM.")
    return Dockerfile(text, tuple(instructions), tuple(stages))


def _stage(index: int, node, lex: ShellLex) -> Stage:
    words = node.args
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
        raise WorkshopError(
            f"Line {node.start_line} of the Dockerfile cannot be read: {node.original!r}.",
            "FROM takes an image, and a name for the stage if you like: FROM image AS name.",
        )
    named = len(words) == 3
    return Stage(index, words[2] if named else f"stage-{index}", lex.process_word(words[0]), node.start_line, named)


def locate(app: str | Path, sample_apps: Path) -> Path:
    """The folder of an app: a name in sample_apps/, or a path. Raises WorkshopError, listing the names there are."""
    for folder in (sample_apps / app, Path(app)):
        if folder.is_dir():
            return folder.resolve()
    names = ", ".join(sorted(path.name for path in sample_apps.iterdir() if path.is_dir()))
    raise WorkshopError(
        f"There is no app called {str(app)!r}, and no such folder, seen from {Path.cwd().name}/.",
        f"The sample apps are: {names}.",
    )


def read(folder: Path, dockerfile: str) -> str:
    """The text of a Dockerfile: a file's name in the app's folder, or the text itself if it has several lines.

    Raises WorkshopError, listing the Dockerfiles there are.
    """
    if "\n" in dockerfile:
        return dockerfile
    path = folder / dockerfile
    if path.is_file():
        return path.read_text(encoding="utf-8")
    names = ", ".join(sorted(path.name for path in folder.glob("*Dockerfile*"))) or "none"
    raise WorkshopError(f"{folder.name} has no file {dockerfile!r}.", f"Its Dockerfiles are: {names}.")
