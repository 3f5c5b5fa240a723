"""gate(): for every file of every stage, whether it was shipped in the final image or stayed on the factory floor."""

from __future__ import annotations

import docker
import pandas as pd

from ..builders.build import Build
from ..dockerfiles import history, syntax
from ..dockerfiles.copy_from import copy_from, pairs
from ..dockerfiles.stages import lineage, parent
from ..dockerfiles.syntax import Dockerfile, Instruction
from ..errors import WorkshopError, translate_engine_loss
from ..layer.files import files

COLUMNS = ["stage", "path", "bytes", "fate", "landed", "digest", "layer", "inherited"]
SHIPPED, LEFT, ELSEWHERE = "shipped", "left behind", "from another image"


@translate_engine_loss("the comparison of the stages")
def gate(client: docker.DockerClient, build: Build) -> pd.DataFrame:
    """What crossed from the stages to the final image, on either builder.

    One row per visible file, in the stage whose own layers brought it; a stage FROM another stage has only what it adds.
    Of a stage: fate "shipped" (landed: where in the final image) or "left behind". A file is shipped that the final image
    inherits, because it is built FROM that stage, or that a `COPY --from` brought into it. Of the final stage: "from the
    base", "from the context" (COPY, ADD), "from another image" (COPY --from=image) or "made here" (RUN); what came
    through the gate is listed once, with the stage that it was copied from.

    Columns stage, path, bytes (0 for a hard link), fate, landed, digest, layer (of that stage's image), inherited (True for
    what came with the stage's base image). attrs["base"] names the base image of the final one. A copied file is known by
    its content's SHA-256 and, among equal ones, by its path.
    """
    if not isinstance(build, Build):
        raise WorkshopError(
            f"gate() wants what workshop.build() returned, not {build!r}.", "Build it again, and pass that."
        )
    parsed = syntax.parse(build.dockerfile)
    held = _held(client, build, parsed)
    final = list(build.stages)[-1]
    line = [parsed.stages[index].name for index in lineage(parsed, _index(parsed, final))]
    made = {name: _instructions(client, build, parsed, name, held[name]) for name in line if name in held}
    crossed = _crossed(held, made, parsed, final)
    parts = [_rows(name, held, crossed, made, final) for name in held]
    rows = pd.concat(parts, ignore_index=True)[COLUMNS]
    rows.attrs["base"] = parsed.stages[_index(parsed, line[-1])].base
    return rows


def _rows(name: str, held: dict, crossed: pd.DataFrame, made: dict[str, dict], final: str) -> pd.DataFrame:
    """The rows of one stage: its own files, less those that the final image has from another stage's listing."""
    rows = held[name][held[name]["stage"] == name].reset_index(drop=True)
    landed = pd.Series(None, index=rows.index, dtype=object)
    if name in made:  # the final image has this stage's layers
        copied = set(crossed.loc[crossed["by"] == name, "landed"])
        inside = set(map(tuple, held[final][["path", "layer"]].itertuples(index=False)))
        there = pd.Series([key in inside for key in zip(rows["path"], rows["layer"])], index=rows.index, dtype=bool)
        again = rows["path"].isin(copied) & there
        rows, landed = rows[~again], rows["path"].where(there)[~again]
    came = crossed[crossed["stage"] == name].drop_duplicates("path").set_index("path")["landed"].to_dict()
    landed = [came.get(path) if pd.isna(where) else where for path, where in zip(rows["path"], landed)]
    if name == final:
        fates = [_final_fate(layer, made[name]) for layer in rows["layer"]]
    else:
        fates = [LEFT if where is None else SHIPPED for where in landed]
    return rows.assign(landed=pd.Series(landed, index=rows.index, dtype=object), fate=fates)


def _index(parsed: Dockerfile, name: str) -> int:
    return next(one.index for one in parsed.stages if one.name == name)


def _held(client: docker.DockerClient, build: Build, parsed: Dockerfile) -> dict[str, pd.DataFrame]:
    """{stage: the visible files of its image}, the columns of `gate` but fate and landed; stage: whose layer each is in."""
    read = files(client, list(build.stages.values()))
    read = read[read["visible"] & read["kind"].isin(["file", "hard link"]) & (read["digest"] != "")]
    held: dict[str, pd.DataFrame] = {}
    for name, image in build.stages.items():
        rows = read[read["image"] == image]
        above = parent(parsed, _index(parsed, name))
        first = history.first_own_layer(client, parsed, build.stages, name)
        own = rows["layer"] >= first
        if above and above.name in held:
            below = held[above.name].drop_duplicates("layer").set_index("layer")
            rows = rows.assign(stage=rows["layer"].map(below["stage"]), inherited=rows["layer"].map(below["inherited"]))
            rows = rows.assign(stage=rows["stage"].where(~own, name), inherited=rows["inherited"].where(~own, False))
        else:
            rows = rows.assign(stage=name, inherited=~own)
        rows["inherited"] = rows["inherited"].astype(bool)
        held[name] = rows[["stage", "path", "bytes", "digest", "layer", "inherited", "created_by"]].reset_index(
            drop=True
        )
    return held


def _instructions(
    client, build: Build, parsed: Dockerfile, name: str, seen: pd.DataFrame
) -> dict[int, Instruction | str]:
    """{layer: the instruction of a stage that made it, or the history's words where the Dockerfile has none}."""
    own = seen[(seen["stage"] == name) & ~seen["inherited"]][["layer", "created_by"]]
    lines = history.layer_lines(history.own(client, parsed, build.stages, name), own)
    words = dict(own.drop_duplicates("layer").itertuples(index=False))
    return {layer: line or str(words[layer]) for layer, line in lines.items()}


def _crossed(held: dict[str, pd.DataFrame], made: dict[str, dict], parsed: Dockerfile, final: str) -> pd.DataFrame:
    """The files that `COPY --from` brought into the final image: columns stage, path, landed, by (the stage with the line)."""
    found = [pd.DataFrame({"stage": [], "path": [], "landed": [], "by": []}, dtype=object)]
    for name, lines in made.items():
        own = held[final][held[final]["stage"] == name]
        for layer, instruction in lines.items():
            source, paths = copy_from(instruction, parsed) if isinstance(instruction, Instruction) else (None, [])
            if source in held:
                found.append(pairs(own[own["layer"] == layer], held[source], paths).assign(by=name))
    return pd.concat(found, ignore_index=True)


def _final_fate(layer: int, made: dict[int, Instruction | str]) -> str:
    """Where a file of the final stage came from, if not through the gate. made: the stage's own layers."""
    if layer not in made:
        return "from the base"
    line = made[layer]
    word, flags = (line.word, line.flags) if isinstance(line, Instruction) else (history.word_of(line), ())
    if word not in ("COPY", "ADD"):
        return "made here"
    return ELSEWHERE if any(flag.startswith("--from=") for flag in flags) else "from the context"
