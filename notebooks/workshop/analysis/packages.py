"""packages(): which packages an image holds, read from the layers' own databases, with the layer that brought each."""

from __future__ import annotations

import docker
import pandas as pd

from ..layer import package_databases
from ..layer.cache import Shelf
from ..layer.files import files

COLUMNS = ["image", "manager", "name", "version", "bytes", "layer", "created_by"]


def packages(client: docker.DockerClient | None, images) -> pd.DataFrame:
    """Every package that an image's visible databases name, in the order of manager and name.

    images: as for `files`. Columns image, manager ("dpkg", "apk", "python"), name, version, bytes (installed, as the
    database says it; 0 where it does not), layer and created_by (the layer that brought this version). A package whose
    files were copied without its database is not found: nothing in the image names it.
    """
    read, shelf = files(client, images), Shelf()
    rows = []
    for image, own in read.groupby("image", observed=True, sort=False):
        visible = own[own["visible"] & own["path"].map(package_databases.is_database)]
        visible = set(zip(visible["layer"], visible["path"]))
        lines = own.drop_duplicates("layer").set_index("layer")["created_by"]
        first: dict[tuple, int] = {}
        for layer, diff_id in own.drop_duplicates("layer")[["layer", "diff_id"]].itertuples(index=False):
            found = shelf.packages(diff_id)
            now = {(manager, name, version, path): size for manager, name, version, size, path in found}
            rewritten = {path for *_, path in now}
            # A database is rewritten whole: what it no longer names has to be brought again to count as brought.
            first = {key: at for key, at in first.items() if key[3] not in rewritten or key in now}
            for key in now:
                first.setdefault(key, layer)
            for key, size in now.items():
                if (layer, key[3]) in visible:
                    rows.append((image, *key[:3], size, first[key], lines[first[key]]))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.sort_values(["image", "manager", "name"], kind="stable", ignore_index=True)
