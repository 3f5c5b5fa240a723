"""Which stages of a build were at work at the same time."""

from __future__ import annotations

import pandas as pd


def side_by_side(steps: pd.DataFrame) -> list[tuple[str, str]]:
    """Pairs of stages that had steps running at the same time, in the file's order.

    steps: of one build, as in `Build.steps`: columns stage, status, began, ended.
    """
    ran = steps[(steps["status"] == "run") & (steps["ended"] > steps["began"])]
    stages = [
        (name, list(zip(own["began"], own["ended"]))) for name, own in ran.groupby("stage", sort=False, observed=True)
    ]
    return [
        (a, b)
        for number, (a, ones) in enumerate(stages)
        for b, others in stages[number + 1 :]
        if any(max(one[0], other[0]) < min(one[1], other[1]) for one in ones for other in others)
    ]
