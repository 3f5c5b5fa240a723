"""What is left to pull of each image on a machine that has its base."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from ..labels import PREFIX
from .pull import took
from .style import FINAL, INK, MUTED, finish, legend_in_words, name_rows, safe, shorten_left, tint
from .waterfall import blank

LEFT, ALL = "base is there", "empty disk"  # the frame's columns


def left_to_pull(frame: pd.DataFrame, footer: str = "") -> go.Figure:
    """A bar an image, as long as what is left to pull takes; the most on top and in full colour, behind it the whole pull.

    frame: columns image, speed, empty disk, base is there (seconds), as from `workshop.costs.with_and_without_base`; one row
    an image. Whole pulls are written and not drawn: beside them, one would not see what is left.
    """
    frame = frame.sort_values(LEFT, ascending=False, kind="stable").reset_index(drop=True)
    title, words = _finding(frame)
    figure = go.Figure()
    if frame.empty:
        return finish(blank(figure), title, words, footer, 20)
    left, whole = ([float(count) for count in frame[column]] for column in (LEFT, ALL))
    images = [str(image) for image in frame["image"]]
    labels = [shorten_left(image.removeprefix(PREFIX), 28) for image in images]
    figure.add_bar(
        x=left,
        y=list(range(len(frame))),
        orientation="h",
        width=0.62,
        marker={
            "color": [FINAL if count == left[0] else tint(FINAL, 0.35) for count in left],
            "line": {"color": FINAL, "width": 1},
        },
        hovertext=[
            f"<b>{safe(image)}</b><br>{took(count)} with the base there, {took(all_of_it)} on an empty disk"
            for image, count, all_of_it in zip(images, left, whole)
        ],
        hoverinfo="text",
    )
    for number, (count, all_of_it) in enumerate(zip(left, whole)):
        figure.add_annotation(
            x=count,
            y=number,
            xanchor="left",
            xshift=5,
            showarrow=False,
            font={"size": 13, "color": INK},
            text=f"<b>{took(count)}</b> <span style='font-size:11px;color:{MUTED}'>of {took(all_of_it)}</span>",
        )
    figure.update_xaxes(range=[0, left[0] or 1], visible=False, fixedrange=True)
    name_rows(figure, labels)
    figure.update_yaxes(showgrid=False, zeroline=False)
    left_margin = 24 + round(8 * max([4, *map(len, labels)]))
    legend_in_words(figure, "“of …”: the whole pull, on an empty disk", down=1)
    return finish(figure, title, words, footer, 12 + 36 * len(frame), left_margin, right=150, bottom=26)


def _finding(frame: pd.DataFrame) -> tuple[str, str]:
    """The title: which image has most left, and how much; the sentence: what is left of each, and of how much."""
    if frame.empty:
        return "No pull to time yet", "There is no pull to show."
    first, last = frame.iloc[0], frame.iloc[-1]
    at = f"at {first['speed']}"
    if len(frame) == 1:
        title = f"Where the bases are there, {first['image']} has {took(first[LEFT])} left to pull {at}"
    elif took(first[LEFT]) == took(last[LEFT]):
        title = f"Where the bases are there, every image has {took(first[LEFT])} left to pull {at}"
    else:
        title = f"Where the bases are there, {first['image']} has the most left to pull: {took(first[LEFT])} {at}"
    each = ", ".join(f"{row['image']} {took(row[LEFT])} of {took(row[ALL])}" for _, row in frame.iterrows())
    return title, f"{title}. What is left of each: {each}."
