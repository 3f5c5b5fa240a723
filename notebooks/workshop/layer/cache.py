"""Layers that were read before, on disk by diff id: a layer never changes, so it is read once."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
import sys
import tempfile
import zlib
from pathlib import Path

from ..errors import WorkshopError
from .archive import Archive, Image
from .layer import ENTRY

VERSION = 3  # of the format; another version's files are read anew
HERE = "FACTORY_FLOOR_CACHE"  # a folder to use instead of the user's cache folder


def folder() -> Path:
    """Where layers are kept: the user's cache folder, by the platform's own convention."""
    if chosen := os.environ.get(HERE):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "factory-floor"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/factory-floor"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "factory-floor"


class LayerCache:
    """The layers on disk, and those just read. A file that is damaged or of another version counts as not there."""

    def __init__(self):
        self._fresh: dict[tuple[str, str], dict] = {}  # still at hand where the disk cannot be written

    def has(self, image_id: str, diff_ids: list[str], compressed: bool = False) -> bool:
        """True if every layer, and the instructions that made them in this image, can be had without the engine.

        compressed: the compressed size of every layer, too.
        """
        return self.has_instructions(image_id) and all(self.has_layer(diff_id, compressed) for diff_id in diff_ids)

    def has_layer(self, diff_id: str, compressed: bool = False) -> bool:
        """True if this layer can be had without the engine. compressed: its compressed size, too."""
        kinds = ("layer", "gzip") if compressed else ("layer",)
        return all(self._get(kind, diff_id) is not None for kind in kinds)

    def has_instructions(self, image_id: str) -> bool:
        """True if the instructions that made this image's layers can be had without the engine."""
        return self._get("image", image_id) is not None

    def layer_in(self, blob: str) -> str | None:
        """The diff id of the layer that an engine keeps under this digest, as far as that was seen."""
        record = self._get("blob", blob)
        return record["diff_id"] if record else None

    def columns(self, diff_id: str) -> dict[str, list]:
        """The entries of one layer: {name in `layer.ENTRY`: list}, kind as a number in `layer.KINDS`."""
        return self._known("layer", diff_id)["columns"]

    def tar_bytes(self, diff_id: str) -> int:
        """Bytes of the layer's uncompressed tar."""
        return self._known("layer", diff_id)["tar"]

    def packages(self, diff_id: str) -> list[list]:
        """What the layer's package databases name: rows of `package_databases.COLUMNS`."""
        return self._known("layer", diff_id)["packages"]

    def compressed(self, diff_id: str) -> int:
        """Bytes of the layer, compressed."""
        return self._known("gzip", diff_id)["bytes"]

    def instructions(self, image_id: str, count: int) -> list[str]:
        """The history text behind each of an image's layers, so many; empty texts if the image was never read.

        They belong to the image: two images can have the same layers from other instructions.
        """
        record = self._get("image", image_id)
        return record["texts"] if record and len(record["texts"]) == count else [""] * count

    def put(
        self, archive: Archive, compressed: dict[str, int] | None = None, also: dict[str, Image] | None = None
    ) -> None:
        """Keep what was read: entries by diff id, and each image's history by its ids. compressed: {diff id: bytes}.

        also: {an engine's id: image} where that is none of the image's own.
        """
        new: dict[tuple[str, str], dict] = {("blob", blob): {"diff_id": one} for blob, one in archive.blobs.items()}
        for image in archive.images:
            for image_id in (image.id, *image.digests):
                new["image", image_id] = {"texts": image.instructions}
        for image_id, image in (also or {}).items():
            new["image", image_id] = {"texts": image.instructions}
        for diff_id, layer in archive.layers.items():
            new["layer", diff_id] = {"columns": layer.columns, "tar": layer.tar_bytes, "packages": layer.packages}
        for diff_id, count in (compressed or {}).items():
            new["gzip", diff_id] = {"bytes": count}
        self._fresh |= new
        for (kind, key), record in new.items():
            try:
                _write(kind, key, record)
            except OSError:
                return  # a cache that cannot be written costs time, nothing else

    def _known(self, kind: str, key: str) -> dict:
        """A record that `has` has seen."""
        record = self._get(kind, key)
        if record is None:
            raise WorkshopError("The layer cache was emptied while it was read.", "Run the cell again.")
        return record

    def _get(self, kind: str, key: str) -> dict | None:
        fresh = self._fresh.get((kind, key))
        return _read(kind, key) if fresh is None else fresh


def _path(kind: str, key: str) -> Path:
    return folder() / f"v{VERSION}" / kind / f"{hashlib.sha256(key.encode()).hexdigest()}.json.gz"


def _read(kind: str, key: str) -> dict | None:
    """What a file holds, or None; a file that was not touched since is not read again."""
    path = _path(kind, key)
    try:
        about = path.stat()
        return _decoded(path, kind, key, about.st_mtime_ns, about.st_size)
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, zlib.error):
        return None


@functools.lru_cache(maxsize=128)
def _decoded(path: Path, kind: str, key: str, *version: int) -> dict:
    with gzip.open(path, "rb") as file:  # its checksum tells damage
        record = json.loads(file.read())
    if record.pop("key") != key:
        raise ValueError("another key's file")
    if kind == "layer":
        columns = record["columns"] = dict(zip(ENTRY, record["columns"], strict=True))  # by place: no name is stored
        if len({len(column) for column in columns.values()}) != 1:
            raise ValueError("columns of different lengths")
        columns["digest"] = [f"sha256:{one}" if one else "" for one in columns["digest"]]
    return record


def _write(kind: str, key: str, record: dict) -> None:
    """Write a file whole or not at all, so that two kernels do no harm; what a power cut tears, its checksum tells."""
    path = _path(kind, key)
    if kind == "layer":
        columns = record["columns"] | {"digest": [one.removeprefix("sha256:") for one in record["columns"]["digest"]]}
        record = record | {"columns": [columns[name] for name in ENTRY]}
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1) as file:
            file.write(json.dumps(record | {"key": key}).encode("ascii"))
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
