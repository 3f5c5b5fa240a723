"""What "size" means: the same images, each measured in five ways."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from ..labels import PREFIX
from .style import BETWEEN, BUILDER, CONTEXT, FINAL, GRID, INK, MUTED, finish, megabytes, name_rows, safe, shorten_left
from .waste import with_legend
from .waterfall import blank

MEANINGS = {  # column → (its name, how the sentence says it, colour, marker)
    "bytes": ("content of its files", "its files hold", FINAL, "circle"),
    "tar": ("its layers as tar", "its layers as tar are", BUILDER, "square"),
    "compressed": ("what a pull transfers", "a pull transfers", CONTEXT, "diamond"),
    "engine": ("what the engine reports", "the engine reports", BETWEEN[2], "triangle-up"),
    "shared": ("shared with the others", "in layers shared with the others:", BETWEEN[0], "cross"),
}
HEADS = [(3, (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)), (10, (1, 2, 5)), (300, (1, 3)), (math.inf, (1,))]  # of round numbers
ROW, GAP = 16, 16  # pixels: one meaning's row, and what is between two images


def meanings(frame: pd.DataFrame, footer: str = "") -> go.Figure:
    """A block of rows an image, one row and one marker a meaning, on a logarithmic axis; the largest image on top.

    frame: columns image, bytes (content), tar, compressed, engine, shared (tar bytes in layers shared with another
    of these images), as from `workshop.sizes`. A column may be missing, and so may a value (then it has no marker).
    Only the first four are sizes of an image by itself: the title compares those.
    """
    asked = [column for column in MEANINGS if column in frame and frame[column].notna().any()]
    values = frame[asked].apply(pd.to_numeric)
    order = values.max(axis=1).sort_values(ascending=False, kind="stable").index if asked else frame.index[:0]
    values = values.loc[order].set_axis(frame.loc[order, "image"].astype(str), axis=0)
    title, words = _finding(values)
    figure = go.Figure()
    if values.empty:
        return finish(blank(figure), title, words, footer, 20)
    labels = [shorten_left(image.removeprefix(PREFIX), 28) for image in values.index]
    _markers(figure, values)
    _axes(figure, values, labels)
    height = 4 + len(values) * (ROW * len(asked) + GAP)
    left = 30 + 8 * max(map(len, labels))
    return with_legend(finish(figure, title, words, footer, height, left, right=90, bottom=48), per_row=3)


def _markers(figure: go.Figure, values: pd.DataFrame) -> None:
    """Each marker with its number beside it; each meaning in its own row, so that equal ones do not cover each other."""
    step = ROW / (ROW * len(values.columns) + GAP)
    nothing = _place_of_zero(values)
    for row, column in enumerate(values):
        name, _, colour, symbol = MEANINGS[column]
        known = [(at, int(count)) for at, count in enumerate(values[column]) if pd.notna(count)]
        figure.add_scatter(
            name=name,
            mode="markers+text",
            cliponaxis=False,
            x=[count or nothing for _, count in known],
            y=[at + (row - (len(values.columns) - 1) / 2) * step for at, _ in known],
            marker={"color": colour, "symbol": symbol, "size": 11, "line": {"color": INK, "width": 1}},
            text=[f" {megabytes(count)}" for _, count in known],
            textposition="middle right",
            textfont={"size": 11, "color": INK},
            hovertext=[
                f"<b>{safe(values.index[at])}</b><br>{name}: {megabytes(count)} ({count:,} bytes)"
                for at, count in known
            ],
            hoverinfo="text",
        )


def _ticks(values: pd.DataFrame) -> list[int]:
    """At least two round numbers of bytes, from the last one below all values on; the closer, the less these span."""
    positive = values.where(values > 0).stack().dropna()
    low, high = (positive.min(), positive.max()) if len(positive) else (1e6, 1e7)
    heads = next(heads for span, heads in HEADS if high / low < span)
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    steps = [round(head * 10**decade) for decade in decades if decade >= 0 for head in heads]
    first = max([step for step in steps if step <= low], default=1)
    above = [step for step in steps if step > first]
    return [first, above[0], *[step for step in above[1:] if step <= high]]


def _place_of_zero(values: pd.DataFrame) -> float:
    """Where 0 is put, left of everything else: a logarithmic axis has no place for it."""
    ticks = _ticks(values)
    return ticks[0] / max(2.0, (values.max(axis=None) / ticks[0]) ** 0.12)


def _axes(figure: go.Figure, values: pd.DataFrame, labels: list[str]) -> None:
    """Bytes along the bottom, images down the side, and a rule between two images."""
    ticks, nothing, most = _ticks(values), _place_of_zero(values), values.max(axis=None)
    zero = bool((values == 0).any(axis=None))
    low, high = math.log10(nothing if zero else ticks[0]), math.log10(max(most, ticks[-1]))
    texts = {tick: megabytes(tick).replace(".0", "") for tick in ticks}
    named: dict[float, str] = {tick: f"{tick / 1e6:,g} MB" if tick >= 1e6 else texts[tick] for tick in ticks}
    if zero:
        named = {nothing: "0", **named}
    pad = 0.03 * (high - low)
    figure.update_xaxes(
        type="log",
        range=[low - pad, high + pad],
        tickvals=list(named),
        ticktext=list(named.values()),
        tickfont={"size": 11, "color": MUTED},
        gridcolor=GRID,
        zeroline=False,
        fixedrange=True,
        title={
            "text": "logarithmic axis: equal distances are equal ratios",
            "font": {"size": 11, "color": MUTED},
            "standoff": 8,
        },
    )
    for at in range(1, len(values)):
        figure.add_shape(
            type="line", xref="paper", x0=0, x1=1, y0=at - 0.5, y1=at - 0.5, line={"color": MUTED, "width": 0.5}
        )
    name_rows(figure, labels)
    figure.update_yaxes(showgrid=False, zeroline=False)


def _finding(values: pd.DataFrame) -> tuple[str, str]:
    """The title: the image whose sizes are furthest apart, in bytes; the sentence: every number of every image."""
    own = values.drop(columns="shared", errors="ignore")
    if own.empty or own.isna().all(axis=None):
        return "No image to weigh yet", "There is no size to show."
    least, most = own.min(axis=1), own.max(axis=1)
    widest = int((most - least).fillna(-1).to_numpy().argmax())
    image, low, high = values.index[widest], megabytes(least.iloc[widest]), megabytes(most.iloc[widest])
    if low != high:
        title = f"{image} is {low} or {high}, depending on whom you ask"
    elif len(values) == 1:
        title = f"{image} is {high}, whomever you ask"
    else:
        title = "Each image has one size, whomever you ask"
    each = [
        f"{name}: "
        + ", ".join(f"{MEANINGS[key][1]} {megabytes(count)}" for key, count in row.items() if pd.notna(count))
        for name, row in values.iterrows()
    ]
    return title, f"{title}. {'; '.join(each)}."
