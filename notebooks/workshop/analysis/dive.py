"""efficiency(): how much of an image can be seen, by our count and by that of dive, the tool that people use today."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..units import size
from .waste import hidden_files

EFFICIENCY = ["image", "bytes", "wasted", "efficiency", "dive_wasted", "dive_efficiency", "why"]


def efficiency(files: pd.DataFrame) -> pd.DataFrame:
    """How much of each image can be seen, beside what dive 0.13.1 reports for it.

    files: as from `files()`. Columns: image, bytes (of all files in all layers), wasted (bytes, the sum of `waste()`),
    efficiency (1 - wasted / bytes; 1.0 for an image without bytes), dive_wasted (bytes) and dive_efficiency (a fraction),
    as dive's own way of counting gives them, why (a sentence: what makes its figure another one).
    """
    files = files.reset_index(drop=True)
    hidden = hidden_files(files)
    groups = files.groupby("image", observed=True, sort=False)
    rows = [_compared(image, own, hidden[hidden["image"] == image]) for image, own in groups]
    return pd.DataFrame(rows, columns=EFFICIENCY)


def _compared(image: str, own: pd.DataFrame, hidden: pd.DataFrame) -> tuple:
    """One row of `efficiency()`. dive's figure is ours, less what it misses, plus what it counts beyond."""
    shipped, wasted = int(own.loc[own["kind"] == "file", "bytes"].sum()), int(hidden["bytes"].sum())
    nodes = pd.DataFrame(_dive(own), columns=["path", "bytes", "row"])
    seen = nodes[nodes["row"] != _NEVER]
    paths = seen.groupby("path")["bytes"].agg(["sum", "min", "count"])
    least = int(paths["min"].sum()) - len(set(nodes["path"]) - set(paths.index))  # such a path counts as -1 there
    every, twice = int(paths["sum"].sum()), paths[paths["count"] > 1]
    counted = seen[seen["path"].isin(twice.index)]
    missed = hidden[~hidden.index.isin(counted["row"])]
    with_hider = set(zip(own["layer"], own["path"]))
    below = np.array([key not in with_hider for key in zip(missed["hidden_by_layer"], missed["path"])], dtype=bool)
    why = _why(
        int(missed["bytes"][below].sum()),
        int(missed["bytes"][~below].sum()),
        int(counted.loc[~counted["row"].isin([*hidden.index, _NO_ROW]), "bytes"].sum()),
        int(counted.loc[counted["row"] == _NO_ROW, "bytes"].sum()),
    )
    ours = (shipped - wasted) / shipped if shipped else 1.0
    return str(image), shipped, wasted, ours, int(twice["sum"].sum()), least / every if every else 1.0, why


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
                below = stack.below(path)
                if below is None:
                    yield path, 0, _NEVER
                    break
                count = below
            yield path, count, row
        if layer < last:
            stack.lay(tree)


def _tree(rows: pd.DataFrame) -> tuple[_Tree, set[str]]:
    """(one layer's tree, the names in it that have something below them)."""
    tree: _Tree = {}
    folders: set[str] = set()
    for row, path, kind, count in zip(rows.index, rows["path"], rows["kind"].astype(str), rows["bytes"]):
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
        return sum(self.nodes[below][0] for below in self.walk(path)) if self.nodes[path][1] else 0

    def walk(self, path: str) -> list[str]:
        paths = [path]
        for below in paths:
            paths += self.inside.get(below, ())
        return paths
