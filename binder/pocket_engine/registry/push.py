"""`docker push`: an image of the store into a registry, with layers compressed so that they come out the same each time."""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
import zlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .. import reference_grammar
from ..errors import BadRequest, Interrupted, NotFound, no_space
from ..reference_grammar import joined
from ..store.blobs import Blobs
from ..store.images import Image, Images
from ..store.layers import Layers
from .client import DOCKER_MANIFEST, BrokenUpload, Client, sha256
from .progress import Say, counter, step, stream_messages

ATTEMPTS = 3  # uploads of a layer whose connection breaks
CHUNK = 1 << 18
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def push(
    images: Images,
    layers: Layers,
    blobs: Blobs,
    name: str,
    tag: str = "",
    *,
    auth: dict | None = None,
    stop: threading.Event,
) -> Generator[dict, None, None]:
    """Docker's progress messages while an image goes; without a tag all tags of that name.

    auth: the decoded X-Registry-Auth. Raises EngineError, worded as Docker; the tag in the registry is as before then.
    """
    repository, reference = reference_grammar.split(name, tag)
    if reference_grammar.DIGEST.fullmatch(reference):
        raise BadRequest("cannot push a digest reference")
    tags = [reference] if reference else _tags(images, repository.familiar)
    missing = NotFound(f"An image does not exist locally with the tag: {joined(repository.familiar, reference or '*')}")
    try:
        chosen = [(one_tag, images.find(joined(repository.familiar, one_tag))) for one_tag in tags]
    except NotFound:
        raise missing from None
    if not chosen:
        raise missing

    def work(say: Say, halt: threading.Event) -> None:
        say({"status": f"The push refers to repository [{repository.full}]"})
        with Client(repository, auth=auth, doing="push", stop=halt) as client:
            for one_tag, image in chosen:
                _push(images, layers, blobs, client, one_tag, image, say)

    return stream_messages(work, stop)


def _tags(images: Images, name: str) -> list[str]:
    found = [known for image in images.all() for known in images.tags(image.id)]
    return sorted(tag for base, _, tag in (known.rpartition(":") for known in found) if base == name)


def _push(images: Images, layers: Layers, blobs: Blobs, client: Client, tag: str, image: Image, say: Say) -> None:
    diff_ids = image.diff_ids
    for diff_id in dict.fromkeys(reversed(diff_ids)):
        say(step("Preparing", diff_id))
    with images.lease() as leased:
        leased.update(diff_ids)
        sent = {
            diff_id: _push_layer(layers.open(diff_id), blobs.temporary, client, diff_id, say)
            for diff_id in dict.fromkeys(diff_ids)
        }
    with blobs.open(image.id) as file:
        config = file.read()
    if not client.has_blob(image.id):
        _upload(client, image.id, len(config), lambda: config)
    raw = manifest(image.id, len(config), [sent[diff_id] for diff_id in diff_ids])
    client.put_manifest(tag, raw, DOCKER_MANIFEST)
    images.remember(image.id, client.name.familiar, sha256(raw))
    say({"status": f"{tag}: digest: {sha256(raw)} size: {len(raw)}"})
    say({"progressDetail": {}, "aux": {"Tag": tag, "Digest": sha256(raw), "Size": len(raw)}})


class CompressedLayer(NamedTuple):
    """A layer as it lies in the registry."""

    digest: str
    size: int


def manifest(config: str, size: int, layers: list[CompressedLayer]) -> bytes:
    """Docker's image manifest, version 2, schema 2."""
    described = [{"mediaType": DOCKER_LAYER, "size": layer.size, "digest": layer.digest} for layer in layers]
    content = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {"mediaType": DOCKER_CONFIG, "size": size, "digest": config},
        "layers": described,
    }
    return json.dumps(content, indent=3).encode()


def compress(source: BinaryIO, target: BinaryIO, stop: threading.Event) -> CompressedLayer:
    """gzip without name or time, so that a layer has one digest in all registries."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    seen, size = hashlib.sha256(), 0
    while True:
        if stop.is_set():
            raise Interrupted("The push was stopped.")
        data = source.read(CHUNK)
        packed = packer.compress(data) if data else packer.flush()
        target.write(packed)
        seen.update(packed)
        size += len(packed)
        if not data:
            return CompressedLayer(f"sha256:{seen.hexdigest()}", size)


# Compressing is most of a push's work, and its outcome never changes: a second push of a layer asks the registry first.
_known: dict[str, CompressedLayer] = {}


def _push_layer(source: BinaryIO, scratch: Path, client: Client, diff_id: str, say: Say) -> CompressedLayer:
    with source:
        known = _known.get(diff_id)
        if known and client.has_blob(known.digest):
            say(step("Layer already exists", diff_id))
            return known
        with no_space(scratch), tempfile.TemporaryFile(dir=scratch) as packed:
            found = _known[diff_id] = compress(source, packed, client.stop)
            if not known and client.has_blob(found.digest):
                say(step("Layer already exists", diff_id))
                return found
            progress = counter(say, "Pushing", diff_id, found.size)
            _upload(client, found.digest, found.size, lambda: _Body(packed, found.size, progress, client.stop))
            say(step("Pushed", diff_id))
            return found


class _Body:
    """A file as the body of a request, from its start, saying how far it is. For http.client, which reads in blocks."""

    def __init__(self, file: BinaryIO, size: int, progress: Callable[[int], None], stop: threading.Event):
        file.seek(0)
        self._file, self._size, self._progress, self._stop, self._done = file, size, progress, stop, 0

    def __len__(self) -> int:
        return self._size

    def read(self, _: int = -1) -> bytes:
        if self._stop.is_set():
            raise Interrupted("The push was stopped.")
        data = self._file.read(CHUNK)
        self._done += len(data)
        self._progress(self._done)
        return data


def _upload(client: Client, digest: str, size: int, body: Callable) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return client.upload(digest, size, body)
        except BrokenUpload:
            if attempt == ATTEMPTS:
                raise
            client.pause(0.25 * 2**attempt)
