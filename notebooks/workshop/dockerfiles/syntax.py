"""Reading a Dockerfile: its instructions with their lines, its stages, the base images it names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from e2b_dockerfile_utils import DockerfileSyntaxError, ShellLex, parse_dockerfile_ast

from ..errors import WorkshopError
from ..units import shorten


@dataclass(frozen=True)
class Instruction:
    """One instruction. line: counts from 1. text: as written, continuation lines joined. args: its words, without flags.

    sources: what `COPY --from=` or the `from=` of a `RUN --mount` names: the number of an earlier stage, or an image.
    """

    word: str
    text: str
    line: int
    stage: int | None  # None before the first FROM
    flags: tuple[str, ...] = ()  # such as --from=builder
    heredoc: bool = False
    args: tuple[str, ...] = ()
    sources: tuple[int | str, ...] = ()

    @property
    def source(self) -> int | str | None:
        """The first of its sources."""
        return self.sources[0] if self.sources else None


@dataclass(frozen=True)
class Stage:
    """One FROM and what follows. base: an image, an earlier stage's name, or "scratch"; parent: that stage's number."""

    index: int
    name: str  # as after AS, else "stage-1" with its number, as BuildKit says it, or "stage-1-unnamed" beside one of that name
    base: str
    line: int
    named: bool = False  # by AS
    parent: int | None = None

    @property
    def as_built(self) -> str:
        """What BuildKit calls it, in lower case."""
        return self.name.lower() if self.named else f"stage-{self.index}"


@dataclass(frozen=True)
class Dockerfile:
    """A parsed Dockerfile; `instructions` in the order, and with the count, of the classic builder's steps."""

    text: str
    instructions: tuple[Instruction, ...] = field(repr=False)
    stages: tuple[Stage, ...] = ()

    def images(self, stages: Collection[int] | None = None) -> list[str]:
        """The images from outside that a build needs: bases first, then what `COPY --from` and mounts name.

        stages: the numbers of the stages that are built; None for all.
        """
        built = [stage for stage in self.stages if stages is None or stage.index in stages]
        bases = [stage.base for stage in built if stage.parent is None and stage.base.lower() != "scratch"]
        lines = [line for stage in built for line in self.of_stage(stage.index)]
        copied = [source for line in lines for source in line.sources if isinstance(source, str)]
        return list(dict.fromkeys([*bases, *copied]))

    def copied_images(self) -> list[str]:
        """The images from outside that files are copied or mounted from."""
        return [source for line in self.instructions for source in line.sources if isinstance(source, str)]

    def of_stage(self, index: int | None) -> list[Instruction]:
        """A stage's instructions, its FROM first; those before the first FROM for None."""
        return [line for line in self.instructions if line.stage == index]

    def stage(self, name: str) -> Stage:
        """The stage that is called so. Raises StopIteration if none is: names come from the Dockerfile itself."""
        return next(stage for stage in self.stages if stage.name == name)

    def stage_of(self, line: Instruction) -> Stage:
        """The stage that an instruction stands in; what stands before the first FROM counts as in the first."""
        return self.stages[line.stage or 0]

    def lineage(self, index: int) -> list[int]:
        """A stage's number, then that of the stage it is built FROM, and so on: the stages whose layers it has."""
        chain = [index]
        while (parent := self.stages[chain[-1]].parent) is not None:
            chain.append(parent)
        return chain

    @property
    def shipped(self) -> set[int]:
        """The numbers of the stages whose whole content is in the image: the last, and those it is built upon."""
        return set(self.lineage(len(self.stages) - 1))

    def needed(self, target: int | None = None) -> list[int]:
        """The numbers of the stages that a target (None: the last stage) needs, itself included, in order.

        That is what BuildKit builds; the classic builder builds every stage up to the target.
        """
        needed: set[int] = set()
        waiting = {len(self.stages) - 1 if target is None else target}
        while waiting:
            needed |= waiting
            parents = {self.stages[index].parent for index in waiting}
            copied = {source for index in waiting for line in self.of_stage(index) for source in line.sources}
            waiting = {index for index in parents | copied if isinstance(index, int)} - needed
        return sorted(needed)

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


# What BuildKit sets by itself (Dockerfile reference, "Automatic platform ARGs in the global scope").
PLATFORM_ARGUMENTS = [side + part for side in ("TARGET", "BUILD") for part in ("PLATFORM", "OS", "ARCH", "VARIANT")]


def platform_arguments(platform: str) -> dict[str, str]:
    """The values of these for a build on the machine itself. platform: such as "linux/amd64" or "linux/arm/v7"."""
    system, architecture, variant = (platform.split("/") + ["", ""])[:3]
    return dict(zip(PLATFORM_ARGUMENTS, [platform, system, architecture, variant] * 2))


def parse(text: str, buildargs: Mapping[str, str] | None = None) -> Dockerfile:
    """Parse a Dockerfile. Raises WorkshopError, naming the line, where it cannot be understood.

    buildargs: values for ARG lines, as a build is given them; those before the first FROM decide on base images.
    """
    text = text.removeprefix("\ufeff")  # an editor's mark; in front of a line that we put there it would be an error
    try:
        tree = parse_dockerfile_ast(text)
    except DockerfileSyntaxError as error:
        raise WorkshopError(
            f"The Dockerfile cannot be read: {str(error).removeprefix('Dockerfile parse error ')}.",
            "Mend that line and run the cell again.",
        ) from None
    instructions: list[Instruction] = []
    stages: list[Stage] = []
    # ARGs before the first FROM, and those that say for which platform is built: the only ones that FROM sees
    defaults = {name: value for name, value in (buildargs or {}).items() if name in PLATFORM_ARGUMENTS}
    for node in tree.instructions:
        word = node.name.upper()
        if word == "ARG" and not stages:
            for name, equals, value in (arg.partition("=") for arg in node.args):
                if name in (buildargs or {}):
                    defaults[name] = (buildargs or {})[name]
                elif equals:  # its value may name the ARGs before it, and stand in quotes
                    defaults[name] = _value(value, node, tree.escape_token, defaults)
        if word == "FROM":
            base = _value(node.args[0], node, tree.escape_token, defaults) if node.args else ""
            stages.append(_stage(stages, node, base))
        instructions.append(
            Instruction(
                word,
                re.sub(r"\s{2,}", " ", node.original).strip(),
                node.start_line,
                len(stages) - 1 if stages else None,
                tuple(node.flags),
                bool(node.heredocs),
                tuple(node.args),
                _sources(word, node.flags, stages[:-1]),
            )
        )
    if not stages:
        raise WorkshopError("The Dockerfile has no FROM line, so there is nothing to build on.", "Begin it with FROM.")
    return Dockerfile(text, tuple(instructions), tuple(_told_apart(stages)))


def _told_apart(stages: list[Stage]) -> list[Stage]:
    """The stages, where one without a name that goes by another's name gets one of its own."""
    named = {stage.name.lower() for stage in stages if stage.named}
    return [
        dataclasses.replace(stage, name=f"{stage.name}-unnamed") if not stage.named and stage.name in named else stage
        for stage in stages
    ]


def _value(word: str, node, escape: str, variables: dict[str, str]) -> str:
    """A word with its variables replaced and its quotes taken off. Raises WorkshopError, naming the line."""
    try:
        return ShellLex(escape, env=variables, skip_unset_env=False).process_word(word)
    except ValueError as error:
        raise WorkshopError(
            f"Line {node.start_line} of the Dockerfile cannot be read: {error}.",
            "Mend that line and run the cell again.",
        ) from None


def _stage(earlier: list[Stage], node, base: str) -> Stage:
    words = node.args
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
        raise WorkshopError(
            f"Line {node.start_line} of the Dockerfile cannot be read: {node.original!r}.",
            "FROM takes an image, and a name for the stage if you like: FROM image AS name.",
        )
    if not base:
        raise WorkshopError(
            f"Line {node.start_line} of the Dockerfile names no base image: {words[0]} has no value.",
            "Give its ARG one, ARG NAME=image, or pass it to the build: buildargs={…}.",
        )
    named, index = len(words) == 3, len(earlier)
    name = words[2] if named else f"stage-{index}"
    return Stage(index, name, base, node.start_line, named, _stage_called(base, earlier, numbers=False))


# Which flag of an instruction names where files come from. Neither builder replaces variables in it (Dockerfile
# reference, "COPY --from" and "RUN --mount").
SOURCES = {"COPY": re.compile(r"--from=(.+)"), "RUN": re.compile(r"--mount=(?:.*,)?from=([^,]+)")}


def _sources(word: str, flags: list[str], earlier: list[Stage]) -> tuple[int | str, ...]:
    matches = [SOURCES[word].match(flag) for flag in flags] if word in SOURCES else []
    names = [match[1].strip("\"'") for match in matches if match]
    numbers = [_stage_called(name, earlier) for name in names]
    return tuple(name if number is None else number for name, number in zip(names, numbers))


def _stage_called(name: str, earlier: list[Stage], numbers: bool = True) -> int | None:
    """The latest stage of that name; names know no case. `--from` also takes a stage's number, FROM does not.

    No builder knows a stage by the name that it gives one without: `FROM stage-1` is an image.
    """
    names = [{stage.name.lower() if stage.named else None, str(stage.index) if numbers else None} for stage in earlier]
    return max((index for index, own in enumerate(names) if name.lower() in own), default=None)


def locate(app: str | Path, sample_apps: Path) -> Path:
    """The folder of an app: a name in sample_apps/, or a path. Raises WorkshopError, listing the names there are.

    What begins with a dot, a slash or "~" is a path alone: "." is the current folder.
    """
    given = str(app)
    try:
        path = Path(given).expanduser()
        only_path = given.startswith((".", "~")) or path.is_absolute()
        for folder in [path] if only_path else [sample_apps / path, path]:
            if folder.is_dir():
                return folder.resolve()
        is_file = path.is_file()
    except (OSError, RuntimeError) as error:  # RuntimeError: "~somebody" who has no home
        raise WorkshopError(f"No folder can be found as {shorten(given, 60)!r}: {_reason(error)}.") from None
    if is_file:
        raise WorkshopError(
            f"{given!r} is a file, and what is built is a folder.", f"Name its folder, and {path.name!r} after it."
        )
    names = ", ".join(sorted(path.name for path in sample_apps.iterdir() if path.is_dir()))
    raise WorkshopError(
        f"There is no app called {given!r}, and no such folder, seen from {Path.cwd().name}/.",
        f"The sample apps are: {names}.",
    )


def read(folder: Path, dockerfile: str) -> str:
    """The text of a Dockerfile: a file's name in the app's folder, or the text itself if it has several lines.

    The path of a file in that folder will do, too. Raises WorkshopError, listing the Dockerfiles there are.
    """
    if "\n" in dockerfile:
        return dockerfile
    shown = shorten(dockerfile, 60)
    try:
        path = path_of(folder, dockerfile)
        if path.is_file():
            return path.read_text(encoding="utf-8")
        is_folder = path.is_dir()
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise WorkshopError(
            f"The Dockerfile {shown!r} in {folder.name} cannot be read: {_reason(error)}.",
            "It has to be a text in UTF-8 that you may read.",
        ) from None
    names = ", ".join(sorted(path.name for path in folder.glob("*Dockerfile*") if path.is_file())) or "none"
    if is_folder:
        raise WorkshopError(
            f"{shown!r} in {folder.name} is a folder, and a Dockerfile is a file.", f"Its Dockerfiles are: {names}."
        )
    text = " A Dockerfile's text is taken for one if a line ends in it." if FIRST_WORD.match(dockerfile) else ""
    raise WorkshopError(f"{folder.name} has no file {shown!r}.", f"Its Dockerfiles are: {names}.{text}")


FIRST_WORD = re.compile(r"\s*(FROM|ARG)\s", re.IGNORECASE)


def path_of(folder: Path, dockerfile: str) -> Path:
    """Where a Dockerfile is: seen from the folder; if nothing is there, seen from here, as long as that is in the folder.

    Of a folder without a "Dockerfile", its "dockerfile" is meant, as `docker build` has it.
    """
    path = Path(dockerfile).expanduser()
    if dockerfile == "Dockerfile" and not (folder / path).exists() and (folder / "dockerfile").is_file():
        return folder / "dockerfile"
    inside = folder / path
    return path.resolve() if not inside.exists() and path.resolve().is_relative_to(folder) else inside


def _reason(error: Exception) -> str:
    """Why a file could not be looked at, in a few words."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return getattr(error, "strerror", None) or str(error).rstrip(".")
