"""gate(): for every file of every stage, whether it was shipped in the final image or stayed on the factory floor."""

from __future__ import annotations

import posixpath
import shlex

import docker
import pandas as pd

from . import dockerfiles
from .building import Build
from .errors import WorkshopError, watching
from .inventory import files

COLUMNS = ["stage", "path", "bytes", "fate", "landed", "digest", "layer"]


@watching("the comparison of the stages")
def gate(client: docker.DockerClient, build: Build) -> pd.DataFrame:
    """What crossed from the stages to the final image.

    One row per visible file. Of a stage: fate "shipped" (landed: where in the final image) or "left behind". Of the final
    stage: "from the base", "from the context" (COPY, ADD) or "made here" (RUN); what came through the gate is listed
    once, with the stage it came from. Columns stage, path, bytes, fate, landed, digest, layer (of that stage's image).
    attrs["base"] names the final stage's base image. A file is matched by its content's SHA-256, among the paths that `COPY --from` names.
    """
    if not isinstance(build, Build):
        raise WorkshopError(f"gate() wants what workshop.build() returned, not {build!r}.", "Build it again, and pass that.")
    parsed = dockerfiles.parse(build.dockerfile)
    names = list(build.stages)
    read = files(client, list(build.stages.values()))
    visible = read[read["visible"] & (read["kind"] == "file")]
    by_stage = {name: visible[visible["image"] == image] for name, image in build.stages.items()}
    origins = _origins(client, build, parsed)
    final = by_stage[names[-1]]
    crossed = pd.concat(
        [
            _crossed(final[final["layer"] == layer], by_stage, parsed, instruction)
            for layer, instruction in origins.items()
        ]
        or [_nothing()]
    )
    parts = [_stage_rows(name, by_stage[name], crossed[crossed["stage"] == name]) for name in names[:-1]]
    through = set(crossed["landed"])
    parts.append(_final_rows(names[-1], final[~final["path"].isin(through)], origins, build))
    rows = pd.concat(parts, ignore_index=True)[COLUMNS]
    rows.attrs["base"] = parsed.stages[len(names) - 1].base
    return rows


def _origins(client: docker.DockerClient, build: Build, parsed: dockerfiles.Dockerfile) -> dict[int, str]:
    """{layer of the final image: the instruction of its stage that made it}; the base's layers are not in it.

    A step made a layer if the image after it has one more than the image before.
    """
    stage = list(build.stages)[-1]
    steps = build.steps[build.steps["stage"] == stage]
    base = next(one.base for one in parsed.stages if one.name == stage)
    made, before = {}, 0 if base == "scratch" else _layer_count(client, build.stages.get(base, base))
    for step in steps[(steps["status"] != "base") & (steps["image"] != "")].itertuples():
        after = _layer_count(client, step.image)
        made |= {layer: step.instruction for layer in range(before, after)}
        before = after
    return made


def _layer_count(client: docker.DockerClient, image: str) -> int:
    return len(client.api.inspect_image(image)["RootFS"].get("Layers") or [])


def _crossed(landed: pd.DataFrame, by_stage: dict[str, pd.DataFrame], parsed, instruction: str) -> pd.DataFrame:
    """The files of one `COPY --from` layer with where they came from: columns stage, path, landed."""
    source, paths = _copy_from(instruction, parsed)
    if source not in by_stage:
        return _nothing()
    there = by_stage[source]
    there = there[[any(_is_below(path, top) for top in paths) for path in there["path"]]]
    pairs = landed[["path", "digest"]].merge(there[["path", "digest"]], on="digest", suffixes=("_landed", ""))
    # Equal files (every empty __init__.py) match each other: the pair whose paths end most alike is the true one.
    pairs["alike"] = [_common_tail(one, other) for one, other in zip(pairs["path"], pairs["path_landed"])]
    best = pairs.sort_values("alike", ascending=False, kind="stable").drop_duplicates("path_landed")
    return pd.DataFrame({"stage": source, "path": best["path"], "landed": best["path_landed"]})


def _nothing() -> pd.DataFrame:
    return pd.DataFrame({"stage": [], "path": [], "landed": []}, dtype=object)


def _copy_from(instruction: str, parsed: dockerfiles.Dockerfile) -> tuple[str | None, list[str]]:
    """(stage's name, paths copied from it) of a `COPY --from` line; (None, []) for any other."""
    words = shlex.split(instruction, comments=False)
    flag = next((word for word in words if word.startswith("--from=")), None)
    if flag is None:
        return None, []
    source = flag.removeprefix("--from=").lower()
    name = next((one.name for one in parsed.stages if source in (one.name.lower(), str(one.index))), None)
    paths = [word for word in words[1:] if not word.startswith("--")][:-1]
    return name, [posixpath.normpath("/" + path.lstrip("/")) for path in paths]


def _is_below(path: str, top: str) -> bool:
    if any(sign in top for sign in "*?["):
        top = posixpath.dirname(top)  # a glob is matched by content within its folder
    return top == "/" or path == top or path.startswith(top + "/")


def _common_tail(one: str, other: str) -> int:
    """How many path parts are the same, counted from the end."""
    count = 0
    for left, right in zip(reversed(one.split("/")), reversed(other.split("/"))):
        if left != right:
            break
        count += 1
    return count


def _stage_rows(name: str, visible: pd.DataFrame, crossed: pd.DataFrame) -> pd.DataFrame:
    landed = crossed.drop_duplicates("path").set_index("path")["landed"]
    rows = visible[["path", "size", "digest", "layer"]].rename(columns={"size": "bytes"})
    rows["landed"] = rows["path"].map(landed).astype(object).where(lambda found: found.notna(), None)
    rows["fate"] = ["left behind" if where is None else "shipped" for where in rows["landed"]]
    return rows.assign(stage=name)


def _final_rows(name: str, visible: pd.DataFrame, origins: dict[int, str], build: Build) -> pd.DataFrame:
    def fate(layer: int) -> str:
        word = origins[layer].split()[0].upper() if layer in origins else ""
        return {"": "from the base", "COPY": "from the context", "ADD": "from the context"}.get(word, "made here")

    rows = visible[["path", "size", "digest", "layer"]].rename(columns={"size": "bytes"})
    return rows.assign(stage=name, landed=rows["path"], fate=[fate(layer) for layer in rows["layer"]])
