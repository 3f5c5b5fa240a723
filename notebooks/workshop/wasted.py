"""Bytes that are shipped and that nobody can see: which, by which line, how much of an image, and what dive says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from .differences import of_image
from .units import size

WASTE = ["image", "path", "size", "cause", "layer", "created_by", "hidden_by_layer", "hidden_by_line"]
LINES = ["image", "layer", "created_by", "cause", "files", "bytes"]
EFFICIENCY = ["image", "bytes", "wasted", "efficiency", "dive_wasted", "dive_efficiency", "why"]
AS_ONE = ["image", "first", "last", "lines", "saved", "words"]

NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def waste(files: pd.DataFrame) -> pd.DataFrame:
    """Files that are shipped but can no longer be seen, one row per hidden entry, largest first.

    files: as from `files()`. Columns: image, path, size (bytes, above 0), cause, layer and created_by (what shipped it),
    hidden_by_layer and hidden_by_line. Hidden means: absent from the merged filesystem (OCI image specification,
    "Whiteouts"); a directory deleted, emptied or replaced whole hides every file below it. cause is
        "deleted", "opaque", "overwritten"   as in `files`
        "metadata"   the hiding layer stored the same content again, for another mode, owner, time or link count
    A hidden file with a visible hard link in its layer is no waste: its content can still be read under that name.
    """
    return _lost(files.reset_index(drop=True))[WASTE].reset_index(drop=True)


def waste_by_line(files: pd.DataFrame) -> pd.DataFrame:
    """`waste()` summed per line and cause: columns image, layer, created_by, cause, files (count), bytes; most first."""
    grouped = waste(files).groupby(LINES[:4], observed=True, sort=False)["size"].agg(files="count", bytes="sum")
    return grouped.reset_index()[LINES].sort_values("bytes", ascending=False, kind="stable", ignore_index=True)


def efficiency(files: pd.DataFrame) -> pd.DataFrame:
    """How much of each image can be seen, beside what dive 0.13.1 reports for it.

    files: as from `files()`. Columns: image, bytes (of all files in all layers), wasted (bytes, the sum of `waste()`),
    efficiency (1 - wasted / bytes; 1.0 for an image without bytes), dive_wasted (bytes) and dive_efficiency (a fraction),
    as dive's own way of counting gives them, why (a sentence: what makes its figure another one).
    """
    files = files.reset_index(drop=True)
    lost = _lost(files)
    groups = files.groupby("image", observed=True, sort=False)
    rows = [_compared(image, own, lost[lost["image"] == image]) for image, own in groups]
    return pd.DataFrame(rows, columns=EFFICIENCY)


def as_one(files: pd.DataFrame, image: str | None = None) -> pd.DataFrame:
    """What would not be shipped if RUN lines that follow one another were one line; only where that saves bytes.

    files: as from `files()`; image: one of them only. Columns: image, first and last (layer numbers of the run), lines
    (count), saved (bytes of the files that one of these layers ships and another one hides), words. A layer without any
    entry is not in `files` and ends a run: which line made it is not known. Lines of the base image count, too.

    Raises WorkshopError for an image that `files` does not have.
    """
    files = (files if image is None else of_image(files, image)).reset_index(drop=True)
    layers = files[["image", "layer", "created_by"]].drop_duplicates(["image", "layer"]).sort_values(["image", "layer"])
    is_run = layers["created_by"].astype(str).str.match(r"RUN\b")
    goes_on = is_run & is_run.shift(fill_value=False) & (layers["layer"].diff() == 1)
    goes_on &= layers["image"].astype(str) == layers["image"].astype(str).shift()
    layers["run"] = (~goes_on).cumsum()
    run = dict(zip(zip(layers["image"], layers["layer"]), layers["run"]))
    lost = _lost(files)
    lost["run"] = [run[key] for key in zip(lost["image"], lost["layer"])]
    by = [run[key] for key in zip(lost["image"], lost["hidden_by_layer"])]
    saved = lost[(lost["run"] == by) & (lost["layer"] < lost["hidden_by_layer"])].groupby("run")["size"].sum()
    runs = layers.groupby("run").agg(
        image=("image", "first"), first=("layer", "min"), last=("layer", "max"), lines=("layer", "size")
    )
    runs = runs.join(saved.rename("saved"), how="inner").reset_index(drop=True)
    runs["words"] = [
        f"These {NUMBERS[lines] if lines < len(NUMBERS) else lines} RUN lines as one would ship {size(count)} less."
        for lines, count in zip(runs["lines"], runs["saved"])
    ]
    return runs[AS_ONE]


def _lost(files: pd.DataFrame) -> pd.DataFrame:
    """The rows of `files` that are waste, with the columns of WASTE and the index that they had."""
    kind = files["kind"].astype(str)
    hidden = files[(kind == "file") & (files["size"] > 0) & ~files["visible"]]
    alive = _linked(files[kind == "hard link"])
    if alive:
        keys = zip(hidden["image"], hidden["layer"], hidden["path"], hidden["digest"])
        hidden = hidden[np.array([key not in alive for key in keys], dtype=bool)]
    again = files[kind.isin(["file", "hard link"]) & files["path"].isin(hidden["path"])]
    stored = set(zip(again["image"], again["layer"], again["path"], again["digest"]))
    keys = zip(hidden["image"], hidden["hidden_by_layer"], hidden["path"], hidden["digest"])
    later = hidden["hidden_by_layer"] > hidden["layer"]
    lines = files.drop_duplicates(["image", "layer"])
    line = dict(zip(zip(lines["image"], lines["layer"]), lines["created_by"].astype(str)))
    same = later & np.array([key in stored for key in keys], dtype=bool)
    hidden = hidden.assign(
        cause=hidden["hidden_by"].mask(same, "metadata"),
        hidden_by_line=[line.get(key, "") for key in zip(hidden["image"], hidden["hidden_by_layer"])],
    )
    return hidden.sort_values("size", ascending=False, kind="stable")[WASTE]


def _linked(links: pd.DataFrame) -> set[tuple]:
    """(image, layer, path, digest) of the files that a visible hard link names; a link to a link is followed."""
    keys = list(zip(links["image"], links["layer"], links["path"]))
    target = dict(zip(keys, links["linkname"]))
    found = set()
    for (image, layer, path), digest, visible in zip(keys, links["digest"], links["visible"]):
        seen = set()
        while visible and (image, layer, path) in target and path not in seen:
            seen.add(path)
            path = target[image, layer, path]
        if seen:
            found.add((image, layer, path, digest))
    return found


def _compared(image: str, own: pd.DataFrame, lost: pd.DataFrame) -> tuple:
    """One row of `efficiency()`. dive's figure is ours, less what it misses, plus what it counts beyond."""
    bytes_, wasted = int(own.loc[own["kind"] == "file", "size"].sum()), int(lost["size"].sum())
    nodes = pd.DataFrame(_dive(own), columns=["path", "size", "row"])
    seen = nodes[nodes["row"] != _NEVER]
    paths = seen.groupby("path")["size"].agg(["sum", "min", "size"])
    least = int(paths["min"].sum()) - len(set(nodes["path"]) - set(paths.index))  # such a path counts as -1 there
    every, twice = int(paths["sum"].sum()), paths[paths["size"] > 1]
    counted = seen[seen["path"].isin(twice.index)]
    missed = lost[~lost.index.isin(counted["row"])]
    with_hider = set(zip(own["layer"], own["path"]))
    below = np.array([key not in with_hider for key in zip(missed["hidden_by_layer"], missed["path"])], dtype=bool)
    why = _why(
        int(missed["size"][below].sum()),
        int(missed["size"][~below].sum()),
        int(counted.loc[~counted["row"].isin([*lost.index, _NO_ROW]), "size"].sum()),
        int(counted.loc[counted["row"] == _NO_ROW, "size"].sum()),
    )
    ours = (bytes_ - wasted) / bytes_ if bytes_ else 1.0
    return str(image), bytes_, wasted, ours, int(twice["sum"].sum()), least / every if every else 1.0, why


def _why(below: int, unseen: int, surviving: int, folders: int) -> str:
    """The sentence for bytes that dive misses (two causes), and for bytes that it counts beyond (two causes)."""
    missed = [f"{size(below)} below folders that were deleted, emptied or replaced whole"] if below else []
    missed += [f"{size(unseen)} in what it did not read of a layer"] if unseen else []
    beyond = [f"{size(surviving)} of the copies that can still be seen of rewritten files"] if surviving else []
    beyond += [f"{size(folders)} for the deletion of a path that was deleted or stored before"] if folders else []
    parts = [f"does not count {' and '.join(missed)}"] if missed else []
    parts += [f"counts {' and '.join(beyond)}"] if beyond else []
    return f"dive {', and '.join(parts)}." if parts else "Both count the same."


# How dive 0.13.1 counts (its dive/filetree/efficiency.go and file_tree.go, checked against the program). It keeps a tree
# for each layer and visits the tree's leaves, a whiteout under the path that it hides. Each visit adds the entry's size to
# its path; a whiteout adds what the stacked lower trees have at and below its path if that is a directory, else 0. Where
# they have nothing there, it goes on with the next layer. Its efficiency is the sum over all paths of the smallest size,
# divided by the sum of all sizes; its wasted bytes are the sizes of the paths that were visited twice or more.
# An opaque marker means nothing to it, and a folder that a layer has no entry for is no directory.

_NO_ROW, _NEVER = -1, -2
_Node = tuple[str, int, bool, int]  # path, size, is a directory, row in the frame
_Tree = dict[str, _Node]  # by name: "/a/.wh.b" for the whiteout of /a/b


def _dive(own: pd.DataFrame) -> Iterator[tuple[str, int, int]]:
    """(path, size, row) of each visit to an entry of one image; row is _NO_ROW for whiteouts, _NEVER where one fails."""
    deleting = own.loc[own["kind"] == "whiteout", "layer"]
    last = int(deleting.max()) if len(deleting) else -1
    stack = _Stack()
    for layer, rows in own.groupby("layer"):
        tree, folders = _tree(rows)
        if layer == 0 <= last:
            stack.lay({name: node for name, node in tree.items() if name == node[0]})  # in dive, it is below itself
        leaves = [name for name in tree if name not in folders]
        for name in sorted(leaves, key=_order) if layer <= last else leaves:
            path, count, _, row = tree[name]
            if name != path:
                count = stack.below(path)
                if count is None:
                    yield path, 0, _NEVER
                    break
            yield path, count, row
        if layer < last:
            stack.lay(tree)


def _tree(rows: pd.DataFrame) -> tuple[_Tree, set[str]]:
    """(one layer's tree, the names in it that have something below them)."""
    tree, folders = {}, set()
    for row, path, kind, count in zip(rows.index, rows["path"], rows["kind"].astype(str), rows["size"]):
        if path == "/":
            continue
        head, _, base = path.rpartition("/")
        if kind == "opaque":
            tree.setdefault(path, (path, 0, False, _NO_ROW))
        elif kind == "whiteout":
            tree[f"{head}/.wh.{base}"] = (path, 0, False, _NO_ROW)
        else:
            tree[path] = (path, int(count), kind == "directory", row)
        while head and head not in folders:
            folders.add(head)
            tree.setdefault(head, (head, 0, False, _NO_ROW))
            head = head.rpartition("/")[0]
    return tree, folders


def _order(name: str) -> str:
    """Folder by folder, by name in each: the order in which dive walks a tree."""
    return name.replace("/", "\0")


class _Stack:
    """The lower layers' trees, laid over one another as dive does it."""

    def __init__(self):
        self.nodes: dict[str, tuple[int, bool]] = {}
        self.inside: dict[str, set[str]] = {}

    def lay(self, tree: _Tree) -> None:
        for name in sorted(tree, key=_order):
            path, count, is_directory, _ = tree[name]
            if name == path:
                self.nodes[path] = count, is_directory
                self.inside.setdefault(path.rpartition("/")[0], set()).add(path)
            elif path in self.nodes:
                for gone in self.walk(path):
                    del self.nodes[gone]
                    self.inside.pop(gone, None)
                self.inside[path.rpartition("/")[0]].discard(path)

    def below(self, path: str) -> int | None:
        """Bytes of a directory; 0 for anything else that is there, None if nothing is."""
        if path not in self.nodes:
            return None
        return sum(self.nodes[one][0] for one in self.walk(path)) if self.nodes[path][1] else 0

    def walk(self, path: str) -> list[str]:
        found = [path]
        for one in found:
            found += self.inside.get(one, ())
        return found
