"""Which instruction of the Dockerfile made which layer: an image's history, paired with the lines of its stages.

Every instruction leaves one entry in the history (OCI image specification, "history"), on the classic builder as on BuildKit,
but the builders word it differently, ONBUILD lines of a base add entries, and the workshop adds its label. So the two
lists are aligned by their first words, as `diff` aligns two texts.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

import docker
import pandas as pd

from ..errors import WorkshopError
from ..labels import LABEL
from .created_by import instruction as as_written
from .stages import parent
from .syntax import Dockerfile, Instruction

OURS = f"LABEL {LABEL}="
# What can stand first in a history entry; RUN does not always: the classic builder records the bare command.
WORDS = {
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
}


@dataclass(frozen=True)
class Entry:
    """A line of an image's history. bytes: what the engine says that it added."""

    text: str
    bytes: int = 0

    @property
    def word(self) -> str:
        return word_of(self.text)


def word_of(text: str) -> str:
    """The instruction's word in a history entry."""
    first = (text.split() or [""])[0].upper()
    return first if first in WORDS else "RUN"


def entries(client: docker.DockerClient, image: str) -> list[Entry]:
    """An image's history, oldest first, without the labels by which the workshop knows its own images."""
    told = [Entry(as_written(one["CreatedBy"]), one["Size"]) for one in client.api.history(image)]
    return [one for one in reversed(told) if not one.text.startswith(OURS)]


def align(history: list[Entry], lines: list[Instruction]) -> list[Instruction | None]:
    """The instruction behind each entry; None where the Dockerfile has none."""
    found: list[Instruction | None] = [None] * len(history)
    words = [one.word for one in history], [one.word for one in lines]
    for block in difflib.SequenceMatcher(None, *words, autojunk=False).get_matching_blocks():
        for offset in range(block.size):
            found[block.a + offset] = lines[block.b + offset]
    return found


def own(client: docker.DockerClient, parsed: Dockerfile, ids: dict[str, str], name: str) -> list:
    """(entry, instruction or None) for each entry that a stage adds to its base's history."""
    stage = next(one for one in parsed.stages if one.name == name)
    history = entries(client, ids[name])[len(base_entries(client, parsed, ids, stage.index)) :]
    lines = [one for one in parsed.instructions if one.stage == stage.index and one.word != "FROM"]
    return list(zip(history, align(history, lines)))


def base_entries(client: docker.DockerClient, parsed: Dockerfile, ids: dict[str, str], index: int) -> list[Entry]:
    """The history of what a stage is built FROM."""
    base = base_image(parsed, ids, index)
    return entries(client, base) if base else []


def base_image(parsed: Dockerfile, ids: dict[str, str], index: int) -> str | None:
    """What a stage is built FROM: the id of an earlier stage's image, an image's name, or None for scratch."""
    above = parent(parsed, index)
    base = parsed.stages[index].base
    return ids.get(above.name) if above else None if base.lower() == "scratch" else base


def paired(client: docker.DockerClient, parsed: Dockerfile, ids: dict[str, str]) -> Iterator[tuple[Entry, Instruction]]:
    """(history entry, instruction) of all stages of a build. ids: {stage's name: image id}."""
    for name in ids:
        yield from ((entry, line) for entry, line in own(client, parsed, ids, name) if line)


def first_own_layer(client: docker.DockerClient, parsed: Dockerfile, ids: dict[str, str], name: str) -> int:
    """The number of the first layer that a stage adds to its base's; 0 on scratch."""
    index = next(one.index for one in parsed.stages if one.name == name)
    base = base_image(parsed, ids, index)
    if base is None:
        return 0
    below, layers = _diff_ids(client, base), _diff_ids(client, ids[name])
    same = [one == other for one, other in zip(below, layers)]
    return len(same) if all(same) else same.index(False)


def _diff_ids(client: docker.DockerClient, image: str) -> list[str]:
    try:
        return client.api.inspect_image(image)["RootFS"].get("Layers") or []
    except docker.errors.ImageNotFound:
        raise WorkshopError(f"The engine has no image {image} any more.", "Build again, then run this cell.") from None


def layer_lines(pairs: list, layers: pd.DataFrame) -> dict[int, Instruction | None]:
    """{layer: its instruction} for a stage's own layers. pairs: from `own`. layers: columns layer, created_by.

    Not every entry made a layer, and its size does not tell: `RUN rm file` adds 0 bytes. So each layer is looked for in the
    history by its text, which the image's config gives for it, after the one below it.
    """
    made: dict[int, Instruction | None] = {}
    at = 0
    for layer, text in layers.sort_values("layer").drop_duplicates("layer").itertuples(index=False):
        found = next((number for number in range(at, len(pairs)) if pairs[number][0].text == text), None)
        made[layer] = None if found is None else pairs[found][1]
        at = at if found is None else found + 1
    return made
