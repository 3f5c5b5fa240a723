"""What each layer of one image adds to what is shipped, and how much of it nobody can see."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from ..dockerfiles.history import instruction
from ..errors import WorkshopError
from .layers import plain
from .style import (
    BASE,
    BETWEEN,
    FINAL,
    INK,
    MUTED,
    finish,
    legend_in_words,
    megabytes,
    percent,
    plural,
    safe,
    shorten,
    tint,
    wrap,
)

ROWS = 16  # layers shown; more than that, and the light ones between the heavy ones share rows
LINE = 36  # characters of an instruction beside its bar
WASTE = BETWEEN[2]


def waterfall(frame: pd.DataFrame, footer: str = "") -> go.Figure:
    """One row a layer, the base on top; each bar begins where the one above it ends, the total is the last row.

    frame: one image; columns image, layer (0 is the base-most), created_by, bytes; optional from_base (bool: these
    layers are one row, named by frame.attrs["base"] if that is there); optional wasted (bytes of the layer that are
    absent from the merged filesystem: orange, hatched, and then a row for the visible part is added).
    A frame with several images is a WorkshopError.
    """
    images = list(dict.fromkeys(frame["image"]))
    if len(images) > 1:
        raise WorkshopError(
            f"A waterfall shows the layers of one image, and this frame has {len(images)}: {', '.join(images)}.",
            f'Choose one of them: frame[frame["image"] == "{images[0]}"].',
        )
    knows_waste, steps = "wasted" in frame, _steps(frame)
    folded = _folded(steps)
    rows = _with_totals(folded, knows_waste)
    figure = go.Figure()
    title, words = _finding(steps, folded, knows_waste)
    if steps.empty:
        return finish(blank(figure), title, words, footer, 20)
    legend = _draw(figure, rows, knows_waste)
    height, right = 27 * (len(rows) + 1) + 4, 206 if knows_waste else 100
    return finish(figure, title, words, footer, height, left=270, right=right, bottom=30 if legend else 14)


def blank(figure: go.Figure) -> go.Figure:
    """The figure without the axes that Plotly draws where there is nothing to draw."""
    return figure.update_xaxes(visible=False).update_yaxes(visible=False)


def line_of(created_by: object) -> str:
    """A layer's instruction as the Dockerfile said it, without what every long RUN begins with."""
    return plain(instruction(created_by if isinstance(created_by, str) else None))


def _steps(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a layer, all base layers as one; columns line, kind ("base", "own"), bytes, wasted, layers (count)."""
    frame = frame.sort_values("layer", kind="stable", ignore_index=True)
    base = frame["from_base"].fillna(False).astype(bool) if "from_base" in frame else pd.Series(False, frame.index)
    steps = pd.DataFrame(
        {
            "line": [line_of(text) for text in frame["created_by"]],
            "kind": base.map({True: "base", False: "own"}),
            "bytes": frame["bytes"].astype("int64"),
            "layers": 1,
            "wasted": frame["wasted"].fillna(0).astype("int64") if "wasted" in frame else 0,
        }
    )
    if base.any():
        below = steps[base]
        name = frame.attrs.get("base", "base image")
        joined = pd.DataFrame(
            {
                "line": [f"{shorten(name, 24)} ({plural(len(below), 'layer')})"],
                "kind": ["base"],
                "bytes": [below["bytes"].sum()],
                "wasted": [below["wasted"].sum()],
                "layers": [len(below)],
            }
        )
        steps = pd.concat([joined, steps[~base]])
    return steps.reset_index(drop=True)


def _folded(steps: pd.DataFrame) -> pd.DataFrame:
    """At most ROWS rows: the heaviest layers keep their own, neighbours among the others are added up."""
    kept = len(steps)
    while True:
        heavy = set(steps["bytes"].nlargest(kept).index)
        rows: list[dict] = []
        for number, step in steps.iterrows():
            if number not in heavy and rows and rows[-1]["number"] not in heavy:
                for column in ("bytes", "wasted", "layers"):
                    rows[-1][column] += step[column]
                rows[-1]["line"] = f"… {rows[-1]['layers']} lighter layers"
            else:
                rows.append({**step, "number": number})
        if len(rows) <= ROWS:
            return pd.DataFrame(rows, columns=[*steps.columns, "number"])
        kept -= 1


def _with_totals(rows: pd.DataFrame, knows_waste: bool) -> pd.DataFrame:
    """The rows with the bytes where each bar starts, then the total and, where waste is known, what is visible."""
    rows = rows.assign(start=rows["bytes"].cumsum() - rows["bytes"])
    total, wasted = int(rows["bytes"].sum()), int(rows["wasted"].sum())
    last = [{"line": "all layers: shipped", "kind": "total", "bytes": total, "wasted": wasted}]
    if knows_waste:
        last.append({"line": "of it visible in the image", "kind": "total", "bytes": total - wasted, "wasted": 0})
    return pd.concat([rows, pd.DataFrame(last).assign(start=0, layers=0)], ignore_index=True)


def _draw(figure: go.Figure, rows: pd.DataFrame, knows_waste: bool) -> str:
    """Bars, the lines that join them, and the numbers as columns at the right, where no bar can cross them.

    Returns what is written below about the colours.
    """
    total = max(1, int(rows["bytes"].max()))
    numbers = list(range(len(rows)))
    steps = rows[rows["kind"] != "total"]
    colours = rows["kind"].map({"base": tint(BASE, 0.75), "own": tint(FINAL, 0.6), "total": FINAL})
    hover = [_explain(row, total) for row in rows.itertuples()]
    ends = [int(row.start + row.bytes) for row in steps.itertuples()]
    thin = steps["bytes"] < 0.004 * total  # no bar to see: the line goes through
    joints = [[number + (-0.36 if thin[number] else 0.36), number + 0.64, None] for number in range(len(ends))]
    figure.add_scatter(
        x=[x for end in ends for x in (end, end, None)],
        y=sum(joints, []),
        mode="lines",
        hoverinfo="skip",
        line={"color": MUTED, "width": 1},
    )
    shown = rows["bytes"] - rows["wasted"]
    bar = {"y": numbers, "orientation": "h", "width": 0.7, "hovertext": hover, "hoverinfo": "text"}
    figure.add_bar(
        x=shown.tolist(), base=rows["start"].tolist(), marker={"color": colours.tolist(), "line": {"width": 0}}, **bar
    )
    if rows["wasted"].any():
        figure.add_bar(
            x=rows["wasted"].tolist(),
            base=(rows["start"] + shown).tolist(),
            marker={
                "color": tint(WASTE, 0.35),
                "line": {"color": WASTE, "width": [int(count > 0) for count in rows["wasted"]]},
                "pattern": {"shape": "/", "fgcolor": WASTE, "bgcolor": tint(WASTE, 0.2), "size": 7, "solidity": 0.3},
            },
            **bar,
        )
    columns = [(92, "adds", rows["bytes"])] + [(194, "seen by nobody", rows["wasted"])] * knows_waste
    for shift, heading, counts in columns:
        _column(figure, shift, heading, counts, rows["kind"] == "total")
    figure.add_shape(
        type="line",
        xref="paper",
        x0=0,
        x1=1,
        y0=len(steps) - 0.5,
        y1=len(steps) - 0.5,
        line={"color": INK, "width": 1},
    )
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(range=[0, total * 1.01], visible=False, fixedrange=True)
    labels = [safe(shorten(row.line, LINE)) + " " for row in rows.itertuples()]
    figure.update_yaxes(
        range=[len(rows) - 0.5, -1.5],
        tickvals=numbers,
        tickfont={"size": 12},
        fixedrange=True,
        showgrid=False,
        zeroline=False,
        ticktext=[f"<b>{text}</b>" if kind == "total" else text for text, kind in zip(labels, rows["kind"])],
    )
    legend = ["grey: base image; blue: added by this Dockerfile"] * bool((rows["kind"] == "base").any())
    legend += ["orange, hatched: a later layer hides it"] * bool(rows["wasted"].any())
    legend_in_words(figure, "; ".join(legend), down=7, left=256)
    return "; ".join(legend)


def _column(figure: go.Figure, shift: int, heading: str, counts: pd.Series, bold: pd.Series) -> None:
    """Numbers below one another, ending `shift` pixels behind the plot; in a waste column, nothing for nothing."""
    place = {"xref": "paper", "x": 1, "xanchor": "right", "xshift": shift, "showarrow": False}
    figure.add_annotation(text=heading, y=-1, font={"size": 11, "color": MUTED}, **place)
    for number, (count, strong) in enumerate(zip(counts, bold)):
        if count or heading == "adds":
            text = f"<b>{megabytes(count)}</b>" if strong else megabytes(count)
            figure.add_annotation(text=text, y=number, font={"size": 12}, **place)


def _explain(row: Any, total: int) -> str:
    """Hover text of one row."""
    text = f"<b>{megabytes(row.bytes)}</b>, {percent(row.bytes, total)} of what is shipped<br>{wrap(row.line, 70)}"
    return text + (f"<br>{megabytes(row.wasted)} of it is hidden by a later layer" if row.wasted else "")


def _finding(steps: pd.DataFrame, folded: pd.DataFrame, knows_waste: bool) -> tuple[str, str]:
    """The title: what is shipped for nobody, by which line, or else the heaviest line; the sentence adds the rest."""
    total, wasted = int(steps["bytes"].sum()), int(steps["wasted"].sum())
    if not total:
        none = "No layer at all: nothing is shipped" if steps.empty else "Layers, but no bytes in them"
        return none, none + "."
    if wasted:
        worst = steps.loc[steps["wasted"].idxmax()]
        part = percent(worst.wasted, wasted)
        part = "all" if worst.wasted == wasted else "most" if worst.wasted > wasted / 2 else part
        by = f"{part} of it by {shorten(worst.line, 48)}"
        title = f"{megabytes(wasted)} of {megabytes(total)} is shipped for nobody: {by}"
        words = f"{title} ({megabytes(worst.wasted)}). Visible in the image: {megabytes(total - wasted)}"
    elif knows_waste:
        title = words = f"All {megabytes(total)} can be seen: no layer ships a byte for nobody"
    else:
        most = steps.loc[steps["bytes"].idxmax()]
        title = words = f"{shorten(most.line, 48)} adds {megabytes(most.bytes)} of {megabytes(total)}"
    each = ", ".join(f"{shorten(step.line, 60)} {megabytes(step.bytes)}" for step in folded.itertuples() if step.bytes)
    return title, f"{words}. Layer by layer: {each}."
