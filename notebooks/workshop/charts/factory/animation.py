"""The walk along the Dockerfile's lines: stops, and the slider that goes from one to the next.

It is made of Plotly's frames, because a notebook that is not trusted yet runs no JavaScript of its own.
"""

from __future__ import annotations

import plotly.graph_objects as go

from ...dockerfiles.syntax import Dockerfile
from ..style import CARD, INK, MONO, MUTED, SANS, SPOTLIGHT, shorten, wrap
from .layout import BELT, PITCH, ROW, Hall
from .words import fate, sentence, word_of


def stops_of(hall: Hall, dockerfile: Dockerfile, colour: str) -> list[dict]:
    """One stop a station, and one where the hall ends."""
    routes = {id(route.step): route.points for route in hall.routes}
    stops = [
        {
            "line": step.line,
            "word": word_of(step),
            "code": step.text,
            "says": sentence(step, dockerfile),
            "x": x,
            "top": top,
            "route": routes.get(id(step), []),
            "colour": colour,
        }
        for step, x, top in hall.spots
    ]
    x, top = hall.end
    last = hall.stage.index == len(dockerfile.stages) - 1
    code = "the end of the line" if last else f"the end of hall {hall.stage.index + 1}"
    stops.append(
        {
            "line": None,
            "word": f"end {hall.stage.index + 1}" if len(dockerfile.stages) > 1 else "end",
            "code": code,
            "says": fate(hall.stage.index, dockerfile),
            "x": x,
            "top": top,
            "route": [],
            "colour": colour,
        }
    )
    return stops


def _moving(stop: dict, height: float) -> list[go.Scatter]:
    """What differs from stop to stop: the lit station, the goods on their way, the parcel, the text below."""
    x, top, half = stop["x"], stop["top"], PITCH / 2 - 1
    route = stop["route"]
    lit = go.Scatter(
        x=[x - half, x + half, x + half, x - half, x - half],
        y=[top - 1, top - 1, top + ROW - 3, top + ROW - 3, top - 1],
        mode="lines",
        fill="toself",
        fillcolor="rgba(240,228,66,0.35)",
        line={"color": INK, "width": 2},
        hoverinfo="skip",
    )
    goods = go.Scatter(
        x=[x for x, _ in route],
        y=[y for _, y in route],
        mode="lines",
        line={"color": SPOTLIGHT, "width": 3},
        hoverinfo="skip",
        cliponaxis=False,
    )
    parcel = go.Scatter(  # what comes out of the machine
        x=[x + half - 4 if stop["line"] else None],
        y=[top + BELT + 1],
        mode="markers",
        cliponaxis=False,
        hoverinfo="skip",
        marker={"symbol": "square", "size": 13, "color": stop["colour"], "line": {"color": INK, "width": 1.5}},
    )
    where = f"line {stop['line']}" if stop["line"] else ""
    mono = f"<span style='font-family:{MONO};font-size:12px'>"
    code = wrap(shorten(stop["code"], 120), 62).replace("<br>", f"</span><br>{mono}        ")
    said = f"{mono}{code}</span>" if where else f"<b>{code}</b>"
    text = f"<span style='color:{MUTED}'>{where}</span>  {said}<br>{wrap(stop['says'], 72)}"
    card = go.Scatter(
        x=[8],
        y=[height + 20],
        mode="text",
        text=[text],
        textposition="bottom right",
        hoverinfo="skip",
        cliponaxis=False,
        textfont={"size": 13, "color": INK, "family": SANS},
    )
    return [lit, goods, parcel, card]


def add_walk(figure: go.Figure, stops: list[dict], height: float) -> None:
    """The slider and its two buttons; the first stop is lit from the start."""
    first = len(figure.data)
    figure.add_traces(_moving(stops[0], height))
    moving = list(range(first, len(figure.data)))
    figure.frames = [go.Frame(name=str(n), data=_moving(stop, height), traces=moving) for n, stop in enumerate(stops)]
    at_once = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    figure.update_layout(
        sliders=[
            {
                "active": 0,
                "x": 0.3,
                "len": 0.7,
                "y": 0,
                "yanchor": "top",
                "pad": {"t": 4, "b": 4, "l": 0, "r": 8},
                "currentvalue": {"visible": False},
                "bgcolor": "#dfe5ea",
                "bordercolor": MUTED,
                "activebgcolor": SPOTLIGHT,
                "tickcolor": MUTED,
                "font": {"size": 10, "color": INK},
                "transition": {"duration": 0},
                "steps": [
                    {"label": str(stop["line"] or stop["word"]), "method": "animate", "args": [[str(n)], at_once]}
                    for n, stop in enumerate(stops)
                ],
            }
        ],
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "x": 0,
                "y": 0,
                "xanchor": "left",
                "yanchor": "top",
                "showactive": False,
                "pad": {"t": 12},
                "bgcolor": CARD,
                "bordercolor": MUTED,
                "font": {"size": 12, "color": INK},
                "buttons": [
                    {
                        "label": "walk the line",
                        "method": "animate",
                        "args": [None, at_once | {"fromcurrent": True, "frame": {"duration": 2200, "redraw": True}}],
                    },
                    {"label": "stop", "method": "animate", "args": [[None], at_once]},
                ],
            }
        ],
    )
