"""The functions that take a client: they have the images read, and hand the frames to analysis/."""

from __future__ import annotations

import docker
import pandas as pd

from .analysis import packages as of_files
from .errors import translate_engine_loss
from .layer.cache import LayerCache
from .layer.files import read_files


@translate_engine_loss("the export of an image")
def packages(client: docker.DockerClient | None, images) -> pd.DataFrame:
    """Every package that an image's visible databases name, in the order of manager and name.

    images: as for `files`. Columns image, manager ("dpkg", "apk", "python"), name, version, bytes (installed, as the
    database says it; 0 where it does not), layer and created_by (the layer that brought this version). A package whose
    files were copied without its database is not found: nothing in the image names it.
    """
    layers = LayerCache()
    files = read_files(client, images, layers)
    return of_files.packages(files, {diff_id: layers.packages(diff_id) for diff_id in files["diff_id"].unique()})
