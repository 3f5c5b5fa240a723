"""When each step of a build was at work: hits and runs, stage by stage, on one clock."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from ..analysis.overlap import side_by_side
from ..units import seconds
from .pull import took as in_seconds
from .style import BASE, GRID, INK, MUTED, finish, legend_in_words, plural, safe, shorten, stage_colours, tint, wrap
from .waterfall import blank

LINE = 40  # characters of an instruction beside its bar
SHORT = 0.02  # of the whole clock: a bar that is narrower is drawn that wide, or nobody sees it
MARK = {"run": "", "cached": "hit", "base": "", "skipped": "skipped"}


def timeline(frame: pd.DataFrame, footer: str = "") -> go.Figure:
    """One row a step, under a heading for each build; a bar from when the step began to when it ended.

    frame: columns build, stage, instruction, status ("base", "run", "cached", "skipped"), began, ended (seconds); optional
    recorded ("" or where and when). Full colour, by stage: it ran. A hollow diamond: a hit. Grey: the base. Steps that did no
    work of their own and were not skipped are left out; skipped ones say so. Where a build has several stages, each step is
    named with its own.
    """
    frame = frame.reset_index(drop=True)
    rows = _rows(frame)
    title, words = _finding(frame)
    figure = go.Figure()
    if not rows:
        return finish(blank(figure), title, words, footer, 20)
    _draw(figure, rows)
    recorded = [note for note in dict.fromkeys(frame.get("recorded", pd.Series(dtype=object))) if note]
    legend = "in colour: it ran; hollow: a hit, found in the cache; grey: the base image"
    if recorded:
        legend += f"<br>{safe(' · '.join(recorded))}"
    legend_in_words(figure, legend, down=24, left=286)
    return finish(figure, title, words, footer, 25 * len(rows) + 6, left=300, right=64, bottom=46 + 15 * bool(recorded))


def _of_build(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(name), steps) for name, steps in frame.groupby("build", sort=False, observed=True)]


def took(steps: pd.DataFrame) -> float:
    """Seconds from the first step's beginning to the last one's end; 0 where nothing was at work."""
    last = steps["ended"].max()
    return 0.0 if pd.isna(last) else float(last)


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """What is below one another: a heading for each build, then its steps."""
    rows: list[dict[str, Any]] = []
    builds = _of_build(frame)
    for name, steps in builds:
        rows.append({"heading": f"{name}: {seconds(took(steps))}"})
        stages = list(dict.fromkeys(stage for stage in steps["stage"] if stage))
        colours = dict(zip(stages, stage_colours(len(stages)) if stages else []))
        for step in steps.itertuples():
            if pd.isna(step.began) and step.status != "skipped":
                continue
            colour = BASE if step.status == "base" else colours.get(step.stage, INK)
            text = " ".join(step.instruction.split())
            label = f"{step.stage} · {text}" if len(stages) > 1 and step.stage else text
            rows.append({"step": step, "colour": colour, "label": safe(shorten(label, LINE)) + " "})
    return rows if len(rows) > len(builds) else []


def _draw(figure: go.Figure, rows: list[dict[str, Any]]) -> None:
    steps = {number: row for number, row in enumerate(rows) if "step" in row}
    longest = max([row["step"].ended for row in steps.values() if row["step"].status != "skipped"], default=0) or 1.0
    at_work = {number: row for number, row in steps.items() if row["step"].status in ("run", "base")}
    widths = [max(row["step"].ended - row["step"].began, SHORT * longest) for row in at_work.values()]
    figure.add_bar(
        x=widths,
        base=[float(row["step"].began) for row in at_work.values()],
        y=list(at_work),
        orientation="h",
        width=0.62,
        marker={
            "color": [tint(row["colour"], 0.45 if row["step"].status == "base" else 1) for row in at_work.values()],
            "line": {"width": 0},
        },
        hovertext=[_explain(row) for row in at_work.values()],
        hoverinfo="text",
    )
    hits = {number: row for number, row in steps.items() if row["step"].status == "cached"}
    figure.add_scatter(
        x=[float(row["step"].began) for row in hits.values()],
        y=list(hits),
        mode="markers",
        marker={
            "symbol": "diamond",
            "size": 11,
            "color": "#ffffff",
            "line": {"width": 2, "color": [row["colour"] for row in hits.values()]},
        },
        hovertext=[_explain(row) for row in hits.values()],
        hoverinfo="text",
        cliponaxis=False,
    )
    for number, row in steps.items():
        step = row["step"]
        text = in_seconds(step.ended - step.began) if step.status == "run" else MARK[step.status]
        width = max(step.ended - step.began, SHORT * longest) if step.status == "run" else 0
        figure.add_annotation(
            x=0 if step.status == "skipped" else step.began + width,
            y=number,
            text=text,
            showarrow=False,
            xanchor="left",
            xshift=4 if step.status in ("run", "skipped") else 10,
            font={"size": 11, "color": INK if step.status == "run" else MUTED},
        )
    for number, row in enumerate(rows):
        if "heading" in row:
            _heading(figure, number, row["heading"])
    figure.update_xaxes(
        range=[-SHORT * longest, longest * 1.02],
        fixedrange=True,
        gridcolor=GRID,
        zeroline=False,
        ticksuffix=" s",
        tickfont={"size": 11, "color": MUTED},
        nticks=6,
    )
    figure.update_yaxes(
        range=[len(rows) - 0.5, -0.5],
        tickvals=list(steps),
        ticktext=[row["label"] for row in steps.values()],
        tickfont={"size": 11, "family": "DejaVu Sans Mono, Menlo, Consolas, monospace"},
        fixedrange=True,
        showgrid=False,
        zeroline=False,
    )


def _heading(figure: go.Figure, number: int, text: str) -> None:
    figure.add_annotation(
        xref="paper",
        x=0,
        xanchor="left",
        xshift=-286,
        y=number,
        text=f"<b>{safe(shorten(text, 70))}</b>",
        showarrow=False,
        font={"size": 13, "color": INK},
    )
    if number:
        line = {"color": GRID, "width": 1}
        place = {"y0": number - 0.5, "y1": number - 0.5}
        figure.add_shape(type="line", xref="paper", x0=-0.7, x1=1, line=line, **place)


def _explain(row: dict[str, Any]) -> str:
    """Hover text of one step."""
    step = row["step"]
    what = {"run": "ran", "cached": "a hit: found in the cache", "base": "the base image"}[step.status]
    clock = f"from {step.began:.1f} s to {step.ended:.1f} s"
    return f"<b>{wrap(step.instruction, 70)}</b><br>{safe(step.stage)}: {what}, {clock}"


def _finding(frame: pd.DataFrame) -> tuple[str, str]:
    """The title: of each build, how many steps ran and how long it took; the sentence: which ran, and what overlapped."""
    builds = _of_build(frame)
    if not builds:
        return "No build to time yet", "There is no build to show."
    parts = []
    for name, steps in builds:
        ran, could = int((steps["status"] == "run").sum()), int(steps["status"].isin(["run", "cached"]).sum())
        head = "" if len(builds) == 1 else f"{name}: "
        parts.append(f"{head}{ran} of {plural(could, 'step')} ran, {seconds(took(steps))}")
    title = "; ".join(parts)
    return title, f"{title}. " + "\n".join(_told(name, steps, len(builds) == 1) for name, steps in builds)


def _told(name: str, steps: pd.DataFrame, alone: bool) -> str:
    """What the picture of one build shows, in words."""
    said = []
    for status, word in (("run", "ran"), ("cached", "found in the cache"), ("skipped", "skipped")):
        lines = [shorten(" ".join(text.split()), 60) for text in steps.loc[steps["status"] == status, "instruction"]]
        if lines:
            said.append(f"{word}: {', '.join(lines)}")
    pairs = side_by_side(steps)
    said += [f"at work at the same time: {', '.join(f'{a} and {b}' for a, b in pairs)}"] * bool(pairs)
    return ("" if alone else f"{name}: ") + "; ".join(said) + "."
