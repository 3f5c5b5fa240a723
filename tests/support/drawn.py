"""What the tests of all charts need: no small print, and titles as they are read."""

import plotly.graph_objects as go
import pytest
from workshop import charts

TAGS = {"<b>": "", "</b>": "", "<br>": " ", "\u00a0": " ", "&lt;": "<", "&gt;": ">", "&amp;": "&", "&#36;": "$"}


@pytest.fixture(autouse=True)
def no_footer():
    charts.set_footer("")
    yield
    charts.set_footer("")


def title(figure: go.Figure) -> str:
    """A title as it is read: no tags, no line breaks."""
    text = figure.layout.title.text
    for tag, plain in TAGS.items():
        text = text.replace(tag, plain)
    return text
