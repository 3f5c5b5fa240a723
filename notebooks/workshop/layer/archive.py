"""Reading what `save` sends, or an archive on disk: every layer of every image, from one stream that is never kept whole.

Understands Docker 20.10's layout, that of Docker 25 and newer with either image store, Podman's, and OCI image layouts
(OCI image specification, "Image Layout") as a tar or a folder; layers plain, gzip or zstd.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..dockerfiles.history import made_layers
from ..errors import WorkshopError
from . import layer as layer_tar
from . import tar
from .layer import BROKEN, LARGEST_HEADER, Layer, is_layer, read_layer
from .streams import PIECE, ChunkReader, PrefixedReader, uncompressed, up_to
from .tar import Damaged, Tar

LARGEST_JSON = 4 << 20  # bytes; configs and manifests are kilobytes
MOST_MEMBERS = 100_000  # of an archive: layers, configs, manifests
NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")  # annotations that hold an image's name
DEEPEST_INDEX = 8  # an index may name indexes


@dataclass
class Image:
    """An image in an archive: its names, its diff ids base first, and the history text behind each."""

    names: list[str]
    diff_ids: list[str]
    instructions: list[str]


@dataclass
class Archive:
    """What was read: layers by diff id, and the images that they belong to."""

    layers: dict[str, Layer] = field(default_factory=dict)
    images: list[Image] = field(default_factory=list)


def read_archive(chunks: Iterable[bytes], name: str, wanted: str | None = None, begin_layer=None) -> Archive:
    """Read one archive as it streams in. name: of the archive, for errors. wanted: a path whose content is kept.

    begin_layer: called once for each layer, it returns what is called with each piece of its uncompressed tar.
    Raises WorkshopError that names the archive if it is none, is damaged, or breaks the limits of `layer_tar`.
    """
    try:
        return _read(_members_of_tar(chunks), wanted, begin_layer)
    except BROKEN as error:
        raise unreadable(name, error) from None


def read_folder(folder: Path, wanted: str | None = None, begin_layer=None) -> Archive:
    """Read an OCI image layout that is a folder. Arguments and errors as for `read_archive`."""
    try:
        return _read(_members_of_folder(folder), wanted, begin_layer)
    except BROKEN as error:
        raise unreadable(str(folder), error) from None


def unreadable(name: str, error: Exception) -> WorkshopError:
    """The error for an archive that is damaged, or not an image at all."""
    why = str(error).strip().rstrip(".") or type(error).__name__
    if isinstance(error, EOFError):
        why = "it breaks off before its end"
    return WorkshopError(f"The archive {name} cannot be read: {why}.", "Save it again, then run the cell again.")


def _members_of_tar(chunks: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
    """(name, a readable), or (name, the name that it links to), of each member in the order of the stream."""
    source, _ = uncompressed(ChunkReader(chunks))
    outer = Tar(source.read, PIECE, LARGEST_HEADER)
    for member in outer:
        name = posixpath.normpath(member.name)
        if member.size > layer_tar.LARGEST_LAYER:
            raise Damaged(f"{name[:80]} claims {member.size:,} bytes")
        if member.type == tar.FILE and member.sparse is None:
            yield name, outer
        elif member.type == tar.SYMLINK:
            yield name, posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
        elif member.type == tar.LINK:
            yield name, posixpath.normpath(member.linkname)


def _members_of_folder(folder: Path) -> Iterator[tuple[str, Any]]:
    blobs = folder / "blobs"
    for path in [folder / "index.json", folder / "manifest.json", *sorted(blobs.glob("*/*"))]:
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as content:
                yield path.relative_to(folder).as_posix(), content


def _read(members: Iterator[tuple[str, Any]], wanted: str | None, begin_layer) -> Archive:
    archive, blobs, links, layer_of = Archive(), {}, {}, {}
    for count, (name, content) in enumerate(members, 1):
        if count > MOST_MEMBERS:
            raise Damaged(f"it has more than {MOST_MEMBERS:,} members")
        if isinstance(content, str):
            links[name] = content
            continue
        head = up_to(content, 512)
        if is_layer(head):
            layer = read_layer(PrefixedReader(head, content), wanted, begin_layer() if begin_layer else None)
            archive.layers[layer.diff_id] = layer
            layer_of[name] = layer.diff_id
        elif head.lstrip()[:1] in (b"{", b"["):
            text = head + up_to(content, LARGEST_JSON + 1 - len(head))
            if len(text) <= LARGEST_JSON:
                blobs[name] = text
    archive.images = _Contents(blobs, links, layer_of).images()
    for image in archive.images:
        if sum(len(archive.layers[diff_id].columns["path"]) for diff_id in image.diff_ids) > layer_tar.MOST_ENTRIES:
            raise Damaged(f"an image in it has more than {layer_tar.MOST_ENTRIES:,} entries")
    return archive


class _Contents:
    """The archive's members by name, with its links followed, whatever order they came in."""

    def __init__(self, blobs: dict[str, bytes], links: dict[str, str], layer_of: dict[str, str]):
        self.blobs, self.links, self.layer_of = blobs, links, layer_of

    def images(self) -> list[Image]:
        if "manifest.json" in self.blobs:
            images = [self._from_manifest(one) for one in _listed(json.loads(self.blobs["manifest.json"]))]
        elif "index.json" in self.blobs:
            images = list(self._from_index(json.loads(self.blobs["index.json"]), [], 0))
        else:
            raise Damaged("it holds no image: neither manifest.json nor index.json is in it")
        if not images:
            raise Damaged("it holds no image")
        return images

    def _from_manifest(self, entry: dict) -> Image:
        """An entry of `docker save`'s manifest.json."""
        names = [self._follow(posixpath.normpath(one)) for one in entry["Layers"] or []]
        return self._image(_texts(entry.get("RepoTags") or []), self._json(entry["Config"]), names)

    def _from_index(self, index: dict, names: list[str], depth: int) -> Iterator[Image]:
        """The images of an OCI index; what is only about them (attestations), or is not here, is passed over."""
        if depth > DEEPEST_INDEX:
            raise Damaged("its indexes are nested without end")
        missing = None
        for entry in _listed(index["manifests"]):
            notes = entry.get("annotations") or {}
            if "vnd.docker.reference.type" in notes or (entry.get("platform") or {}).get("os") == "unknown":
                continue
            called = _texts([notes.get(key) for key in NAMES if notes.get(key)])[:1]
            blob = _blob(entry["digest"])
            if self._follow(blob) not in self.blobs:
                missing = blob  # an index of many platforms, of which one was fetched
                continue
            inner = self._json(blob)
            if "manifests" in inner:
                yield from self._from_index(inner, called or names, depth + 1)
            elif "layers" in inner and "rootfs" in (config := self._json(_blob(inner["config"]["digest"]))):
                layers = [self._follow(_blob(one["digest"])) for one in _listed(inner["layers"])]
                yield self._image(called or names, config, layers)
            missing = None
        if missing and depth == 0:
            raise Damaged(f"{missing} is missing")

    def _image(self, names: list[str], config: dict, layers: list[str]) -> Image:
        diff_ids = list(config["rootfs"].get("diff_ids") or [])
        if len(layers) != len(diff_ids):
            raise Damaged(f"its manifest names {len(layers)} layers, its config {len(diff_ids)}")
        for number, (name, diff_id) in enumerate(zip(layers, diff_ids)):
            if name not in self.layer_of:
                raise Damaged(f"layer {number} ({name}) is missing")
            if self.layer_of[name] != diff_id:
                raise Damaged(f"the content of layer {number} is not what its diff id {diff_id} says")
        return Image(names, diff_ids, made_layers(config, len(diff_ids)))

    def _json(self, name: str) -> dict:
        name = self._follow(posixpath.normpath(name))
        if name not in self.blobs:
            raise Damaged(f"{name} is missing")
        expected = re.search(r"(?:^|/)([0-9a-f]{64})(?:\.json)?$", name)
        if expected and hashlib.sha256(self.blobs[name]).hexdigest() != expected[1]:
            raise Damaged(f"the content of {name} is not what its digest says")
        return json.loads(self.blobs[name])

    def _follow(self, name: str) -> str:
        seen = set()
        while name in self.links and name not in self.blobs and name not in self.layer_of:
            if name in seen:
                raise Damaged(f"its links lead in a circle at {name}")
            seen.add(name)
            name = self.links[name]
        return name


def _listed(value) -> list:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Damaged("its manifest is not one")
    return value


def _texts(value) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Damaged("the names in it are none")
    return value


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"
