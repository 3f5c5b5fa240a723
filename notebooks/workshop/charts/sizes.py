"""How large each image is."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from ..labels import PREFIX
from .style import FINAL, INK, finish, megabytes, name_rows, safe, shorten_left, tint


def sizes(frame: pd.DataFrame, footer: str = "") -> go.Figure:
    """Bars, largest on top, the smallest in full colour. frame: columns image, bytes (content bytes)."""
    frame = frame.sort_values("bytes", ascending=False, kind="stable").reset_index(drop=True)
    labels = [shorten_left(str(name).removeprefix(PREFIX), 28) for name in frame["image"]]
    smallest = len(frame) - 1
    figure = go.Figure(
        go.Bar(
            x=[int(count) for count in frame["bytes"]],
            y=list(range(len(frame))),
            orientation="h",
            width=0.62,
            marker={
                "color": [FINAL if row == smallest else tint(FINAL, 0.35) for row in range(len(frame))],
                "line": {"color": FINAL, "width": 1},
            },
            text=[f"<b>{megabytes(count)}</b>" for count in frame["bytes"]],
            textposition="outside",
            cliponaxis=False,
            textfont={"color": INK, "size": 13},
            hovertext=[
                f"{safe(str(row.image))}<br>{megabytes(row.bytes)} ({int(row.bytes):,} bytes)"
                for row in frame.itertuples()
            ],
            hoverinfo="text",
        )
    )
    largest = max([1, *frame["bytes"]])
    figure.update_xaxes(range=[0, largest * 1.35], visible=False, fixedrange=True)  # room for the number behind the bar
    name_rows(figure, labels)
    left = 24 + round(8 * max([4, *map(len, labels)]))
    title = _finding(frame)
    words = title + ". " + ", ".join(f"{row.image}: {megabytes(row.bytes)}" for row in frame.itertuples()) + "."
    return finish(figure, title, words if len(frame) > 2 else title + ".", footer, 12 + 44 * max(1, len(frame)), left)


def _finding(frame: pd.DataFrame) -> str:
    """What the frame, largest first, says in one line."""
    if frame.empty:
        return "No image to weigh yet"
    largest, smallest = frame.iloc[0], frame.iloc[-1]
    if len(frame) == 1:
        return f"{largest.image} is {megabytes(largest.bytes)}"
    if not smallest.bytes:
        return f"{smallest.image} is empty, {largest.image} is {megabytes(largest.bytes)}"
    ratio = largest.bytes / smallest.bytes
    against = f"{megabytes(smallest.bytes)} against {megabytes(largest.bytes)}"
    if ratio < 1.05:
        return f"{smallest.image} and {largest.image} are about the same size: {against}"
    times = f"{ratio:,.0f}" if ratio >= 9.95 else f"{ratio:.1f}"
    return f"{smallest.image} is {times} times smaller than {largest.image}: {against}"
