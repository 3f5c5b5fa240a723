"""A figure shown with its sentence: what is read, what is folded, and that no text turns into markup or mathematics."""

import pandas as pd
import pytest
import workshop
from contrast import contrast
from hand import frame_of
from workshop import charts
from workshop.charts.show import Caption
from workshop.units import wrapped

SIZES = pd.DataFrame({"image": ["big", "mid", "small"], "bytes": [900_000_000, 200_000_000, 100_000_000]})


def figure(title: str, words: str):
    drawn = charts.sizes(SIZES)
    drawn.layout.meta = drawn.layout.meta | {"title": title, "words": words}
    return drawn


def test_the_title_is_the_name_and_what_it_does_not_say_is_folded():
    shown = Caption(charts.sizes(SIZES))._repr_html_()
    name = "small is 9.0 times smaller than big: 100.0 MB against 900.0 MB"
    assert shown.startswith(f'<p role="img" aria-label="{name}"><b>{name}</b></p><details>')
    assert "<summary>The picture in words</summary>big: 900.0 MB, mid: 200.0 MB, small: 100.0 MB.</details>" in shown


@pytest.mark.parametrize(
    "title, words, more",
    [
        ("All of it", "All of it.", ""),
        ("Half\u00a0of it", "Half of it. The rest is Y.", "The rest is Y."),
        ("Half of it", "Half of it (3.1 MB); the rest is Y.", "Half of it (3.1 MB); the rest is Y."),
        ("Two halls", "Line 1: a. b.\nLine 2: c.", "Line 1: a. b.\nLine 2: c."),
    ],
)
def test_nothing_is_folded_that_the_sentence_says(title, words, more):
    assert charts.style.told(figure(title, words)) == (title.replace("\u00a0", " "), more)


def test_a_command_in_a_sentence_stays_text():
    shown = Caption(figure('RUN echo "<b>$HOME</b>" $A', "RUN. $B & more."))._repr_html_()
    assert "<b>$" not in shown and "&quot;&lt;b&gt;<span>&#36;</span>HOME" in shown
    assert "<span>&#36;</span>B &amp; more." in shown


def test_a_terminal_reads_all_of_it():
    assert repr(Caption(figure("One", "One. Two."))) == "One\nTwo."


def test_show_displays_sentence_and_figure_and_returns_nothing(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    drawn = charts.sizes(SIZES)
    assert workshop.show(drawn) is None
    assert isinstance(shown[0], Caption) and shown[1].data == drawn.data and len(shown) == 2
    assert drawn.layout.title.text, "the learner's own figure keeps its title"


def test_a_shown_figure_says_its_title_once_and_takes_no_room_for_another(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    waste = pd.DataFrame(
        [("i", 1, "RUN a", "deleted", 1, 5_000_000)],
        columns=["image", "layer", "created_by", "cause", "files", "bytes"],
    )
    for drawn in (charts.sizes(SIZES), charts.waste(waste)):  # without a legend, and with one
        workshop.show(drawn)
        bare, room = shown.pop(), drawn.layout.meta["room"]
        assert bare.layout.title.text is None
        plot = [one.layout.height - one.layout.margin.t - one.layout.margin.b for one in (drawn, bare)]
        assert plot[0] == plot[1] and drawn.layout.height - bare.layout.height == room - charts.style.TOOLS
        if drawn.layout.legend.y is not None:
            above = [(1 - one.layout.legend.y) * one.layout.height for one in (drawn, bare)]
            assert [round(pixels) for pixels in above] == [room, charts.style.TOOLS]


def turned(colour: str) -> tuple[float, ...]:
    """What `invert(93%) hue-rotate(180deg)` makes of a colour (CSS filter effects, "feComponentTransfer", "hueRotate")."""
    inverted = [0.93 - int(colour[at : at + 2], 16) / 255 * 0.86 for at in (1, 3, 5)]
    rows = ((-0.574, 1.43, 0.144), (0.426, 0.43, 0.144), (0.426, 1.43, -0.856))
    mixed = (sum(share * part for share, part in zip(row, inverted)) for row in rows)
    return tuple(255 * min(max(part, 0), 1) for part in mixed)


@pytest.mark.parametrize("words", [charts.style.INK, charts.style.MUTED])
def test_words_on_a_card_can_be_read_when_the_dark_theme_turns_it_round(words):
    assert "invert(93%) hue-rotate(180deg)" in Caption(charts.sizes(SIZES))._repr_html_()
    assert contrast(turned(words), turned(charts.style.CARD)) >= 4.5


@pytest.mark.parametrize("colour", [charts.style.BUILDER, charts.style.FINAL, charts.style.BASE, *charts.style.BETWEEN])
def test_words_on_a_bar_can_be_read_when_the_dark_theme_turns_it_round(colour):
    """0.38: a hall's head; the flows of the gate are lighter or carry a halo."""
    behind = charts.style.tint(colour, 0.38)
    assert contrast(turned(charts.style.INK), turned(behind)) >= 4.5


def test_a_stored_picture_is_no_wider_than_its_cell():
    assert ".jp-RenderedPlotly img {max-width: 100%; height: auto}" in Caption(charts.sizes(SIZES))._repr_html_()


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


def test_only_a_figure_to_walk_through_brings_its_keys():
    walk = Caption(charts.floor("FROM a\nCMD b\n"))._repr_html_()
    assert walk.count("<script>") == 1 and '"slider", "Walk along the lines of the Dockerfile"' in walk
    assert "<script" not in Caption(charts.sizes(SIZES))._repr_html_()


def test_the_walk_has_a_line_of_words_for_each_stop():
    """The keys tell where the slider stands in these words."""
    drawn = charts.style.untitled(charts.floor("FROM a\nRUN b\nFROM c\nCMD d\n"))
    stops = [step.label for step in drawn.layout.sliders[0].steps]
    told = drawn.layout.meta["words"].split("\n")
    assert [line.partition(",")[0] for line in told if line.startswith("Line")] == [
        "Line 1",
        "Line 2",
        "Line 3",
        "Line 4",
    ]
    assert [line.startswith("Line") for line in told] == [not stop.startswith("end") for stop in stops]


def test_a_long_printed_line_breaks_between_words():
    said = "Docker Engine 28.5.2 · containerd image store · linux/amd64 · base images: 1 to be fetched when a lesson needs them"
    lines = wrapped(said, 90).splitlines()
    assert " ".join(lines) == said and max(map(len, lines)) <= 90 and len(lines) == 2
