"""What a build found in the cache and what it ran, when, and what an edit costs: frames from builds that were made."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..analysis.overlap import side_by_side as overlapping
from .build import Build

AT_WORK = ("run", "cached")  # a step that the cache can answer; a FROM and a skipped stage are neither


def ran(build: Build) -> list[int]:
    """The numbers of the steps that ran (from 1, as in `build.steps`); the others were found in the cache, or skipped."""
    return [int(step) for step in build.steps.loc[build.steps["status"] == "run", "step"]]


def printed(build: Build, word: str = "") -> list[str]:
    """The lines that a build's steps printed, in order; with a word, those that have it. A hit prints nothing."""
    lines = [line for step in sorted(build.printed) for line in build.printed[step]]
    return [line for line in lines if word in line]


def side_by_side(build: Build) -> list[tuple[str, str]]:
    """Pairs of stages that had steps running at the same time, in the Dockerfile's order."""
    return overlapping(build.steps)


def timeline(builds: Build | Mapping[str, Build]) -> pd.DataFrame:
    """When each step was at work: one row a step. builds: one, or {what to call it: build}.

    Returns columns build, stage, step, instruction, status ("base", "run", "cached", "skipped"), began, ended (seconds since
    the build's first step began; not a number for a step that did nothing), recorded ("" or where and when).
    """
    named = {builds.tag: builds} if isinstance(builds, Build) else builds
    wanted = ["build", "stage", "step", "instruction", "status", "began", "ended", "recorded"]
    rows = [one.steps.assign(build=name, recorded=one.recorded)[wanted] for name, one in named.items()]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=wanted)


def reruns(builds: Mapping[str, Mapping[str, Build]]) -> pd.DataFrame:
    """What each edit costs each recipe: one row a build that was made after the edit. builds: {recipe: {edit: build}}.

    Returns columns recipe, edit, steps (those that the cache can answer), ran (how many of them ran), seconds (that those
    took), again (their instructions, each on a line).
    """
    rows = []
    for recipe, after in builds.items():
        for edit, build in after.items():
            steps = build.steps
            done = steps[steps["status"] == "run"]
            could = int(steps["status"].isin(AT_WORK).sum())
            again = "\n".join(done["instruction"])
            rows.append((recipe, edit, could, len(done), round(float(done["seconds"].sum()), 3), again))
    return pd.DataFrame(rows, columns=["recipe", "edit", "steps", "ran", "seconds", "again"])
