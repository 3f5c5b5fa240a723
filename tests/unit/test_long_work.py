"""How long work still takes is worked out from what has passed, and the log stays out of what is shown."""

from __future__ import annotations

import re

import pytest
from workshop.bases import debian_root, long_work, standins
from workshop.bases.long_work import Estimate, Part, follow

PARTS = (Part("step 1/", 10, "fetching"), Part("step 2/", 30, "compiling"), Part("step 3/", 20, "packing"))


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch):
    """As in a process that has not made anything yet."""
    monkeypatch.setattr(long_work, "_seen", type(long_work._seen)(maxlen=6))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def hear(estimate: Estimate, clock: Clock, line: str, after: float) -> None:
    clock.now += after
    estimate.hear(line)


def test_before_anything_was_seen_the_recipe_is_believed(clock):
    estimate = Estimate(PARTS, clock)
    assert (estimate.left(), estimate.fraction(), estimate.words) == (60, 0, "")
    hear(estimate, clock, "Step 1/3 : RUN apt-get update", 0)
    assert (estimate.left(), estimate.words) == (60, "fetching")
    clock.now += 4
    assert estimate.left() == 56


def test_a_machine_that_is_three_times_as_slow_is_noticed_after_the_first_part(clock):
    estimate = Estimate(PARTS, clock)
    hear(estimate, clock, "STEP 1/3: RUN x", 0)
    hear(estimate, clock, "STEP 2/3: RUN y", 30)  # 10 were expected
    assert estimate.left() == 3 * (30 + 20)
    assert estimate.fraction() == 30 / 180
    clock.now += 45
    assert estimate.left() == 105 and str(estimate) == "about 2 min left"


def test_a_part_that_outlasts_its_time_makes_all_that_follows_longer(clock):
    """After 54 of 30 seconds: done to 90 %, so 6 are left of 60; and the last part takes twice 20."""
    estimate = Estimate(PARTS, clock)
    hear(estimate, clock, "step 2/3", 0)
    clock.now += 54
    assert estimate.left() == pytest.approx(6 + 40)
    assert str(estimate) == "about 45 s left"


def test_what_came_from_the_cache_says_nothing_of_the_machine(clock):
    estimate = Estimate(PARTS, clock)
    for line in ("step 1/3", "step 2/3"):
        hear(estimate, clock, line, 0.1)
    assert estimate.left() == 50
    hear(estimate, clock, "step 3/3", 0.1)
    assert estimate.left() == 20


def test_the_next_piece_of_work_begins_with_what_this_machine_has_shown(clock):
    first = Estimate(PARTS, clock)
    for line in ("step 1/3", "step 2/3", "step 3/3"):
        hear(first, clock, line, 20)
    clock.now += 40
    first.finish()
    assert first.left() == 0 and first.fraction() == 1 and first.words == ""
    assert Estimate(PARTS, clock).left() == pytest.approx(60 * (20 + 20 + 40) / 60)


def test_a_bar_never_goes_back(clock):
    estimate = Estimate(PARTS, clock)
    shown = []
    for line in ("step 1/3", "", "", "step 2/3", "", "", "", "", "", "step 3/3", "", ""):
        hear(estimate, clock, line, 9)
        shown.append(estimate.fraction())
    assert shown == sorted(shown) and 0 < shown[-1] < 1


def test_a_log_that_says_none_of_what_was_expected_does_no_harm(clock):
    estimate = Estimate(PARTS, clock)
    hear(estimate, clock, "[1/2] STEP 1/9: RUN x", 500)
    assert 0 < estimate.fraction() < 1 and estimate.left() == 60
    assert Estimate((), clock).left() == 0


def test_it_is_told_what_is_done_and_not_what_a_package_manager_says():
    said: list[str] = []
    log = [
        "Step 1/3 : RUN apt-get",
        "Get:1 http://deb.debian.org/debian",
        "Step 3/3 : COPY x y",
        "Step 4/4 : CMD z",
        "",
    ]
    tail = follow(log, "the first step", said.append, Estimate(PARTS))
    assert said == ["step 1 of 3: fetching", "step 3 of 3: packing", "step 4 of 4: packing"]
    assert tail == log[:-1]


def test_where_it_is_slow_the_end_is_told_before_it_is_there(clock):
    """A stand-in for python:3.11-alpine as it went on a busy machine: 13 minutes, where the recipe says 4."""
    estimate = Estimate((*debian_root.PARTS, *standins._RECIPES["python:3.11-alpine"].parts), clock)
    told = []
    for line, at in (
        ("Step 3/19 : RUN echo", 1),
        ("Step 6/19 : RUN sh", 19),
        ("configuring CPython for musl", 182),
        ("compiling CPython for musl", 275),
        ("", 400),
        ("Step 13/19 : COPY", 774),
    ):
        clock.now = 100.0 + at
        estimate.hear(line)
        told.append(at + estimate.left())
    assert told[0] < 250, "nothing was known yet"
    assert all(500 < total < 800 for total in told[2:]), told


@pytest.mark.parametrize("name", standins.NAMES)
def test_each_part_is_a_step_of_its_recipe_that_takes_time(name):
    """Whoever changes a recipe sees here that its parts have other numbers now."""
    context = {path: text.decode() for path, text in standins._context(name).items()}
    text = re.sub(r"\\\n|^\s*#.*\n", "", context.pop("Dockerfile"), flags=re.M)
    steps = [line for line in text.splitlines() if line]
    for part in standins._RECIPES[name].parts:
        if number := re.fullmatch(r"step (\d+)/", part.begins):
            assert steps[int(number[1]) - 1].split()[0] in ("RUN", "COPY"), part
        else:
            assert any(re.search(rf'^echo "{part.begins}', script, re.M) for script in context.values()), part
    runs = [number for number, line in enumerate(steps, 1) if line.startswith("RUN")]
    told = [part.begins for part in standins._RECIPES[name].parts]
    covered = [number for number in runs if f"step {number}/" in told]
    assert len(covered) + sum("step" not in begins for begins in told) >= len(runs)
