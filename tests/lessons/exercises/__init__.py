"""The lessons' exercises, each written once: the notebooks' cells are made from here, and the tests try every attempt.

To write one for lesson 06, add `Exercise("06.1", …)` to the list in lesson_06.py, and to the notebook a cell of prose
that begins `### Exercise 06.1 · Its title`. `python tests/refresh.py notebooks/06_…` puts the cells below it. Fields:
    start    the cell that the learner changes; run as it is, its check says "not attempted"
    check    the cell that ends in `check.that(…)`, and begins `check = workshop.check`
    hint     Markdown that is folded, and says where to look; because: what is said after the solution; lead: before it
    wrong    {what is wrong with it: (attempt, words that the check's hint must have)}, at least one
    right    {what was done: attempt}, at least two that differ in kind; the first is the solution that is shown
An attempt is a whole cell as text, or a list of (old, new) to replace in the start. `python3 tests -k exercises` tries
them all on an engine: untouched, wrong and right must each get the verdict that they deserve.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

Attempt = str | list[tuple[str, str]]

START_TAGS, CHECK_TAGS = ["exercise", "nbval-ignore-output"], ["check"]


@dataclass(frozen=True)
class Exercise:
    """See above. `number` is the lesson's and the exercise's: "06.1"."""

    number: str
    start: str
    check: str
    hint: str
    wrong: dict[str, tuple[Attempt, str]]
    right: dict[str, Attempt]
    because: str = ""
    lead: str = ""

    def cell(self, attempt: Attempt) -> str:
        """What the learner's cell holds after this attempt. Raises ValueError if it does not fit the start."""
        if isinstance(attempt, str):
            return attempt.strip("\n")
        text = self.start.strip("\n")
        for old, new in attempt:
            if old not in text:
                raise ValueError(f"{self.number}: the start has no {old!r}")
            text = text.replace(old, new, 1)
        return text

    def solution(self) -> str:
        """The folded hint and the folded solution: the first of the right attempts."""
        shown = self.cell(next(iter(self.right.values())))
        parts = [self.lead, f"```python\n{shown}\n```", self.because]
        folds = {"Hint": self.hint, "Solution": "\n\n".join(part.strip() for part in parts if part)}
        return "\n\n".join(
            f"<details><summary>{name} {self.number}</summary>\n\n{text}\n\n</details>" for name, text in folds.items()
        )


def of_lesson(path: Path) -> list[Exercise]:
    """The exercises of a notebook, in order; the list is empty where nobody has written any."""
    name = f"{__name__}.lesson_{path.stem[:2]}"
    if not Path(__file__).with_name(f"lesson_{path.stem[:2]}.py").is_file():
        return []
    return importlib.import_module(name).EXERCISES


def cells_of(exercise: Exercise) -> list:
    """The three cells that a notebook has of an exercise: start, check, hint and solution."""
    new = nbformat.v4
    cells = [
        new.new_code_cell(exercise.start.strip("\n"), metadata={"tags": START_TAGS}),
        new.new_code_cell(exercise.check.strip("\n"), metadata={"tags": CHECK_TAGS}),
        new.new_markdown_cell(exercise.solution()),
    ]
    for cell in cells:
        cell.metadata["exercise"] = exercise.number
    return cells


def put_into(notebook, exercises: list[Exercise]) -> None:
    """Write the exercises' cells into the notebook: over those that are there, or else below the exercise's heading."""
    for exercise in exercises:
        there = [cell for cell in notebook.cells if cell.metadata.get("exercise") == exercise.number]
        wanted = cells_of(exercise)
        if len(there) == len(wanted):
            for old, new in zip(there, wanted):
                old.source, old.metadata = new.source, new.metadata
            continue
        notebook.cells = [cell for cell in notebook.cells if cell not in there]
        heading = re.compile(rf"^### Exercise {re.escape(exercise.number)} · ", re.M)
        at = [place for place, cell in enumerate(notebook.cells) if heading.search(cell.source)]
        if not at:
            raise ValueError(f"the notebook has no heading `### Exercise {exercise.number} · …`")
        notebook.cells[at[0] + 1 : at[0] + 1] = wanted
