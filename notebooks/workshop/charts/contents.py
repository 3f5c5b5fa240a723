"""Which directories of an image hold its bytes."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from .style import FINAL, INK, finish, megabytes, percent, plural, safe, tint

DEPTH = 4  # levels of directories shown
SMALL = 0.006  # of all bytes: below it a directory joins "(n smaller)"


def contents(frame: pd.DataFrame, by: str = "directory", footer: str = "") -> go.Figure:
    """A map of an image's files by directory, each area as large as its bytes.

    frame: columns path, bytes; by: "directory", or a column whose values become the first level (a stage, an owner).
    """
    tree = _tree(frame, by)
    whole = tree.loc["", "bytes"]
    figure = go.Figure()
    if whole:
        shown = _grouped(tree)
        figure.add_treemap(
            ids=shown["id"],
            parents=shown["parent"],
            labels=[f"<b>{safe(row.label)}</b> {megabytes(row.bytes)}" for row in shown.itertuples()],
            values=[int(count) for count in shown["bytes"]],
            branchvalues="total",
            marker={
                "colors": [tint(FINAL, 0.06 + 0.5 * count / whole) for count in shown["bytes"]],
                "line": {"color": "white", "width": 1.5},
                "pad": {"t": 20, "l": 4, "r": 4, "b": 4},
            },
            textinfo="label",
            textfont={"color": INK, "size": 12},
            tiling={"pad": 2},
            sort=True,
            pathbar={"visible": True},
            hovertext=[
                f"<b>{safe(row.id or 'all')}</b><br>{megabytes(row.bytes)} in {plural(row.files, 'file')}<br>"
                f"{percent(row.bytes, whole)} of all bytes"
                for row in shown.itertuples()
            ],
            hoverinfo="text",
        )
        figure.update_layout(uniformtext={"minsize": 10, "mode": "hide"})
    title, words = _finding(tree, whole)
    return finish(figure, title, words, footer, 340 if whole else 20, left=10, right=10)


def _tree(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    """Sums by directory, all levels up to DEPTH; index: the directory, "" for all; columns parent, bytes, files."""
    sums: dict[str, list] = {"": [None, 0, 0]}
    firsts = [None] * len(frame) if by == "directory" else frame[by]
    for path, count, first in zip(frame["path"], frame["bytes"], firsts):
        parts = str(path).strip("/").split("/")[:-1][:DEPTH]
        chain = [""] if first is None else ["", str(first)]
        for part in parts:
            chain.append(f"{chain[-1]}/{part}")
        for parent, key in zip([None, *chain], chain):
            entry = sums.setdefault(key, [parent, 0, 0])
            entry[1], entry[2] = entry[1] + int(count), entry[2] + 1
    return pd.DataFrame.from_dict(sums, orient="index", columns=["parent", "bytes", "files"])


def _grouped(tree: pd.DataFrame) -> pd.DataFrame:
    """The tree as rows id, label, parent, bytes, files, where each directory's small children are one row."""
    whole = tree.loc["", "bytes"]
    rows: list[tuple] = [("", "/", None, whole, tree.loc["", "files"])]
    queue = [""]
    while queue:
        parent = queue.pop(0)
        children = tree[tree["parent"] == parent]
        large = children[children["bytes"] >= SMALL * whole]
        small = children.drop(large.index)
        for key, child in large.iterrows():
            rows.append((key, key.rsplit("/", 1)[-1] if parent else key, parent, child["bytes"], child["files"]))
            queue.append(key)
        if len(large) and small["bytes"].sum():
            label = f"({len(small)} smaller)"
            rows.append((f"{parent}/{label}", label, parent, small["bytes"].sum(), small["files"].sum()))
    return pd.DataFrame(rows, columns=["id", "label", "parent", "bytes", "files"]).assign(
        id=lambda f: f["id"].replace("", "/"), parent=lambda f: f["parent"].replace("", "/").fillna("")
    )


def _finding(tree: pd.DataFrame, whole: int) -> tuple[str, str]:
    """Title and sentence: the deepest directory that still holds more than half, or else the largest at the top."""
    tops = tree[tree["parent"] == ""].sort_values("bytes", ascending=False, kind="stable")
    if not whole or tops.empty:
        return f"{megabytes(whole)}, in no directory", f"The files hold {megabytes(whole)} and are in no directory."
    name = tops.index[0]
    while True:
        children = tree[(tree["parent"] == name) & (tree["bytes"] > whole / 2)]
        if children.empty or tree.loc[name, "bytes"] <= whole / 2:
            break
        name = children.index[0]
    inside = tree.loc[name, "bytes"]
    title = f"{name} holds {percent(inside, whole)} of {megabytes(whole)}"
    top = ", ".join(f"{key} {megabytes(count)}" for key, count in tops["bytes"].head(3).items())
    words = (
        f"{name} holds {megabytes(inside)}, {percent(inside, whole)} of {megabytes(whole)}; largest at the top: {top}."
    )
    return title, words
