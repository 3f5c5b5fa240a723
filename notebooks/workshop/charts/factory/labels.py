"""What is written in the factory, and what appears under the pointer."""

from __future__ import annotations

import re

import plotly.graph_objects as go

from ...dockerfiles.syntax import Dockerfile, Instruction
from ..style import CARD, INK, MUTED, SANS, safe, shorten, shorten_left, tint, wrap
from .layout import MACHINE, OPENING, WALL, WIDTH, Hall
from .words import counterpart, fate, sentence, word_of


def texts(figure: go.Figure, halls: list[Hall], dockerfile: Dockerfile, colours: list[str]) -> None:
    """All that is written in the picture, and what appears under the pointer."""
    stations = [(step, x, top) for hall in halls for step, x, top in hall.spots]
    half = MACHINE[0]
    _write(figure, [(x - half + 2, top + 8, str(step.line)) for step, x, top in stations], 9, MUTED, "bottom right")
    _write(figure, [(x, top + 68, f"<b>{_sized(word_of(step))}</b>") for step, x, top in stations], 11, INK)
    _write(figure, [(x, top + 75, _short(step, dockerfile)) for step, x, top in stations], 10, MUTED, "bottom center")
    _write(figure, [(*_below(hall.end), _end(hall, dockerfile)) for hall in halls], 11, INK, "bottom center")
    for hall, colour in zip(halls, colours):  # each on a plate: where there is little room, a route passes behind it
        for x, side, text in ((10, "left", _name(hall)), (WIDTH - 4, "right", _rent(hall, dockerfile))):
            figure.add_annotation(
                x=x,
                y=hall.top + 11,
                text=text,
                xanchor=side,
                showarrow=False,
                bgcolor=tint(colour, 0.38),
                borderpad=1,
                font={"size": 12, "color": INK},
            )
    for hall in halls:
        _signs(figure, hall)
    hover = [(x, top + 27, _told(step, dockerfile)) for step, x, top in stations]
    hover += [(hall.end[0], hall.end[1] + 34, wrap(fate(hall.stage.index, dockerfile), 60)) for hall in halls]
    figure.add_scatter(
        x=[x for x, _, _ in hover],
        y=[y for _, y, _ in hover],
        hovertext=[text for _, _, text in hover],
        hoverinfo="text",
        mode="markers",
        marker={"size": 52, "symbol": "square", "opacity": 0},
    )


def _told(step: Instruction, dockerfile: Dockerfile) -> str:
    """Hover text: the line, then what happens there."""
    line = wrap(shorten(step.text, 200), 60)
    return f"<b>line {step.line}</b>: {counterpart(step)}<br>{line}<br><br>{wrap(sentence(step, dockerfile), 60)}"


def _write(figure: go.Figure, items: list[tuple], size: int, colour: str, position: str = "middle center") -> None:
    figure.add_scatter(
        x=[x for x, _, _ in items],
        y=[y for _, y, _ in items],
        text=[text for _, _, text in items],
        mode="text",
        textposition=position,
        textfont={"size": size, "color": colour, "family": SANS},
        hoverinfo="skip",
        cliponaxis=False,
    )


def _below(end: tuple[float, float]) -> tuple[float, float]:
    return end[0], end[1] + 60


def _sized(word: str) -> str:
    """Long words a little smaller, so that neighbours do not touch."""
    return word if len(word) < 9 else f"<span style='font-size:10px'>{word}</span>"


def _short(step: Instruction, dockerfile: Dockerfile) -> str:
    """What a station works on, in at most two lines of 12 characters."""
    args = step.args
    if step.word == "FROM":
        text = dockerfile.stage_of(step).base.rsplit("/", 1)[-1]
    elif step.word in ("COPY", "ADD"):
        text = "your folder" if args[:-1] == (".",) else "a note" if "<<" in step.text else " ".join(args[:-1])
    elif step.word in ("ENV", "LABEL") and len(args) > 1:
        text = f"{args[0].rsplit('.', 1)[-1]}={args[1]}".replace('"', "")
    elif step.word == "RUN":
        text = " ".join(word for word in " ".join(args).split() if not word.startswith("-"))
    else:
        text = " ".join(args) or step.text.split(" ", 1)[-1]
    lines: list[str] = []
    for piece in re.findall(r"-*[^\s/:=-]+[\s/:=-]?|\S", text):  # break after a space or a separator
        if lines and len((lines[-1] + piece).strip()) <= 12:
            lines[-1] += piece
        elif piece.strip():
            lines.append(piece.lstrip())
    lines = [shorten(line.strip(), 12) for line in lines]
    if len(lines) > 2:
        lines[1] = shorten(lines[1], 11).rstrip("…") + "…"
    return "<br>".join(safe(line) for line in lines[:2])


def _name(hall: Hall) -> str:
    name = f" · {safe(shorten(hall.stage.name, 12))}"
    return f"<b>HALL {hall.stage.index + 1}{name}</b>"


def _rent(hall: Hall, dockerfile: Dockerfile) -> str:
    """The building, and what becomes of it."""
    stage = hall.stage
    if stage.parent is not None:
        built = f"carries on from hall {stage.parent + 1}"
    elif stage.base == "scratch":
        built = "an empty plot: scratch"
    else:
        built = f"rents {safe(shorten_left(stage.base, 34))}"
    kept = "stays behind" if stage.index in dockerfile.needed() else "skipped"
    destiny = "ships" if stage.index in dockerfile.shipped else kept
    return f"{built} · <b>{destiny}</b>"


def _end(hall: Hall, dockerfile: Dockerfile) -> str:
    number = hall.stage.index
    if number == len(dockerfile.stages) - 1:
        return "<b>the image</b><br>base + goods"
    if number in dockerfile.shipped:
        return "<b>on to the</b><br><b>next hall</b>"
    return "<b>stays behind</b><br>tools, scraps" if number in dockerfile.needed() else "<b>not asked for</b>"


def _signs(figure: go.Figure, hall: Hall) -> None:
    """At each gate, what passes it, on a plate on the wall; at the first, the word."""
    routes = sorted(hall.routes, key=lambda route: route.gate_x)
    for route, following in zip(routes, [*routes[1:], None]):
        room = (following.gate_x if following else WIDTH) - route.gate_x - 2 * OPENING
        goods = route.step.args[:-1] if route.step.word == "COPY" else ("(lent)",)
        text = goods[0] + (f" +{len(goods) - 1}" if len(goods) > 1 else "")
        if isinstance(route.step.source, str):
            text += f" from {route.step.source}"
        plate = {"showarrow": False, "y": (hall.wall or 0) + WALL / 2, "yanchor": "middle", "borderpad": 2}
        figure.add_annotation(
            x=route.gate_x + OPENING,
            xshift=6,
            xanchor="left",
            bgcolor=CARD,
            bordercolor=INK,
            borderwidth=1,
            font={"size": 10, "color": INK},
            text=f"<b>{safe(_fit_path(text, max(4, int(room / 7.2))))}</b>",
            **plate,
        )
        if route is routes[0] and route.gate_x > 90:
            figure.add_annotation(
                x=route.gate_x - OPENING,
                xshift=-6,
                xanchor="right",
                bgcolor=INK,
                font={"size": 10, "color": CARD},
                text="<b>THE GATE</b>",
                **plate,
            )


def _fit_path(path: str, width: int) -> str:
    """A path's last part where the whole is too long."""
    return path if len(path) <= width else shorten_left("…/" + path.rstrip("/").rsplit("/", 1)[-1], max(width, 6))
