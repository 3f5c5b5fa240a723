"""What crossed the gate: for every file of every stage, whether it was shipped in the final image or stayed behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ..dockerfiles.copy_from import copy_from, pairs
from ..dockerfiles.history import Entry, layer_instructions, word_of
from ..dockerfiles.syntax import Dockerfile, Instruction

COLUMNS = ["stage", "path", "bytes", "fate", "landed", "digest", "layer", "from_base"]

# What a file's fate can be: of a builder stage, and of the final one.
SHIPPED, LEFT = "shipped", "left behind"
FROM_BASE, FROM_CONTEXT, FROM_IMAGE, MADE = "from the base", "from the context", "from another image", "made here"

# What made a layer: an instruction of the Dockerfile, or the history's words where the Dockerfile has none.
Maker = Instruction | str


@dataclass(frozen=True)
class StageFacts:
    """What has to be known of a stage besides its files. name: of the stage. image: as the files name it.

    parent: the name of the stage it is built FROM, or None. first_own_layer: the number of the first layer that it adds.
    entries: from `Stages.entries`, for a stage whose layers the final image has; empty for others.
    """

    name: str
    image: str
    parent: str | None
    first_own_layer: int
    entries: Sequence[tuple[Entry, Instruction | None]] = ()


def crossed_the_gate(
    files: pd.DataFrame, dockerfile: Dockerfile, stages: Sequence[StageFacts], lineage: Sequence[str]
) -> pd.DataFrame:
    """What `workshop.gate()` returns. files: as from `files()`, of all stages' images. stages: in order, the final one last.

    lineage: the final stage, the one that it is built FROM, and so on.
    """
    held = _held(files, stages)
    final = stages[-1].name
    made = {stage.name: _makers(stage, held[stage.name]) for stage in stages if stage.name in lineage}
    crossed = _crossed(held, made, dockerfile, final)
    parts = [_rows(name, held, crossed, made, final) for name in held]
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _rows(
    name: str,
    held: Mapping[str, pd.DataFrame],
    crossed: pd.DataFrame,
    made: Mapping[str, dict[int, Maker]],
    final: str,
) -> pd.DataFrame:
    """The rows of one stage: its own files, less those that the final image has from another stage's listing."""
    rows = held[name][held[name]["stage"] == name].reset_index(drop=True)
    landed = pd.Series(None, index=rows.index, dtype=object)
    if name in made:  # the final image has this stage's layers
        copied = set(crossed.loc[crossed["by"] == name, "landed"])
        inside = set(map(tuple, held[final][["path", "layer"]].itertuples(index=False)))
        there = pd.Series([key in inside for key in zip(rows["path"], rows["layer"])], index=rows.index, dtype=bool)
        again = rows["path"].isin(copied) & there
        rows, landed = rows[~again], rows["path"].where(there)[~again]
    came: dict[str, list[str]] = {}
    for path, where in (
        crossed.loc[crossed["stage"] == name, ["path", "landed"]].sort_values("landed").itertuples(index=False)
    ):
        came.setdefault(path, []).append(where)
    places = [_places(came.get(path, []), inherited) for path, inherited in zip(rows["path"], landed)]
    rows = rows.loc[[index for index, several in zip(rows.index, places) for _ in several]].reset_index(drop=True)
    landed = [where for several in places for where in several]
    if name == final:
        fates = [_final_fate(layer, made[name]) for layer in rows["layer"]]
    else:
        fates = [LEFT if where is None else SHIPPED for where in landed]
    return rows.assign(landed=pd.Series(landed, index=rows.index, dtype=object), fate=fates)


def _places(came: list[str], inherited: object) -> list[str | None]:
    """Where a file is in the final image: where it always was, if that is built on its stage, and where it was copied to."""
    first = [inherited] if isinstance(inherited, str) else []
    return [*first, *(where for where in came if where not in first)] or [None]


def _held(files: pd.DataFrame, stages: Sequence[StageFacts]) -> dict[str, pd.DataFrame]:
    """{stage: the visible files of its image}, the columns of `gate` but fate and landed; stage: whose layer each is in."""
    files = files[files["visible"] & files["kind"].isin(["file", "hard link"]) & (files["digest"] != "")]
    held: dict[str, pd.DataFrame] = {}
    for stage in stages:
        rows = files[files["image"] == stage.image]
        own = rows["layer"] >= stage.first_own_layer
        if stage.parent in held:
            below = held[stage.parent].drop_duplicates("layer").set_index("layer")
            rows = rows.assign(stage=rows["layer"].map(below["stage"]), from_base=rows["layer"].map(below["from_base"]))
            rows = rows.assign(
                stage=rows["stage"].where(~own, stage.name), from_base=rows["from_base"].where(~own, False)
            )
        else:
            rows = rows.assign(stage=stage.name, from_base=~own)
        rows["from_base"] = rows["from_base"].astype(bool)
        columns = ["stage", "path", "bytes", "digest", "layer", "from_base", "created_by"]
        held[stage.name] = rows[columns].reset_index(drop=True)
    return held


def _makers(stage: StageFacts, seen: pd.DataFrame) -> dict[int, Maker]:
    """{layer: what made it} for a stage's own layers."""
    own = seen[(seen["stage"] == stage.name) & ~seen["from_base"]][["layer", "created_by"]]
    lines = layer_instructions(stage.entries, own)
    words = dict(own.drop_duplicates("layer").itertuples(index=False))
    return {layer: line or str(words[layer]) for layer, line in lines.items()}


def _crossed(
    held: Mapping[str, pd.DataFrame], made: Mapping[str, dict[int, Maker]], dockerfile: Dockerfile, final: str
) -> pd.DataFrame:
    """The files that `COPY --from` brought into the final image: columns stage, path, landed, by (the stage with the line)."""
    found = [pd.DataFrame({"stage": [], "path": [], "landed": [], "by": []}, dtype=object)]
    for name, lines in made.items():
        own = held[final][held[final]["stage"] == name]
        for layer, instruction in lines.items():
            source, paths = copy_from(instruction, dockerfile) if isinstance(instruction, Instruction) else (None, [])
            if source is not None and source in held:
                found.append(pairs(own[own["layer"] == layer], held[source], paths).assign(by=name))
    return pd.concat(found, ignore_index=True)


def _final_fate(layer: int, made: Mapping[int, Maker]) -> str:
    """Where a file of the final stage came from, if not through the gate. made: the stage's own layers."""
    if layer not in made:
        return FROM_BASE
    line = made[layer]
    word, flags = (line.word, line.flags) if isinstance(line, Instruction) else (word_of(line), ())
    if word not in ("COPY", "ADD"):
        return MADE
    return FROM_IMAGE if any(flag.startswith("--from=") for flag in flags) else FROM_CONTEXT
