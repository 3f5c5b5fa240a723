"""Layers: uncompressed tars named after their diff id (the sha256 of the tar), with an index of their entries."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..errors import BadRequest, EngineError, NotFound
from . import layer_index, tar_headers, tar_stream
from .blobs import Blobs, BlobWriter, hex_of
from .entries import FILE, Entry
from .layer_rules import LayerRules
from .merged_view import MergedView, merge_layers

MOST_REMEMBERED = 600_000  # entries in memory, of indexes and views each; about 400 bytes an entry


class Layer(NamedTuple):
    """size: bytes of its files' content; tar_size: bytes of its uncompressed tar."""

    diff_id: str
    size: int
    tar_size: int


class Layers:
    """Thread-safe. Layers that no image has yet are protected from `remove_all_but` by the time they were added."""

    def __init__(self, folder: Path, blobs: Blobs):
        self.blobs = blobs
        self._folder = Path(folder) / "layers"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self._indexes: OrderedDict[str, tuple[Entry, ...]] = OrderedDict()
        self._views: OrderedDict[tuple[str, ...], MergedView] = OrderedDict()
        self._added: dict[str, float] = {}

    def add(
        self,
        stream: BinaryIO,
        *,
        stop: threading.Event | None = None,
        progress: Callable[[int], None] | None = None,
        expected: str | None = None,
    ) -> Layer:
        """Keep a layer that comes as a tar, plain, gzip or zstd. The same layer again changes nothing.

        progress: called with the bytes read from the stream so far. expected: the diff id that it has to have.
        Raises BadRequest for what is no layer, is damaged or hostile, or is not the expected one; NoSpace;
        Interrupted. Then nothing is kept of it.
        """
        plain = tar_stream.decompressed(stream, stop, progress)
        with self.blobs.writer() as blob:
            found = list(tar_stream.read_entries(plain, blob.write, LayerRules(), whole=expected is None))
            if expected is not None and blob.digest() != expected:
                raise BadRequest(f"The layer {expected} has other content than its digest says: it is {blob.digest()}.")
            return self._keep(blob, tuple(found))

    def writer(self) -> LayerWriter:
        """For a new layer made of entries."""
        return LayerWriter(self)

    def has(self, diff_id: str) -> bool:
        """True if the whole layer is there."""
        return self.blobs.has(diff_id)

    def layer(self, diff_id: str) -> Layer:
        """Its sizes. Raises NotFound."""
        sizes = layer_index.sizes(self._path(diff_id)) if self.has(diff_id) else None
        if sizes is None:
            return _layer(diff_id, self.index(diff_id), self.blobs.size(diff_id))
        return Layer(diff_id, *sizes)

    def open(self, diff_id: str) -> BinaryIO:
        """Its uncompressed tar. Raises NotFound."""
        try:
            return self.blobs.open(diff_id)
        except NotFound:
            raise NotFound(f"The store has no layer {diff_id}.") from None

    def index(self, diff_id: str) -> tuple[Entry, ...]:
        """Its entries in the order of the tar. Raises NotFound."""
        with self.lock:
            if diff_id in self._indexes:
                self._indexes.move_to_end(diff_id)
                return self._indexes[diff_id]
        if not self.has(diff_id):
            raise NotFound(f"The store has no layer {diff_id}.")
        found = layer_index.load(self._path(diff_id))
        if found is None:
            found = self._again(diff_id)
        with self.lock:
            _remember(self._indexes, diff_id, found, len)
        return found

    def view(self, diff_ids: Sequence[str]) -> MergedView:
        """What these layers, the lowest first, give together. Raises NotFound."""
        key = tuple(diff_ids)
        with self.lock:
            if key in self._views:
                self._views.move_to_end(key)
                return self._views[key]
        view = MergedView(key, merge_layers([self.index(diff_id) for diff_id in key]), self.open)
        with self.lock:
            _remember(self._views, key, view, lambda known_view: len(known_view.entries))
        return view

    def remove_all_but(self, keep: set[str], since: float | None = None) -> int:
        """Remove every layer that is not in `keep` and was not added after `since` (time.monotonic()); returns the
        bytes that became free."""
        freed = 0
        with self.lock:
            for path in self._folder.iterdir():
                diff_id = f"sha256:{path.stem}"
                if diff_id in keep or (since is not None and self._added.get(diff_id, since - 1) >= since):
                    continue
                with contextlib.suppress(BadRequest):  # a file that somebody else put there
                    freed += self.blobs.remove(diff_id)
                    path.unlink(missing_ok=True)
                    self._added.pop(diff_id, None)
                    self._indexes.pop(diff_id, None)
                    for key in [key for key in self._views if diff_id in key]:
                        del self._views[key]
        return freed

    def end_protection(self, diff_ids: Iterable[str]) -> None:
        """An image has these layers, or nobody wants them: the time they were added protects them no longer."""
        with self.lock:
            for diff_id in diff_ids:
                self._added.pop(diff_id, None)

    def sweep(self) -> None:
        """Remove half-written indexes. Nothing may be writing."""
        for left in self._folder.glob(".new-*"):
            left.unlink(missing_ok=True)

    def _path(self, diff_id: str) -> Path:
        return self._folder / f"{hex_of(diff_id)}.json"

    def _keep(self, blob: BlobWriter, entries: tuple[Entry, ...]) -> Layer:
        """The index first: a layer that is there has one, and one without its layer is swept."""
        diff_id, tar_size = blob.digest(), blob.tell()
        with self.lock:
            self._added[diff_id] = time.monotonic()
        layer_index.dump(self._path(diff_id), entries, tar_size)
        blob.flush()
        with self.lock:  # the time again: writing to a slow disk may have taken long
            self._added[diff_id] = time.monotonic()
            blob.commit()
            _remember(self._indexes, diff_id, entries, len)
        return _layer(diff_id, entries, tar_size)

    def _again(self, diff_id: str) -> tuple[Entry, ...]:
        """The entries from the tar itself, whose digest is checked on the way."""
        total = hashlib.sha256()
        with self.open(diff_id) as file:
            found = tuple(tar_stream.read_entries(file, total.update, LayerRules(), whole=False))
        if f"sha256:{total.hexdigest()}" != diff_id:
            raise EngineError(
                f"The layer {diff_id} is damaged on disk. Remove the images that have it, and get them again."
            )
        layer_index.dump(self._path(diff_id), found, self.blobs.size(diff_id))
        return found


class LayerWriter:
    """Writes a layer entry by entry. Use it as a context manager: what is not committed when it ends is gone.

    The same entries give the same diff id: times are cut to whole seconds, as Docker does.
    """

    def __init__(self, layers: Layers):
        self._layers = layers
        self._blob = layers.blobs.writer()
        self._rules = LayerRules()
        self._entries: list[Entry] = []

    def add(self, entry: Entry, source: bytes | BinaryIO | None = None) -> None:
        """source: the content of a file, at least `entry.size` bytes. Digest and offset of the entry are found here.

        Raises BadRequest for an entry that no layer may hold, or a source that ends too early; NoSpace.
        """
        size = entry.size if entry.kind == FILE else 0
        entry = entry._replace(size=size, mtime=float(int(entry.mtime // 1)), xattrs=tuple(sorted(entry.xattrs)))
        self._blob.write(tar_headers.header(entry))
        known = self._rules.accept(entry)._replace(offset=self._blob.tell())
        if entry.kind == FILE:
            known = known._replace(digest=self._content(entry, source))
            self._blob.write(bytes(-size % tar_headers.BLOCK_SIZE))
        self._entries.append(known)

    def _content(self, entry: Entry, source: bytes | BinaryIO | None) -> str:
        total, missing = hashlib.sha256(), entry.size
        if isinstance(source, bytes | bytearray | memoryview) or source is None:
            data = memoryview(source or b"")[:missing]
            total.update(data)
            self._blob.write(data)
            missing -= len(data)
        else:
            while missing and (chunk := source.read(min(missing, tar_stream.CHUNK))):
                total.update(chunk)
                self._blob.write(chunk)
                missing -= len(chunk)
        if missing:
            raise BadRequest(f"{entry.path} is {missing} bytes shorter than it was: did something change it meanwhile?")
        return total.hexdigest()

    def commit(self) -> Layer:
        """The finished layer."""
        self._blob.write(bytes(2 * tar_headers.BLOCK_SIZE))
        return self._layers._keep(self._blob, tuple(self._entries))

    def __enter__(self) -> LayerWriter:
        return self

    def __exit__(self, *reason) -> None:
        self._blob.__exit__(*reason)


def _layer(diff_id: str, entries: Sequence[Entry], tar_size: int) -> Layer:
    return Layer(diff_id, sum(entry.size for entry in entries), tar_size)


def _remember(where: OrderedDict, key, value, weight: Callable) -> None:
    """Least recently used ones go until all together weigh little enough; the newest stays whatever it weighs."""
    where[key] = value
    where.move_to_end(key)
    total = sum(weight(item) for item in where.values())
    while total > MOST_REMEMBERED and len(where) > 1:
        total -= weight(where.popitem(last=False)[1])
