"""files(): every entry of every layer of the images asked for, as one DataFrame; and sizes(), the sums of it."""

from __future__ import annotations

import itertools
from pathlib import Path

import docker
import numpy as np
import pandas as pd

from ..dockerfiles.history import instruction
from ..errors import translate_engine_loss
from ..units import short_digests
from . import merge, source
from .base_layers import UNKNOWN, Base, bases_of
from .cache import LayerCache
from .layer import ENTRY, KINDS, OPAQUE_DIRECTORY, REMOVED

TEXT = pd.Series([""]).dtype  # what pandas holds texts in; from an empty list it could not tell

COLUMNS = ["image", "layer", "diff_id", "created_by", "from_base", *ENTRY, "visible", "hidden_by", "hidden_by_layer"]


@translate_engine_loss("the export of an image")
def files(client: docker.DockerClient | None, images: str | Path | list) -> pd.DataFrame:
    """Every entry of every layer, read from the layers themselves.

    images: names or ids; or a Path, or a text that starts with "/", "./" or "../", to what `docker save` wrote or to an
    OCI image layout: for these, client may be None. Columns: image (as asked for; in an archive the image's first
    tag, else the file's name or a short id; a platform or short id is behind it where two images would be called alike),
    layer (0 is the lowest), diff_id, created_by (the instruction), from_base (True if the layer came with the
    base image; always False for an archive: it does not say), path, kind ("file", "directory", "symlink", "hard link",
    "device", "fifo", "whiteout", "opaque", "other"), bytes (of the content; of a sparse file expanded), mode, uid, gid,
    linkname (of a device "major:minor"), digest (SHA-256 of a file's content; a hard link has its file's), xattrs
    ("name=hex …"), visible (in the merged filesystem), hidden_by ("deleted", "overwritten", "opaque"), hidden_by_layer
    (-1 if visible). Shared layers are exported once, and a layer that was read before is not again.

    Which image is the base, no engine keeps: it is looked for in the engine, as `base_layers.bases_of` says, and
    attrs["bases"] has {image: base image's name} of those that were found. attrs["aliases"] has {tag: image} of an
    archive's further tags, which every function that takes an image's name knows, too.

    Raises WorkshopError if an image is not there or an archive is damaged, EngineLost if the engine goes away.
    """
    return read_files(client, images, LayerCache())


def read_files(client: docker.DockerClient | None, images: str | Path | list, layers: LayerCache) -> pd.DataFrame:
    """`files()` by way of a cache that the caller has more to ask of afterwards."""
    asked_for = [images] if isinstance(images, (str, Path)) else list(dict.fromkeys(images))
    about = {str(name): source.inspect(client, str(name)) for name in asked_for if not source.is_path(name)}
    in_engine = {name: source.stack_of(image) for name, image in about.items()}
    source.fill_from_engine(client, in_engine, layers)
    bases = bases_of(client, about)
    stacks: list[tuple[str, source.Stack, Base]] = []
    aliases: dict[str, str] = {}
    for name in asked_for:
        if source.is_path(name):
            images_in, others = source.from_disk(Path(name), layers)
            stacks += [(image, stack, UNKNOWN) for image, stack in images_in.items()]
            aliases |= others
        else:
            stacks.append((str(name), in_engine[str(name)], bases[str(name)]))
    frame = _frame(_told_apart(stacks), layers)
    frame.attrs["aliases"] = aliases
    return frame


def _told_apart(stacks: list[tuple[str, source.Stack, Base]]) -> list[tuple[str, source.Stack, Base]]:
    """No two images under one name: those of several archives, or of one and the engine, get their short id behind it."""
    first: dict[str, str] = {}
    unique = {}
    for (name, stack, base), short in zip(stacks, short_digests(stack.id for _, stack, _ in stacks)):
        if first.setdefault(name, stack.id) != stack.id:
            name = f"{name}@{short}"
        unique[name] = (name, stack, base)
    return list(unique.values())


@translate_engine_loss("the export of an image")
def sizes(client: docker.DockerClient, images: str | list[str], compressed: bool = False) -> pd.DataFrame:
    """How large images are, in the meanings of the word.

    Columns: image, layers (count), files (count of visible files), bytes (of all files in all layers: what is stored and
    shipped, without the tars' headers), tar (the layers' uncompressed tars), engine (what the engine itself reports;
    engines count differently), shared (tar bytes of the layers that another of these images has, too). With
    compressed=True also compressed: bytes that a pull transfers, each layer as the engine stored it if that is
    compressed, else by zlib's gzip at level 6, within 5 % of what Docker's makes of it for a registry. (One exception:
    a containerd store pushes a layer as it is that `docker load` gave it uncompressed.) The first time that costs about
    half a minute for each GB that the engine does not store compressed.
    """
    images = [images] if isinstance(images, str) else list(dict.fromkeys(images))
    about, layers = {image: source.inspect(client, image) for image in images}, LayerCache()
    stacks = {image: source.stack_of(about[image]) for image in images}
    source.fill_from_engine(client, stacks, layers, compressed)
    entries = _frame([(image, stack, UNKNOWN) for image, stack in stacks.items()], layers)
    diff_ids_of = {image: stack.diff_ids for image, stack in stacks.items()}
    rows = []
    for image, diff_ids in diff_ids_of.items():
        plain = entries[(entries["image"] == image) & (entries["kind"] == "file")]
        rows.append(
            {
                "image": image,
                "layers": len(diff_ids),
                "files": int(plain["visible"].sum()),
                "bytes": int(plain["bytes"].sum()),
                "tar": sum(map(layers.tar_bytes, diff_ids)),
                **({"compressed": sum(map(layers.compressed, diff_ids))} if compressed else {}),
                "engine": about[image]["Size"],
                "shared": sum(map(layers.tar_bytes, shared(image, diff_ids_of))),
            }
        )
    return pd.DataFrame(rows)


def shared(image: str, stacks: dict[str, list[str]]) -> list[str]:
    """The diff ids of the image's layers that another of these images has, too."""
    elsewhere = {diff_id for other, diff_ids in stacks.items() if other != image for diff_id in diff_ids}
    return [diff_id for diff_id in stacks[image] if diff_id in elsewhere]


def _frame(stacks: list[tuple[str, source.Stack, Base]], layers: LayerCache) -> pd.DataFrame:
    """The frame of images given as (name, layers, base). Columns are made whole, not layer by layer: that is much faster."""
    columns: dict[str, list] = {name: [] for name in ENTRY}
    lengths: list[int] = []
    image: list[str] = []
    number: list[int] = []
    diff_id: list[str] = []
    line: list[str] = []
    from_base: list[bool] = []
    cause: list[list[int]] = []
    hider: list[list[int]] = []
    for name, stack, base in stacks:
        diff_ids = stack.diff_ids
        entries = [layers.columns(one) for one in diff_ids]
        layer_causes, layer_hiders = merge.hidden([(layer["path"], layer["kind"]) for layer in entries])
        cause.append(layer_causes)
        hider.append(layer_hiders)
        lengths += [len(layer["path"]) for layer in entries]
        image += [name] * len(entries)
        number += range(len(entries))
        diff_id += diff_ids
        line += map(instruction, layers.instructions(stack.id, len(diff_ids)))
        from_base += [layer < base.layers for layer in range(len(entries))]
        for column in ENTRY:
            columns[column] += [layer[column] for layer in entries]
    whole = {name: list(itertools.chain.from_iterable(parts)) for name, parts in columns.items()}
    kinds = np.array(whole["kind"], dtype=np.int8)
    causes = np.fromiter(itertools.chain.from_iterable(cause), dtype=np.int8, count=len(kinds))
    numbers = {name: np.array(whole[name], dtype=np.int64) for name in ("bytes", "mode", "uid", "gid")}
    frame = {
        "image": _category(image, lengths),
        "layer": np.repeat(np.array(number, dtype=np.int64), lengths),
        "diff_id": _category(diff_id, lengths),
        "created_by": _category(line, lengths),
        "from_base": np.repeat(np.array(from_base, dtype=bool), lengths),
        **{name: numbers[name] if name in numbers else pd.Series(whole[name], dtype=TEXT) for name in ENTRY},
        "kind": pd.Categorical.from_codes(kinds, KINDS),
        "visible": (causes == merge.VISIBLE) & ~np.isin(kinds, (REMOVED, OPAQUE_DIRECTORY)),
        "hidden_by": pd.Series(np.array(merge.CAUSES, dtype=object)[causes], dtype=TEXT),
        "hidden_by_layer": np.fromiter(itertools.chain.from_iterable(hider), dtype=np.int64, count=len(kinds)),
    }
    frame = pd.DataFrame(frame)[COLUMNS]
    frame.attrs["bases"] = {name: base.name for name, _, base in stacks if base != UNKNOWN}
    return frame


def _category(values: list[str], lengths: list[int]) -> pd.Categorical:
    """Each value as often as its layer has entries."""
    categories = list(dict.fromkeys(values))
    code = {value: number for number, value in enumerate(categories)}
    return pd.Categorical.from_codes(
        np.repeat(np.array([code[one] for one in values], dtype=np.int32), lengths), categories
    )
