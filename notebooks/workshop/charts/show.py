"""show(): a figure with the sentence that it carries, for whoever cannot see the picture.

Plotly draws an SVG without a name, and gives Python no way to name it. So the sentence stands above the picture as an
element of its own, with the role of an image and the sentence as its accessible name: assistive technology announces it
as the picture, and everybody else reads it. What more is to be said is folded below it. Where a page strips roles
(a notebook that is not trusted yet, GitHub), the sentence and the fold are still there as text.
"""

from __future__ import annotations

import html
import textwrap

import plotly.graph_objects as go

from ..markup import as_html
from .style import told


class Caption:
    """A figure's sentence and what more there is to say, as a notebook and as a terminal show it."""

    def __init__(self, figure: go.Figure):
        self.sentence, self.more = told(figure)

    def __repr__(self) -> str:
        lines = [self.sentence, *self.more.splitlines()]
        return "\n".join(textwrap.fill(line, 76, break_on_hyphens=False) for line in lines)

    def _repr_html_(self) -> str:
        shown = f'<p role="img" aria-label="{html.escape(self.sentence)}">{as_html(self.sentence)}</p>'
        if not self.more:
            return shown
        more = "<br>".join(as_html(line) for line in self.more.splitlines())
        return f"{shown}<details><summary>The picture in words</summary>{more}</details>"


def show(figure: go.Figure) -> None:
    """Show a figure, above it its sentence, which is also the accessible name; folded, what the picture says beyond."""
    from IPython.display import display

    display(Caption(figure))
    display(figure)
