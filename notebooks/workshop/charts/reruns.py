"""What each edit costs each recipe: a heat map of steps that ran again."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from .pull import took
from .style import BUILDER, CARD, INK, finish, plural, safe, shorten, tint, wrap
from .waterfall import blank

ROW = 58  # pixels of a row


def reruns(frame: pd.DataFrame, footer: str = "") -> go.Figure:
    """A field for each recipe (across) and edit (down): how many steps ran again, of how many, and the seconds they took.

    frame: columns recipe, edit, steps, ran, seconds; optional again (the instructions that ran, each on a line). The colour
    is the share of the steps that ran; a field without a row stays empty.
    """
    recipes, edits = (list(dict.fromkeys(map(str, frame[name]))) for name in ("recipe", "edit"))
    title, words = _finding(frame)
    figure = go.Figure()
    if frame.empty:
        return finish(blank(figure), title, words, footer, 20)
    fields = {(str(row.recipe), str(row.edit)): row for row in frame.itertuples()}
    grid = [[fields.get((recipe, edit)) for recipe in recipes] for edit in edits]
    figure.add_heatmap(
        z=[[None if field is None else share(field.ran, field.steps) for field in line] for line in grid],
        x=list(range(len(recipes))),
        y=list(range(len(edits))),
        zmin=0,
        zmax=1,
        colorscale=[[0, tint(BUILDER, 0.08)], [1, BUILDER]],
        showscale=False,
        xgap=3,
        ygap=3,
        hovertext=[["" if field is None else _explain(field) for field in line] for line in grid],
        hoverinfo="text",
    )
    for down, line in enumerate(grid):
        for across, field in enumerate(line):
            if field is not None:
                text = f"<b>{field.ran} of {field.steps}</b><br>{took(field.seconds) if field.ran else 'all hits'}"
                figure.add_annotation(x=across, y=down, text=text, showarrow=False, font={"size": 12, "color": INK})
    head = 22 + 15 * max(wrap(recipe, 20).count("<br>") for recipe in recipes)
    figure.update_xaxes(
        range=[-0.5, len(recipes) - 0.5],
        side="top",
        tickvals=list(range(len(recipes))),
        ticktext=[wrap(shorten(recipe, 60), 20) for recipe in recipes],
        tickfont={"size": 12},
        tickangle=0,
        ticks="",
        fixedrange=True,
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(
        range=[len(edits) - 0.5, -0.5],
        tickvals=list(range(len(edits))),
        ticktext=[wrap(shorten(edit, 60), 24) + " " for edit in edits],
        tickfont={"size": 12},
        ticks="",
        fixedrange=True,
        showgrid=False,
        zeroline=False,
    )
    figure.update_layout(plot_bgcolor=CARD)
    drawn = finish(figure, title, words, footer, ROW * len(edits) + head, left=190)
    room = drawn.layout.margin.t + head  # the recipes' names stand between the title and the fields
    return drawn.update_layout(margin={"t": room})


def share(ran: int, steps: int) -> float:
    """Of the steps that could have been hits, the share that ran."""
    return ran / steps if steps else 0.0


def _explain(field: Any) -> str:
    """Hover text of one field."""
    again = [line for line in str(getattr(field, "again", "")).splitlines() if line]
    lines = "<br>".join(safe(shorten(line, 70)) for line in again) or "nothing ran"
    return f"<b>{safe(str(field.edit))}</b>, {safe(str(field.recipe))}<br>{lines}"


def _finding(frame: pd.DataFrame) -> tuple[str, str]:
    """The title: the edit and recipe that cost most, and what the cheapest recipe pays for the same edit."""
    if frame.empty:
        return "No edit to count yet", "There is no edit to show."
    worst = frame.loc[frame["seconds"].idxmax()]
    same = frame[frame["edit"] == worst["edit"]]
    best = same.loc[same["seconds"].idxmin()]
    title = f"{worst['edit']} costs “{worst['recipe']}” {plural(int(worst['ran']), 'step')}, {took(worst['seconds'])}"
    if best["seconds"] < worst["seconds"]:
        title += f"; “{best['recipe']}” {plural(int(best['ran']), 'step')}, {took(best['seconds'])}"
    each = "; ".join(
        f"{row.edit}, {row.recipe}: {row.ran} of {row.steps} ran, {took(row.seconds)}" for row in frame.itertuples()
    )
    return title, f"{title}. {each}."
