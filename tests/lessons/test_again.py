"""A learner runs cells again, and goes back: each lesson runs twice in one kernel, and says the same both times."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
IGNORED = "nbval-ignore-output"


def said(cell) -> str:
    """What a cell prints, as text."""
    return "".join(
        output.get("text", "") or output.get("data", {}).get("text/plain", "") + "\n".join(output.get("traceback", []))
        for output in cell.outputs
    )


@pytest.mark.attempts
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_that_is_run_again_says_the_same(path, client):
    """The cells that nbval compares, against what is stored; the others must not fail."""
    notebook = nbformat.read(path, as_version=4)
    lesson = [cell for cell in notebook.cells if cell.cell_type == "code"]
    stored = [said(cell) for cell in lesson]
    again = [
        nbformat.v4.new_code_cell(cell.source, metadata={"tags": cell.metadata.get("tags", [])}) for cell in lesson
    ]
    notebook.cells = lesson + again
    NotebookClient(
        notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOKS)}}
    ).execute()
    for cell, second, before in zip(lesson, again, stored):
        if IGNORED not in cell.metadata.get("tags", []):
            assert said(cell) == before == said(second), cell.source
