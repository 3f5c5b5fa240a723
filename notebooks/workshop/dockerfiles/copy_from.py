"""What a `COPY --from` line names, and which files of a stage the files that it landed are."""

from __future__ import annotations

import fnmatch
import posixpath
import re

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


def maker(instruction: Instruction, dockerfile: Dockerfile) -> Instruction | None:
    """The line of the source stage that made what a `COPY --from` copies, as far as its text tells; None for an image's file.

    That is the last RUN, COPY or ADD that names the path, whole or from its WORKDIR; else the last RUN that names the folder
    it is in, or one above that; else the last of them; where there is none, the FROM that brought it. A stage also has
    what the stages that it is built FROM made.
    """
    source = instruction.source
    if not isinstance(source, int):
        return None
    lines = [line for index in reversed(dockerfile.lineage(source)) for line in dockerfile.of_stage(index)]
    makers = [(line, folder) for line, folder in zip(lines, _workdirs(lines)) if line.word in ("RUN", "COPY", "ADD")]
    if not makers:
        return lines[0]
    _, paths = copy_from(instruction, dockerfile)
    found = [line for line, folder in makers if any(_makes(line, folder, path) for path in paths)]
    for above in (folder for path in paths for folder in _above(path)):
        found = found or [line for line, folder in makers if line.word == "RUN" and _says(line, folder, above, "/")]
    return found[-1] if found else makers[-1][0]


def _above(path: str) -> list[str]:
    """The folders above a path, the nearest first, without the root: /a/b/c → /a/b, /a."""
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]


def _workdirs(lines: list[Instruction]) -> list[str]:
    """The folder in which each line works."""
    folder, folders = "/", []
    for line in lines:
        if line.word == "WORKDIR" and line.args:
            folder = posixpath.normpath(posixpath.join(folder, line.args[-1]))
        folders.append(folder)
    return folders


def _makes(line: Instruction, folder: str, path: str) -> bool:
    """True if a line puts something at a path: a RUN that says it, or what is below it; a COPY or ADD whose target it is."""
    if line.word == "RUN":
        return _says(line, folder, path)
    target = posixpath.normpath(posixpath.join(folder, line.args[-1])) if line.args else ""
    return path in (target, *(posixpath.join(target, posixpath.basename(one.rstrip("/"))) for one in line.args[:-1]))


def _says(line: Instruction, folder: str, path: str, not_before: str = "") -> bool:
    """True if a path stands in a RUN line, whole or from the folder that the line works in, and not as a part of a name."""
    below = folder.rstrip("/") + "/"
    spelled = [path, *([path.removeprefix(below)] if path.startswith(below) else [])]
    return any(re.search(rf"(?<![\w./-]){re.escape(one)}(?![\w.{not_before}-])", line.text) for one in spelled)


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
