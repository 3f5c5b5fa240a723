"""packages(): which packages an image holds, by the databases in its layers, and the layer that brought each."""

from __future__ import annotations

import pandas as pd

from ..layer import package_databases

COLUMNS = ["image", "manager", "name", "version", "bytes", "layer", "created_by"]


def packages(files: pd.DataFrame, databases: dict[str, list[list]]) -> pd.DataFrame:
    """Every package that an image's visible databases name, in the order of manager and name.

    files: as from `files()`. databases: {diff id: rows of `package_databases.COLUMNS`} for each layer in it. Columns image,
    manager ("dpkg", "apk", "python"), name, version, bytes (installed, as the database says it; 0 where it does not), layer
    and created_by (the layer that brought this version).
    """
    rows = []
    for image, own in files.groupby("image", observed=True, sort=False):
        shown = own[own["visible"] & own["path"].map(package_databases.is_database)]
        visible = set(zip(shown["layer"], shown["path"]))
        layers = own.drop_duplicates("layer")
        lines = layers.set_index("layer")["created_by"]
        brought_by: dict[tuple, int] = {}
        for layer, diff_id in zip(layers["layer"], layers["diff_id"]):
            named = {
                (manager, name, version, path): count for manager, name, version, count, path in databases[diff_id]
            }
            rewritten = {path for *_, path in named}
            # A database is rewritten whole: what it no longer names has to be brought again to count as brought.
            brought_by = {key: at for key, at in brought_by.items() if key[3] not in rewritten or key in named}
            for key, count in named.items():
                first = brought_by.setdefault(key, layer)
                if (layer, key[3]) in visible:
                    rows.append((image, *key[:3], count, first, lines[first]))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.sort_values(["image", "manager", "name"], kind="stable", ignore_index=True)
