"""An image's history: how a Dockerfile would say each entry, and which instruction of a Dockerfile made which layer.

Every instruction leaves one entry in the history (OCI image specification, "history"), on the classic builder as on BuildKit,
but the builders word it differently, ONBUILD lines of a base add entries, and the workshop adds its label. So entries and
instructions are aligned by their first words, as `diff` aligns two texts.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from .syntax import Instruction

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

SETTINGS = WORDS - {"ADD", "COPY", "WORKDIR"}  # these change the image's config alone

# What a classic builder records of a COPY or ADD: a digest of the content where the sources stood.
DIGEST = re.compile(r"(?:file|dir|multi):[0-9a-f]+ in ")
_as_built: dict[str, str] = {}  # such a text → the Dockerfile's line, of builds of this session


@dataclass(frozen=True)
class Entry:
    """A line of an image's history. text: as `instruction` gives it. bytes: what the engine says that it added. recorded: as
    the engine has it."""

    text: str
    bytes: int = 0
    recorded: str = ""

    @property
    def word(self) -> str:
        return word_of(self.text)


def word_of(text: str) -> str:
    """The instruction's word in a history entry."""
    first = (text.split() or [""])[0].upper()
    return first if first in WORDS else "RUN"


def remember(entry: Entry, line: Instruction) -> None:
    """From now on `instruction` knows what stood where the history has a digest: the last build that made it says so."""
    if DIGEST.search(entry.recorded):
        _as_built[" ".join(entry.recorded.split())] = " ".join(line.text.split())


def instruction(created_by: str | None) -> str:
    """A history entry as the Dockerfile had it: `/bin/sh -c #(nop) WORKDIR /app` → `WORKDIR /app`, `/bin/sh -c x` → `RUN x`."""
    text = " ".join(str(created_by or "").split())
    if text in _as_built:
        return _as_built[text]
    text = re.sub(r"\s*# buildkit$", "", text)
    text = re.sub(r"^\|\d+ (\S+=\S* )*(?=/bin/sh)", "", text)  # classic engines put the ARGs in front
    text = re.sub(r"^(RUN )?\S+( \S+)*? #\(nop\)\s*", "", text)  # the SHELL stands in front, whichever it is
    text = re.sub(r"^(RUN )?/bin/sh -c\s+", "RUN ", text)
    text = re.sub(r"^(COPY|ADD) (?:(--ch\S+?) ?)?(?:file|dir|multi):[0-9a-f]+ in ", _without_digest, text)
    return text or "(no instruction recorded)"


def _without_digest(match: re.Match) -> str:
    """Classic engines name a digest where the source stood, and put an option right before it."""
    return " ".join(filter(None, (match[1], match[2], "to "))).replace("to  ", "to ")


def made_layers(config: dict, count: int) -> list[str]:
    """The history text behind each of `count` layers, base first; empty texts where the history does not say.

    config: the image's config. OCI image specification, "history": an entry with empty_layer made no layer. Size 0
    does not mean empty: `RUN rm file` makes a real layer of 0 bytes.
    """
    texts = [entry.get("created_by", "") for entry in config.get("history") or [] if not entry.get("empty_layer")]
    return texts if len(texts) == count else [""] * count


def layers_told(history: Sequence[tuple[str, int]], count: int) -> list[str] | None:
    """The history text behind each of `count` layers, by what an engine tells; None if that leaves open which they are.

    history: (created by, bytes) of each entry, base first. An engine does not say which entries made no layer, and RUN,
    COPY, ADD and WORKDIR may make one of no bytes. What added bytes made a layer, and a line that only sets something
    made none; of the others either all did or none, or nobody can tell.
    """
    sure = [bool(size) for _, size in history]
    maybe = [bool(size) or instruction(text).partition(" ")[0] not in SETTINGS for text, size in history]
    for made in (sure, maybe):
        if sum(made) == count:
            return [text for (text, _), one in zip(history, made) if one]
    return None


def align(history: Sequence[Entry], instructions: Sequence[Instruction]) -> list[Instruction | None]:
    """The instruction behind each entry; None where the Dockerfile has none."""
    aligned: list[Instruction | None] = [None] * len(history)
    words = [entry.word for entry in history], [line.word for line in instructions]
    for block in difflib.SequenceMatcher(None, *words, autojunk=False).get_matching_blocks():
        for offset in range(block.size):
            aligned[block.a + offset] = instructions[block.b + offset]
    return aligned


def layer_instructions(
    entries: Sequence[tuple[Entry, Instruction | None]], layers: pd.DataFrame
) -> dict[int, Instruction | None]:
    """{layer: its instruction} for a stage's own layers. entries: from `Stages.entries`. layers: columns layer, created_by.

    Not every entry made a layer, and its size does not tell: `RUN rm file` adds 0 bytes. So each layer is looked for in the
    history by its text, which the image's config gives for it, after the one below it.
    """
    made: dict[int, Instruction | None] = {}
    start = 0
    for layer, text in layers.sort_values("layer").drop_duplicates("layer").itertuples(index=False):
        at = next((number for number in range(start, len(entries)) if entries[number][0].text == text), None)
        made[layer] = None if at is None else entries[at][1]
        start = start if at is None else at + 1
    return made
