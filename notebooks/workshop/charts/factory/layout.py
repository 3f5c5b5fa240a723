"""Where everything of a factory stands: a Dockerfile turned into positions, in units of about a pixel, y downwards.

One storey a hall, the first on top; stations from left to right, further rows below. Goods leave at the machine that made
them, pass down between the stations, and come through a gate in the wall above the hall that asks for them; from a hall
further up, they take a shaft at the right. In the strip above a wall each way has a height of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...dockerfiles.copy_from import maker
from ...dockerfiles.syntax import Dockerfile, Instruction, Stage

PER_ROW, PITCH = 7, 96
WIDTH = PER_ROW * PITCH + 8
HEADER, ROW, ROOF, WALL, OPENING = 27, 102, 30, 18, 19  # OPENING: half a gate
MACHINE = (36, 46)  # half its width, its height
BELT = 50  # from a row's top to its belt
EXIT = 40  # from a row's top to where goods leave a machine
LANE = 8  # from one way to another beside it


@dataclass(frozen=True)
class Route:
    """How goods reach a station: corner points, from the machine that made them; colour_of: the stage they come from, None
    for another factory's."""

    step: Instruction
    points: list[tuple[float, float]]
    gate_x: float
    colour_of: int | None


@dataclass
class Hall:
    """A stage's storey: spots and end are (x, top of the row)."""

    stage: Stage
    wall: float | None  # top of the wall above it; None above the first hall if nothing comes in
    strip: float  # height of what is above that wall, where ways run from side to side
    top: float
    bottom: float
    pitch: float  # from one station to the next
    spots: list[tuple[Instruction, float, float]] = field(default_factory=list)
    end: tuple[float, float] = (0, 0)
    routes: list[Route] = field(default_factory=list)


def halls_of(dockerfile: Dockerfile) -> tuple[list[Hall], float, float]:
    """Every hall with its stations and routes; the whole picture's width and height."""
    makers = {id(step): maker(step, dockerfile) for step in dockerfile.instructions if step.sources}
    ways = _ways(dockerfile, makers)
    halls: list[Hall] = []
    y: float = ROOF
    for stage in dockerfile.stages:
        # what comes before the first FROM stands in the first hall
        steps = [*([] if halls else dockerfile.of_stage(None)), *dockerfile.of_stage(stage.index)]
        takes, across = any(step.sources for step in steps), len(ways[stage.index])
        wall, strip = None, 4 + LANE * across + 5 if across else 0
        if halls or takes:
            wall, y = y + strip, y + strip + WALL + (8 if takes else 0)
        places = len(steps) + 1  # one more, for the hall's end
        rows = -(-places // PER_ROW)
        per_row = PER_ROW if rows == 1 else -(-places // rows)  # no row with the end alone
        hall = Hall(stage, wall, strip, y, y + HEADER + rows * ROW, (WIDTH - 8) / per_row)
        for index, step in enumerate(steps):
            hall.spots.append((step, _column(index % per_row, hall), y + HEADER + index // per_row * ROW))
        hall.end = (_column(per_row - 1, hall), hall.bottom - ROW)
        halls.append(hall)
        y = hall.bottom
    shafts = _shafts(dockerfile, makers)
    for hall in halls:
        takers = [spot for spot in hall.spots if spot[0].sources]
        hall.routes = [_route(step, x, top, hall, halls, shafts, ways, makers[id(step)]) for step, x, top in takers]
    return halls, WIDTH + (12 + 9 * len(shafts) if shafts else 0), y


def _column(index: int, hall: Hall) -> float:
    """The middle of a place in a row: the places share the hall's width."""
    return 4 + hall.pitch * (index + 0.5)


def _is_next(step: Instruction, made: Instruction) -> bool:
    """True if goods go one hall down, without a shaft."""
    return (made.stage or 0) == (step.stage or 0) - 1


def _ways(dockerfile: Dockerfile, makers: dict[int, Instruction | None]) -> list[list[int]]:
    """For the strip above each hall's wall, the steps (by id) whose goods run there from side to side, the lowest first: those
    that come to this hall, then those that leave the hall above for a shaft."""
    steps = [step for step in dockerfile.instructions if step.sources]
    ways = [[id(step) for step in steps if (step.stage or 0) == stage.index] for stage in dockerfile.stages]
    for step in steps:
        made = makers[id(step)]
        if made is not None and not _is_next(step, made):
            ways[(made.stage or 0) + 1].append(id(step))
    return ways


def _shafts(dockerfile: Dockerfile, makers: dict[int, Instruction | None]) -> list[int]:
    """The stages whose goods pass by other halls on their way down."""
    made = [(step, makers[id(step)]) for step in dockerfile.instructions if step.sources]
    return sorted({line.stage or 0 for step, line in made if line is not None and not _is_next(step, line)})


def _route(
    step: Instruction,
    x: float,
    top: float,
    hall: Hall,
    halls: list[Hall],
    shafts: list[int],
    ways: list[list[int]],
    made: Instruction | None,
) -> Route:
    first_row = top == hall.top + HEADER
    gate_x = x if first_row else x - hall.pitch / 2  # between the machines of the rows above
    last = [(gate_x, top + 3)] if first_row else [(gate_x, top - 3), (x, top - 3), (x, top + 3)]
    arrives = _height(step, hall, ways)
    if made is None:
        return Route(step, [(0, arrives), (gate_x, arrives), *last], gate_x, None)
    origin = halls[made.stage or 0]
    at, row = next((at, row) for line, at, row in origin.spots if line is made)
    gap = at + origin.pitch / 2
    out = [(at + MACHINE[0], row + EXIT), (gap, row + EXIT)]
    source = step.source if isinstance(step.source, int) else None
    if _is_next(step, made):
        return Route(step, [*out, (gap, arrives), (gate_x, arrives), *last], gate_x, source)
    leaves = _height(step, halls[origin.stage.index + 1], ways)
    lane = WIDTH + 10 + 9 * shafts.index(origin.stage.index)
    shaft = [(gap, leaves), (lane, leaves), (lane, arrives), (gate_x, arrives)]
    return Route(step, [*out, *shaft, *last], gate_x, source)


def _height(step: Instruction, hall: Hall, ways: list[list[int]]) -> float:
    """Where a step's goods run in the strip above a hall's wall. What runs there stands above a wall."""
    return (hall.wall or 0.0) - 5 - LANE * ways[hall.stage.index].index(id(step))
