"""What a lesson says of a prediction, a conclusion and a table, and where a check's limit lies."""

from __future__ import annotations

import pytest
import workshop
from workshop.lesson import check
from workshop.lesson.predict import verdict


@pytest.mark.parametrize(
    "guess, measured, unit, says",
    [
        (..., 12.34, "MB", "No prediction yet: put one in place of the dots, and run both cells again."),
        (12, 12.34, "MB", "You said 12 MB, measured: 12.3 MB. Spot on."),
        (18, 12.0, "MB", "You said 18 MB, measured: 12.0 MB. Close: your number is 1.5 times too large."),
        (24, 12.0, "MB", "You said 24 MB, measured: 12.0 MB. Your number is 2.0 times too large."),
        (4, 12.0, "MB", "You said 4 MB, measured: 12.0 MB. Your number is 3.0 times too small."),
        (1, 900.0, "MB", "You said 1 MB, measured: 900.0 MB. A surprise, then: your number is 900 times too small."),
        ("12 MB", 12.0, "MB", "A prediction here is a plain number of MB, without quotes. Measured: 12.0 MB."),
        (0, 5.0, "MB", "You said 0 MB, measured: 5.0 MB. Worth a second look."),
        ("glibc", "musl", "", "You said glibc. Not so: it is musl."),
        ("Musl", "musl", "", "You said Musl. Right: it is musl."),
        ("factory/flask_hello:Scratch", "scratch", "", "You said factory/flask_hello:Scratch. Right: it is scratch."),
        (..., [3, 4], "", "No prediction yet: put one in place of the dots, and run both cells again."),
        ([4, 3], [3, 4], "", "You said 3, 4, measured: 3, 4. Exactly."),
        ([3, 4, 7], [3, 4, 6], "", "You said 3, 4, 7, measured: 3, 4, 6. So: 6 too, not 7."),
        ([], [5, 6], "", "You said none, measured: 5, 6. So: 5, 6 too."),
        (5, [], "", "You said 5, measured: none. So: not 5."),
        ("3, 4", [3], "", "A prediction here is a list of numbers, such as [2, 3], or [] for none. Measured: 3."),
        ([True], [3], "", "A prediction here is a list of numbers, such as [2, 3], or [] for none. Measured: 3."),
        ("factory/scratch:slim", "scratch", "", "You said factory/scratch:slim. Not so: it is scratch."),
    ],
)
def test_a_prediction_is_scored_in_words(guess, measured, unit, says):
    assert verdict(guess, measured, unit) == says


def test_conclusions_are_plain_booleans_in_text(capsys):
    import numpy

    workshop.conclude({"it is so": numpy.bool_(True), "it is not": 0})
    assert capsys.readouterr().out == "it is so: True\nit is not: False\n"


def test_the_limits_of_the_checks_are_where_their_sentences_say():
    assert check.saves(1_000_000, 3_000_000, 2) and not check.saves(1_000_001, 3_000_000, 2)
    assert check.saves(1, 2, 0) and not check.saves(2, 2, 0)
    assert check.is_below(1_999_999, 2) and not check.is_below(2_000_000, 2) and check.is_below(0, 0)
