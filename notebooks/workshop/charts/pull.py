"""How long a pull takes, at several speeds of the network."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from ..labels import PREFIX
from ..units import seconds
from .style import FINAL, GRID, INK, finish, safe, shorten_left, tint
from .waterfall import blank

MOST = 6  # images shown at each speed: the slowest ones and the fastest


def pull(frame: pd.DataFrame, footer: str = "") -> go.Figure:
    """A group of bars a speed, the slowest on top; in it a bar an image, the one that takes least in full colour.

    frame: columns image, speed (text such as "10 Mbit/s"), seconds. A speed's own rows decide its place, not its text.
    All bars share one axis: what waiting costs is seconds, and at a fast network there are hardly any.
    """
    frame = frame.dropna(subset=["seconds"]).reset_index(drop=True)
    frame = frame.assign(image=frame["image"].astype(str), speed=frame["speed"].astype(str))
    groups = _groups(frame)
    title, words = _finding(groups)
    figure = go.Figure()
    if not groups:
        return finish(blank(figure), title, words, footer, 20)
    rows = _rows(groups)
    _draw(figure, rows)
    left = 40 + round(8 * max(len(row["label"]) for row in rows))
    return finish(figure, title, words, footer, 24 * len(rows) + 8, left, right=110)


def took(count: float) -> str:
    """Seconds as text, and no "0.0 s" for what does take time."""
    return "under 0.1 s" if 0 < count < 0.05 else seconds(count)


def _groups(frame: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    """(speed, seconds by image, most first), the speed at which the images take longest first."""
    slowest = frame.groupby("speed", sort=False)["seconds"].max().sort_values(ascending=False, kind="stable")
    return [
        (
            speed,
            frame[frame["speed"] == speed].set_index("image")["seconds"].sort_values(ascending=False, kind="stable"),
        )
        for speed in slowest.index
    ]


def _rows(groups: list[tuple[str, pd.Series]]) -> list[dict]:
    """What is below one another: a speed as a heading, then its images; "(n more)" stands for those between."""
    rows: list[dict] = []
    for speed, took_by in groups:
        rows.append({"label": "", "heading": speed})
        images = [(image, float(count)) for image, count in took_by.items()]
        hidden = range(MOST - 1, len(images) - 1)  # empty up to MOST images
        for place, (image, count) in enumerate(images):
            if place not in hidden:
                label = shorten_left(image.removeprefix(PREFIX), 28)
                least = place == len(images) - 1
                rows.append({"label": label, "image": image, "speed": speed, "seconds": count, "least": least})
            elif place == hidden[0]:
                rows.append({"label": f"({len(hidden)} more)"})
    return rows


def _draw(figure: go.Figure, rows: list[dict]) -> None:
    """The bars with their seconds behind them, a rule above every speed."""
    bars = {number: row for number, row in enumerate(rows) if "seconds" in row}
    figure.add_bar(
        x=[row["seconds"] for row in bars.values()],
        y=list(bars),
        orientation="h",
        width=0.66,
        marker={
            "color": [FINAL if row["least"] else tint(FINAL, 0.35) for row in bars.values()],
            "line": {"color": FINAL, "width": 1},
        },
        hovertext=[
            f"<b>{safe(row['image'])}</b><br>{took(row['seconds'])} at {safe(row['speed'])}" for row in bars.values()
        ],
        hoverinfo="text",
    )
    for number, row in bars.items():
        figure.add_annotation(
            x=row["seconds"],
            y=number,
            text=took(row["seconds"]),
            showarrow=False,
            xanchor="left",
            xshift=5,
            font={"size": 12},
        )
    for number, row in enumerate(rows):
        if "heading" not in row:
            continue
        figure.add_annotation(
            xref="paper",
            x=0,
            y=number,
            text=f"<b>at {safe(row['heading'])}</b>",
            showarrow=False,
            xanchor="left",
            xshift=2,
            font={"size": 13, "color": INK},
        )
        if number:
            figure.add_shape(
                type="line",
                xref="paper",
                x0=0,
                x1=1,
                y0=number - 0.5,
                y1=number - 0.5,
                line={"color": GRID, "width": 1},
            )
    longest = max(row["seconds"] for row in bars.values())
    figure.update_xaxes(range=[0, longest or 1], visible=False, fixedrange=True)
    figure.update_yaxes(
        range=[len(rows) - 0.5, -0.5],
        tickvals=list(range(len(rows))),
        ticktext=[safe(row["label"]) + " " for row in rows],
        tickfont={"size": 12},
        fixedrange=True,
        showgrid=False,
        zeroline=False,
    )


def _finding(groups: list[tuple[str, pd.Series]]) -> tuple[str, str]:
    """The title: the longest and the shortest wait at the slowest speed; the sentence: both at every speed, by name."""
    if not groups:
        return "No pull to time yet", "There is no pull to show."
    speed, took_by = groups[0]
    if len(took_by) == 1:
        title = f"At {speed} pulling {took_by.index[0]} takes {took(took_by.iloc[0])}"
    elif took(took_by.iloc[0]) == took(took_by.iloc[-1]):
        title = f"At {speed} every image takes {took(took_by.iloc[0])}"
    else:
        title = f"At {speed} the longest pull takes {took(took_by.iloc[0])}, the shortest {took(took_by.iloc[-1])}"
    each = []
    for at, by in groups:
        ends = by if len(by) == 1 else by.iloc[[0, -1]]
        each.append(f"At {at}: " + ", ".join(f"{image} {took(count)}" for image, count in ends.items()))
    return title, f"{title}. {'. '.join(each)}."
