"""The factory that a Dockerfile describes, drawn storey by storey, to walk through step by step."""

from __future__ import annotations

import plotly.graph_objects as go

from ...dockerfiles.syntax import parse
from ...errors import WorkshopError
from ..style import GRID, finish, stage_colours
from .animation import add_walk, stops_of
from .labels import texts
from .layout import halls_of
from .shapes import building, hall_shapes, rect, route_shapes
from .words import finding

PANEL = 108  # height of the card below the factory, with the line and its sentence


def floor(dockerfile_text: str, footer: str = " ") -> go.Figure:
    """One hall a stage, one station an instruction, one gate a COPY --from; a slider walks along the lines.

    Works without JavaScript of its own: the walk is made of Plotly's frames.
    """
    try:
        dockerfile = parse(dockerfile_text)
    except WorkshopError as error:
        return _nothing(f"No factory can be built from this. {error.what.rstrip('.')}", footer)
    halls, width, height = halls_of(dockerfile)
    colours = stage_colours(len(dockerfile.stages))
    figure = go.Figure()
    shapes = building(halls)
    for hall, colour in zip(halls, colours):
        shapes += hall_shapes(hall, dockerfile, colour)
        shapes += [shape for route in hall.routes for shape in route_shapes(route, colours)]
    shapes.append(rect(0, height + 14, width, height + PANEL, fillcolor="#f4f6f8", line={"color": GRID, "width": 1}))
    figure.update_layout(shapes=shapes)
    stops = [stop for hall, colour in zip(halls, colours) for stop in stops_of(hall, dockerfile, colour)]
    add_walk(figure, stops, height)  # first, so that what is written lies on top of the light
    texts(figure, halls, dockerfile, colours)
    figure.update_xaxes(range=[-3, width + 3], visible=False, fixedrange=True)
    figure.update_yaxes(range=[height + PANEL, 0], visible=False, fixedrange=True)
    lines = [f"Line {stop['line']}, {stop['word']}: {stop['says']}" if stop["line"] else stop["says"] for stop in stops]
    return finish(figure, finding(dockerfile), "\n".join(lines), footer, height + PANEL, left=12, right=12, bottom=70)


def _nothing(title: str, footer: str) -> go.Figure:
    figure = go.Figure()
    figure.update_xaxes(visible=False).update_yaxes(visible=False)
    return finish(figure, title, title + ".", footer, 10)
