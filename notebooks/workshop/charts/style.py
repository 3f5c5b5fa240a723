"""What all figures share: colours, numbers, shortening, the card they are drawn on, and the sentence they carry."""

from __future__ import annotations

import html
import re
import textwrap
import zlib
from collections.abc import Callable

import plotly.graph_objects as go

from ..analysis.gate import FROM_BASE, FROM_CONTEXT
from ..errors import WorkshopError
from ..units import plural as plural
from ..units import shorten as shorten
from ..units import size

megabytes = size  # one way to show bytes, in figures and in text

INK, MUTED, CARD, GRID = "#1f2933", "#56626c", "#ffffff", "#e3e8ec"
SANS = "Helvetica Neue, Arial, DejaVu Sans, sans-serif"
TOOLS = 28  # pixels at the top that Plotly's own buttons take
MONO = "Menlo, Consolas, DejaVu Sans Mono, monospace"

# Okabe and Ito's palette, which colour-blind readers can tell apart. The first stage is the factory floor.
BUILDER, FINAL, BASE, CONTEXT = "#E69F00", "#0072B2", "#8A8F94", "#009E73"
BETWEEN = ["#CC79A7", "#56B4E9", "#D55E00", "#009E73"]
SPOTLIGHT = "#F0E442"

_KNOWN = {
    "builder": BUILDER,
    "build": BUILDER,
    "floor": BUILDER,
    "0": BUILDER,
    "final": FINAL,
    "final image": FINAL,
    "package": FINAL,
    "runtime": FINAL,
    "-1": FINAL,
    "base": BASE,
    FROM_BASE: BASE,
    "context": CONTEXT,
    FROM_CONTEXT: CONTEXT,
}

_footer: str | Callable[[], str] = ""


def set_footer(text: str | Callable[[], str]) -> None:
    """The small print (engine, base images) of every figure made from now on that is given none of its own.

    A function is asked anew for each figure: base images arrive while a lesson runs.
    """
    global _footer
    _footer = text


def in_words(figure: go.Figure) -> str:
    """The sentence that the figure carries, computed from the frame that it was drawn from.

    Raises WorkshopError for what is no figure of `workshop.charts`.
    """
    meta = figure.layout.meta if isinstance(figure, go.Figure) else None
    if not isinstance(meta, dict) or "words" not in meta:
        raise WorkshopError(
            "That is no figure of workshop.charts: it carries no sentence.",
            "Draw one, as with workshop.charts.sizes(sizes); a figure of your own shows itself as a cell's last line.",
        )
    return meta["words"]


def told(figure: go.Figure) -> tuple[str, str]:
    """The figure's sentence, which is its title, and what its words say beyond that ("" for nothing)."""
    words = in_words(figure)
    title = figure.layout.meta["title"].replace("\u00a0", " ")
    beyond = words.removeprefix(f"{title}.")
    return title, beyond.strip()


def untitled(figure: go.Figure) -> go.Figure:
    """The figure for a place where its title is written above it: without that, and without the room that it took."""
    bare = go.Figure(figure)
    spare = bare.layout.meta["room"] - TOOLS
    whole = bare.layout.height - spare
    bare.update_layout(title=None, margin={"t": bare.layout.margin.t - spare}, height=whole)
    if bare.layout.legend.yref == "container":
        bare.update_layout(legend={"y": 1 - TOOLS / whole})
    return bare


def stage_colour(name_or_index: str | int) -> str:
    """One stage's colour. Index 0 is the factory floor, -1 the final stage; a name keeps its colour everywhere."""
    key = str(name_or_index).lower()
    if key in _KNOWN:
        return _KNOWN[key]
    position = int(key) - 1 if key.isdigit() else zlib.crc32(key.encode())
    return BETWEEN[position % len(BETWEEN)]


def stage_colours(count: int) -> list[str]:
    """Colours of a Dockerfile's stages, in order: first the floor's, last the final stage's, no matter how many."""
    if count == 1:
        return [FINAL]
    return [stage_colour(index) for index in range(count - 1)] + [FINAL]


def tint(colour: str, share: float) -> str:
    """The colour mixed with white: share 1 is the colour itself, 0 is white."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * share):02x}" for part in parts)


def percent(part: float, whole: float) -> str:
    """A share, as `84 %`; below one percent, and above 99 without being all, it says so instead of rounding it away."""
    share = 100 * part / whole if whole else 0
    if 0 < share < 1:
        return "under 1 %"
    if 99 < share < 100:
        return "over 99 %"
    return f"{share:.0f} %"


def shorten_left(text: str, width: int) -> str:
    """The text's end, which tells paths and image names apart better than their beginning."""
    return text if len(text) <= width else "…" + text[-(width - 1) :]


def safe(text: str) -> str:
    """Text that Plotly shows as it is: no tags, and no `$…$`, which it would hand to MathJax."""
    return html.escape(text, quote=False).replace("$", "&#36;")


def wrap(text: str, width: int) -> str:
    """Safe text in lines of at most `width` characters."""
    return "<br>".join(safe(line) for line in textwrap.wrap(text, width, break_on_hyphens=False))


def _glued(text: str) -> str:
    """The text with each number held to its unit, so that no line ends between them."""
    return re.sub(r"(\d) (?=(?:MB|GB|kB|bytes?|min|s|%)(?!\w))", "\\1\u00a0", text)


def _even_width(text: str, most: int) -> int:
    """The narrowest width that needs no more lines than `most` does: no last line with one word alone."""
    lines = len(textwrap.wrap(text, most))
    return next(width for width in range(12, most + 1) if width == most or len(textwrap.wrap(text, width)) == lines)


def name_rows(figure: go.Figure, labels: list[str]) -> None:
    """One horizontal bar a label, the first on top, with the label at its left."""
    figure.update_yaxes(
        range=[len(labels) - 0.5, -0.5],
        tickvals=list(range(len(labels))),
        ticktext=[safe(label) + " " for label in labels],
        tickfont={"size": 13},
        fixedrange=True,
    )


def legend_in_words(figure: go.Figure, text: str, down: int, left: int = 0) -> None:
    """What the colours mean, in small type below the plot. down, left: pixels from the plot's lower left corner."""
    figure.add_annotation(
        text=text,
        showarrow=False,
        align="left",
        xref="paper",
        x=0,
        xanchor="left",
        xshift=-left,
        yref="paper",
        y=0,
        yanchor="top",
        yshift=-down,
        font={"size": 11, "color": MUTED},
    )


def finish(
    figure: go.Figure,
    title: str,
    words: str,
    footer: str,
    height: float,
    left: int = 14,
    right: int = 14,
    bottom: int = 14,
) -> go.Figure:
    """Put the figure on its card: title on top, small print below, `height` pixels for what is between them."""
    title = _glued(title)
    heading = wrap(title, _even_width(title, 56))
    small_print = wrap(footer or (_footer() if callable(_footer) else _footer), 90)
    top = 24 + 21 * (heading.count("<br>") + 1)
    foot = bottom + (15 * (small_print.count("<br>") + 1) + 4 if small_print else 0)
    whole = top + height + foot
    figure.update_layout(
        template="none",
        title={
            "text": f"<b>{heading}</b>",
            "font": {"size": 16, "color": INK},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1 - 28 / whole,
            "yref": "container",
            "yanchor": "bottom",
            "pad": {"l": 14},  # y: the first line's foot
        },
        height=whole,
        margin={"l": left, "r": right, "t": top, "b": foot},
        paper_bgcolor=CARD,
        plot_bgcolor=CARD,  # a white card by itself; below its sentence it follows the theme (show.py)
        font={"family": SANS, "size": 12, "color": INK},
        hoverlabel={
            "bgcolor": CARD,
            "bordercolor": MUTED,
            "align": "left",
            "font": {"family": SANS, "size": 12, "color": INK},
        },
        showlegend=False,
        modebar={"remove": ["zoom", "pan", "select", "lasso", "zoomin", "zoomout", "autoscale", "resetscale"]},
        meta={"title": title, "words": words, "room": top},
    )
    if small_print:
        figure.add_annotation(
            text=small_print,
            font={"size": 10, "color": MUTED},
            showarrow=False,
            align="left",
            xref="paper",
            x=0,
            xanchor="left",
            xshift=14 - left,
            yref="paper",
            y=0,
            yanchor="bottom",
            yshift=6 - foot,
        )
    return figure
