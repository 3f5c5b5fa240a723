"""The stages of a build as they stand in the engine: what each is built FROM, and what it adds to that."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import docker

from ..errors import WorkshopError
from ..labels import LABEL, history_entries
from .history import Entry, align, instruction
from .syntax import Dockerfile, Instruction

OURS = (f"LABEL {LABEL}=", f"LABEL {LABEL}.")


@dataclass(frozen=True)
class BaseImage:
    """An image that a stage is built FROM. layers: its diff ids, from the lowest on. entries: how many its history has."""

    id: str
    layers: list[str]
    entries: int


@dataclass(frozen=True)
class Stages:
    """The stages of one build. ids: {stage's name: image id}, in the order of the Dockerfile, the target last.

    bases: {image: what it was when it was built on}, for names that may have gone to another image since.
    """

    client: docker.DockerClient
    dockerfile: Dockerfile
    ids: dict[str, str]
    bases: Mapping[str, BaseImage] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """The name of the stage that is the image."""
        return list(self.ids)[-1]

    @property
    def lineage(self) -> list[str]:
        """The target's name, then that of the stage it is built FROM, and so on."""
        return [self.dockerfile.stages[index].name for index in self.dockerfile.lineage(self._index(self.target))]

    @property
    def base(self) -> str:
        """The image that the target is built FROM in the end, as the Dockerfile has it."""
        return self.dockerfile.stage(self.lineage[-1]).base

    def parent(self, name: str) -> str | None:
        """The name of the stage that a stage is built FROM; None if that is an image, or scratch."""
        parent = self.dockerfile.stage(name).parent
        return None if parent is None else self.dockerfile.stages[parent].name

    def entries(self, name: str) -> list[tuple[Entry, Instruction | None]]:
        """What a stage adds to its base's history, each entry with its instruction, oldest first."""
        base = self._base_image(name)
        inherited = base.entries if base else 0
        history = entries_of(self.client, self.ids[name])[inherited:]
        lines = [line for line in self.dockerfile.of_stage(self._index(name)) if line.word != "FROM"]
        return list(zip(history, align(history, lines)))

    def made(self) -> Iterator[tuple[Entry, Instruction]]:
        """Every history entry that an instruction of the Dockerfile made, stage by stage."""
        for name in self.ids:
            yield from ((entry, line) for entry, line in self.entries(name) if line)

    def first_own_layer(self, name: str) -> int:
        """The number of the first layer that a stage adds to its base's; 0 on scratch.

        Raises WorkshopError if the engine has one of the two images no more, or another image under the base's name.
        """
        base = self._base_image(name)
        if base is None:
            return 0
        return layers_below(self.dockerfile.stage(name).base, base.layers, _diff_ids(self.client, self.ids[name]))

    def _index(self, name: str) -> int:
        return self.dockerfile.stage(name).index

    def _base_image(self, name: str) -> BaseImage | None:
        """What a stage is built FROM: an earlier stage's image, an image from outside, or None for scratch."""
        parent, base = self.parent(name), self.dockerfile.stage(name).base
        if parent:
            return look_at(self.client, self.ids[parent]) if parent in self.ids else None
        return None if base.lower() == "scratch" else self.bases.get(base) or look_at(self.client, base)


def look_at(client: docker.DockerClient, image: str) -> BaseImage:
    """An image as it is now. Raises WorkshopError if the engine has it no more."""
    try:
        about = client.api.inspect_image(image)
    except docker.errors.ImageNotFound:
        raise gone(image) from None
    return BaseImage(about["Id"], about["RootFS"].get("Layers") or [], len(entries_of(client, about["Id"])))


def entries_of(client: docker.DockerClient, image: str) -> list[Entry]:
    """An image's history, oldest first, without the labels by which the workshop knows its own images."""
    entries = [
        Entry(instruction(entry["CreatedBy"]), entry["Size"], entry["CreatedBy"] or "")
        for entry in history_entries(client, image)
    ]
    return [entry for entry in reversed(entries) if not entry.text.startswith(OURS)]


def layers_below(base: str, below: list[str], layers: list[str]) -> int:
    """How many layers an image has from its base. below, layers: diff ids of the base, and of the image.

    Raises WorkshopError if the image is not built on these: since then the base's name went to another image.
    """
    if layers[: len(below)] != below:
        raise WorkshopError(
            f"{base} is another image now than the one that was built on.", "Build again, then run this cell."
        )
    return len(below)


def _diff_ids(client: docker.DockerClient, image: str) -> list[str]:
    try:
        return client.api.inspect_image(image)["RootFS"].get("Layers") or []
    except docker.errors.ImageNotFound:
        raise gone(image) from None


def look_at_bases(client: docker.DockerClient, dockerfile: Dockerfile, stages: Collection[int]) -> dict[str, BaseImage]:
    """{image: what it is now} of the images from outside that these stages are built FROM, by their numbers."""
    built = [stage for stage in dockerfile.stages if stage.index in stages and stage.parent is None]
    return {base: look_at(client, base) for base in {stage.base for stage in built} if base.lower() != "scratch"}


def gone(image: str) -> WorkshopError:
    """The error for an image that was there when it was built on."""
    return WorkshopError(f"The engine has no image {image} any more.", "Build again, then run this cell.")
