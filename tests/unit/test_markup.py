"""What a notebook shows as HTML: text stays text, figures stand to the right, and news has a sign beside its colour."""

from __future__ import annotations

import html
import re
from importlib.metadata import distribution
from pathlib import Path

import pandas as pd
import pytest
import workshop
from contrast import contrast
from workshop import markup
from workshop.lesson.check import Verdict
from workshop.lesson.conclusions import Conclusions, recap
from workshop.lesson.tables import Table
from workshop.progress import Row, _row_html

COMMAND = r"RUN sed 's/\(a\)/\[b\]/' <$HOME/x >$HOME/y && echo \begin{x}"


def runs(page: str) -> list[str]:
    """The texts between tags: MathJax looks for mathematics within each of them."""
    return [html.unescape(run) for run in re.split(r"<[^>]*>", page)]


@pytest.mark.parametrize(
    "page",
    [
        markup.as_html(COMMAND),
        Table(pd.DataFrame({"created_by": [COMMAND]}))._repr_html_(),
        Verdict("not yet", COMMAND)._repr_html_(),
        Conclusions({COMMAND: True})._repr_html_(),
        _row_html(Row(COMMAND, group=COMMAND, detail=COMMAND)),
    ],
)
def test_text_is_shown_as_it_is_and_is_no_mathematics(page):
    assert COMMAND in "".join(runs(page)), "what is read is what was written"
    assert not [run for run in runs(page) if run != "$" and "$" in run or run != "\\" and "\\" in run]


def test_a_recap_may_speak_of_dollars():
    said = recap("from $0.10 to $0.09", "with `RUN echo $A $B`").data
    assert "$" not in re.sub(r"`[^`]*`", "", said) and "`RUN echo $A $B`" in said
    assert html.unescape(re.sub(r"<[^>]*>", "", said)).startswith("- from $0.10 to $0.09\n")


def test_a_frame_that_pandas_shows_is_no_mathematics_either():
    page = pd.DataFrame({"created_by": ["RUN echo $A $B"]})._repr_html_()
    assert re.search(r'<table [^>]*class="[^"]*mathjax_ignore', page)


def test_a_table_shows_whole_paths_and_bytes_as_megabytes():
    path = "/very/" * 20 + "<long>"
    shown = workshop.table(pd.DataFrame({"path": [path], "bytes": [1_500_000]}))
    assert path in repr(shown) and "1.5 MB" in repr(shown)
    assert "&lt;long&gt;" in shown._repr_html_() and "1.5 MB" in shown._repr_html_()


@pytest.mark.parametrize(
    "values, right, breaks",
    [
        ([1, 20], True, False),
        ([1.5, 20.0], True, False),
        (["0 bytes", "1 byte", "15.6 MB", "13.1 kB"], True, False),
        (["4 min 49 s", "12 s"], True, False),
        (["$0.05", "$1,232.54"], True, False),
        (["10 Mbit/s", "1000 Mbit/s"], True, False),
        (["0.53 GB"], True, False),
        ([True, False], False, False),
        (["deleted", "overwritten"], False, False),
        (["2, 10", "4"], False, False),
        (["/app/" * 10], False, True),
        (["12 files in /app", "3 s"], False, False),
    ],
)
def test_figures_stand_to_the_right_and_only_long_text_is_broken(values, right, breaks):
    page = Table(pd.DataFrame({"a": values}))._repr_html_()
    cells = re.findall(r'<td style="([^"]*)">', page)
    head = re.search(r'<th style="([^"]*)">', page)[1]
    assert len(cells) == len(values) and len(set(cells)) == 1
    assert ("text-align: right" in cells[0]) == ("text-align: right" in head) == right
    assert ("overflow-wrap: anywhere" in cells[0]) == breaks
    assert breaks or re.search(r"white-space: (nowrap|pre)(;|$)", cells[0])
    assert "white-space: nowrap" in head


def test_the_panels_seconds_are_in_one_piece():
    assert re.search(r'white-space: nowrap">1 min 14 s</td></tr>$', _row_html(Row("RUN make", state="done", took=74)))


@pytest.mark.parametrize("state, sign", [("passed", "✓"), ("not yet", "○"), ("not attempted", "–")])
def test_a_verdict_has_a_sign_beside_its_colour_and_the_same_words_as_text(state, sign):
    verdict = Verdict(state, "what was seen")
    assert repr(verdict) == f"{state}: what was seen"
    assert "".join(runs(verdict._repr_html_())) == f"{sign} {state}: what was seen"
    assert markup.colour(state) in verdict._repr_html_()


def test_a_claim_that_does_not_hold_is_a_finding_and_looks_like_no_failed_check():
    page = Conclusions({"the app answers": True, "the app opens the compiler": False})._repr_html_()
    said = "".join(runs(page.replace("</div>", "\n</div>")))
    assert said == "✓ found: the app answers\n≠ not so here: the app opens the compiler\n"
    assert markup.PURE["measured"] in page and markup.PURE["not yet"] not in page


def theme(name: str) -> dict[str, tuple[float, ...]]:
    """JupyterLab's own colours, by variable."""
    share = Path(distribution("jupyterlab").locate_file("../../../share/jupyter/lab/themes/@jupyterlab")).resolve()
    text = (share / f"theme-{name}-extension" / "index.css").read_text(encoding="utf-8")
    given = dict(re.findall(r"(--[\w-]+):\s*([^;}]+)", text))

    def of(value: str) -> tuple[float, ...]:
        value = {"white": "#fff", "black": "#000"}.get(value, value)
        if inner := re.fullmatch(r"var\(--[\w-]+, ?(.+)\)", value):  # Material's own, with its value behind it
            return of(inner[1])
        if value.startswith("#"):
            digits = value[1:] if len(value) > 4 else "".join(digit * 2 for digit in value[1:])
            return tuple(int(digits[at : at + 2], 16) for at in (0, 2, 4))
        red, green, blue, *alpha = [float(part) for part in re.findall(r"[\d.]+", value)]
        behind = 255 if name == "light" else 17
        share = alpha[0] if alpha else 1
        return tuple(behind + (part - behind) * share for part in (red, green, blue))

    wanted = ("success-color1", "warn-color1", "info-color1", "ui-font-color1", "content-font-color1", "layout-color0")
    return {f"--jp-{one}": of(given[f"--jp-{one}"]) for one in wanted}


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("kind", list(markup.PURE))
def test_news_can_be_read_in_both_themes(name, kind):
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    given = theme(name)
    pure = given[re.match(r"var\((--[\w-]+)", markup.PURE[kind])[1]]
    words, behind = given["--jp-content-font-color1"], given["--jp-layout-color0"]
    mixed = tuple((one * markup.SHARE + other * (100 - markup.SHARE)) / 100 for one, other in zip(pure, words))
    assert contrast(mixed, behind) >= 4.5
    assert contrast(given["--jp-ui-font-color1"], behind) >= 4.5


def test_what_is_hidden_by_no_layer_has_no_number():
    shown = Table(pd.DataFrame({"path": ["/a", "/b"], "hidden_by_layer": [-1, 3]}))
    assert list(shown.frame["hidden_by_layer"]) == ["", 3]
