"""Every exercise check, on the built image: untouched, wrong in each known way, right in each known way.

The attempts stand in `exercises/`, where the notebooks' cells come from, too. A lesson's cells run once, in order, up to
each exercise, as a learner's would.
"""

from __future__ import annotations

import re
from pathlib import Path

import exercises
import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


@pytest.fixture
def in_notebooks(monkeypatch):
    monkeypatch.chdir(NOTEBOOKS)


@pytest.mark.attempts
@each_lesson
def test_each_check_tells_untouched_wrong_and_right_apart(path, client, in_notebooks):
    learner: dict = {}
    waiting = {exercise.number: exercise for exercise in exercises.of_lesson(path)}
    for cell in nbformat.read(path, as_version=4).cells:
        number = cell.metadata.get("exercise")
        if not number and cell.cell_type == "code":
            exec(cell.source, learner)
        elif number in waiting and cell.cell_type == "markdown":  # the last of its cells
            every_verdict_is_deserved(waiting.pop(number), learner)
    assert not waiting


def every_verdict_is_deserved(exercise: exercises.Exercise, learner: dict) -> None:
    def verdict(attempt: str):
        exec(attempt, learner)
        *before, last = re.split(r"\n(?=check\.)", exercise.check.strip())
        for line in before:
            exec(line, learner)
        return eval(last, learner)

    found = verdict(exercise.cell([]))
    assert found.state == "not attempted", f"{exercise.number}, untouched: {found}"
    for name, (attempt, says) in exercise.wrong.items():
        found = verdict(exercise.cell(attempt))
        assert found.state == "not yet" and says in found.words, f"{exercise.number}, {name}: {found}"
    for name, attempt in exercise.right.items():
        found = verdict(exercise.cell(attempt))
        assert found.state == "passed", f"{exercise.number}, {name}: {found}"


@each_lesson
def test_the_notebook_has_the_exercises_as_they_are_written(path):
    notebook = nbformat.read(path, as_version=4)
    there = [
        (cell.metadata.exercise, cell.cell_type, cell.metadata.get("tags"), cell.source)
        for cell in notebook.cells
        if "exercise" in cell.metadata
    ]
    written = [
        (one.metadata.exercise, one.cell_type, one.metadata.get("tags"), one.source)
        for exercise in exercises.of_lesson(path)
        for one in exercises.cells_of(exercise)
    ]
    assert there == written, "the notebook's exercises are older than exercises/: run refresh.py"


@each_lesson
def test_a_backslash_in_a_recipe_stays_one(path):
    """`\\` ends a Dockerfile's line that goes on, and `\\n` is for its shell: in a text that is not raw, both are Python's."""
    for exercise in exercises.of_lesson(path):
        opening = re.findall(r'(\w*)"""\n\s*FROM', exercise.start)
        assert set(opening) <= {"r"}, exercise.number


@each_lesson
def test_every_exercise_has_wrong_attempts_and_more_than_one_right_one(path):
    written = exercises.of_lesson(path)
    assert len(written) >= 2
    for exercise in written:
        assert exercise.hint and exercise.wrong and len(exercise.right) >= 2, exercise.number
        cells = [exercise.cell(attempt) for attempt, _ in exercise.wrong.values()]
        cells += [exercise.cell(attempt) for attempt in exercise.right.values()]
        assert len({exercise.cell([]), *cells}) == len(cells) + 1, f"{exercise.number}: two attempts are the same"


def sample(number: str = "77.1") -> exercises.Exercise:
    return exercises.Exercise(
        number, "a = 1", "check.that(a)", "Look.", {"x": ("a = 3", "")}, {"y": [("1", "2")]}, "So."
    )


def test_an_exercise_is_put_below_its_heading_and_later_over_itself():
    new = nbformat.v4
    prose = [new.new_markdown_cell("## Your turn"), new.new_markdown_cell("### Exercise 77.1 · One\n\nDo it.")]
    notebook = new.new_notebook(cells=[*prose, new.new_markdown_cell("## The end")])
    exercises.put_into(notebook, [sample()])
    once = [cell.source for cell in notebook.cells]
    assert once[2:4] == ["a = 1", "check.that(a)"] and once[-1] == "## The end"
    assert once[4] == (
        "<details><summary>Hint 77.1</summary>\n\nLook.\n\n</details>\n\n"
        "<details><summary>Solution 77.1</summary>\n\n```python\na = 2\n```\n\nSo.\n\n</details>"
    )
    notebook.cells[2].source = "changed by hand"
    exercises.put_into(notebook, [sample()])
    assert [cell.source for cell in notebook.cells] == once
    with pytest.raises(ValueError, match="no heading `### Exercise 77.2"):
        exercises.put_into(notebook, [sample("77.2")])


def test_an_attempt_that_does_not_fit_its_start_is_refused():
    with pytest.raises(ValueError, match="the start has no 'b'"):
        sample().cell([("b", "c")])
