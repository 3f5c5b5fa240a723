"""Getting at layers: from the engine's `save`, or from an archive on disk; and the content of one file in one layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker

from ..archives import exported_images
from ..dockerfiles.history import layers_told
from ..errors import WorkshopError, translate_engine_loss
from ..labels import full_tag, history_entries, plain_tag
from ..progress import Panel
from ..units import seconds, short_digests, shorten, size
from .archive import Archive, Image, Missing, read_archive, read_folder, unreadable
from .cache import LayerCache
from .compression import CompressedSizes
from .layer import FILE, LARGEST_KEPT, MOST_ENTRIES, absolute_path
from .streams import PIECE, ReadAhead
from .tar import Damaged


def is_path(image: str | Path) -> bool:
    """True for what names an archive on disk: an image's name starts with none of these."""
    return isinstance(image, Path) or image.startswith(("/", "./", "../", "~/"))


def inspect(client: docker.DockerClient, name: str) -> dict:
    """The image as the engine describes it. Raises WorkshopError if there is none of that name."""
    if client is None:
        raise WorkshopError(
            f"An engine is needed to look at {name}.", "Without one, name an archive by its path: ./image.tar."
        )
    try:
        return client.api.inspect_image(name)
    except docker.errors.ImageNotFound:
        raise WorkshopError(f"The engine has no image {name}.", "Run the cell that builds it first.") from None


@dataclass(frozen=True)
class Stack:
    """What identifies an image's layers: its id, as its engine or its archive has it, and its diff ids, the lowest first."""

    id: str
    diff_ids: list[str]


def stack_of(image: dict) -> Stack:
    """The layers of an image as `inspect` returns it."""
    return Stack(image["Id"], image["RootFS"].get("Layers") or [])


def is_read(client: docker.DockerClient, image: str) -> bool:
    """True if nothing of this image need be exported any more."""
    stack = stack_of(inspect(client, image))
    return LayerCache().has(stack.id, stack.diff_ids)


def fill_from_engine(
    client: docker.DockerClient, stacks: dict[str, Stack], layers: LayerCache, compressed: bool = False
) -> None:
    """See to it that the cache has every layer of these images, and the instructions behind them.

    stacks: {name: its layers}. compressed: the compressed size of every layer, too. What is lacking is exported, all images
    at once, and no more of that is read: what the cache has is passed over, and the export is left once the rest has come.
    """
    new = {
        name: stack
        for name, stack in stacks.items()
        if stack.diff_ids and not layers.has(stack.id, stack.diff_ids, compressed)
    }
    told = {stack.id: _told_by_engine(client, stack) for stack in new.values() if not layers.has_instructions(stack.id)}
    images = {name: stack for name, stack in new.items() if stack.id in told and told[stack.id] is None}
    lacking = {one for stack in new.values() for one in stack.diff_ids if not layers.has_layer(one, compressed)}
    layers.put(Archive(images=[image for image in told.values() if image]))
    if not lacking and not images:
        return
    missing = Missing(lacking, {stack.id: stack.diff_ids for stack in images.values()}, _known(layers, lacking))
    names = _covering({name: lacking & set(stack.diff_ids) for name, stack in new.items()}, list(images))
    with CompressedSizes() as sizes:
        begin, doing = (sizes.begin_layer, "compressed like for a registry: ") if compressed else (None, "")
        read = _export(client, names, begin_layer=begin, doing=doing, missing=missing)
        packed = {diff_id: count for diff_id, count in zip(read.begun, sizes.bytes_of_layers()) if diff_id}
    for diff_id, layer in read.layers.items():
        if layer.stored_bytes is not None:
            packed[diff_id] = layer.stored_bytes
    layers.put(read, packed, _by_engine_id(read, images))
    for name, stack in new.items():
        if sum(len(layers.columns(diff_id)["path"]) for diff_id in stack.diff_ids) > MOST_ENTRIES:
            raise unreadable(name, Damaged(f"an image in it has more than {MOST_ENTRIES:,} entries"))


def _told_by_engine(client: docker.DockerClient, stack: Stack) -> Image | None:
    """The image with the instructions behind its layers, by what the engine says of its history; None where that leaves open
    which of the entries made them."""
    try:
        history = [
            (entry.get("CreatedBy") or "", entry.get("Size") or 0) for entry in history_entries(client, stack.id)
        ]
    except docker.errors.APIError:
        return None
    texts = layers_told(history[::-1], len(stack.diff_ids))
    return None if texts is None else Image(stack.id, [], stack.diff_ids, texts)


def _known(layers: LayerCache, lacking: set[str]) -> Callable[[str], str | None]:
    """For `Missing`: the layer in a blob, if the cache has it. A blob that is not compressed has its layer's diff id."""

    def known(blob: str) -> str | None:
        diff_id = layers.layer_in(blob) or blob
        return diff_id if diff_id not in lacking and layers.has_layer(diff_id) else None

    return known


def _covering(lacking: dict[str, set[str]], names: list[str]) -> list[str]:
    """These names, and of the others as many as are needed to have every layer that is lacking. lacking: {name: diff ids}."""
    covered = {diff_id for name in names for diff_id in lacking[name]}
    chosen = list(names)
    for name, diff_ids in lacking.items():
        if diff_ids - covered:
            chosen.append(name)
            covered |= diff_ids
    return chosen


def from_disk(path: Path, layers: LayerCache) -> tuple[dict[str, Stack], dict[str, str]]:
    """{image: its layers} of each image in an archive or an OCI layout on disk, and {other name: image}.

    A single image without a tag goes by the archive's name.
    """
    archive = _load(path.expanduser())
    layers.put(archive)
    called = archive.called()
    if len(called) == 1 and not archive.images[0].names:
        called = {path.name: archive.images[0]}
    others = {tag: name for name, image in called.items() for tag in image.names if tag not in called}
    return {name: Stack(image.id, image.diff_ids) for name, image in called.items()}, others


def _by_engine_id(archive: Archive, stacks: dict[str, Stack]) -> dict[str, Image]:
    """{the engine's id: the image in its export}; by name, or by its layers, where the export does not say the id."""
    found = {}
    for name, stack in stacks.items():
        by_name = [image for image in archive.images if full_tag(name) in image.names]
        by_name = by_name or [image for image in archive.images if full_tag(name) in map(plain_tag, image.names)]
        by_layers = [image for image in archive.images if image.diff_ids == stack.diff_ids]
        known = [image for image in archive.images if stack.id == image.id or stack.id in image.digests]
        if likeliest := known or by_name or by_layers:
            found[stack.id] = likeliest[0]
    return found


@translate_engine_loss("the export of an image")
def read(client: docker.DockerClient | None, image: str | Path, path: str, layer: int | None = None) -> bytes:
    """The content of a file as one layer has it, whether it can still be seen in the image or not.

    image: as for `files`. layer: its number; by default the highest that has the file. Raises WorkshopError if no such layer
    has it, or if it is larger than LARGEST_KEPT.
    """
    try:
        path = absolute_path(path)
    except Damaged:
        raise WorkshopError(
            f"{path} leads out of the image.", "Give the path as the image has it: /root/.netrc."
        ) from None
    archive, layers = Archive(), LayerCache()
    if is_path(image):
        archive = _load(Path(image).expanduser(), path)
        if len(called := archive.called()) > 1:
            raise WorkshopError(
                f"There are {len(called)} images in {image}: {', '.join(called)}.",
                "`read` looks into an archive of one image: save that one alone.",
            )
        diff_ids = archive.images[0].diff_ids
    else:
        diff_ids = stack_of(inspect(client, str(image))).diff_ids
        if not all(map(layers.has_layer, diff_ids)):
            archive = _export(client, [str(image)], wanted=path)
    at = [number for number, diff_id in enumerate(diff_ids) if _has_file(archive, layers, diff_id, path)]
    if not at or (layer is not None and layer not in at):
        none = f"No layer of it has such a file, or it is larger than {size(LARGEST_KEPT)}."
        have = f"It is a file in layer {', '.join(map(str, at))}." if at else none
        where = f"layer {layer} of {image}" if layer is not None else str(image)
        raise WorkshopError(f"There is no file {path} in {where}. {have}", "workshop.files() lists what there is.")
    chosen = diff_ids[at[-1] if layer is None else layer]
    if chosen not in archive.layers:
        one = {chosen}
        archive = _export(client, [str(image)], wanted=path, missing=Missing(one, {}, _known(layers, one)))
    return archive.layers[chosen].content or b""


def _has_file(archive: Archive, layers: LayerCache, diff_id: str, path: str) -> bool:
    """True if a layer has a file there that can be kept: by what was just read, or by what the cache has of it."""
    if diff_id in archive.layers:
        return archive.layers[diff_id].content is not None
    columns = layers.columns(diff_id)
    entries = zip(columns["path"], columns["kind"], columns["bytes"])
    return any(one == path and kind == FILE and count <= LARGEST_KEPT for one, kind, count in entries)


def _load(path: Path, wanted: str | None = None) -> Archive:
    try:
        if path.is_dir():
            if not (path / "index.json").is_file():
                raise WorkshopError(f"The folder {path} is no OCI image layout: there is no index.json in it.", "")
            return read_folder(path, wanted)
        if path.exists() and not path.is_file():
            raise WorkshopError(f"{path} is neither a file nor a folder.", "Name an archive that `docker save` wrote.")
        with path.open("rb") as file, Panel(f"Reading {path.name}") as panel:
            panel.row("read", f"the layers in {path.name}")
            whole, done = max(path.stat().st_size, 1), 0

            def pieces():
                nonlocal done
                while chunk := file.read(PIECE):
                    done += len(chunk)
                    panel.row("read", detail=size(done), fraction=done / whole)
                    yield chunk

            return read_archive(pieces(), str(path), wanted)
    except FileNotFoundError:
        raise WorkshopError(f"There is no archive {path}.", "Paths start where the notebook is.") from None
    except OSError as error:
        raise unreadable(shorten(str(path), 80), error) from None


def _export(
    client: docker.DockerClient,
    names: list[str],
    wanted: str | None = None,
    begin_layer=None,
    doing: str = "",
    missing: Missing | None = None,
) -> Archive:
    called = [short if name.startswith("sha256:") else name for name, short in zip(names, short_digests(names))]
    what = called[0] if len(names) == 1 else f"{len(names)} images"
    with Panel(f"Reading {what}") as panel:
        panel.row("save", f"{doing}the layers of {', '.join(called)}", detail="the engine is packing them")
        done = 0

        def shown(pieces):
            nonlocal done
            for piece in pieces:
                done += len(piece)
                panel.row("save", detail=f"{size(done)} came from the engine")
                yield piece

        with exported_images(client, names, PIECE) as chunks, ReadAhead(chunks) as pieces:
            archive = read_archive(shown(pieces), what, wanted, begin_layer, missing)
        panel.summary = f"Read the layers of {what} in {seconds(panel.rows['save'].age())}"
    return archive
