"""Which line of a Dockerfile ships bytes that nobody can see, and why they cannot be seen."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from ..labels import PREFIX
from .style import BETWEEN, BUILDER, MUTED, finish, megabytes, percent, plural, safe, shorten, shorten_left, tint, wrap
from .waterfall import blank, line_of

LINES = 8  # Dockerfile lines shown
CAUSES = {  # cause → (what became of the bytes, colour, pattern)
    "deleted": ("deleted later", BETWEEN[2], "/"),
    "overwritten": ("overwritten later", BETWEEN[1], "x"),
    "opaque": ("opaque: its folder was replaced later", BETWEEN[0], "."),
    "metadata": ("only its metadata changed later", BUILDER, "-"),
}


def waste(frame: pd.DataFrame, footer: str = "") -> go.Figure:
    """One bar a Dockerfile line, one colour and pattern a cause, the most wasteful line on top.

    frame: columns layer, created_by, cause ("deleted", "overwritten", "opaque", "metadata"), files, bytes; optional
    image. As from `workshop.waste_by_line`.
    """
    frame = frame[frame["bytes"] > 0].reset_index(drop=True)
    frame = frame.assign(image=frame["image"].astype(str) if "image" in frame else "", cause=frame["cause"].astype(str))
    lines = _lines(frame)
    figure = go.Figure()
    if len(lines):
        _draw(figure, frame, lines)
    title, words = _finding(frame, lines)
    rows = min(len(lines), LINES) + (len(lines) > LINES)
    if not rows:
        return finish(blank(figure), title, words, footer, 20)
    return with_legend(finish(figure, title, words, footer, 40 * rows + 6, left=300, right=160), per_row=2)


def _lines(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a line that wastes, largest first; index image, layer; columns line, label, files, bytes."""
    keys = [frame["image"], frame["layer"].astype(int)]
    lines = frame.groupby(keys, sort=False).agg(
        created_by=("created_by", "first"), files=("files", "sum"), bytes=("bytes", "sum")
    )
    lines["line"] = [line_of(text) for text in lines["created_by"]]
    several = frame["image"].nunique() > 1
    names = [shorten_left(image.removeprefix(PREFIX), 34) for image, _ in lines.index]
    lines["label"] = [
        (f"{safe(name)} <br>" if several else "") + safe(shorten(line, 38)) for name, line in zip(names, lines["line"])
    ]
    return lines.sort_values("bytes", ascending=False, kind="stable")


def _draw(figure: go.Figure, frame: pd.DataFrame, lines: pd.DataFrame) -> None:
    """The bars, each with its sum behind it, and the causes above them."""
    rest = lines.iloc[LINES:]
    at = {key: min(number, LINES) for number, key in enumerate(lines.index)}
    rows = pd.Series([at[image, layer] for image, layer in zip(frame["image"], frame["layer"].astype(int))])
    known = [cause for cause in CAUSES if cause in set(frame["cause"])]
    for cause in known + sorted(set(frame["cause"]) - set(known)):
        name, colour, pattern = CAUSES.get(cause, (cause, MUTED, "+"))
        sums = frame[frame["cause"] == cause].groupby(rows)[["bytes", "files"]].sum()
        figure.add_bar(
            name=safe(name),
            x=sums["bytes"].tolist(),
            y=sums.index.tolist(),
            orientation="h",
            width=0.62,
            marker={
                "color": tint(colour, 0.35),
                "line": {"color": colour, "width": 1},
                "pattern": {
                    "shape": pattern,
                    "fgcolor": colour,
                    "bgcolor": tint(colour, 0.25),
                    "size": 8,
                    "solidity": 0.3,
                },
            },
            hovertext=[
                f"<b>{megabytes(row.bytes)}</b> in {plural(int(row.files), 'file')}: {safe(name)}<br>"
                + (wrap(lines["line"].iloc[row.Index], 70) if row.Index < LINES else plural(len(rest), "more line"))
                for row in sums.itertuples()
            ],
            hoverinfo="text",
        )
    shown = lines.head(LINES)[["label", "bytes", "files"]].values.tolist()
    if len(rest):
        shown.append([f"({len(rest)} more)", rest["bytes"].sum(), rest["files"].sum()])
    labels, sums, files = zip(*shown)
    for number, (count, of) in enumerate(zip(sums, files)):
        figure.add_annotation(
            x=int(count),
            y=number,
            xanchor="left",
            xshift=5,
            showarrow=False,
            font={"size": 12},
            align="left",
            text=f"<b>{megabytes(count)}</b>, {plural(int(of), 'file')}",
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(range=[0, int(max(sums))], visible=False, fixedrange=True)
    figure.update_yaxes(
        range=[len(labels) - 0.5, -0.6],
        tickvals=list(range(len(labels))),
        ticktext=[f"{text} " for text in labels],
        tickfont={"size": 12},
        fixedrange=True,
        showgrid=False,
        zeroline=False,
    )


def with_legend(figure: go.Figure, per_row: int) -> go.Figure:
    """The finished card with a legend in a strip of its own between title and plot.

    per_row: entries that fit beside one another on a card of 900 pixels. Where it is narrower, Plotly takes more rows
    and makes the plot lower by as much.
    """
    strip = 19 * math.ceil(len(figure.data) / per_row) + 10
    layout = figure.layout
    top, whole = layout.margin.t + strip, layout.height + strip
    return figure.update_layout(
        height=whole,
        margin={"t": top},
        title={"y": 1 - 28 / whole},
        showlegend=True,
        legend={
            "orientation": "h",
            "yref": "container",
            "y": 1 - (top - strip) / whole,
            "yanchor": "top",
            "xref": "container",
            "x": 0.01,
            "xanchor": "left",
            "itemclick": False,
            "itemdoubleclick": False,
            "font": {"size": 12},
            "traceorder": "normal",
        },
    )


def _finding(frame: pd.DataFrame, lines: pd.DataFrame) -> tuple[str, str]:
    """The title: how much, and which line's; the sentence adds the sums by cause."""
    if lines.empty:
        return "Nothing is wasted: every byte that is shipped can be seen", "No line ships a byte that nobody can see."
    total, worst, image = int(lines["bytes"].sum()), lines.iloc[0], lines.index[0][0]
    part = "all" if worst.bytes == total else percent(worst.bytes, total)
    where = f" in {image}" if frame["image"].nunique() > 1 else ""
    title = f"{megabytes(total)} is shipped for nobody, {part} of it by {shorten(worst.line, 48)}{where}"
    causes = frame.groupby("cause")["bytes"].sum().sort_values(ascending=False, kind="stable")
    each = ", ".join(f"{megabytes(count)} {CAUSES.get(cause, (cause,))[0]}" for cause, count in causes.items())
    where_from = f"in {plural(int(lines['files'].sum()), 'file')} of {plural(len(lines), 'line')}"
    return title, f"{title} ({megabytes(worst.bytes)}); {where_from}: {each}."
