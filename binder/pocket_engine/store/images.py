"""Images: a configuration on layers, its names, and what it was made from. The list of them is one file, replaced whole."""

from __future__ import annotations

import contextlib
import copy
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import BadRequest, NotFound
from . import image_names, image_removal, images_json
from .blobs import Blobs
from .layers import Layers

_GRACE = 600.0  # seconds that a layer without an image is kept for whoever may be about to make one


class Image(NamedTuple):
    """id: digest of the configuration's bytes; config: parsed, the caller's own copy; size: bytes of its files."""

    id: str
    config: dict
    parent: str | None
    size: int

    @property
    def diff_ids(self) -> list[str]:
        """Its layers, the lowest first. An image may have none: its configuration then has an empty list, or no word of it."""
        return list((self.config.get("rootfs") or {}).get("diff_ids") or [])


class Images:
    """Thread-safe; a change is on disk when the call returns, or it did not happen.

    `used_by`: gives the containers of an image, as {id: whether it runs}.
    """

    def __init__(self, folder: Path, blobs: Blobs, layers: Layers):
        self.blobs, self.layers = blobs, layers
        self.lock = threading.RLock()
        self.used_by: Callable[[str], Mapping[str, bool]] = lambda image_id: {}
        self._path = Path(folder) / "images.json"
        self._raw: dict[str, bytes] = {}
        self._leases: dict[object, tuple[float, set[str]]] = {}
        self._images, self._names = images_json.read(self._path, self._is_whole)

    # Making and finding

    def create(self, config: dict, parent: str | None = None, tags: Sequence[str] = ()) -> Image:
        """An image of a configuration, written compactly with sorted keys. Raises BadRequest, NoSpace."""
        raw = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        return self.add_many([(raw, parent, tags)])[0]

    def add_config(self, raw: bytes, parent: str | None = None) -> Image:
        """An image whose configuration keeps its bytes, and with them its id. Its layers have to be there."""
        return self.add_many([(raw, parent, ())])[0]

    def add_many(self, wanted: Sequence[tuple[bytes, str | None, Sequence[str]]]) -> list[Image]:
        """Several (configuration, parent, tags) at once: all of them, or none. Raises BadRequest, NoSpace."""
        with self.lock, self.lease() as leased:
            for raw, _, _ in wanted:
                leased.update(self._checked(raw))
            ids = [self._store(raw) for raw, _, _ in wanted]
            with self._change() as (images, names):
                for image_id, (_, parent, tags) in zip(ids, wanted):
                    images.setdefault(image_id, {"parent": None, "digests": []})
                    images[image_id]["used"] = time.time()
                    images[image_id]["parent"] = parent if parent in images else images[image_id]["parent"]
                    names.update({image_names.tagged(tag): image_id for tag in tags})
            self.layers.end_protection(leased)
            return [self._image(image_id) for image_id in ids]

    def find(self, reference: str) -> Image:
        """By "name", "name:tag", "name@digest", id, or the first 4 or more digits of an id. Raises NotFound, BadRequest."""
        with self.lock:
            return self._image(self._id(reference))

    def all(self) -> list[Image]:
        """Every image, the oldest addition first."""
        with self.lock:
            return [self._image(image_id) for image_id in self._images]

    def tags(self, image_id: str) -> list[str]:
        """Its "name:tag" names, sorted."""
        with self.lock:
            return sorted(name for name, target in self._names.items() if target == image_id)

    def digests(self, image_id: str) -> list[str]:
        """Its "name@sha256:…" names: what registries called it when it was pulled or pushed."""
        with self.lock:
            return list(self._images.get(image_id, {}).get("digests", ()))

    def children(self, image_id: str) -> list[str]:
        """The ids of the images made from it."""
        with self.lock:
            return [child for child, record in self._images.items() if record["parent"] == image_id]

    def last_used(self, image_id: str) -> float:
        """Seconds since 1970."""
        with self.lock:
            return self._images.get(image_id, {}).get("used", 0.0)

    def touch(self, image_id: str) -> None:
        """It is being used. On disk with the next change: to forget it costs little."""
        with self.lock:
            if image_id in self._images:
                self._images[image_id]["used"] = time.time()

    # Names

    def tag(self, image_id: str, reference: str) -> None:
        """Give it a name, which another image may lose by that. Raises NotFound, BadRequest."""
        name = image_names.tagged(reference)
        with self._change() as (images, names):
            if image_id not in images:
                raise NotFound(f"No such image: {image_id}")
            names[name] = image_id

    def untag(self, reference: str) -> None:
        """Take a name away. Raises NotFound, BadRequest."""
        name = image_names.tagged(reference)
        with self._change() as (_, names):
            if names.pop(name, None) is None:
                raise NotFound(f"No such image: {name}")

    def remember(self, image_id: str, name: str, digest: str) -> None:
        """A registry has it as name@digest."""
        known = image_names.with_digest(name, digest)
        with self._change() as (images, _):
            if image_id not in images:
                raise NotFound(f"No such image: {image_id}")
            for record in images.values():
                record["digests"] = [name for name in record["digests"] if name != known]
            images[image_id]["digests"].append(known)

    # Removing

    def remove(self, reference: str, *, force: bool = False, noprune: bool = False) -> list[dict]:
        """As `docker rmi`: [{"Untagged": name}, {"Deleted": id}] in the order in which it happened. Raises NotFound,
        Conflict."""
        with self.lock:
            image_id = self._id(reference)
            by_id = image_names.is_id_prefix(reference, image_id)
            with self._change() as (images, names):
                job = image_removal.Removal(images, names, self.used_by)
                job.remove(image_id, None if by_id else image_names.parse(reference), force, not noprune)
            self._dispose(job.records)
            return job.records

    def prune(
        self, dangling: bool = True, labels: Sequence[str] = (), until: float | None = None
    ) -> tuple[list[dict], int]:
        """Remove images that no container uses: those without a tag, or (not dangling) all of them.

        labels: "key", "key=value", and with "!" before it what an image must not have; until: only images created
        before (seconds since 1970). Returns what `remove` does, and the bytes that became free on disk.
        """
        with self.lock:
            wanted = [image.id for image in self.all() if image_removal.selected(image.config, labels, until)]
            with self._change() as (images, names):
                job = image_removal.Removal(images, names, self.used_by)
                job.prune(wanted, dangling)
            return job.records, self._dispose(job.records)

    def collect(self, keep: set[str] | frozenset[str] = frozenset()) -> int:
        """Remove the layers that no image has; returns the bytes that became free. keep: diff ids that stay anyway."""
        with self.lock:
            wanted = set(keep) | self.leased()
            for image_id in self._images:
                wanted.update(self._diff_ids(image_id))
            since = min([time.monotonic() - _GRACE, *(began for began, _ in self._leases.values())])
            return self.layers.remove_all_but(wanted, since)

    @contextlib.contextmanager
    def lease(self) -> Iterator[set[str]]:
        """While it lasts, nobody removes the layers (diff ids) and images (ids) put into the set, nor a layer made since."""
        ticket, leased = object(), set[str]()
        with self.lock:
            self._leases[ticket] = (time.monotonic(), leased)
        try:
            yield leased
        finally:
            with self.lock:
                del self._leases[ticket]

    def leased(self) -> set[str]:
        """What the leases keep now."""
        with self.lock:
            return set().union(*(leased.copy() for _, leased in self._leases.values()))

    # The file, and the blobs behind it

    def sweep(self) -> None:
        """Remove the blobs that belong to no image. Nothing may be running."""
        with self.lock:
            wanted = set(self._images)
            for image_id in self._images:
                wanted.update(self._diff_ids(image_id))
            self.layers.remove_all_but(wanted)
            for digest in self.blobs.all():
                if digest not in wanted:
                    self.blobs.remove(digest)

    def save(self) -> None:
        """Write down what was only touched."""
        with self._change():
            pass

    @contextlib.contextmanager
    def _change(self) -> Iterator[tuple[dict[str, dict], dict[str, str]]]:
        """Copies to change, which count once they are on disk; after an error nothing has changed."""
        with self.lock:
            images, names = copy.deepcopy(self._images), dict(self._names)
            yield images, names
            images_json.write(self._path, images, names)
            self._images, self._names = images, names

    def _is_whole(self, image_id: str) -> bool:
        return self.blobs.has(image_id) and all(self.layers.has(diff_id) for diff_id in self._diff_ids(image_id))

    def _checked(self, raw: bytes) -> list[str]:
        """The diff ids of a configuration that may become an image. Raises BadRequest."""
        diff_ids = images_json.diff_ids_of(raw)
        for diff_id in diff_ids:
            if not self.layers.has(diff_id):
                raise BadRequest(f"The image's layer {diff_id} is not in the store.")
        return diff_ids

    def _store(self, raw: bytes) -> str:
        with self.blobs.writer() as writer:
            writer.write(raw)
            return writer.commit()[0]

    def _dispose(self, records: list[dict]) -> int:
        """What removed images had on disk goes after the list has forgotten them."""
        gone = [record["Deleted"] for record in records if "Deleted" in record]
        for image_id in gone:
            self._raw.pop(image_id, None)
        freed = sum(self.blobs.remove(image_id) for image_id in gone)
        return freed + self.collect() if gone else 0

    def _config(self, image_id: str) -> dict:
        if image_id not in self._raw:
            with self.blobs.open(image_id) as file:
                self._raw[image_id] = file.read()
        return json.loads(self._raw[image_id])

    def _diff_ids(self, image_id: str) -> list[str]:
        return (self._config(image_id).get("rootfs") or {}).get("diff_ids") or []

    def _image(self, image_id: str) -> Image:
        record = self._images[image_id]
        if "size" not in record:
            record["size"] = sum(self.layers.layer(diff_id).size for diff_id in self._diff_ids(image_id))
        return Image(image_id, self._config(image_id), record["parent"], record["size"])

    def _id(self, reference: str) -> str:
        """Full ids first, then names, then the beginnings of ids, as Docker looks."""
        if (full := image_names.full_id(reference)) in self._images:
            return full
        if full:
            raise NotFound(f"No such image: {reference}")
        try:
            name = image_names.parse(reference)
        except BadRequest:
            if not image_names.is_hex(reference):
                raise
            name = None
        if name and name.digest:
            for image_id, record in self._images.items():
                if str(name) in record["digests"]:
                    return image_id
        elif name and str(name) in self._names:
            return self._names[str(name)]
        found = image_names.beginning_with(reference, self._images)
        if len(found) == 1:
            return found[0]
        raise NotFound(f"No such image: {name or reference}")
