"""Small Dockerfiles in the shapes that public ones have, family by family, with what each has to make of its stages.

They are built by `docker build` and by `workshop.build`, and both have to make the same image. Base images are those of
the lessons, tools are scripts of a few lines, nothing is downloaded: it is how the lines fit together that is tried.
A family is a module, and its name is what `pytest -k` is given.
"""

from __future__ import annotations

from . import (
    arguments,
    compiled,
    copying,
    heredocs,
    ignoring,
    javascript,
    jvm,
    links,
    mounts,
    ownership,
    python,
    settings,
    targets,
)
from .shape import Shape

FAMILIES = (
    python,
    javascript,
    compiled,
    jvm,
    heredocs,
    arguments,
    links,
    ownership,
    ignoring,
    copying,
    targets,
    mounts,
    settings,
)
SHAPES: list[Shape] = [shape for family in FAMILIES for shape in family.SHAPES]
