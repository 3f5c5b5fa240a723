"""Predict, measure, explain: a guess scored against the measurement, and conclusions that do not vary."""

from __future__ import annotations

import html
import math
import textwrap
from numbers import Real

import pandas as pd
import plotly.graph_objects as go

from ..analysis.dive import efficiency
from ..charts import style
from ..units import size


def score(guess: object, measured: object, unit: str = "") -> None:
    """Print how a prediction compares with the measurement.

    guess: what the learner wrote; the dots `...` mean that there is none. measured: a number in `unit`, or a word.
    A number is judged by the factor between the two.
    """
    print(wrapped(verdict(guess, measured, unit)))


def wrapped(text: str, width: int = 76) -> str:
    """Text broken between words: a notebook breaks a long printed line anywhere."""
    return "\n".join(textwrap.fill(line, width) for line in text.splitlines())


def in_words(figure: go.Figure) -> str:
    """The sentence that a figure carries, computed from its frame, for whoever cannot see the picture."""
    return wrapped(style.in_words(figure))


IN_BYTES = {
    "tar",
    "compressed",
    "engine",
    "shared",
    "wasted",
    "saved",
    "base",
    "on_top",
}  # columns of the workshop's frames


class Table:
    """A frame to be read in a notebook. Its styles stand in the cells, so that they hold where style sheets are stripped."""

    def __init__(self, frame: pd.DataFrame):
        self.frame = frame.copy()
        for column in frame:
            in_bytes = column in IN_BYTES or str(column).startswith("bytes")
            if in_bytes and pd.api.types.is_numeric_dtype(frame[column]):
                self.frame[column] = [size(count) if math.isfinite(count) else "" for count in frame[column]]

    def __repr__(self) -> str:
        return self.frame.to_string(index=False)

    def _repr_html_(self) -> str:
        left = 'style="text-align: left; white-space: pre-wrap; overflow-wrap: anywhere"'
        head = "".join(f"<th {left}>{html.escape(str(column))}</th>" for column in self.frame.columns)
        rows = [
            "".join(f"<td {left}>{html.escape(str(value))}</td>" for value in row)
            for row in self.frame.itertuples(index=False)
        ]
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def table(frame: pd.DataFrame) -> Table:
    """A frame to be read: bytes as MB, text whole and to the left, no index."""
    return Table(frame)


def verdict(guess, measured, unit: str = "") -> str:
    """The sentence that `score` prints."""
    truth = _say(measured, unit)
    if guess is ...:
        return "No prediction yet: put one in place of the dots, and run both cells again."
    if not isinstance(measured, Real) or isinstance(measured, bool):
        right = str(guess).strip().lower() == str(measured).strip().lower()
        return f"You said {guess}. {'Right' if right else 'Not so'}: it is {truth}."
    if not isinstance(guess, Real) or isinstance(guess, bool):
        return f"A prediction here is a plain number{f' of {unit}' if unit else ''}, without quotes. Measured: {truth}."
    return f"You said {_say(guess, unit)}, measured: {truth}. {_judge(float(guess), float(measured))}"


def _judge(guess: float, measured: float) -> str:
    if guess == measured:
        return "Exactly."
    if guess <= 0 or measured <= 0:
        return "Worth a second look."
    factor = max(guess / measured, measured / guess)
    if factor <= 1.1:
        return "Spot on."
    word = "Close" if factor <= 1.5 else "The right order" if factor <= 3 else "A surprise, then"
    return f"{word}: off by a factor of {factor:.1f}."


def _say(value, unit: str) -> str:
    if isinstance(value, Real) and not isinstance(value, (bool, int)):
        value = f"{float(value):,.1f}"
    return f"{value} {unit}".strip()


def conclude(conclusions: dict[str, bool]) -> None:
    """Print what the measurements have shown, in words that do not vary from machine to machine; the tests compare them."""
    for claim, holds in conclusions.items():
        print(f"{claim}: {bool(holds)}")


def second_opinion(files: pd.DataFrame) -> None:
    """Print how much of an image nobody can see by our count and by dive's, and why the two differ.

    files: as from `files()`.
    """
    for one in efficiency(files).itertuples():
        print(f"ours:   {size(one.wasted)} wasted, {one.efficiency:.1%} efficient")
        print(f"dive's: {size(one.dive_wasted)} wasted, {one.dive_efficiency:.1%} efficient")
        print(wrapped(one.why))


def recap(*claims: str):
    """What the learner can now claim, as a list to look at in the notebook: Markdown, so write dollars, not $."""
    from IPython.display import Markdown

    return Markdown("\n".join(f"- {claim}" for claim in claims))
