"""A figure in a lesson's prose comes from a cell: what was typed there was measured once, somewhere else."""

from __future__ import annotations

import re

import nbformat
import pytest
from at_hand import NOTEBOOKS

LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
UNITS = r"[kKMGT]i?B|bytes|s|ms|seconds?|min|minutes?|hours?|%|percent|×|times|files|packages|layers|commands"
MEASURED = re.compile(
    rf"(?<![\w.])(?:\\?[$€]\d[\d.,]*\d|\d[\d.,]*(?:[–-]\d[\d.,]*)?[ \u00a0]?(?:{UNITS})(?:/s)?(?!\w))"
)
MINUTES = re.compile(r"^\*\*\d+ minutes\*\*", re.M)  # what a lesson takes

# (lesson's number, figure as it stands there): why it may.
MAY = {
    ("00", "30 bytes"): "the greeting's own length, whoever builds it",
    ("00", "5 MB"): "the exercise asks for it",
    ("02", "200 bytes"): "the app's source, which the same page shows",
    ("02", "500 MB"): "the exercise asks for it",
    ("04", "1 MB"): "the exercise asks for it",
    ("04", "10 MB"): "the exercise asks for it",
    ("04", "512 bytes"): "the tar format says so",
    ("05", "5 MB"): "the exercise asks for it",
    **{(number, "900 MB"): "said by the text that the series grew from" for number in ("00", "02", "03", "04")},
    **{(number, "120–150 MB"): "said by the text that the series grew from" for number in ("00", "03", "04")},
}


def typed(path) -> list[str]:
    """Figures with a unit in a lesson's Markdown; code within it is quoted from a cell or a Dockerfile."""
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    prose = re.sub(r"```.*?```|`[^`\n]*`|\]\([^)]*\)", " ", "\n".join(cells), flags=re.S)
    prose = MINUTES.sub("", prose)
    return [re.sub(r"\s|\u00a0", " ", found) for found in MEASURED.findall(prose)]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_no_measured_figure_is_typed_into_the_prose(path):
    assert [figure for figure in typed(path) if (path.stem[:2], figure) not in MAY] == []


def test_a_typed_figure_would_be_seen(tmp_path):
    said = (
        "It weighs 643.2 MB, pulls at 12 MB/s in 3.5 s, holds **1,024 bytes**; line 3, Python 3.11 and `5 kB` are none. "
        "97.5 % stay, 12 times less, 3,456 files, \\$0.10 a month, after 2 minutes; stage 2 and 2 stages are none."
    )
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(said)]), tmp_path / "x.ipynb")
    assert typed(tmp_path / "x.ipynb") == [
        *("643.2 MB", "12 MB/s", "3.5 s", "1,024 bytes"),
        *("97.5 %", "12 times", "3,456 files", "\\$0.10", "2 minutes"),
    ]
