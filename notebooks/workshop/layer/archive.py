"""Reading what `save` sends, or an archive on disk: every layer of every image, from one stream that is never kept whole.

Understands Docker 20.10's layout, that of Docker 25 and newer with either image store, Podman's, and OCI image layouts
(OCI image specification, "Image Layout") as a tar or a folder; layers plain or compressed with what `docker load` unpacks.

Which members are layers, the manifests say, and they may come last. So whatever can be read as a tar is, and what cannot is
an error only if a manifest calls it a layer.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..dockerfiles.history import made_layers
from ..errors import WorkshopError
from ..units import short_digests
from . import layer as layer_tar
from . import tar
from .layer import BROKEN, LARGEST_HEADER, Layer, is_tar, read_layer
from .streams import PIECE, ChunkReader, PrefixedReader, uncompressed, up_to
from .tar import Damaged, Tar

LARGEST_JSON = 4 << 20  # bytes; configs and manifests are kilobytes
MOST_MEMBERS = 100_000  # of an archive: layers, configs, manifests
NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")  # annotations that hold an image's name
DEEPEST_INDEX = 8  # an index may name indexes

# Media types of layers (OCI image specification, "Media Types"; Docker's "Image Manifest Version 2, Schema 2"), and of configs.
LAYER = re.compile(
    r"application/vnd\.(oci\.image\.layer(\.nondistributable)?\.v1|docker\.image\.rootfs(\.foreign)?\.diff)\.tar\b"
)
CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
# What stands for a layer in some manifests and is none that this reader, or `docker load`, could unpack.
NOT_READ = (
    (re.compile(r"\+encrypted\b"), "encrypted"),
    (re.compile(r"\bnydus\b"), "in the format of nydus"),
    (re.compile(r"\.(nondistributable|foreign)\."), "not in it: it is a foreign layer, which its publisher hands out"),
)


class NotSupported(Damaged):
    """The archive is whole, and a layer of it is of a kind that cannot be read here."""


@dataclass
class Image:
    """An image in an archive.

    id: the digest of its config. digests: of its manifests and indexes, which a containerd store calls its id. names: its
    tags. platform: such as "linux/amd64". diff_ids: of its layers, base first. instructions: the history text behind each.
    """

    id: str
    names: list[str]
    diff_ids: list[str]
    instructions: list[str]
    platform: str = ""
    digests: set[str] = field(default_factory=set)


@dataclass
class Archive:
    """What was read: layers by diff id, and the images that they belong to.

    begun: for each call of begin_layer, the diff id of the layer that was read, None if it turned out to be none.
    blobs: {digest that a compressed layer is stored under: its diff id}.
    """

    layers: dict[str, Layer] = field(default_factory=dict)
    images: list[Image] = field(default_factory=list)
    begun: list[str | None] = field(default_factory=list)
    blobs: dict[str, str] = field(default_factory=dict)

    def called(self) -> dict[str, Image]:
        """The images, each under a name that no other one has: its first tag, else its short id; told apart where need be.

        Two platforms of one tag are "app:1 (linux/amd64)" and "app:1 (linux/arm64)".
        """
        names = [image.names[0] if image.names else "" for image in self.images]
        shared = {name for name, count in Counter(names).items() if count > 1}
        called: dict[str, Image] = {}
        for name, image, short in zip(names, self.images, short_digests(image.id for image in self.images)):
            if name in shared and name and image.platform:
                name = f"{name} ({image.platform})"
            if not name or called.get(name, image).id != image.id:
                name = f"{name}@{short}".lstrip("@")
            called.setdefault(name, image)
        return called


@dataclass(frozen=True)
class Missing:
    """What is still to be read of an export: the rest of it is passed over, and it is left once all of this has come.

    layers: diff ids. images: {the engine's id of an image: its diff ids}, whose instructions are to be read. known: given
    the digest of a blob, the diff id of the layer in it, if that need not be read; else None.
    """

    layers: set[str]
    images: dict[str, list[str]]
    known: Callable[[str], str | None]


def read_archive(
    chunks: Iterable[bytes], name: str, wanted: str | None = None, begin_layer=None, missing: Missing | None = None
) -> Archive:
    """Read one archive as it streams in. name: of the archive, for errors. wanted: a path whose content is kept.

    begin_layer: called once for each layer that is not compressed, it returns what is called with each piece of its tar.
    missing: read no more than this; the archive then has these layers, and of the images at least those. Each layer is known
    by the sum of what was read of it, so that an end too early is never taken for a whole.
    Raises WorkshopError that names the archive if it is none, is damaged, breaks the limits of `layer_tar`, or ends before
    all that is missing has come.
    """
    try:
        return _read(_members_of_tar(chunks), wanted, begin_layer, missing)
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
    why = (getattr(error, "strerror", None) or str(error)).strip().rstrip(".") or type(error).__name__
    if isinstance(error, EOFError):
        why = "it breaks off before its end"
    remedy = "Save it again, then run the cell again."
    if isinstance(error, NotSupported):
        remedy = "Save the image from an engine that has it in plain layers, as `docker pull` leaves it, and read that."
    return WorkshopError(f"The archive {name} cannot be read: {why}.", remedy)


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


def _read(
    members: Iterator[tuple[str, Any]], wanted: str | None, begin_layer, missing: Missing | None = None
) -> Archive:
    archive, contents = Archive(), _Contents()
    for count, (name, content) in enumerate(members, 1):
        if count > MOST_MEMBERS:
            raise Damaged(f"it has more than {MOST_MEMBERS:,} members")
        if isinstance(content, str):
            contents.links[name] = content
            continue
        digest = _digest_of(name)
        if missing and digest and (diff_id := missing.known(digest)):
            contents.layer_of[name] = diff_id
            continue
        head = up_to(content, 512)
        if is_tar(head):
            _read_layer(PrefixedReader(head, content), name, digest, wanted, begin_layer, archive, contents)
        elif head.lstrip()[:1] in (b"{", b"["):
            text = head + up_to(content, LARGEST_JSON + 1 - len(head))
            if len(text) <= LARGEST_JSON:
                contents.blobs[name] = text
        else:
            continue
        if missing and missing.layers <= archive.layers.keys() and (found := contents.of_engine(missing.images)):
            archive.images = found.images
            break
    else:
        archive.images = contents.images()
        for diff_id in missing.layers - archive.layers.keys() if missing else ():
            raise Damaged(f"the layer {diff_id} is missing")
    for image in archive.images:
        read = [archive.layers[diff_id] for diff_id in image.diff_ids if diff_id in archive.layers]
        if sum(len(layer.columns["path"]) for layer in read) > layer_tar.MOST_ENTRIES:
            raise Damaged(f"an image in it has more than {layer_tar.MOST_ENTRIES:,} entries")
    return archive


def _read_layer(stream, name: str, digest: str, wanted: str | None, begin_layer, archive: Archive, contents) -> None:
    """Read what looks like a layer; that it is none is an error only if a manifest calls it one."""
    begun = False

    def begin():
        nonlocal begun
        begun = True
        return begin_layer()

    try:
        layer = read_layer(stream, wanted, begin if begin_layer else None)
    except BROKEN as error:
        contents.broken[name] = error
    else:
        archive.layers[layer.diff_id] = layer
        contents.layer_of[name] = layer.diff_id
        if digest and layer.stored_bytes is not None:
            archive.blobs[digest] = layer.diff_id
    if begun:
        archive.begun.append(contents.layer_of.get(name))


def _digest_of(name: str) -> str:
    """The digest that a member's name says: of an OCI layout's blob, or of a layer as Podman saves it; else ""."""
    found = re.fullmatch(r"blobs/sha256/([0-9a-f]{64})|([0-9a-f]{64})\.tar", name)
    return f"sha256:{found[1] or found[2]}" if found else ""


@dataclass(frozen=True)
class _Found:
    """Images that were asked for, all of them."""

    images: list[Image]


class _Contents:
    """The archive's members by name, with its links followed, whatever order they came in."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}  # JSON
        self.links: dict[str, str] = {}
        self.layer_of: dict[str, str] = {}  # {name: diff id}
        self.broken: dict[str, Exception] = {}  # what began like a tar

    def images(self) -> list[Image]:
        if "manifest.json" in self.blobs:
            images = [self._from_manifest(one) for one in _listed(json.loads(self.blobs["manifest.json"]))]
            self._add_digests(images)
        elif "index.json" in self.blobs:
            images = list(self._from_index(json.loads(self.blobs["index.json"]), [], set(), 0))
        else:
            raise Damaged("it holds no image: neither manifest.json nor index.json is in it")
        if not images:
            raise Damaged("it holds no image")
        return _merged(images)

    def of_engine(self, wanted: dict[str, list[str]]) -> _Found | None:
        """The images of these ids, whose layers' diff ids are these; None if one's config, or the way to it, has not come yet."""
        found = {image_id: self._config_of(image_id, diff_ids, 0) for image_id, diff_ids in wanted.items()}
        if None in found.values():
            return None
        return _Found(
            [
                Image(image_id, [], diff_ids, made_layers(found[image_id] or {}, len(diff_ids)))
                for image_id, diff_ids in wanted.items()
            ]
        )

    def _config_of(self, digest: str, diff_ids: list[str], depth: int) -> dict | None:
        """The config with these diff ids that an engine's id leads to: the id of a config, a manifest or an index."""
        names = [_blob(digest), f"{digest.partition(':')[2]}.json"]  # as OCI's layouts have it, and as the older ones
        name = next((name for name in names if name in self.blobs), None)
        if name is None or depth > DEEPEST_INDEX:
            return None
        blob = json.loads(self._text(name))
        if "rootfs" in blob:
            return blob if blob["rootfs"].get("diff_ids") == diff_ids else None
        inner = [blob["config"]] if "config" in blob else _listed(blob.get("manifests") or [])
        found = (self._config_of(one["digest"], diff_ids, depth + 1) for one in inner)
        return next((config for config in found if config), None)

    def _from_manifest(self, entry: dict) -> Image:
        """An entry of `docker save`'s manifest.json."""
        names = [self._follow(posixpath.normpath(one)) for one in entry["Layers"] or []]
        text = self._text(entry["Config"])
        return self._image(_texts(entry.get("RepoTags") or []), text, names, [{}] * len(names))

    def _add_digests(self, images: list[Image]) -> None:
        """What index.json, where there is one too, calls the images of manifest.json."""
        by_id: dict[str, list[Image]] = {}
        for image in images:
            by_id.setdefault(image.id, []).append(image)
        try:
            for other in self._from_index(json.loads(self.blobs.get("index.json", b'{"manifests": []}')), [], set(), 0):
                for image in by_id.get(other.id, []):
                    image.digests |= other.digests
        except BROKEN:
            pass  # an archive is read by its manifest.json; the other is an index for other tools

    def _from_index(self, index: dict, names: list[str], digests: set[str], depth: int) -> Iterator[Image]:
        """The images of an OCI index; what is no image (attestations, signatures), or is not here, is passed over."""
        if depth > DEEPEST_INDEX:
            raise Damaged("its indexes are nested without end")
        missing, found = None, False
        for entry in _listed(index["manifests"]):
            notes = entry.get("annotations") or {}
            if "vnd.docker.reference.type" in notes or (entry.get("platform") or {}).get("os") == "unknown":
                continue
            called = _texts([notes.get(key) for key in NAMES if notes.get(key)])[:1]
            blob = _blob(entry["digest"])
            if self._follow(blob) not in self.blobs:
                missing = blob  # an index of many platforms, of which one was fetched
                continue
            inner, own = json.loads(self._text(blob)), digests | {entry["digest"]}
            if "manifests" in inner:
                for image in self._from_index(inner, called or names, own, depth + 1):
                    found = True
                    yield image
            elif _is_image(inner):
                text = self._text(_blob(inner["config"]["digest"]))
                layers = _listed(inner["layers"])
                found = True
                image = self._image(
                    called or names, text, [self._follow(_blob(one["digest"])) for one in layers], layers
                )
                image.digests |= own
                yield image
        if missing and not found and depth == 0:
            raise Damaged(f"{missing} is missing")

    def _image(self, names: list[str], text: bytes, layers: list[str], described: list[dict]) -> Image:
        """text: of the config. layers: names of members; described: what the manifest says of each."""
        config = json.loads(text)
        diff_ids = list(config["rootfs"].get("diff_ids") or [])
        if len(layers) != len(diff_ids):
            raise Damaged(f"its manifest names {len(layers)} layers, its config {len(diff_ids)}")
        own = []
        for number, (name, diff_id, about) in enumerate(zip(layers, diff_ids, described)):
            if name not in self.layer_of:
                raise self._no_layer(number, name, about)
            if diff_id.startswith("sha256:") and self.layer_of[name] != diff_id:
                raise Damaged(f"the content of layer {number} is not what its diff id {diff_id} says")
            own.append(self.layer_of[name])
        platform = "/".join(str(config[key]) for key in ("os", "architecture", "variant") if config.get(key))
        digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
        return Image(digest, names, own, made_layers(config, len(own)), platform)

    def _no_layer(self, number: int, name: str, about: dict) -> Exception:
        """Why a member that the manifest calls a layer is none."""
        kind = about.get("mediaType")
        for pattern, what in NOT_READ:
            if isinstance(kind, str) and pattern.search(kind):
                return NotSupported(f"layer {number} is {what}")
        if name in self.broken:
            return self.broken[name]
        return Damaged(f"layer {number} ({name}) is missing")

    def _text(self, name: str) -> bytes:
        """A JSON member's text, which is what its digest says, if its name is one."""
        name = self._follow(posixpath.normpath(name))
        if name not in self.blobs:
            raise Damaged(f"{name} is missing")
        expected = re.search(r"(?:^|/)([0-9a-f]{64}|[0-9a-f]{128})(?:\.json)?$", name)
        kind = "sha256" if expected and len(expected[1]) == 64 else "sha512"
        if expected and hashlib.new(kind, self.blobs[name]).hexdigest() != expected[1]:
            raise Damaged(f"the content of {name} is not what its digest says")
        return self.blobs[name]

    def _follow(self, name: str) -> str:
        seen = set()
        while name in self.links and name not in self.blobs and name not in self.layer_of:
            if name in seen:
                raise Damaged(f"its links lead in a circle at {name}")
            seen.add(name)
            name = self.links[name]
        return name


def _merged(images: list[Image]) -> list[Image]:
    """One image for each id: a tag more makes an index entry more in some archives, and no image more."""
    by_id: dict[str, Image] = {}
    for image in images:
        first = by_id.setdefault(image.id, image)
        first.names += [name for name in image.names if name not in first.names]
        first.digests |= image.digests
    return list(by_id.values())


def _is_image(manifest: dict) -> bool:
    """False for a manifest of something else: a signature, an SBOM, a chart (OCI image specification, "Guidelines for Artifact
    Usage"): it has a type of its own, or its layers or its config do."""
    if "layers" not in manifest or "config" not in manifest or manifest.get("artifactType"):
        return False
    types = [one.get("mediaType") for one in _listed(manifest["layers"])]
    readable = [kind is None or bool(LAYER.search(kind) or "nydus" in kind) for kind in types]
    return manifest["config"].get("mediaType") in (None, *CONFIGS) and all(readable)


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
