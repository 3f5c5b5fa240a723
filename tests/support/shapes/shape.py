"""What a shape is: a Dockerfile, its build context, how it is built, and what crosses its gate."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

BUILDKIT_ONLY = "BuildKit"  # what a refusal says that sends one there


@dataclass(frozen=True)
class File:
    """A file of the context. Plain text stands for one of mode 644."""

    content: str
    mode: int = 0o644


@dataclass(frozen=True)
class Folder:
    """An empty folder, or one whose mode counts."""

    mode: int = 0o755


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Same:
    """A hard link to an earlier file of the context."""

    path: str


Content = str | File | Folder | Link | Same


@dataclass(frozen=True)
class Shape:
    """One build.

    crossed: what came through a `COPY --from`, each as "stage /path -> /where", worked out by hand from the Dockerfile.
    file: the Dockerfile's name; "" hands its text over, as a notebook does.
    no_classic: part of the sentence with which the classic builder has to refuse it; "" where it has to build it.
    since: the Docker whose built-in BuildKit knows the syntax. secrets: {id: text}. roots: folders that are root's on the
    classic builder, and another's with `docker build`; volumes: folders that it makes, and `docker build` does not: both are
    rows of the table of differences.
    """

    name: str
    dockerfile: str
    context: Mapping[str, Content] = field(default_factory=dict)
    crossed: tuple[str, ...] = ()
    file: str = "Dockerfile"
    target: str | None = None
    buildargs: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    no_classic: str = ""
    roots: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    since: tuple[int, int] = (28, 0)

    def lay_out(self, folder: Path) -> None:
        """Write the context, and the Dockerfile if it is a file."""
        for path, content in self.context.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            match content:
                case str():
                    place.write_text(content)
                    place.chmod(0o644)
                case File():
                    place.write_text(content.content)
                    place.chmod(content.mode)
                case Folder():
                    place.mkdir(exist_ok=True)
                    place.chmod(content.mode)
                case Link():
                    place.symlink_to(content.target)
                case Same():
                    os.link(folder / content.path, place)
        if self.file:
            (folder / self.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / self.file).write_text(self.dockerfile)
