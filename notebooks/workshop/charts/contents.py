"""Which directories of an image hold its bytes, and what of it is opened."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from .style import BASE, FINAL, INK, finish, legend_in_words, megabytes, percent, plural, safe, shorten, tint

DEPTH = 3  # levels of directories shown
SMALL = 0.02  # of all bytes: a directory with less has no room for its name, and joins "n more"
ROOM = 0.05  # of all bytes: a directory with less has no room for others below its name
PATH_BAR = 20  # pixels: the way back, below the map, where neither title nor buttons are
OPENED = " opened"  # ends the id of the part of a directory that is opened; no path begins with a space


def contents(frame: pd.DataFrame, by: str = "directory", footer: str = "") -> go.Figure:
    """A map of an image's files by directory, each area as large as its bytes.

    frame: columns path, bytes; by: "directory", or a column whose values become the first level (a stage, an owner). An
    area without a name is what its directory holds besides the named ones.
    """
    tree = _tree(frame, by)
    whole = tree.loc["", "bytes"]
    title, words = _finding(tree, whole)
    shown = _grouped(tree)
    colours = [tint(FINAL, 0.06 + 0.5 * count / whole) for count in shown["bytes"]] if whole else []
    return _map(shown, colours, title, words, footer)


def opened(frame: pd.DataFrame, loaded: list[str], footer: str = "") -> go.Figure:
    """The same map in grey, and in blue what is opened, in the directory where it lies.

    frame: columns path, bytes, of the files that can be seen, as from `workshop.visible`. loaded: paths of the files that
    are opened, as from `workshop.loaded`; those that the frame does not have count for nothing.
    """
    used = frame["path"].isin(set(loaded))
    tree, of_it = _tree(frame, "directory"), _tree(frame[used], "directory")
    shown = _with_opened(_grouped(tree), of_it)
    is_opened = [str(one).endswith(OPENED) for one in shown["id"]]
    colours = [tint(FINAL, 0.75) if blue else tint(BASE, 0.25) for blue in is_opened]
    title, words = _finding_opened(tree, of_it)
    keyed = "blue: opened; grey: not opened" if used.any() else ""
    return _map(shown, colours, title, words, footer, keyed)


def _map(shown: pd.DataFrame, colours: list[str], title: str, words: str, footer: str, key: str = "") -> go.Figure:
    """The rows as a treemap on its card; a click on an area goes into it, and the bar below comes back."""
    figure = go.Figure()
    whole = int(shown["bytes"].iloc[0])
    if not whole:
        return finish(figure, title, words, footer, 20, left=10, right=10)
    inner = set(shown["parent"])
    gaps = [" " if one in inner else "<br>" for one in shown["id"]]  # a name above its areas has one line
    figure.add_treemap(
        ids=shown["id"],
        parents=shown["parent"],
        labels=[
            f"<b>{safe(shorten(row.label, 24))}</b>{gap}{megabytes(row.bytes)}"
            for gap, row in zip(gaps, shown.itertuples())
        ],
        values=[int(count) for count in shown["bytes"]],
        branchvalues="total",
        marker={
            "colors": colours,
            "line": {"color": "white", "width": 1.5},
            "pad": {"t": 20, "l": 4, "r": 4, "b": 4},
        },
        textinfo="label",
        textfont={"color": INK, "size": 12},
        tiling={"pad": 2},
        sort=True,
        pathbar={"side": "bottom", "thickness": PATH_BAR},
        hovertext=[
            f"<b>{safe(row.id or 'all')}</b><br>{megabytes(row.bytes)} in {plural(row.files, 'file')}<br>"
            f"{percent(row.bytes, whole)} of all bytes"
            for row in shown.itertuples()
        ],
        hoverinfo="text",
    )
    figure.update_layout(uniformtext={"minsize": 10, "mode": "hide"})
    room = PATH_BAR + (18 if key else 4)
    figure = finish(figure, title, words, footer, 340, left=10, right=10, bottom=room + 10)
    if key:
        legend_in_words(figure, key, down=PATH_BAR + 2)
    return figure


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
            if child["bytes"] >= ROOM * whole:
                queue.append(key)
        if len(large) and small["bytes"].sum() >= SMALL * whole:
            both = small["bytes"].sum(), small["files"].sum()
            rows.append((f"{parent}/({len(small)} smaller)", f"{len(small)} more", parent, *both))
    return pd.DataFrame(rows, columns=["id", "label", "parent", "bytes", "files"]).assign(
        id=lambda f: f["id"].replace("", "/"), parent=lambda f: f["parent"].replace("", "/").fillna("")
    )


def _with_opened(shown: pd.DataFrame, of_it: pd.DataFrame) -> pd.DataFrame:
    """The rows, and for each directory with opened files one more: of its own and of directories without a row."""
    added = []
    for row in shown.itertuples():
        key = "" if row.id == "/" else row.id
        if key not in of_it.index:
            continue
        own = of_it.loc[key, ["bytes", "files"]]
        below = shown.loc[(shown["parent"] == row.id) & shown["id"].isin(of_it.index), "id"]
        own = own - of_it.loc[below, ["bytes", "files"]].sum()
        if own["bytes"]:
            added.append((row.id + OPENED, "opened", row.id, int(own["bytes"]), int(own["files"])))
    return pd.concat([shown, pd.DataFrame(added, columns=shown.columns)], ignore_index=True)


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


def _finding_opened(tree: pd.DataFrame, of_it: pd.DataFrame) -> tuple[str, str]:
    """Title and sentence: how much is opened, of how much, and where most of both lies."""
    whole, used = tree.loc["", ["bytes", "files"]].astype(int), of_it.loc["", ["bytes", "files"]].astype(int)
    if not whole["bytes"]:
        return "No file to open", "There is no file with a byte in it."
    of = f"of {megabytes(whole['bytes'])}"
    if not used["bytes"]:
        return f"Nothing {of} is opened", f"Nothing {of} is opened."
    part = 100 * used["bytes"] / whole["bytes"]
    share = f"{part:.1f} %" if 1 <= part < 10 else percent(used["bytes"], whole["bytes"])
    only = "Only " if 1 <= part < 50 else ""
    title = f"{only}{share} {of} is opened"
    title = title[0].upper() + title[1:]
    tops = (tree["bytes"] - of_it["bytes"].reindex(tree.index, fill_value=0))[tree["parent"] == ""].nlargest(1)
    never = "".join(f"; most of what is not is in {key}: {megabytes(count)}" for key, count in tops.items())
    counts = f"{plural(int(used['files']), 'file')} of {int(whole['files']):,}, {megabytes(used['bytes'])}"
    return title, f"{title}: {counts}{never}."
