"""The functions that take a client: they have the images read, and hand the frames to analysis/."""

from __future__ import annotations

from pathlib import Path

import docker
import pandas as pd

from .analysis import packages as of_files
from .analysis.gate import StageFacts, crossed_the_gate
from .builders.build import Build
from .dockerfiles import syntax
from .dockerfiles.stages import Stages
from .errors import translate_engine_loss
from .layer.base_layers import bases_of
from .layer.cache import LayerCache
from .layer.files import files, read_files
from .layer.source import inspect


@translate_engine_loss("the comparison of the stages")
def gate(client: docker.DockerClient, build: Build) -> pd.DataFrame:
    """What crossed from the stages to the final image, on either builder.

    One row per visible file, in the stage whose own layers brought it, and one for each place if it was copied to several;
    a stage FROM another stage has only what it adds.
    Of a stage: fate "shipped" (landed: where in the final image) or "left behind". A file is shipped that the final image
    inherits, because it is built FROM that stage, or that a `COPY --from` brought into it. Of the final stage: "from the
    base", "from the context" (COPY, ADD), "from another image" (COPY --from=image) or "made here" (RUN); what came
    through the gate is listed once, with the stage that it was copied from.

    Columns stage, path, bytes (0 for a hard link), fate, landed, digest, layer (of that stage's image), from_base (True for
    what came with the stage's base image). attrs["base"] names the base image of the final one. A copied file is known by
    its content's SHA-256 and, among equal ones, by its path.
    """
    stages = Stages(client, syntax.parse(build.dockerfile, build.buildargs), build.stages, build.bases)
    read = files(client, list(build.stages.values()))
    facts = [
        StageFacts(
            name,
            image,
            stages.parent(name),
            stages.first_own_layer(name),
            stages.entries(name) if name in stages.lineage else (),
        )
        for name, image in build.stages.items()
    ]
    rows = crossed_the_gate(read, stages.dockerfile, facts, stages.lineage)
    rows.attrs["base"] = stages.base
    return rows


@translate_engine_loss("the look for base images")
def base_of(client: docker.DockerClient, images: list[str]) -> dict[str, str]:
    """{image: the name of the base image that it is built on}, of those whose base is in the engine.

    How it is found, and what cannot be known: `base_layers.bases_of`. An image on scratch has none.
    """
    found = bases_of(client, {image: inspect(client, image) for image in images})
    return {image: base.name for image, base in found.items() if base.name}


@translate_engine_loss("the export of an image")
def packages(client: docker.DockerClient | None, images: str | Path | list) -> pd.DataFrame:
    """Every package that an image's visible databases name, in the order of manager and name.

    images: as for `files`. Columns image, manager ("dpkg", "apk", "python"), name, version, bytes (installed, as the
    database says it; 0 where it does not), layer and created_by (the layer that brought this version). A package whose
    files were copied without its database is not found: nothing in the image names it.
    """
    layers = LayerCache()
    read = read_files(client, images, layers)
    return of_files.packages(read, {diff_id: layers.packages(diff_id) for diff_id in read["diff_id"].unique()})
