"""Getting at layers: from the engine's `save`, or from an archive on disk; and the content of one file in one layer."""

from __future__ import annotations

from pathlib import Path

import docker

from ..errors import WorkshopError, translate_engine_loss
from ..progress import Panel
from ..units import seconds, size
from . import cache
from .archive import Archive, read_archive, read_folder, unreadable
from .gzipped import Gzip
from .layer import LARGEST_KEPT, rooted
from .streams import PIECE, Ahead
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


def from_engine(client: docker.DockerClient, names: list[str], known: cache.Shelf) -> dict[str, list[str]]:
    """{name: diff ids}; what the shelf does not have is exported first, all images at once."""
    stacks = {name: inspect(client, name)["RootFS"].get("Layers") or [] for name in names}
    new = [name for name, diff_ids in stacks.items() if diff_ids and not known.has(diff_ids)]
    if new:
        known.put(_export(client, new))
    return stacks


def from_disk(path: Path, known: cache.Shelf) -> list[tuple[str, list[str]]]:
    """(image, diff ids) of each image in an archive or an OCI layout on disk."""
    read = _load(path.expanduser())
    known.put(read)
    return [(image.names[0] if image.names else path.name, image.diff_ids) for image in read.images]


def squeeze(client: docker.DockerClient, stacks: dict[str, list[str]], known: cache.Shelf) -> None:
    """See to it that the shelf knows the compressed size of every layer of these images."""
    new = [name for name, diff_ids in stacks.items() if diff_ids and not known.has(diff_ids, compressed=True)]
    if not new:
        return
    with Gzip() as gzip:
        read = _export(client, new, squeezer=gzip.layer, doing="compressed like for a registry: ")
        counted = dict(zip(read.layers, gzip.sizes()))
    stored = {diff_id: layer.stored_bytes for diff_id, layer in read.layers.items() if layer.stored_bytes is not None}
    known.put(read, counted | stored)


@translate_engine_loss("the export of an image")
def read(client: docker.DockerClient | None, image: str | Path, path: str, layer: int | None = None) -> bytes:
    """The content of a file as one layer has it, whether it can still be seen in the image or not.

    image: as for `files`. layer: its number; by default the highest that has the file. Raises WorkshopError if no such layer
    has it, or if it is larger than LARGEST_KEPT.
    """
    try:
        path = rooted(path)
    except Damaged:
        raise WorkshopError(
            f"{path} leads out of the image.", "Give the path as the image has it: /root/.netrc."
        ) from None
    if is_path(image):
        found = _load(Path(image).expanduser(), path)
        diff_ids = found.images[0].diff_ids
    else:
        diff_ids = inspect(client, image)["RootFS"].get("Layers") or []
        found = _export(client, [image], wanted=path) if diff_ids else Archive()
    at = [number for number, one in enumerate(diff_ids) if found.layers[one].found is not None]
    if not at or (layer is not None and layer not in at):
        none = f"No layer of it has such a file, or it is larger than {size(LARGEST_KEPT)}."
        have = f"It is a file in layer {', '.join(map(str, at))}." if at else none
        where = f"layer {layer} of {image}" if layer is not None else str(image)
        raise WorkshopError(f"There is no file {path} in {where}. {have}", "workshop.files() lists what there is.")
    return found.layers[diff_ids[at[-1] if layer is None else layer]].found


def _load(path: Path, wanted: str | None = None) -> Archive:
    if path.is_dir():
        if not (path / "index.json").is_file():
            raise WorkshopError(f"The folder {path} is no OCI image layout: there is no index.json in it.", "")
        return read_folder(path, wanted)
    if path.exists() and not path.is_file():
        raise WorkshopError(f"{path} is neither a file nor a folder.", "Name an archive that `docker save` wrote.")
    try:
        with path.open("rb") as file, Panel(f"Reading {path.name}") as panel:
            panel.row("read", f"the layers in {path.name}")
            whole, done = max(path.stat().st_size, 1), 0

            def counted():
                nonlocal done
                while chunk := file.read(PIECE):
                    done += len(chunk)
                    panel.row("read", detail=size(done), fraction=done / whole)
                    yield chunk

            return read_archive(counted(), str(path), wanted)
    except FileNotFoundError:
        raise WorkshopError(f"There is no archive {path}.", "Paths start where the notebook is: notebooks/.") from None
    except OSError as error:
        raise unreadable(str(path), error) from None


def _export(
    client: docker.DockerClient, names: list[str], wanted: str | None = None, squeezer=None, doing: str = ""
) -> Archive:
    what = names[0] if len(names) == 1 else f"{len(names)} images"
    with Panel(f"Reading {what}") as panel:
        panel.row("save", f"{doing}the layers of {', '.join(names)}", detail="the engine is packing them")
        done = 0

        def counted(chunks):
            nonlocal done
            for chunk in chunks:
                done += len(chunk)
                panel.row("save", detail=f"{size(done)} came from the engine")
                yield chunk

        # The SDK's get_image takes one name; the endpoint takes several, and then sends a shared layer once.
        answer = client.api._get(client.api._url("/images/get"), params={"names": names}, stream=True)
        client.api._raise_for_status(answer)
        with answer, Ahead(answer.iter_content(PIECE)) as pieces:
            found = read_archive(counted(pieces), what, wanted, squeezer)
        panel.summary = f"Read the layers of {what} in {seconds(panel.rows['save'].age())}"
    return found
