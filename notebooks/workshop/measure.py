"""The functions that take a client: they have the images read, and hand the frames to analysis/."""

from __future__ import annotations

import docker
import pandas as pd

from .analysis import packages as packages_of
from .layer.cache import LayerCache
from .layer.files import files


def packages(client: docker.DockerClient | None, images) -> pd.DataFrame:
    """Every package that an image's visible databases name, in the order of manager and name.

    images: as for `files`. Columns image, manager ("dpkg", "apk", "python"), name, version, bytes (installed, as the
    database says it; 0 where it does not), layer and created_by (the layer that brought this version). A package whose
    files were copied without its database is not found: nothing in the image names it.
    """
    entries, cached = files(client, images), LayerCache()
    return packages_of.packages(entries, {diff_id: cached.packages(diff_id) for diff_id in entries["diff_id"].unique()})
