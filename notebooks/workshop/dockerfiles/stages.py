"""How the stages of a Dockerfile hang together."""

from __future__ import annotations

import re

from .syntax import Dockerfile, Instruction, Stage


def earlier(parsed: Dockerfile, name: str, before: int, number: bool = True) -> Stage | None:
    """The stage before stage `before` that a name means; None for an image. FROM takes no numbers, `--from` does."""
    before_it = parsed.stages[: max(before, 0)]
    same = [one for one in before_it if name.lower() in (one.name.lower(), str(one.index) if number else None)]
    return same[-1] if same else None


def parent(parsed: Dockerfile, index: int) -> Stage | None:
    """The stage that a stage is built FROM; None if that is an image, or scratch."""
    return earlier(parsed, parsed.stages[index].base, index, number=False)


def lineage(parsed: Dockerfile, index: int) -> list[int]:
    """A stage's number, then its parent's, and so on: the stages whose layers it has."""
    chain = [index]
    while above := parent(parsed, chain[-1]):
        chain.append(above.index)
    return chain


def sources(instruction: Instruction) -> list[str]:
    """The stages or images that an instruction takes files from: `--from=x`, and `from=x` of a `RUN --mount`."""
    found = [re.match(r"--from=(.+)|--mount=(?:.*,)?from=([^,]+)", flag) for flag in instruction.flags]
    return [one[1] or one[2] for one in found if one]


def images(parsed: Dockerfile) -> list[str]:
    """The images from outside that a build needs, those of `RUN --mount=from=` included."""
    lines = [one for one in parsed.instructions if one.word == "RUN"]
    mounted = [name for one in lines for name in sources(one) if not earlier(parsed, name, one.stage)]
    return list(dict.fromkeys([*parsed.images(), *mounted]))


def needed(parsed: Dockerfile, target: int) -> list[int]:
    """The numbers of the stages that a target needs, itself included, in the order of the Dockerfile.

    That is what BuildKit builds; the classic builder builds every stage up to the target.
    """
    found, new = set(), {target}
    while new:
        found |= new
        above = {one.index for index in new if (one := parent(parsed, index))}
        lines = [one for one in parsed.instructions if one.stage in new]
        named = [earlier(parsed, name, line.stage) for line in lines for name in sources(line)]
        new = (above | {one.index for one in named if one}) - found
    return sorted(found)
