"""show(): a figure below the sentence that it carries, for whoever cannot see the picture, too.

Plotly draws an SVG without a name, and gives Python no way to name it. So the figure's title stands above the picture as an
element of its own, with the role of an image and the title as its accessible name: assistive technology announces it as the
picture, everybody else reads it, and it is not drawn once more. What more is to be said is folded below it. Where a page
strips roles (a notebook that is not trusted yet, GitHub), the sentence and the fold are still there as text.
"""

from __future__ import annotations

import html
import textwrap
from pathlib import Path

import plotly.graph_objects as go

from ..markup import as_html
from .style import told, untitled

# A figure is drawn once, in colours of its own, as a light card: a saved notebook, GitHub and a printed page have no theme
# to ask. Where JupyterLab or VS Code has a dark one, the page turns the card's lightness round and keeps its hues; 93 %
# makes white the dark of JupyterLab's cells. And a stored picture is no wider than its cell.
LOOK = (
    '<style>body[data-jp-theme-light="false"] .jp-RenderedPlotly, body.vscode-dark .js-plotly-plot '
    "{filter: invert(93%) hue-rotate(180deg)} .jp-RenderedPlotly img {max-width: 100%; height: auto} "
    ".slider-group:focus-visible .slider-grip-rect {stroke: #0072B2 !important; stroke-width: 4px !important} "
    ".updatemenu-button:focus-visible {outline: 3px solid #0072B2}</style>"
)
KEYS = Path(__file__).with_name("factory") / "keys.js"


class Caption:
    """A figure's sentence and what more there is to say, as a notebook and as a terminal show it."""

    def __init__(self, figure: go.Figure):
        self.sentence, self.more = told(figure)
        self.walks = bool(figure.layout.sliders)

    def __repr__(self) -> str:
        lines = [self.sentence, *self.more.splitlines()]
        return "\n".join(textwrap.fill(line, 76, break_on_hyphens=False) for line in lines)

    def _repr_html_(self) -> str:
        shown = f'<p role="img" aria-label="{html.escape(self.sentence)}"><b>{as_html(self.sentence)}</b></p>'
        if self.more:
            more = "<br>".join(as_html(line) for line in self.more.splitlines())
            shown += f"<details><summary>The picture in words</summary>{more}</details>"
        return shown + LOOK + (f"<script>{KEYS.read_text(encoding='utf-8')}</script>" if self.walks else "")


def show(figure: go.Figure) -> None:
    """Show a figure, above it its sentence, which is also the accessible name; folded, what the picture says beyond."""
    from IPython.display import display

    display(Caption(figure))
    display(untitled(figure))
