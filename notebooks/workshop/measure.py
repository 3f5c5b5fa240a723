"""What is asked of an engine and then counted: each function takes a client, and hands frames to `analysis/`."""

from __future__ import annotations

import docker
import pandas as pd

from .analysis.gate import StageFacts, crossed_the_gate
from .builders.build import Build
from .dockerfiles import syntax
from .dockerfiles.stages import Stages
from .errors import WorkshopError, translate_engine_loss
from .layer.files import files


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
    stages = Stages(client, syntax.parse(build.dockerfile), build.stages)
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
