"""Images in and out of the store as tar archives: `docker save`, `docker load`, `docker import`."""

from __future__ import annotations

import datetime
import json
import platform
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from ..errors import BadRequest
from . import image_names, tar_headers
from .entries import DIRECTORY, FILE, Entry
from .image_archive_reader import ArchivedImage, ImageArchiveReader
from .images import Image, Images
from .layers import Layers

_CHUNK = 1 << 20
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def save(images: Images, layers: Layers, references_: Sequence[str]) -> Iterator[bytes]:
    """A tar in chunks of at most 1 MiB, as Docker 25 and newer write it: an OCI image layout with Docker's manifest.json.

    A name without a tag saves all its tags, an id no name; a layer that several images have is there once. Raises
    NotFound, BadRequest before the first chunk.
    """
    with images.lease() as leased:
        wanted = _wanted(images, references_)
        for image, _ in wanted:
            leased.add(image.id)
            leased.update(image.diff_ids)
        yield from _joined(_archive(images, layers, wanted))


def _wanted(images: Images, asked: Sequence[str]) -> list[tuple[Image, list[str]]]:
    """Every image that is asked for once, with the tags that are."""
    found: dict[str, tuple[Image, list[str]]] = {}
    for reference in asked:
        for image, tag in _named(images, reference):
            tags = found.setdefault(image.id, (image, []))[1]
            if tag and tag not in tags:
                tags.append(tag)
    return list(found.values())


def _named(images: Images, reference: str) -> list[tuple[Image, str]]:
    image_id = None if image_names.full_id(reference) else _names(images, reference)
    return image_id if image_id else [(images.find(reference), "")]


def _names(images: Images, reference: str) -> list[tuple[Image, str]]:
    """The tags that a reference means; [] if it is an id or a digest."""
    try:
        name = image_names.parse(reference)
    except BadRequest:
        if image_names.is_hex(reference):
            return []
        raise
    if name.digest:
        return []
    has_tag = ":" in reference.rpartition("/")[2]
    tags = [(image, tag) for image in images.all() for tag in images.tags(image.id)]
    return [
        (image, tag) for image, tag in tags if (tag == str(name) if has_tag else tag.rpartition(":")[0] == name.name)
    ]


def _archive(images: Images, layers: Layers, wanted: list[tuple[Image, list[str]]]) -> Iterator[bytes]:
    """In the order of names, as a walk over Docker's folder gives it."""
    small: dict[str, bytes] = {}
    big: dict[str, str] = {}
    docker, descriptors = [], []
    for image, tags in wanted:
        with images.blobs.open(image.id) as file:
            small[_place(image.id)] = file.read()
        diff_ids = image.diff_ids
        big.update({_place(diff_id): diff_id for diff_id in diff_ids})
        manifest = _dump(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": {"mediaType": _CONFIG, "digest": image.id, "size": len(small[_place(image.id)])},
                "layers": [
                    {"mediaType": _LAYER, "digest": diff_id, "size": layers.layer(diff_id).tar_size}
                    for diff_id in diff_ids
                ],
            }
        )
        small[_place(tar_headers.digest(manifest))] = manifest
        described = {"mediaType": _MANIFEST, "digest": tar_headers.digest(manifest), "size": len(manifest)}
        descriptors += [{**described, "annotations": _annotations(tag)} for tag in tags] or [described]
        docker.append(
            {
                "Config": _place(image.id),
                "RepoTags": tags or None,
                "Layers": [_place(diff_id) for diff_id in diff_ids],
            }
        )
    for path in sorted({*small, *big}):
        if path == min(small | big):
            yield tar_headers.header(Entry("blobs", DIRECTORY, 0o755)) + tar_headers.header(
                Entry("blobs/sha256", DIRECTORY, 0o755)
            )
        yield from _blob(layers, path, big[path]) if path in big else _small(path, small[path])
    yield from _small("index.json", _dump({"schemaVersion": 2, "mediaType": _INDEX, "manifests": descriptors}))
    yield from _small("manifest.json", _dump(docker))
    yield from _small("oci-layout", _dump({"imageLayoutVersion": "1.0.0"}))
    yield bytes(2 * tar_headers.BLOCK_SIZE)


def _small(path: str, content: bytes) -> Iterator[bytes]:
    yield tar_headers.header(Entry(path, FILE, 0o644, size=len(content))) + tar_headers.padded(content)


def _blob(layers: Layers, path: str, diff_id: str) -> Iterator[bytes]:
    size = layers.layer(diff_id).tar_size
    yield tar_headers.header(Entry(path, FILE, 0o644, size=size))
    with layers.open(diff_id) as file:
        while data := file.read(_CHUNK):
            yield data
    yield bytes(-size % tar_headers.BLOCK_SIZE)


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Small pieces together, so that a client does not get thousands of them."""
    waiting = b""
    for piece in pieces:
        if len(waiting) + len(piece) > _CHUNK:
            yield waiting
            waiting = b""
        waiting = waiting + piece if waiting else piece
    if waiting:
        yield waiting


def _annotations(tag: str) -> dict[str, str]:
    name, _, version = tag.rpartition(":")
    first = name.partition("/")[0]
    if "/" not in name or not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}"
    return {"io.containerd.image.name": f"{name}:{version}", "org.opencontainers.image.ref.name": version}


def _place(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def load(images: Images, layers: Layers, stream: BinaryIO, *, stop: threading.Event | None = None) -> Iterator[dict]:
    """Take in what `docker save` (of any version since 1.10) or an OCI image layout's tar holds, compressed or not.

    Yields {"stream": "Loaded image: x:y\\n"} lines once all images are in the store. Raises BadRequest for a damaged or
    hostile archive, NoSpace, Interrupted; then no image of it is there.
    """
    with images.lease() as leased, ImageArchiveReader(stream, images.blobs, stop) as archive:
        archived = archive.images()
        added: list[str] = []
        try:
            for image in archived:
                for diff_id, path in zip(image.diff_ids, image.layers):
                    leased.add(diff_id)
                    if layers.has(diff_id):
                        continue
                    with archive.open(path) as file:
                        layers.add(file, stop=stop, expected=diff_id)
                    added.append(diff_id)
            before = {tag: image.id for image in images.all() for tag in images.tags(image.id)}
            added_images = images.add_many([(image.config, None, image.tags) for image in archived])
        except BaseException:
            leased.clear()
            layers.end_protection(added)
            images.collect()
            raise
    yield from _told(archived, added_images, before)


def _told(archived: Sequence[ArchivedImage], added_images: Sequence[Image], before: dict[str, str]) -> Iterator[dict]:
    for image, added in zip(archived, added_images):
        for tag in image.tags:
            if before.get(tag, added.id) != added.id:
                yield {
                    "stream": f"The image {tag} already exists, renaming the old one with ID {before[tag]} to empty string\n"
                }
            yield {"stream": f"Loaded image: {tag}\n"}
        if not image.tags:
            yield {"stream": f"Loaded image ID: {added.id}\n"}


def import_(
    images: Images,
    layers: Layers,
    stream: BinaryIO,
    repository: str,
    tag: str,
    changes: list[str],
    message: str,
    apply_changes: Callable[[dict, list[str]], dict] | None = None,
    *,
    stop: threading.Event | None = None,
) -> Image:
    """An image of one layer, the filesystem in a tar. changes: Dockerfile lines, put on an empty configuration by
    `apply_changes`. Raises BadRequest, NoSpace, Interrupted."""
    name = image_names.tagged(f"{repository}:{tag}" if tag else repository) if repository else None
    config = apply_changes({}, changes) if apply_changes and changes else {}
    created = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with images.lease() as leased:
        layer = layers.add(stream, stop=stop)
        leased.add(layer.diff_id)
        return images.create(
            {
                "architecture": _MACHINES.get(platform.machine(), platform.machine()),
                "os": "linux",
                "created": created,
                "config": config,
                "container_config": {},
                "history": [{"created": created, "comment": message or "Imported from -"}],
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
            },
            tags=[name] if name else [],
        )
