"""Picking out of a frame what one looks for: by path, by line, by image; so that a lesson's cell needs no pandas for it."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..errors import WorkshopError
from ..paths import followed, matches

MEANINGS = ["bytes", "tar", "compressed", "engine"]  # columns of `sizes()` that say how large one image is


def find(frame: pd.DataFrame, *paths: str, line: str | None = None, but: str | Iterable[str] = ()) -> pd.DataFrame:
    """The rows whose path fits one of these patterns, in the frame's order.

    frame: any with a column path, as from `files()`, `gate()`, `diff()`. Patterns are those of every check: `*` stays
    within a folder, `**` is any number of folders (`paths.matches`). No pattern at all: every path.
    line: the beginning of created_by, the instruction that made the layer ("RUN pip install").
    but: a pattern or several, whose paths are left out again.

    Raises WorkshopError if the frame has no such column.
    """
    rows = pd.Series(True, frame.index)
    if paths:
        rows &= _named(frame, paths)
    if line is not None:
        rows &= _column(frame, "created_by").astype(str).str.startswith(line)
    if but := [but] if isinstance(but, str) else list(but):
        rows &= ~_named(frame, but)
    return frame[rows]


def visible(files: pd.DataFrame) -> pd.DataFrame:
    """The files that can be seen in the merged filesystem, hard links among them. files: as from `files()`."""
    return files[_column(files, "visible") & _column(files, "kind").isin(["file", "hard link"])]


def visible_at(files: pd.DataFrame, path: str) -> tuple[str, int] | None:
    """(kind, bytes) of what is at an absolute path of one image, the links among its folders followed; None if nothing is.

    files: as from `files()`, of one image. A hard link's bytes are those of the file that it is a name of.
    """
    seen = files[files["visible"]]
    links = seen[seen["kind"] == "symlink"]
    place = followed(path, dict(zip(links["path"], links["linkname"])).get)
    at = seen[seen["path"] == place]
    if at.empty:
        return None
    kind, count, digest = (at.iloc[0][name] for name in ("kind", "bytes", "digest"))
    if kind == "hard link" and digest:
        count = files.loc[(files["digest"] == digest) & (files["kind"] == "file"), "bytes"].max()
    return str(kind), 0 if pd.isna(count) else int(count)


def by_image(frame: pd.DataFrame, column: str = "bytes") -> dict[str, float]:
    """{image: the sum of this column over its rows}, in the frame's order; whole numbers stay whole.

    frame: any with a column image, as from `sizes()` or `layers()`. Raises WorkshopError if it has no such column.
    """
    if not pd.api.types.is_numeric_dtype(_column(frame, column)):
        raise WorkshopError(f"The column {column!r} holds no numbers to add up.", "Try bytes.")
    summed = frame.groupby(_column(frame, "image").astype(str), sort=False)[column].sum()
    return summed.to_dict()


def sizes_between(sizes: pd.DataFrame, least: float, most: float) -> pd.DataFrame:
    """Every meaning of "size" by which an image weighs from `least` to `most` MB: columns image, meaning, bytes.

    sizes: as from `sizes()`; the meanings are its columns bytes, tar, compressed and engine, as far as they are there.
    """
    there = [name for name in MEANINGS if name in sizes]
    _column(sizes, "image")
    long = sizes.melt("image", there, "meaning", "size").rename(columns={"size": "bytes"})
    return long[long["bytes"].between(least * 1e6, most * 1e6)].reset_index(drop=True)


def diff_summary(changes: pd.DataFrame) -> pd.DataFrame:
    """How many paths changed in which way: columns change, paths (count), bytes (of each path the larger side).

    changes: as from `diff()`.
    """
    larger = _column(changes, "bytes_a").combine(_column(changes, "bytes_b"), max)
    grouped = changes.assign(bytes=larger).groupby("change")
    return grouped.agg(paths=("path", "size"), bytes=("bytes", "sum")).reset_index()


def _named(frame: pd.DataFrame, patterns: Iterable[str]) -> pd.Series:
    """Which rows have a path that one of the patterns names; each path is looked at once, however often it is there."""
    paths = _column(frame, "path")
    return paths.isin([path for path in paths.unique() if any(matches(path, pattern) for pattern in patterns)])


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame:
        raise WorkshopError(f"This frame has no column {name!r}.", f"It has: {', '.join(map(str, frame))}.")
    return frame[name]
