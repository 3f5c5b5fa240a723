"""The file that lists the images and their names, and the one thing it relies on: what a configuration is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ..errors import BadRequest, EngineError
from .blobs import write_whole

MOST_CONFIG = 8 << 20  # bytes of an image's configuration


def read(path: Path, is_whole: Callable[[str], bool]) -> tuple[dict[str, dict], dict[str, str]]:
    """{id: record}, {name: id}. Only images that are whole: nobody should meet one whose layers a dying disk has lost.

    Raises EngineError if the file is damaged: it is only ever replaced whole, so no crash does that.
    """
    try:
        found = json.loads(path.read_bytes())
        images = {image_id: record for image_id, record in found["images"].items() if is_whole(image_id)}
        names = {name: image_id for name, image_id in found["names"].items() if image_id in images}
        for record in images.values():
            record["parent"] = record["parent"] if record["parent"] in images else None
    except FileNotFoundError:
        return {}, {}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise EngineError(f"{path} is damaged. Move the store's folder away, and build the images again.") from None
    return images, names


def write(path: Path, images: dict[str, dict], names: dict[str, str]) -> None:
    """Replace the file in one step. Raises NoSpace."""
    write_whole(path, json.dumps({"version": 1, "images": images, "names": names}).encode())


def diff_ids_of(raw: bytes) -> list[str]:
    """The layers that an image's configuration names. Raises BadRequest for what is no configuration."""
    try:
        config = json.loads(raw) if len(raw) <= MOST_CONFIG else None
    except (ValueError, RecursionError):
        config = None
    rootfs = (config.get("rootfs") or {}) if isinstance(config, dict) else None
    diff_ids = (rootfs.get("diff_ids") or []) if isinstance(rootfs, dict) else None
    if config is None or not isinstance(diff_ids, list) or not all(isinstance(diff_id, str) for diff_id in diff_ids):
        raise BadRequest("The image's configuration is none: it has to be JSON with rootfs.diff_ids.")
    if any(not isinstance(config.get(key) or {}, dict) for key in ("config", "container_config")):
        raise BadRequest("The image's configuration is none: its config is no JSON object.")
    return diff_ids
