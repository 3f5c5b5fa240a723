"""files(): every entry of every layer of the images asked for, as one DataFrame; and what follows from it at once."""

from __future__ import annotations

import itertools
from pathlib import Path

import docker
import numpy as np
import pandas as pd

from ..analysis import waste
from ..dockerfiles.history import instruction
from ..errors import translate_engine_loss
from . import cache, merge, source
from .layer import ENTRY, KINDS, OPAQUE_DIRECTORY, REMOVED

TEXT = pd.Series([""]).dtype  # what pandas holds texts in; from an empty list it could not tell

COLUMNS = ["image", "layer", "diff_id", "created_by", *ENTRY, "visible", "hidden_by", "hidden_by_layer"]


@translate_engine_loss("the export of an image")
def files(client: docker.DockerClient | None, images: str | Path | list) -> pd.DataFrame:
    """Every entry of every layer, read from the layers themselves.

    images: names or ids; or a Path, or a text that starts with "/", "./" or "../", to what `docker save` wrote or to an
    OCI image layout: for these, client may be None. Columns: image (as asked for; for an archive the tag in it, or its
    file name), layer (0 is the lowest), diff_id, created_by (the instruction), path, kind ("file", "directory",
    "symlink", "hard link", "device", "fifo", "whiteout", "opaque", "other"), size (bytes; of a sparse file expanded),
    mode, uid, gid, linkname (of a device "major:minor"), digest (SHA-256 of a file's content; a hard link has its
    file's), xattrs ("name=hex …"), visible (in the merged filesystem), hidden_by ("deleted", "overwritten", "opaque"),
    hidden_by_layer (-1 if visible). Shared layers are exported once, and a layer that was read before is not again.

    Raises WorkshopError if an image is not there or an archive is damaged, EngineLost if the engine goes away.
    """
    known = cache.Shelf()
    stacks: list[tuple[str, list[str]]] = []
    wanted = [images] if isinstance(images, (str, Path)) else list(dict.fromkeys(images))
    named = [one for one in wanted if not source.is_path(one)]
    held = source.from_engine(client, named, known) if named else {}
    for one in wanted:
        stacks += source.from_disk(Path(one), known) if source.is_path(one) else [(one, held[one])]
    return _frame(stacks, known)


def layers(files: pd.DataFrame) -> pd.DataFrame:
    """One row per layer of each image: columns image, layer, created_by, files (count), bytes (of the files in it), wasted.

    wasted: those of its bytes that nobody can see any more (`waste` says which). A layer without an entry has no row.
    """
    keys = ["image", "layer", "created_by"]
    every = files[keys].drop_duplicates().set_index(keys)
    found = files[files["kind"] == "file"].groupby(keys, observed=True)["size"].agg(files="count", bytes="sum")
    lost = waste.waste(files).groupby(["image", "layer"], observed=True)["size"].sum().rename("wasted")
    table = every.join(found).reset_index().merge(lost.reset_index(), on=["image", "layer"], how="left")
    counts = ["files", "bytes", "wasted"]
    table[counts] = table[counts].fillna(0).astype(int)
    return table.sort_values(keys[:2], ignore_index=True)


@translate_engine_loss("the export of an image")
def sizes(client: docker.DockerClient, images: str | list[str], compressed: bool = False) -> pd.DataFrame:
    """How large images are, in the meanings of the word.

    Columns: image, layers (count), files (count of visible files), bytes (of all files in all layers: what is stored and
    shipped, without the tars' headers), tar (the layers' uncompressed tars), engine (what the engine itself reports;
    engines count differently), shared (tar bytes of the layers that another of these images has, too). With
    compressed=True also compressed: bytes that a pull transfers, each layer as the engine stored it if that is
    compressed, else by zlib's gzip at level 6, within 5 % of what Docker's makes of it for a registry. (One exception:
    a containerd store pushes a layer as it is that `docker load` gave it uncompressed.) The first time that costs about
    half a minute for each GB.
    """
    images = [images] if isinstance(images, str) else list(dict.fromkeys(images))
    about, known = {image: source.inspect(client, image) for image in images}, cache.Shelf()
    stacks = {image: about[image]["RootFS"].get("Layers") or [] for image in images}
    if compressed:
        source.squeeze(client, stacks, known)
    read = files(client, images)
    rows = []
    for image, diff_ids in stacks.items():
        own = read[read["image"] == image]
        plain = own[own["kind"] == "file"]
        others = {one for other, ids in stacks.items() if other != image for one in ids}
        tars = [(known.tar_bytes(one), one in others) for one in diff_ids]
        rows.append(
            {
                "image": image,
                "layers": len(diff_ids),
                "files": int(plain["visible"].sum()),
                "bytes": int(plain["size"].sum()),
                "tar": sum(count for count, _ in tars),
                **({"compressed": sum(map(known.compressed, diff_ids))} if compressed else {}),
                "engine": about[image]["Size"],
                "shared": sum(count for count, shared in tars if shared),
            }
        )
    return pd.DataFrame(rows)


def directories(files: pd.DataFrame, depth: int = 2) -> pd.DataFrame:
    """Visible bytes by folder, largest first: columns directory, files, bytes. depth: how many path parts count."""
    plain = files[(files["kind"] == "file") & files["visible"]]
    top = plain["path"].map(
        lambda path: (
            "/".join(path.split("/")[: depth + 1]) if path.count("/") > depth else path.rpartition("/")[0] or "/"
        )
    )
    grouped = plain.groupby(top.rename("directory"))["size"].agg(files="count", bytes="sum")
    return grouped.sort_values("bytes", ascending=False).reset_index()


def _frame(stacks: list[tuple[str, list[str]]], known: cache.Shelf) -> pd.DataFrame:
    """The frame of images given as (name, diff ids). Columns are made whole, not layer by layer: that is much faster."""
    columns: dict[str, list] = {name: [] for name in ENTRY}
    lengths, image, number, diff_id, line, cause, by = [], [], [], [], [], [], []
    for name, diff_ids in stacks:
        held = [known.columns(one) for one in diff_ids]
        hidden = merge.hidden([(one["path"], one["kind"]) for one in held])
        cause.append(hidden[0])
        by.append(hidden[1])
        lengths += [len(one["path"]) for one in held]
        image += [name] * len(held)
        number += range(len(held))
        diff_id += diff_ids
        line += map(instruction, known.instructions(diff_ids))
        for column in ENTRY:
            columns[column] += [one[column] for one in held]
    whole = {name: list(itertools.chain.from_iterable(parts)) for name, parts in columns.items()}
    kinds = np.array(whole["kind"], dtype=np.int8)
    causes = np.fromiter(itertools.chain.from_iterable(cause), dtype=np.int8, count=len(kinds))
    repeat = lambda values: np.repeat(np.array(values, dtype=np.int64), lengths)  # noqa: E731
    numbers = {name: np.array(whole[name], dtype=np.int64) for name in ("size", "mode", "uid", "gid")}
    frame = {
        "image": _category(image, lengths),
        "layer": repeat(number),
        "diff_id": _category(diff_id, lengths),
        "created_by": _category(line, lengths),
        **{name: numbers[name] if name in numbers else pd.Series(whole[name], dtype=TEXT) for name in ENTRY},
        "kind": pd.Categorical.from_codes(kinds, KINDS),
        "visible": (causes == merge.VISIBLE) & ~np.isin(kinds, (REMOVED, OPAQUE_DIRECTORY)),
        "hidden_by": pd.Series(np.array(merge.CAUSES, dtype=object)[causes], dtype=TEXT),
        "hidden_by_layer": np.fromiter(itertools.chain.from_iterable(by), dtype=np.int64, count=len(kinds)),
    }
    return pd.DataFrame(frame)[COLUMNS]


def _category(values: list[str], lengths: list[int]) -> pd.Categorical:
    """Each value as often as its layer has entries."""
    categories = list(dict.fromkeys(values))
    code = {value: number for number, value in enumerate(categories)}
    return pd.Categorical.from_codes(
        np.repeat(np.array([code[one] for one in values], dtype=np.int32), lengths), categories
    )
