"""An archive of images while it is loaded: what is in it, checked against its own digests before anything is kept."""

from __future__ import annotations

import io
import json
import platform
import tempfile
import threading
from typing import Any, BinaryIO, NamedTuple

from ..errors import BadRequest, no_space
from . import image_names, layer_rules, symlinks, tar_stream
from .blobs import STEP, Blobs
from .entries import FILE, HARDLINK, Entry
from .images_json import MOST_CONFIG, diff_ids_of
from .merged_view import FileSlice

_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
MOST_IMAGES = 1000
MOST_DEPTH = 4  # of indexes in indexes


class ArchivedImage(NamedTuple):
    """One image of the archive: its configuration's bytes, the paths of its layers, its names."""

    config: bytes
    diff_ids: list[str]
    layers: list[str]
    tags: list[str]


class ImageArchiveReader:
    """Reads the whole stream: into a file of its own if that is compressed, or no file. Raises BadRequest, NoSpace."""

    def __init__(self, stream: BinaryIO, blobs: Blobs, stop: threading.Event | None = None):
        self._stop = stop
        self._spool: BinaryIO | None = None
        self._entries: dict[str, Entry] = {}
        try:
            self._read(stream, blobs)
        except BaseException:
            self.close()
            raise

    def _read(self, stream: BinaryIO, blobs: Blobs) -> None:
        start = _place(stream)
        plain = tar_stream.decompressed(stream, self._stop)
        self._file = stream
        keep: Any = lambda data: None  # noqa: E731
        if start is None or plain.compression:
            # A file with no name: it is gone with the process, however that ends.
            self._file = self._spool = tempfile.TemporaryFile(dir=blobs.temporary)
            start, keep = 0, _Keeper(self._spool, blobs)
        for entry in tar_stream.read_entries(plain, keep, layer_rules.LayerRules()):
            self._entries[entry.path] = entry._replace(offset=entry.offset + start)
        if self._spool:
            with no_space(blobs.folder):
                self._spool.flush()

    def open(self, path: str) -> BinaryIO:
        """The bytes of a file in the archive. Raises BadRequest if there is none."""
        entry = self._entry(path)
        copy = open(self._file.fileno(), "rb", closefd=False)
        return io.BufferedReader(FileSlice(copy, entry.offset, entry.size), 1 << 16)

    def images(self) -> list[ArchivedImage]:
        """What manifest.json (Docker) or else index.json (OCI) lists. Raises BadRequest."""
        if "manifest.json" in self._entries:
            listed = self._json("manifest.json")
            if not isinstance(listed, list) or len(listed) > MOST_IMAGES:
                raise BadRequest("The archive's manifest.json is no list of images.")
            found = [self._from_docker(listed_image) for listed_image in listed]
        elif "index.json" in self._entries:
            found = self._from_index(self._json("index.json"), 0)
        else:
            raise BadRequest(
                "The archive has neither a manifest.json nor an index.json: `docker save` did not write it."
            )
        if not found:
            raise BadRequest("The archive holds no image that can be loaded.")
        for image in found:
            if len(image.diff_ids) != len(image.layers):
                raise BadRequest(
                    f"invalid manifest, layers length mismatch: expected {len(image.diff_ids)}, got {len(image.layers)}"
                )
        return found

    def _from_docker(self, listed: Any) -> ArchivedImage:
        with _malformed_as_bad_request("manifest.json"):
            config, layers, tags = listed["Config"], listed.get("Layers") or [], listed.get("RepoTags") or []
            if not all(isinstance(name, str) for name in [config, *layers, *tags]):
                raise TypeError
        raw = self._small(config)
        for path in [config, *layers]:
            self._check_name(path)
        return ArchivedImage(raw, diff_ids_of(raw), layers, [image_names.tagged(tag) for tag in tags])

    def _from_index(self, index: Any, depth: int) -> list[ArchivedImage]:
        """Of images for several platforms the one for this machine, or the first."""
        if depth > MOST_DEPTH:
            raise BadRequest("The archive's indexes are nested too deeply.")
        images_found: list[ArchivedImage] = []
        with _malformed_as_bad_request("index"):
            listed = [descriptor for descriptor in index["manifests"] if _is_image(descriptor)]
            if depth:
                listed = [descriptor for descriptor in listed if _fits(descriptor)][:1] or listed[:1]
            if len(listed) > MOST_IMAGES:
                raise ValueError
        for descriptor in listed:
            with _malformed_as_bad_request("manifest"):
                inner = json.loads(self._blob(descriptor))
            kind = descriptor.get("mediaType")
            if kind in _INDEXES or (kind not in _MANIFESTS and isinstance(inner, dict) and "manifests" in inner):
                images = self._from_index(inner, depth + 1)
            else:
                images = [self._from_manifest(inner)]
            images_found += [image._replace(tags=_tags(descriptor) or image.tags) for image in images]
        return images_found

    def _from_manifest(self, manifest: Any) -> ArchivedImage:
        with _malformed_as_bad_request("manifest"):
            config, layers = manifest["config"], list(manifest["layers"])
        raw = self._blob(config)
        return ArchivedImage(raw, diff_ids_of(raw), [self._checked(descriptor) for descriptor in layers], [])

    def _checked(self, descriptor: Any) -> str:
        """The path of a blob whose digest is right. Raises BadRequest."""
        with _malformed_as_bad_request("descriptor"):
            digest = descriptor["digest"]
            path = f"blobs/{digest.replace(':', '/', 1)}"
        self._check_name(path)
        return path

    def _blob(self, descriptor: Any) -> bytes:
        return self._small(self._checked(descriptor))

    def _check_name(self, path: str) -> None:
        """A file that is named after a digest has to have it. Raises BadRequest."""
        name = path.rpartition("/")[2].removesuffix(".json")
        if image_names.full_id(name) and not path.endswith("layer.tar"):
            digest = self._entry(path).digest
            if digest != name:
                raise BadRequest(
                    f"The archive is damaged: {path} has other content than its digest says (sha256:{digest})."
                )
        elif path.startswith("blobs/"):
            raise BadRequest(f"The archive's blob {path[:200]!r} has no sha256 digest for a name.")

    def _entry(self, path: str) -> Entry:
        entry = self._entries.get(symlinks.resolve(self._entries, path))
        if entry is not None and entry.kind == HARDLINK:
            entry = self._entries.get(entry.link)
        if entry is None or entry.kind != FILE:
            raise BadRequest(f"The archive has no file {path[:200]!r}, which its manifest names.")
        return entry

    def _small(self, path: str) -> bytes:
        if self._entry(path).size > MOST_CONFIG:
            raise BadRequest(f"The archive's {path[:200]} is too large for what it should be.")
        with self.open(path) as file:
            return file.read()

    def _json(self, path: str) -> Any:
        with _malformed_as_bad_request(path):
            return json.loads(self._small(path))

    def close(self) -> None:
        if self._spool:
            self._spool.close()

    def __enter__(self) -> ImageArchiveReader:
        return self

    def __exit__(self, *_) -> None:
        self.close()


class _Keeper:
    """Writes the plain archive to a file, as long as there is room."""

    def __init__(self, file: BinaryIO, blobs: Blobs):
        self._file, self._blobs, self._left = file, blobs, 0

    def __call__(self, data: bytes) -> None:
        if self._left < len(data):
            self._blobs.reserve(STEP + len(data))
            self._left += STEP + len(data)
        self._left -= len(data)
        with no_space(self._blobs.folder):
            self._file.write(data)


class _malformed_as_bad_request:  # noqa: N801 - reads as a sentence: with _malformed_as_bad_request("manifest")
    """Whatever a malformed JSON document makes of itself becomes BadRequest."""

    def __init__(self, what: str):
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, _) -> None:
        if kind and issubclass(kind, KeyError | TypeError | AttributeError | ValueError | RecursionError):
            raise BadRequest(f"The archive's {self._what} is not as it should be.") from None


def _place(stream: BinaryIO) -> int | None:
    """Where a file stands that can be read again later; None for everything else."""
    try:
        stream.fileno()
        return stream.tell() if stream.seekable() else None
    except (OSError, AttributeError, ValueError):
        return None


def _is_image(descriptor: Any) -> bool:
    """Not an attestation, which BuildKit lists among the images."""
    return (descriptor.get("annotations") or {}).get("vnd.docker.reference.type") != "attestation-manifest"


def _fits(descriptor: Any) -> bool:
    wanted = descriptor.get("platform") or {}
    return (wanted.get("os"), wanted.get("architecture")) == ("linux", _MACHINES.get(platform.machine()))


def _tags(descriptor: Any) -> list[str]:
    """The name that containerd, Docker or skopeo gave an image in an index; a bare tag is none."""
    notes = descriptor.get("annotations") or {}
    for key in ("io.containerd.image.name", "org.opencontainers.image.ref.name"):
        name = notes.get(key)
        if isinstance(name, str) and ("/" in name or ":" in name) and "@" not in name:
            return [image_names.tagged(name)]
    return []
