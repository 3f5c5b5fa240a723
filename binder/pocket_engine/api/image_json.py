"""An image of the store in the forms in which the API shows it: one line of a list, everything, its history."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping

from ..builder.commit_and_cache import empty_config
from ..errors import NotFound
from ..store.images import Image
from ..store.layers import Layers
from .filters import rfc3339_seconds

ZERO_TIME = "0001-01-01T00:00:00Z"  # how Go writes "never"
BEFORE_1970 = -62135596800  # the same in seconds


def seconds(time: str | None) -> int:
    """An RFC 3339 time as whole seconds since 1970; Go's zero time where there is none."""
    found = rfc3339_seconds(time)
    return BEFORE_1970 if found is None else int(found // 1)


def labels(image: Image) -> dict[str, str]:
    """The labels of an image; {} where there are none."""
    return (image.config.get("config") or {}).get("Labels") or {}


def layer_size(layers: Layers, diff_id: str) -> int:
    """Bytes of a layer's content; 0 where the layer is missing."""
    with contextlib.suppress(NotFound, KeyError, FileNotFoundError):
        return layers.layer(diff_id).size
    return 0


def shared_sizes(images: Iterable[Image], layers: Layers) -> dict[str, int]:
    """{image id: bytes in layers that another image has too}."""
    images = list(images)
    users = Counter(diff_id for image in images for diff_id in set(image.diff_ids))
    shared = {diff_id: layer_size(layers, diff_id) for diff_id, count in users.items() if count > 1}
    return {image.id: sum(shared.get(diff_id, 0) for diff_id in image.diff_ids) for image in images}


def summary(image: Image, tags: list[str], digests: list[str], version: tuple[int, int], **counts: int) -> dict:
    """One entry of the list. counts: Containers and SharedSize, -1 where they were not asked for.

    API 1.43 and older name what has no name "<none>:<none>", and repeat the size as VirtualSize.
    """
    old = version < (1, 43)
    entry = {
        "Containers": -1,
        "Created": seconds(image.config.get("created")),
        "Id": image.id,
        "Labels": labels(image) or None,
        "ParentId": image.parent or "",
        "RepoDigests": digests or (["<none>@<none>"] if old and not tags else []),
        "RepoTags": tags or (["<none>:<none>"] if old else []),
        "SharedSize": -1,
        "Size": image.size,
        **counts,
    }
    return {**entry, "VirtualSize": image.size} if version < (1, 44) else entry


def inspection(image: Image, tags: list[str], digests: list[str], version: tuple[int, int]) -> dict:
    """Everything about an image, as GET /images/{name}/json has it."""
    config = image.config
    history = config.get("history") or []
    layers = image.diff_ids
    about = {
        "Id": image.id,
        "RepoTags": tags,
        "RepoDigests": digests,
        "Parent": image.parent or "",
        "Comment": config.get("comment") or (history[-1].get("comment", "") if history else ""),
        "Created": config.get("created") or ZERO_TIME,
        "Container": config.get("container") or "",
        "ContainerConfig": {**empty_config(), **(config.get("container_config") or {})},
        "DockerVersion": config.get("docker_version") or "",
        "Author": config.get("author") or "",
        "Config": {**empty_config(), **(config.get("config") or {})},
        "Architecture": config.get("architecture") or "",
        "Os": config.get("os") or "",
        "Size": image.size,
        "GraphDriver": {"Data": None, "Name": "pocket"},
        "RootFS": {"Type": "layers", **({"Layers": layers} if layers else {})},
        "Metadata": {"LastTagTime": ZERO_TIME},
    }
    if config.get("variant"):
        about["Variant"] = config["variant"]
    if config.get("os.version"):
        about["OsVersion"] = config["os.version"]
    return {**about, "VirtualSize": image.size} if version < (1, 44) else about


def history(image: Image, layers: Layers, ids: list[str], tags: Mapping[str, list[str]]) -> list[dict]:
    """The steps that made an image, newest first.

    ids: the image's, its parent's, and so on: each step so far is an image of its own; those of a loaded image's steps
    are not known. Steps and layers are paired in order, steps marked as empty having none (OCI image spec, "history").
    """
    remaining = iter(image.diff_ids)
    steps = []
    for step in image.config.get("history") or []:
        layer = None if step.get("empty_layer") else next(remaining, None)
        steps.append(
            {
                "Comment": step.get("comment") or "",
                "Created": seconds(step.get("created")),
                "CreatedBy": step.get("created_by") or "",
                "Id": "<missing>",
                "Size": layer_size(layers, layer) if layer else 0,
                "Tags": None,
            }
        )
    steps.reverse()
    for step, known in zip(steps, ids):
        step["Id"] = known
        step["Tags"] = tags.get(known) or None
    return steps
