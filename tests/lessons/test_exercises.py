"""Every exercise check, on the built image, three ways: untouched, wrong, right.

The right way is the notebook's own folded solution; the wrong ones stand here. A lesson's cells run once, in order, up
to each exercise, as a learner's would.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))

# For each exercise: what to change in the starting cell, so that it is an attempt, and a wrong one.
WRONG = {
    "00.1": ("> /hello.txt", "> /hello.txt && touch /mine"),  # changed, but it still says the same
    "00.2": ("CMD [", "RUN dd if=/dev/zero of=/tmp/ballast bs=1M count=5\nCMD ["),  # a layer more, the file elsewhere
    "01.1": ("FROM busybox:1.37", "FROM python:3.11-slim"),  # another box, and a larger one
    "01.2": (
        "CMD [",
        "COPY --from=floor /usr/bin/gcc /usr/local/share/\nCOPY widget.c /usr/local/share/slip.txt\nCMD [",
    ),  # with a tool
    "02.1": ("RUN pip", "RUN rm -rf /usr/lib/gcc && pip"),  # hidden is not gone
    "02.2": ("EXPOSE 5000", "RUN rm -rf /usr/lib/git-core\nEXPOSE 5000"),  # the wrong thing swept up
    "03.1": ('"Dockerfile.multi", target=None', '"Dockerfile.single", target=None'),
    "03.2": (
        "FROM python:3.11-alpine",
        'FROM builder AS test\nENV PYTHONPATH=/install/lib/python3.11/site-packages\nRUN python -c "import flask"\n\n'
        "FROM python:3.11-alpine\nCOPY --from=test /app/requirements.txt /inspected.txt",
    ),  # the inspector rides along
    "04.1": ("FROM python:3.11-alpine", "FROM python:3.11"),  # another base than the server's, and a larger one
    "04.2": ("FROM python:3.11-slim", "FROM python:3.11-alpine"),  # smaller, on a base that the team does not have
    "05.1": (
        "catalogue.py > parts.csv\nRUN sort -o parts.csv parts.csv",
        "catalogue.py | sort > parts.csv",
    ),  # two of the lines
    "05.2": ("RUN rm netrc", "RUN rm netrc catalogue.py"),  # a tidier whiteout
}


def solution(markdown: str) -> str:
    return re.search(r"```python\n(.*?)\n```", markdown, re.S)[1]


@pytest.fixture
def in_notebooks(monkeypatch):
    monkeypatch.chdir(NOTEBOOKS)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_check_tells_untouched_wrong_and_right_apart(path, client, in_notebooks):
    learner: dict = {}
    numbered: dict[str, dict] = {}
    for cell in nbformat.read(path, as_version=4).cells:
        number = cell.metadata.get("exercise")
        if not number:
            if cell.cell_type == "code":
                exec(cell.source, learner)
            continue
        parts = numbered.setdefault(number, {})
        parts["solution" if cell.cell_type == "markdown" else cell.metadata["tags"][0]] = cell.source
        if len(parts) == 3:
            assert_three_ways(number, parts, learner)
    assert len(numbered) >= 2


def assert_three_ways(number: str, parts: dict[str, str], learner: dict) -> None:
    def verdict(attempt: str):
        exec(attempt, learner)
        *before, last = re.split(r"\n(?=check\.)", parts["check"])
        for line in before:
            exec(line, learner)
        return eval(last, learner)

    old, new = WRONG[number]
    assert old in parts["exercise"], f"{number}: the wrong attempt no longer fits the exercise"
    found = verdict(parts["exercise"].replace(old, new))
    assert found.state == "not yet", f"{number}, wrong: {found}"
    found = verdict(solution(parts["solution"]))
    assert found.state == "passed", f"{number}, right: {found}"
    found = verdict(parts["exercise"])
    assert found.state == "not attempted", f"{number}, untouched: {found}"


def test_every_exercise_has_a_wrong_attempt_here():
    numbers = {
        cell.metadata["exercise"]
        for path in LESSONS
        for cell in nbformat.read(path, as_version=4).cells
        if "exercise" in cell.metadata
    }
    assert numbers == set(WRONG)


def test_the_exercises_run_where_the_notebooks_are(in_notebooks):
    assert os.path.exists("../sample_apps/flask_hello/Dockerfile.multi")
