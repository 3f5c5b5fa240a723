"""A figure shown with its sentence: what is read, what is folded, and that no text turns into markup or mathematics."""

import pandas as pd
import pytest
import workshop
from hand import frame_of
from workshop import charts
from workshop.charts.show import Caption

SIZES = pd.DataFrame({"image": ["big", "mid", "small"], "bytes": [900_000_000, 200_000_000, 100_000_000]})


def figure(words: str):
    drawn = charts.sizes(SIZES)
    drawn.layout.meta = {"title": "The title", "words": words}
    return drawn


def test_the_first_sentence_is_the_name_and_the_rest_is_folded():
    shown = Caption(charts.sizes(SIZES))._repr_html_()
    name = "small is 9.0 times smaller than big: 100.0 MB against 900.0 MB."
    assert f'role="img" aria-label="{name}">{name}</p>' in shown
    assert "<summary>The picture in words</summary>big: 900.0 MB, mid: 200.0 MB, small: 100.0 MB.</details>" in shown


@pytest.mark.parametrize(
    "words, sentence, more",
    [
        ("All of it.", "All of it.", ""),
        ("Half is X: RUN sh . setup (3.1 MB). The rest is Y.", "Half is X: RUN sh . setup (3.1 MB).", "The rest is Y."),
        ("python:3.11 has 1.5 MB.", "python:3.11 has 1.5 MB.", ""),
        ("Line 1: a. b.\nLine 2: c.", "The title", "Line 1: a. b.\nLine 2: c."),
    ],
)
def test_words_are_parted_after_their_first_sentence(words, sentence, more):
    assert charts.style.told(figure(words)) == (sentence, more)


def test_a_command_in_a_sentence_stays_text():
    shown = Caption(figure('RUN echo "<b>$HOME</b>" $A adds 1 MB. $B & more.'))._repr_html_()
    assert "<b>$" not in shown and "&quot;&lt;b&gt;<span>&#36;</span>HOME" in shown
    assert "<span>&#36;</span>B &amp; more." in shown


def test_a_terminal_reads_all_of_it():
    assert repr(Caption(figure("One. Two."))) == "One.\nTwo."


def test_show_displays_sentence_and_figure_and_returns_nothing(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    drawn = charts.sizes(SIZES)
    assert workshop.show(drawn) is None
    assert isinstance(shown[0], Caption) and shown[1] is drawn and len(shown) == 2


def test_a_recipe_is_text_that_a_notebook_shows_as_a_dockerfile():
    recipe = workshop.dockerfile("hello")
    assert (
        recipe.startswith("FROM busybox:1.37\n")
        and recipe._repr_markdown_() == f"```dockerfile\n{recipe.rstrip()}\n```"
    )
    assert charts.in_words(charts.floor(recipe)).startswith("Line 1, FROM: ")


def test_the_second_opinion_names_both_counts_and_why(capsys):
    layers = [{"folder": None, "folder/a": bytes(2_000_000), "b": bytes(6_000_000)}, {".wh.folder": b""}]
    files = frame_of(layers)
    capsys.readouterr()
    workshop.second_opinion(files)
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["ours:   2.0 MB wasted, 75.0% efficient", "dive's: 0 bytes wasted, 100.0% efficient"]
    assert " ".join(said[2:]).startswith("dive does not count 2.0 MB below folders") and max(map(len, said)) <= 76
