"""layers(): what each layer of an image holds, and how much of it nobody can see."""

from __future__ import annotations

import pandas as pd

from .waste import hidden_files


def layers(files: pd.DataFrame) -> pd.DataFrame:
    """One row per layer of each image: columns image, layer, created_by, from_base, files (count), bytes (of the files in
    it), wasted (those of its bytes that nobody can see any more; `waste` says which).

    files: as from `files()`. A layer without an entry has no row. attrs["base"] is the name of the base image where there
    is one image, and its base was found.
    """
    keys = ["image", "layer", "created_by", "from_base"]
    every = files[keys].drop_duplicates().set_index(keys)
    held = files[files["kind"] == "file"].groupby(keys, observed=True)["bytes"].agg(files="count", bytes="sum")
    wasted = hidden_files(files.reset_index(drop=True)).groupby(keys[:2], observed=True)["bytes"].sum().rename("wasted")
    table = every.join(held).reset_index().merge(wasted.reset_index(), on=keys[:2], how="left")
    counts = ["files", "bytes", "wasted"]
    table[counts] = table[counts].fillna(0).astype(int)
    table.attrs = {}
    images = list(table["image"].unique())
    base = files.attrs.get("bases", {}).get(images[0]) if len(images) == 1 else None
    if base:
        table.attrs["base"] = base
    return table.sort_values(keys[:2], ignore_index=True)
