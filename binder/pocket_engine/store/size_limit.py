"""Keeping the store within its size: what nobody named and nobody used for longest goes first."""

from __future__ import annotations

import time

from ..errors import EngineError, NoSpace
from .images import Images

RECENT = 60.0  # seconds since its last use in which an image without a name is taken for part of a running build


def make_room(images: Images, needed: int) -> int:
    """Make room for so many bytes and return how many became free.

    Images without any name and without children go, the least recently used first, then those that only a registry's
    digest names. Images with a tag, held ones and those of containers never go. Raises NoSpace when that was not enough.
    """
    freed = images.collect()
    while freed < needed and (image_id := _next(images)):
        before = images.blobs.used()
        try:
            images.remove(image_id, force=False, noprune=True)
        except EngineError:  # named or used since a moment
            break
        freed += before - images.blobs.used()
    if freed < needed:
        raise NoSpace(
            f"The store is {(needed - freed) / 1e6:,.1f} MB short of its limit, and every image in it has a name or is in use. "
            "Remove images you no longer need."
        )
    return freed


def _next(images: Images) -> str | None:
    """The image that goes first."""
    with images.lock:
        leased, known = images.leased(), images.all()
        parents = {image.parent for image in known}
        free_to_go = [
            (bool(images.digests(image.id)), images.last_used(image.id), image.id)
            for image in known
            if image.id not in parents | leased
            and not images.tags(image.id)
            and not images.used_by(image.id)
            and time.time() - images.last_used(image.id) > RECENT
        ]
        return min(free_to_go, default=(False, 0.0, None))[2]


def usage(images: Images, limit: int | None = None) -> dict:
    """Bytes: `layers` (tars of all layers that images have, each once), `blobs` (all that is on disk), `limit`."""
    with images.lock:
        diff_ids = {layer for image in images.all() for layer in image.diff_ids}
        layers = sum(images.layers.layer(diff_id).tar_size for diff_id in diff_ids)
        return {"layers": layers, "blobs": images.blobs.used(), "limit": limit, "images": len(images.all())}
