"""What a `COPY --from` line names, and which files of a stage the files that it landed are."""

from __future__ import annotations

import fnmatch
import posixpath

import pandas as pd

from .syntax import Dockerfile, Instruction


def pairs(landed: pd.DataFrame, there: pd.DataFrame, paths: list[str]) -> pd.DataFrame:
    """The files of one `COPY --from` layer with where they came from: columns stage, path, landed.

    Equal files (every empty __init__.py) match each other: the true pair is below the paths that the line names, which
    may be behind a symbolic link or in a variable, and their paths end most alike.
    """
    equal = landed[["path", "digest"]].merge(there[["stage", "path", "digest"]], on="digest", suffixes=("_landed", ""))
    equal["named"] = [any(is_below(path, top) for top in paths) for path in equal["path"]]
    equal["alike"] = [_common_tail(one, other) for one, other in zip(equal["path"], equal["path_landed"])]
    best = equal.sort_values(["named", "alike"], ascending=False, kind="stable").drop_duplicates("path_landed")
    return best[["stage", "path", "path_landed"]].rename(columns={"path_landed": "landed"})


def copy_from(instruction: Instruction, dockerfile: Dockerfile) -> tuple[str | None, list[str]]:
    """(stage's name, paths copied from it) of a `COPY --from` line; (None, paths) for an image, (None, []) for any other."""
    if instruction.word != "COPY" or not instruction.sources:
        return None, []
    source = instruction.sources[0]
    paths = [posixpath.normpath("/" + path.lstrip("/")) for path in instruction.args[:-1]]
    return (dockerfile.stages[source].name if isinstance(source, int) else None), paths


def is_below(path: str, top: str) -> bool:
    """True if a path is what a COPY names, or below it. Go's filepath.Match: a wildcard stays within its folder."""
    tops, parts = top.strip("/").split("/"), path.strip("/").split("/")
    if top == "/":
        return True
    pairs = zip(parts, (one.replace("[^", "[!") for one in tops))
    return len(parts) >= len(tops) and all(part == one or fnmatch.fnmatchcase(part, one) for part, one in pairs)


def _common_tail(one: str, other: str) -> int:
    """How many path parts are the same, counted from the end."""
    count = 0
    for left, right in zip(reversed(one.split("/")), reversed(other.split("/"))):
        if left != right:
            break
        count += 1
    return count
