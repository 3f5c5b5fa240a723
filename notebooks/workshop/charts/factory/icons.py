"""Small line drawings, one a Dockerfile word, as SVG paths: a box of ±12 pixels, y upwards, no fonts needed."""

from __future__ import annotations

from math import cos, pi, sin


def ring(x: float, y: float, radius: float) -> str:
    """A circle, as the eight quadratic curves that come close to one (Plotly's paths know no arcs)."""
    outer, path = radius / cos(pi / 8), f"M{x + radius:.1f},{y:.1f}"
    for eighth in range(8):
        a, b = (eighth + 0.5) * pi / 4, (eighth + 1) * pi / 4
        path += f"Q{x + outer * cos(a):.1f},{y + outer * sin(a):.1f} "
        path += f"{x + radius * cos(b):.1f},{y + radius * sin(b):.1f}"
    return path + "Z"


def gear(radius: float = 8.5, teeth: int = 8) -> str:
    """A cogwheel with its hole."""
    points = []
    for tooth in range(teeth):
        for offset, reach in ((-0.30, 1), (-0.18, 1.38), (0.18, 1.38), (0.30, 1)):
            angle = (tooth + offset) * 2 * pi / teeth
            points.append(f"{radius * reach * cos(angle):.1f},{radius * reach * sin(angle):.1f}")
    return "M" + "L".join(points) + "Z" + ring(0, 0, 3.2)


def box(left: float, bottom: float, right: float, top: float) -> str:
    """A rectangle."""
    return f"M{left},{bottom}L{right},{bottom}L{right},{top}L{left},{top}Z"


ICONS = {
    "FROM": "M-12,-10L-12,4L-4,9L-4,4L4,9L4,4L8,6.5L8,11L11,11L11,-10Z"
    + box(-8, -4, -5, 0)
    + box(-1, -4, 2, 0)
    + "M5,-10L5,-4L8,-4L8,-10",
    "WORKDIR": "M-12,3L12,3L12,7L-12,7ZM-9,3L-9,-10M9,3L9,-10M-9,-5L9,-5",
    "COPY": box(-12, -5, 3, 7) + "M3,3L8,3L12,-1L12,-5L3,-5" + ring(-7, -7, 2.6) + ring(7, -7, 2.6),
    "COPY --from": "M-11,-10L-11,10L11,10L11,-10M-6,-10L-6,5L6,5L6,-10M0,2L0,-8M-3.5,-4.5L0,-8L3.5,-4.5",
    "ADD": box(-10, -10, 10, 2) + "M-10,2L-5,7M10,2L5,7M0,11L0,-2M-4,2L0,-2L4,2",
    "RUN": gear(),
    "ENV": box(-10, -4, 10, 9) + "M-6,5L6,5M-6,1L3,1M-5,-4L-5,-11M5,-4L5,-11",
    "ARG": box(-8, -11, 8, 9) + "M-3,9L-3,11L3,11L3,9M-4,4L4,4M-4,0L4,0M-4,-4L1,-4",
    "EXPOSE": "M-12,-10L12,-10M-9,-10L-9,-1L9,-1L9,-10M-12,10L12,10L12,6L-12,6ZM-9,6L-9,-1M9,6L9,-1",
    "CMD": "M0,11L0,1M-5,8Q-10,5 -10,0Q-10,-10 0,-10Q10,-10 10,0Q10,5 5,8",
    "ENTRYPOINT": "M-11,-8L-11,4L-5,4L-5,8L5,8L5,4L8,4L8,0L11,0L11,-4L8,-4L8,-8ZM-2,5L-5,-1L1,-1L-2,-6",
    "USER": box(-8, -11, 8, 9) + ring(0, 2, 3) + "M-5,-7Q0,-2 5,-7M-2,9L-2,11L2,11L2,9",
    "LABEL": "M-11,1L-2,10L9,10L9,-1L0,-10Z" + ring(5, 6, 1.6),
    "VOLUME": "M-10,7Q0,12 10,7Q0,2 -10,7ZM-10,7L-10,-7Q0,-12 10,-7L10,7M-10,0Q0,-5 10,0",
    "HEALTHCHECK": "M-12,0L-6,0L-3,8L2,-9L5,0L12,0",
    "SHELL": box(-11, -9, 11, 9) + "M-7,4L-3,0L-7,-4M0,-4L6,-4",
    "STOPSIGNAL": "M-4.5,-11L4.5,-11L11,-4.5L11,4.5L4.5,11L-4.5,11L-11,4.5L-11,-4.5Z" + box(-4, -4, 4, 4),
    "ONBUILD": box(-9, -10, 9, 10) + "M-4,0L4,0M0.5,3.5L4,0L0.5,-3.5",
    "MAINTAINER": box(-12, -6, 12, 6) + ring(-8.5, 0, 1) + ring(8.5, 0, 1) + "M-5,0L5,0",
}
OTHER = ring(0, 0, 9) + ring(0, 0, 2)

# At the end of a hall: a parcel (the image), a container (what stays behind), an arrow (another hall builds upon it).
PARCEL = "M0,20L20,11L20,-11L0,-20L-20,-11L-20,11ZM0,2L0,-20M0,2L20,11M0,2L-20,11M10,15.5L-10,6.5L-10,-1"
LEFTOVERS = "M-20,6L-15,-16L15,-16L20,6ZM-8,1L-6,-11M0,1L0,-11M8,1L6,-11M-14,6L-9,14L-2,9L3,16L9,8L13,12L16,6"
ONWARD = "M-7,18L-7,0L-16,0L0,-18L16,0L7,0L7,18Z"
