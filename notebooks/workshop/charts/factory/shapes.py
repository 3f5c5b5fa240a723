"""What of the factory is built: roof, walls, halls, machines, and the ways that goods take, as Plotly shapes."""

from __future__ import annotations

from ...dockerfiles.syntax import Dockerfile
from ..style import BASE, CARD, GRID, INK, MUTED, tint
from .icons import ICONS, LEFTOVERS, ONWARD, OTHER, PARCEL
from .layout import BELT, MACHINE, OPENING, ROOF, WALL, WIDTH, Hall, Route
from .words import word_of

BRICK, MORTAR = "#b9a79c", "#efe9e4"


def rect(x0: float, y0: float, x1: float, y1: float, **style) -> dict:
    return {"type": "rect", "x0": x0, "y0": y0, "x1": x1, "y1": y1, "layer": "below", "line": {"width": 0}, **style}


def _path(path: str, **style) -> dict:
    return {"type": "path", "path": path, "layer": "below", **style}


def _rounded(x0: float, y0: float, x1: float, y1: float, radius: float) -> str:
    r = radius
    return (
        f"M{x0 + r},{y0}L{x1 - r},{y0}Q{x1},{y0} {x1},{y0 + r}L{x1},{y1 - r}Q{x1},{y1} {x1 - r},{y1}"
        f"L{x0 + r},{y1}Q{x0},{y1} {x0},{y1 - r}L{x0},{y0 + r}Q{x0},{y0} {x0 + r},{y0}Z"
    )


def _drawing(path: str, x: float, y: float, colour: str, width: float = 1.8, fill: str = "rgba(0,0,0,0)") -> dict:
    """A drawing of fixed pixel size around a point."""
    return _path(
        path,
        xsizemode="pixel",
        ysizemode="pixel",
        xanchor=x,
        yanchor=y,
        fillcolor=fill,
        fillrule="evenodd",
        line={"color": colour, "width": width},
    )


def building(halls: list[Hall]) -> list[dict]:
    """The saw-tooth roof with its chimney, and the brick walls between the storeys, open where there is a gate."""
    eaves, teeth = ROOF, 8
    tooth = WIDTH / teeth
    roof = (
        f"M0,{eaves}"
        + "".join(f"L{tooth * n:.1f},{eaves - 20}L{tooth * (n + 1):.1f},{eaves - 6}" for n in range(teeth))
        + f"L{WIDTH},{eaves}Z"
    )
    chimney = f"M{WIDTH - 70},{eaves - 8}L{WIDTH - 67},1L{WIDTH - 51},1L{WIDTH - 48},{eaves - 8}Z"
    shapes = [
        _path(chimney, fillcolor=BRICK, line={"color": INK, "width": 1}),
        _path(roof, fillcolor="#cfd6dc", line={"color": INK, "width": 1}),
    ]
    for hall in halls:
        if hall.wall is None:
            continue
        shapes.append(rect(0, hall.wall - hall.strip, WIDTH, hall.top, fillcolor="#f7f5f3"))
        gates = sorted({route.gate_x for route in hall.routes})
        edges = [0, *(edge for x in gates for edge in (x - OPENING, x + OPENING)), WIDTH]
        for left, right in zip(edges[::2], edges[1::2]):
            shapes += _bricks(max(left, 0), right, hall.wall)
        for x in gates:
            for post in (x - OPENING, x + OPENING):
                shapes.append(rect(post - 2.5, hall.wall - 2, post + 2.5, hall.wall + WALL + 2, fillcolor=INK))
    return shapes


def _bricks(left: float, right: float, top: float) -> list[dict]:
    """Two courses of bricks."""
    middle, bottom = top + WALL / 2, top + WALL
    joints = f"M{left},{middle}L{right},{middle}"
    for course, (y0, y1) in enumerate(((top, middle), (middle, bottom))):
        x = (int(left // 24) + 1) * 24 - (12 if course else 0)
        while x < right:
            if x > left:
                joints += f"M{x},{y0}L{x},{y1}"
            x += 24
    return [rect(left, top, right, bottom, fillcolor=BRICK), _path(joints, line={"color": MORTAR, "width": 1.2})]


def hall_shapes(hall: Hall, dockerfile: Dockerfile, colour: str) -> list[dict]:
    shipped, wanted = hall.stage.index in dockerfile.shipped, hall.stage.index in dockerfile.needed()
    shapes = [
        rect(0, hall.top, WIDTH, hall.bottom, fillcolor=tint(colour, 0.1), line={"color": INK, "width": 1}),
        rect(0, hall.top, WIDTH, hall.top + 22, fillcolor=tint(colour, 0.38)),
        rect(0, hall.top, 7, hall.bottom, fillcolor=colour),
    ]
    for row in sorted({top for _, _, top in hall.spots} | {hall.end[1]}):
        last = row == hall.end[1]
        right = hall.end[0] if last else WIDTH - 5
        shapes.append(rect(12, row + BELT, right, row + BELT + 7, fillcolor="#4a545d"))
        dots = {"color": "#c9d1d8", "width": 2.5, "dash": "2px,7px"}
        shapes.append(_path(f"M16,{row + BELT + 3.5}L{right},{row + BELT + 3.5}", line=dots))
    half, tall = MACHINE
    for step, x, top in hall.spots:
        edge = BASE if step.stage is None else colour
        machine = _rounded(x - half, top + 4, x + half, top + 4 + tall, 6)
        shapes.append(_path(machine, fillcolor=CARD, line={"color": edge, "width": 2}))
        shapes.append(_drawing(ICONS.get(word_of(step), OTHER), x, top + 4 + tall / 2, INK) | {"layer": "above"})
    x, top = hall.end
    if hall.stage.index == len(dockerfile.stages) - 1:
        shapes.append(_drawing(PARCEL, x, top + 34, INK, 1.8, tint(colour, 0.6)))
    elif shipped:
        shapes.append(_drawing(ONWARD, x, top + 34, INK, 1.8, tint(colour, 0.6)))
    else:
        shapes.append(_drawing(LEFTOVERS, x, top + 36, INK, 1.6, tint(colour, 0.45) if wanted else GRID))
    return shapes


def route_shapes(route: Route, colours: list[str]) -> list[dict]:
    """The way of the goods, with an arrow's head where it ends; dashed where they are only lent."""
    colour = MUTED if route.colour_of is None else colours[route.colour_of]
    path = "M" + "L".join(f"{x},{y}" for x, y in route.points)
    dash = "dot" if route.step.word == "RUN" else "solid"
    x, y = route.points[-1]
    return [
        _path(path, line={"color": INK, "width": 6, "dash": dash}),
        _path(path, line={"color": colour, "width": 3.5, "dash": dash}),
        _drawing("M0,-2L9,11L-9,11Z", x, y, INK, 1.2, colour) | {"layer": "above"},
    ]
