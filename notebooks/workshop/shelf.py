"""Layers that were read before, on disk by diff id: a layer never changes, so it is read once."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

from .archive import ENTRY
from .history import made_layers

VERSION = 1  # of the format; another version's files are read anew
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


class Shelf:
    """The layers on disk, and those just read. A file that is damaged or of another version counts as not there."""

    def __init__(self):
        self._fresh: dict[tuple[str, str], list] = {}  # still at hand where the disk cannot be written

    def has(self, diff_ids: list[str]) -> bool:
        """True if every layer, and the instructions that made them, can be had without the engine."""
        keys = [("image", ",".join(diff_ids)), *(("layer", one) for one in diff_ids)]
        return all(self._get(*key) is not None for key in keys)

    def entries(self, diff_id: str) -> list[tuple]:
        """The entries of one layer, in `archive.ENTRY` order."""
        return self._get("layer", diff_id) or []

    def instructions(self, diff_ids: list[str]) -> list[str]:
        """The history text behind each layer; empty texts if the image was never read."""
        return self._get("image", ",".join(diff_ids)) or [""] * len(diff_ids)

    def put(self, layers: dict[str, list[tuple]], configs: list[dict]) -> None:
        """Keep what was read: entries by diff id, and each image's history."""
        for config in configs:
            diff_ids = config["rootfs"].get("diff_ids") or []
            self._fresh["image", ",".join(diff_ids)] = made_layers(config, len(diff_ids))
        self._fresh |= {("layer", diff_id): entries for diff_id, entries in layers.items()}
        for (kind, key), rows in self._fresh.items():
            try:
                _write(kind, key, rows)
            except OSError:
                return  # a cache that cannot be written costs time, nothing else

    def _get(self, kind: str, key: str):
        fresh = self._fresh.get((kind, key))
        return _read(kind, key) if fresh is None else fresh


def _path(kind: str, key: str) -> Path:
    return folder() / f"v{VERSION}" / kind / f"{hashlib.sha256(key.encode()).hexdigest()}.json.gz"


@functools.lru_cache(maxsize=512)
def _read(kind: str, key: str):
    try:
        with gzip.open(_path(kind, key), "rt", encoding="utf-8", errors="surrogateescape") as file:
            held = json.load(file)
        if held["key"] != key:
            return None
        return [tuple(row) for row in zip(*held["columns"])] if kind == "layer" else held["texts"]
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def _write(kind: str, key: str, rows: list) -> None:
    """Write a file whole or not at all, so that two kernels and a power cut do no harm."""
    path = _path(kind, key)
    if kind == "layer":
        held = {"key": key, "fields": ENTRY, "columns": list(zip(*rows)) or [[] for _ in ENTRY]}
    else:
        held = {"key": key, "texts": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1) as file:
            file.write(json.dumps(held).encode("utf-8", "surrogateescape"))
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    _read.cache_clear()
