"""Every committed notebook keeps the form of a lesson: what nbval cannot see."""

from __future__ import annotations

import html
import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
IGNORED = "nbval-ignore-output"
FIGURE = "application/vnd.plotly.v1+json"
MEDIAN, LONGEST = 5, 20  # lines of a code cell
WORDS = 90  # of a cell of prose, without what is folded, code blocks and tables

# What a learner's cell does not need: a helper has a name that says it (find, visible, by_image, …).
SURGERY = re.compile(
    r"\.(loc|iloc|at|iat|melt|pivot\w*|groupby|agg|apply|map|merge|assign|rename|fillna|set_index|reset_index|idxm\w+"
    r"|nunique|query|str)\b|\blambda\b|\bre\.|\bpandas\b|\bpd\."
)
# The one cell that opens an image by hand, to show that Python's own modules will do.
BY_HAND = {"05_layers": "import json, tarfile, tempfile"}

# Cells with these show measurements or progress, which vary; everything else that prints is compared by nbval.
pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str = "code") -> list:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def text(cell) -> str:
    """What a cell's stored outputs print."""
    return "".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)


def without_code(markdown: str) -> str:
    """Markdown's prose: no fenced block, nothing in backticks."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", markdown, flags=re.S)


def text_runs(page: str) -> list[str]:
    """The pieces of text in HTML in which MathJax looks for mathematics: from tag to tag, and not in code."""
    prose = re.sub(r"<(code|pre|script|style)\b.*?</\1>", "<br>", page, flags=re.S)
    return [html.unescape(run) for run in re.split(r"<[^>]*>", prose)]


def test_it_was_executed_in_order_from_a_clean_kernel(path):
    counts = [cell.execution_count for cell in cells(path)]
    assert counts == list(range(1, len(counts) + 1))


def test_no_output_is_an_error_or_a_warning(path):
    outputs = [output for cell in cells(path) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def test_it_opens_with_number_minutes_needs_and_objective(path):
    first = nbformat.read(path, as_version=4).cells[0].source
    number = int(path.stem[:2])
    opening = re.match(rf"# {number} · .+\n\n\*\*(\d+) minutes\*\* · needs .+\n\nAfterwards you .+", first)
    assert opening
    readme = (path.parents[1] / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| {path.stem[:2]} \| \[.+\]\(notebooks/{path.name}\) \| {opening[1]} \| .+ \|$", readme, re.M)


def test_it_closes_with_a_way_to_the_next_lesson(path):
    last = cells(path, "markdown")[-1].source
    after = NOTEBOOKS[NOTEBOOKS.index(path) + 1 :]
    assert "**Next:** " in last
    assert not after or f"({after[0].name})" in last


def test_predictions_come_before_they_are_scored(path):
    sources = [cell.source for cell in cells(path)]
    guesses = {
        name: at for at, source in enumerate(sources) for name in re.findall(r"^(\w*guess) = \.\.\.", source, re.M)
    }
    scored = {name: at for at, source in enumerate(sources) for name in re.findall(r"score\((\w+),", source)}
    assert guesses and set(guesses) == set(scored)
    assert all(guesses[name] < scored[name] for name in guesses)


def test_it_has_two_exercises_each_with_a_check_and_a_folded_solution(path):
    notebook = nbformat.read(path, as_version=4)
    numbered = [cell for cell in notebook.cells if "exercise" in cell.metadata]
    numbers = sorted({cell.metadata["exercise"] for cell in numbered})
    assert len(numbers) >= 2
    for number in numbers:
        start, check, solution = (cell for cell in numbered if cell.metadata["exercise"] == number)
        assert "exercise" in tags(start) and "check" in tags(check) and IGNORED not in tags(check)
        assert text(check).startswith("not attempted: ")
        assert solution.cell_type == "markdown" and solution.source.startswith("<details><summary>Hint")
        assert f"<details><summary>Solution {number}</summary>" in solution.source
        assert re.search(r"\n```python\n.+\n```\n", solution.source, re.S)


def test_a_conclusion_is_stored_and_compared(path):
    concluding = [cell for cell in cells(path) if "workshop.conclude(" in cell.source]
    assert concluding and not [cell for cell in concluding if IGNORED in tags(cell)]
    lines = "\n".join(filter(None, (text(cell).rstrip("\n") for cell in concluding))).splitlines()
    assert len(lines) >= 3 and all(re.fullmatch(r".+: (True|False)", line) for line in lines)


def test_it_ends_with_a_recap_and_the_way_on(path):
    notebook = nbformat.read(path, as_version=4)
    assert any(cell.source == "## What you can now claim" for cell in notebook.cells)
    assert "workshop.recap(" in cells(path)[-1].source
    assert "**Next:**" in notebook.cells[-1].source


def test_a_link_leads_to_a_file_that_is_there(path):
    for cell in cells(path, "markdown"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", cell.source):
            assert (path.parent / target).exists(), target


def test_cells_are_short(path):
    lengths = sorted(len(cell.source.splitlines()) for cell in cells(path))
    assert lengths[len(lengths) // 2] <= MEDIAN and lengths[-1] <= LONGEST


def test_prose_comes_in_small_pieces(path):
    for cell in cells(path, "markdown"):
        seen = re.sub(r"<details>.*?</details>|```.*?```|^\|.*?$", "", cell.source, flags=re.S | re.M)
        assert len(seen.split()) <= WORDS, f"{len(seen.split())} words: {seen[:80]}…"


def test_workshop_is_all_that_is_imported(path):
    imported = [line for cell in cells(path) for line in cell.source.splitlines() if re.match(r"(from|import)\b", line)]
    assert imported == ["import workshop", *([BY_HAND[path.stem]] if path.stem in BY_HAND else [])]


def test_no_cell_takes_a_frame_apart(path):
    for cell in cells(path):
        assert not (found := SURGERY.search(cell.source)), f"{found[0]} in:\n{cell.source}"


def test_no_dollar_begins_mathematics(path):
    """JupyterLab makes mathematics of what stands between two dollars, in Markdown with a backslash before them, too."""
    prose = [without_code(cell.source) for cell in cells(path, "markdown")]
    shown = [output.get("data", {}) for cell in cells(path) for output in cell.outputs]
    prose += [without_code("".join(data["text/markdown"])) for data in shown if "text/markdown" in data]
    assert [text for text in prose if "$" in text] == []
    assert [run for data in shown for run in text_runs("".join(data.get("text/html", ""))) if run.count("$") > 1] == []


def test_every_figure_has_its_sentence_and_a_static_picture(path):
    drawn = 0
    for cell in cells(path):
        for before, output in zip([None, *cell.outputs], cell.outputs):
            if FIGURE not in output.get("data", {}):
                continue
            drawn += 1
            assert "image/png" in output["data"], "GitHub shows no Plotly figure without it"
            assert "workshop.show(" in cell.source and IGNORED in tags(cell)
            assert re.match(r'<p [^>]*role="img" aria-label="[^"]+', before["data"]["text/html"])
    assert drawn >= 1


def test_no_output_names_this_machine(path):
    stored = path.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|work|tmp|Users)/\w", stored)
