"""The class kit: the base images in one file on disk, for a room that shares one network address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import docker

from ..archives import exported_images
from ..errors import WorkshopError, translate_engine_loss
from ..labels import tags_of
from ..progress import Panel
from ..units import size
from .known import BASES, in_engine, is_ours

CHUNK = 1 << 20  # bytes


@translate_engine_loss("the saving of the class kit")
def save_kit(client: docker.DockerClient, path: str | Path, names: tuple[str, ...] = BASES) -> Path:
    """Write those base images that the engine has to one archive (`docker save` format) and return its path.

    Learners load it with `docker load`, or point FACTORY_FLOOR_KIT at it. Raises WorkshopError if none is there or the
    disk is full; a half-written file is removed, interrupted or not.
    """
    path = Path(path).expanduser()
    present = [name for name in names if in_engine(client, name)]
    if not present:
        raise WorkshopError(
            "The engine has none of the base images yet.", "Run the lessons' first cells, or bases.ensure()."
        )
    partial = path.with_name(path.name + ".partial")
    with Panel(f"Saving {len(present)} base images to {path.name}") as panel:
        panel.row("kit", ", ".join(present))
        try:
            written = 0
            with exported_images(client, present, CHUNK) as chunks, partial.open("wb") as file:
                for chunk in chunks:
                    written += file.write(chunk)
                    panel.row("kit", detail=size(written))
            os.replace(partial, path)
            panel.summary = f"{path} holds {', '.join(present)}: {size(written)}"
        except OSError as error:
            raise WorkshopError(
                f"The kit could not be written: {error}.", "Choose another folder or make room."
            ) from None
        finally:
            partial.unlink(missing_ok=True)
    return path


def load_kit(client: docker.DockerClient, path: Path, panel: Panel, row: str) -> None:
    """Load an archive into the engine, showing bytes. Raises WorkshopError if it is not there or not an archive.

    A name that the engine had for an image of somebody else's means that image afterwards, too.
    """
    if not path.is_file():
        raise WorkshopError(f"there is no class kit at {path}")
    try:
        file = path.open("rb")
    except OSError as error:
        raise WorkshopError(f"the class kit {path} cannot be read: {error.strerror}") from None
    total = path.stat().st_size

    def chunks() -> Iterator[bytes]:
        sent = 0
        while chunk := file.read(CHUNK):
            sent += len(chunk)
            panel.row(row, detail=f"class kit: {size(sent)} of {size(total)}", fraction=sent / total)
            yield chunk

    before = _names(client)
    try:
        for message in client.api.load_image(chunks(), quiet=True):
            if "error" in message:
                raise WorkshopError(f"the class kit {path.name} could not be loaded: {message['error']}")
    except docker.errors.APIError as error:
        raise WorkshopError(f"the class kit {path.name} could not be loaded: {error.explanation or error}") from None
    finally:
        file.close()
        _give_back(client, before)  # an archive that breaks off has taken names along, too


def _names(client: docker.DockerClient) -> dict[str, str]:
    """{name: image id} of all that the engine holds."""
    return {name: image["Id"] for image in client.api.images() for name in tags_of(client, image)}


def _give_back(client: docker.DockerClient, before: dict[str, str]) -> None:
    """What was loaded has taken these names along: those that were not ours go back to where they were."""
    for name, image in _names(client).items():
        if before.get(name, image) != image and not is_ours(client, name, client.api.inspect_image(before[name])):
            repository, tag = name.rsplit(":", 1)
            client.api.tag(before[name], repository, tag)
