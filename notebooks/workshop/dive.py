"""efficiency(): our figure for an image's waste beside that of dive, the tool that people use, and why they differ.

dive's figures are worked out from the layers by its own rule (dive 0.13, filetree/efficiency.go): every leaf of every
layer's tree counts by its path; a path's waste is all its copies, the last one too, once there are two; and the score is
the smallest copy of each path over all copies.
"""

from __future__ import annotations

from collections import defaultdict

import pandas as pd

from .units import size
from .wasted import waste

COLUMNS = ["image", "bytes", "wasted", "efficiency", "dive_wasted", "dive_efficiency", "why"]


def efficiency(files: pd.DataFrame) -> pd.DataFrame:
    """How much of each image can be seen, by our count and by dive's.

    Columns image, bytes (of all files in all layers), wasted (bytes, as `waste` has them), efficiency (the share that is
    not wasted, 0 to 1), dive_wasted (bytes) and dive_efficiency (as dive prints them, NaN where it has nothing to
    divide), why (the difference, in a sentence).
    """
    lost = waste(files)
    rows = []
    for image, own in files.groupby("image", observed=True, sort=False):
        total = int(own.loc[own["kind"] == "file", "size"].sum())
        mine = lost[lost["image"] == image]
        wasted = int(mine["size"].sum())
        theirs, score, repeated = dive_figures(own)
        why = _why(mine, theirs, wasted, repeated)
        rows.append((image, total, wasted, 1 - wasted / total if total else 1.0, theirs, score, why))
    return pd.DataFrame(rows, columns=COLUMNS)


def dive_figures(files: pd.DataFrame) -> tuple[int, float, set[str]]:
    """(wasted bytes, efficiency, the paths that it counts as wasted) of one image, by dive's rule."""
    copies: dict[str, list[int]] = defaultdict(list)
    stacked: dict[str, tuple[str, int]] = {}  # the layers so far: path → kind, size
    for _, layer in files.groupby("layer", sort=True):
        entries = list(layer[["path", "kind", "size"]].itertuples(index=False, name=None))
        removed = [path for path, kind, _ in entries if kind == "whiteout"]
        own = {path: (kind, count) for path, kind, count in entries if kind not in ("whiteout", "opaque")}
        inner = {above for path in [*own, *removed] for above in _above(path)}
        for path in removed:
            inside = _inside(stacked, path)
            copies[path].append(sum(stacked[at][1] for at in inside))
            for at in [path, *inside]:
                stacked.pop(at, None)
        for path, (_, count) in own.items():
            if path not in inner:
                copies[path].append(count)
        stacked |= own
    twice = {path for path, sizes in copies.items() if len(sizes) > 1}
    every = sum(map(sum, copies.values()))
    least = sum(map(min, copies.values()))
    return sum(sum(copies[path]) for path in twice), least / every if every else 1.0, twice


def _why(mine: pd.DataFrame, theirs: int, wasted: int, repeated: set[str]) -> str:
    if theirs == wasted:
        return "Both count the same."
    missed = int(mine.loc[~mine["path"].isin(repeated), "size"].sum())
    extra = theirs - (wasted - missed)
    parts = []
    if missed:
        parts.append(f"does not see {size(missed)} in directories that were deleted or replaced whole")
    if extra > 0:
        parts.append(f"counts {size(extra)} that can still be seen, as copies of files that were stored more than once")
    return f"dive {' and '.join(parts)}." if parts else "dive counts by path, we count by what can be seen."


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _inside(stacked: dict[str, tuple[str, int]], path: str) -> list[str]:
    """What is below a directory; nothing is below a file, and dive does not look."""
    if stacked.get(path, ("", 0))[0] != "directory":
        return []
    return [at for at in stacked if at.startswith(f"{path}/")]
