"""Where everything of a factory stands: a Dockerfile turned into positions, in units of about a pixel, y downwards.

One storey a hall, the first on top; stations from left to right, further rows below; goods come down through a gate in
the wall above the hall that asks for them, or, from a hall further up, along a shaft at the right.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...dockerfiles.syntax import Dockerfile, Instruction, Stage

PER_ROW, PITCH = 7, 96
WIDTH = PER_ROW * PITCH + 8
HEADER, ROW, ROOF, WALL, OPENING = 27, 102, 30, 18, 19  # OPENING: half a gate
MACHINE = (36, 46)  # half its width, its height
BELT = 50  # from a row's top to its belt


@dataclass(frozen=True)
class Route:
    """How goods reach a station: corner points; colour_of: the stage they come from, None for another factory's."""

    step: Instruction
    points: list[tuple[float, float]]
    gate_x: float
    colour_of: int | None


@dataclass
class Hall:
    """A stage's storey: spots and end are (x, top of the row)."""

    stage: Stage
    wall: float | None  # top of the wall above it; None above the first hall if nothing comes in
    top: float
    bottom: float
    spots: list[tuple[Instruction, float, float]] = field(default_factory=list)
    end: tuple[float, float] = (0, 0)
    routes: list[Route] = field(default_factory=list)


def halls_of(dockerfile: Dockerfile) -> tuple[list[Hall], float, float]:
    """Every hall with its stations and routes; the whole picture's width and height."""
    halls: list[Hall] = []
    y: float = ROOF
    for stage in dockerfile.stages:
        # what comes before the first FROM stands in the first hall
        steps = [*([] if halls else dockerfile.of_stage(None)), *dockerfile.of_stage(stage.index)]
        takes = any(step.sources for step in steps)
        wall = None
        if halls or takes:
            over = 14 if takes else 0  # room above the wall, for routes that come from the side
            wall, y = y + over, y + over + WALL + (8 if takes else 0)
        places = len(steps) + 1  # one more, for the hall's end
        rows = -(-places // PER_ROW)
        per_row = PER_ROW if rows == 1 else -(-places // rows)  # no row with the end alone
        hall = Hall(stage, wall, y, y + HEADER + rows * ROW)
        for index, step in enumerate(steps):
            hall.spots.append((step, _column(index % per_row, per_row), y + HEADER + index // per_row * ROW))
        hall.end = (_column(per_row - 1, per_row), hall.bottom - ROW)
        halls.append(hall)
        y = hall.bottom
    shafts = _shafts(dockerfile)
    for hall in halls:
        takers = [spot for spot in hall.spots if spot[0].sources]
        hall.routes = [_route(step, x, top, hall, halls, shafts) for step, x, top in takers]
    return halls, WIDTH + (12 + 9 * len(shafts) if shafts else 0), y


def _column(index: int, per_row: int) -> float:
    """The middle of a place in a row: the places share the hall's width."""
    return 4 + (WIDTH - 8) / per_row * (index + 0.5)


def _shafts(dockerfile: Dockerfile) -> list[int]:
    """The stages whose goods pass by other halls on their way down."""
    far = {
        step.source
        for step in dockerfile.instructions
        if isinstance(step.source, int) and step.source != (step.stage or 0) - 1
    }
    return sorted(far)


def _route(step: Instruction, x: float, top: float, hall: Hall, halls: list[Hall], shafts: list[int]) -> Route:
    source, wall = step.source, hall.wall or 0.0  # a hall that takes goods has a wall
    first_row = top == hall.top + HEADER
    gate_x = x if first_row else x - PITCH / 2  # between the machines of the rows above
    last = [(gate_x, top + 3)] if first_row else [(gate_x, top - 3), (x, top - 3), (x, top + 3)]
    if isinstance(source, int) and source == hall.stage.index - 1:
        return Route(step, [(gate_x, halls[source].bottom - 5), *last], gate_x, source)
    if isinstance(source, int):
        lane = shafts.index(source)
        lane_x, side_y = WIDTH + 10 + 9 * lane, wall - 5 - 4 * (lane % 3)
        start_y = halls[source].bottom - 12
        start = [(WIDTH, start_y), (lane_x, start_y), (lane_x, side_y), (gate_x, side_y)]
        return Route(step, [*start, *last], gate_x, source)
    return Route(step, [(0, wall - 7), (gate_x, wall - 7), *last], gate_x, None)
