"""Bytes that are shipped and that nobody can see: which, by which line, and what one RUN line would save."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..units import size
from .diff import of_image

WASTE = ["image", "path", "bytes", "cause", "layer", "created_by", "from_base", "hidden_by_layer", "hidden_by_line"]
LINES = ["image", "layer", "created_by", "cause", "files", "bytes"]
AS_ONE = ["image", "first", "last", "lines", "saved", "words"]

NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def waste(files: pd.DataFrame) -> pd.DataFrame:
    """Files that are shipped but can no longer be seen, one row per hidden entry, largest first.

    files: as from `files()`. Columns: image, path, bytes (above 0), cause, layer and created_by (what shipped it),
    from_base (True if that was the base image), hidden_by_layer and hidden_by_line. Hidden means: absent from the merged
    filesystem (OCI image specification, "Whiteouts"); a directory deleted, emptied or replaced whole hides every file
    below it. cause is
        "deleted", "opaque", "overwritten"   as in `files`
        "metadata"   the hiding layer stored the same content again, for another mode, owner, time or link count
    A hidden file with a visible hard link in its layer is no waste: its content can still be read under that name.
    """
    return hidden_files(files.reset_index(drop=True))[WASTE].reset_index(drop=True)


def waste_by_line(files: pd.DataFrame) -> pd.DataFrame:
    """`waste()` summed per line and cause: columns image, layer, created_by, cause, files (count), bytes; most first."""
    grouped = waste(files).groupby(LINES[:4], observed=True, sort=False)["bytes"].agg(files="count", bytes="sum")
    return grouped.reset_index()[LINES].sort_values("bytes", ascending=False, kind="stable", ignore_index=True)


def as_one(files: pd.DataFrame, image: str | None = None) -> pd.DataFrame:
    """What would not be shipped if RUN lines that follow one another were one line; only where that saves bytes.

    files: as from `files()`; image: one of them only. Columns: image, first and last (layer numbers of the run), lines
    (count), saved (bytes of the files that one of these layers ships and another one hides), words. A layer without any
    entry is not in `files` and ends a run: which line made it is not known. Lines of a base image are not looked at: whoever
    builds on it cannot join them. (Debian's own first layer is a RUN line, too, in the official images.)

    Raises WorkshopError for an image that `files` does not have.
    """
    files = files if image is None else of_image(files, image)
    files = files[~files["from_base"]].reset_index(drop=True)
    layers = files[["image", "layer", "created_by"]].drop_duplicates(["image", "layer"]).sort_values(["image", "layer"])
    is_run = layers["created_by"].astype(str).str.match(r"RUN\b")
    goes_on = is_run & is_run.shift(fill_value=False) & (layers["layer"].diff() == 1)
    goes_on &= layers["image"].astype(str) == layers["image"].astype(str).shift()
    layers["run"] = (~goes_on).cumsum()
    run = dict(zip(zip(layers["image"], layers["layer"]), layers["run"]))
    hidden = hidden_files(files)
    hidden["run"], hidden["hider"] = (
        [run.get(key) for key in zip(hidden["image"], hidden[column])] for column in ("layer", "hidden_by_layer")
    )
    inside = (hidden["run"] == hidden["hider"]) & (hidden["layer"] < hidden["hidden_by_layer"])
    saved = hidden[inside].groupby("run")["bytes"].sum()
    runs = layers.groupby("run").agg(
        image=("image", "first"), first=("layer", "min"), last=("layer", "max"), lines=("layer", "size")
    )
    runs = runs.join(saved.rename("saved"), how="inner").reset_index(drop=True)
    runs["words"] = [
        f"These {NUMBERS[lines] if lines < len(NUMBERS) else lines} RUN lines as one would ship {size(count)} less."
        for lines, count in zip(runs["lines"], runs["saved"])
    ]
    return runs[AS_ONE]


def hidden_files(files: pd.DataFrame) -> pd.DataFrame:
    """The rows of `files` that are waste, with the columns of WASTE and the index that they had."""
    kind = files["kind"].astype(str)
    hidden = files[(kind == "file") & (files["bytes"] > 0) & ~files["visible"]]
    alive = _linked(files[kind == "hard link"])
    if alive:
        keys = zip(hidden["image"], hidden["layer"], hidden["path"], hidden["digest"])
        hidden = hidden[np.array([key not in alive for key in keys], dtype=bool)]
    again = files[kind.isin(["file", "hard link"]) & files["path"].isin(hidden["path"])]
    stored = set(zip(again["image"], again["layer"], again["path"], again["digest"]))
    keys = zip(hidden["image"], hidden["hidden_by_layer"], hidden["path"], hidden["digest"])
    later = hidden["hidden_by_layer"] > hidden["layer"]
    lines = files.drop_duplicates(["image", "layer"])
    line = dict(zip(zip(lines["image"], lines["layer"]), lines["created_by"].astype(str)))
    same = later & np.array([key in stored for key in keys], dtype=bool)
    hidden = hidden.assign(
        cause=hidden["hidden_by"].mask(same, "metadata"),
        hidden_by_line=[line.get(key, "") for key in zip(hidden["image"], hidden["hidden_by_layer"])],
    )
    return hidden.sort_values("bytes", ascending=False, kind="stable")[WASTE]


def _linked(links: pd.DataFrame) -> set[tuple]:
    """(image, layer, path, digest) of the files that a visible hard link names; a link to a link is followed."""
    keys = list(zip(links["image"], links["layer"], links["path"]))
    target = dict(zip(keys, links["linkname"]))
    linked = set()
    for (image, layer, path), digest, visible in zip(keys, links["digest"], links["visible"]):
        seen = set()
        while visible and (image, layer, path) in target and path not in seen:
            seen.add(path)
            path = target[image, layer, path]
        if seen:
            linked.add((image, layer, path, digest))
    return linked
