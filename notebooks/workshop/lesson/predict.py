"""Predict, measure, explain: a guess scored against the measurement, and a second opinion on what was measured."""

from __future__ import annotations

from numbers import Real

import pandas as pd
import plotly.graph_objects as go

from ..analysis.dive import efficiency
from ..charts import style
from ..units import size, wrapped


def score(guess: object, measured: object, unit: str = "") -> None:
    """Print how a prediction compares with the measurement.

    guess: what the learner wrote; the dots `...` mean that there is none. measured: a number in `unit`, a word, or a list of
    numbers, such as those of steps. A number is judged by the factor between the two, a list by what is in one alone.
    """
    print(wrapped(verdict(guess, measured, unit)))


def in_words(figure: go.Figure) -> str:
    """The sentence that a figure carries, computed from its frame, for whoever cannot see the picture."""
    return wrapped(style.in_words(figure))


def verdict(guess, measured, unit: str = "") -> str:
    """The sentence that `score` prints."""
    if guess is ...:
        return "No prediction yet: put one in place of the dots, and run both cells again."
    if (steps := _numbers(measured)) is not None:
        return _listed_verdict(guess, steps)
    truth = _say(measured, unit)
    if not isinstance(measured, Real) or isinstance(measured, bool):
        said, true = (str(one).strip().lower() for one in (guess, measured))
        right = said == true or said.endswith(f":{true}")  # an image by its whole name, as tables print it
        return f"You said {guess}. {'Right' if right else 'Not so'}: it is {truth}."
    if not isinstance(guess, Real) or isinstance(guess, bool):
        return f"A prediction here is a plain number{f' of {unit}' if unit else ''}, without quotes. Measured: {truth}."
    return f"You said {_say(guess, unit)}, measured: {truth}. {_judge(float(guess), float(measured))}"


def _listed_verdict(guess, measured: list) -> str:
    """The sentence for a list of numbers."""
    alone = isinstance(guess, Real) and not isinstance(guess, bool)
    if (guess := _numbers([guess] if alone else guess)) is None:
        return f"A prediction here is a list of numbers, such as [2, 3], or [] for none. Measured: {_list(measured)}."
    said = f"You said {_list(guess)}, measured: {_list(measured)}. "
    missed, extra = sorted(set(measured) - set(guess)), sorted(set(guess) - set(measured))
    if not missed and not extra:
        return said + "Exactly."
    words = [f"{_list(missed)} too"] * bool(missed) + [f"not {_list(extra)}"] * bool(extra)
    return said + f"So: {', '.join(words)}."


def _numbers(given) -> list | None:
    """A list of numbers, sorted, each once; None for what is none."""
    if not isinstance(given, (list, tuple, set)):
        return None
    if any(not isinstance(one, Real) or isinstance(one, bool) for one in given):
        return None
    return sorted(set(given))


def _list(numbers: list) -> str:
    return ", ".join(str(one) for one in numbers) or "none"


def _judge(guess: float, measured: float) -> str:
    if guess == measured:
        return "Exactly."
    if guess <= 0 or measured <= 0:
        return "Worth a second look."
    factor = max(guess / measured, measured / guess)
    if factor <= 1.1:
        return "Spot on."
    times = f"{factor:.1f}" if factor < 9.95 else f"{factor:,.0f}"
    yours = f"your number is {times} times too {'large' if guess > measured else 'small'}"
    return (
        f"Close: {yours}."
        if factor <= 1.5
        else f"A surprise, then: {yours}."
        if factor > 3
        else f"{yours.capitalize()}."
    )


def _say(value, unit: str) -> str:
    if isinstance(value, Real) and not isinstance(value, (bool, int)):
        value = f"{float(value):,.1f}"
    return f"{value} {unit}".strip()


def second_opinion(files: pd.DataFrame) -> None:
    """Print how much of an image nobody can see by our count and by dive's, and why the two differ.

    files: as from `files()`.
    """
    for one in efficiency(files).itertuples():
        print(f"ours:   {size(one.wasted)} wasted, {one.efficiency:.1%} efficient")
        print(f"dive's: {size(one.dive_wasted)} wasted, {one.dive_efficiency:.1%} efficient")
        print(wrapped(one.why))
