"""The pictures of layers, waste, the meanings of size and pull times say what their frames say."""

import re

import pandas as pd
import plotly.graph_objects as go
import pytest
from drawn import no_footer, title  # noqa: F401
from workshop import charts
from workshop.errors import WorkshopError

LONG = 'RUN echo "$HOME" && pip install --prefix=/install <b>flask</b> && ' + "make a-long-target && " * 20
MEANT = ["image", "bytes", "tar", "compressed", "engine", "shared"]


def written(figure: go.Figure) -> list[str]:
    """Every annotation's text."""
    return [note.text for note in figure.layout.annotations]


def stack(*rows, image="x") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["created_by", "bytes", "from_base", "wasted"])
    return frame.assign(image=image, layer=range(len(frame)))


def hidden(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["layer", "created_by", "cause", "files", "bytes"])


def weighed(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=MEANT)


def pulls(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["image", "speed", "seconds"])


LEAKY = stack(
    ("/bin/sh -c #(nop) ADD file:0a1b in / ", 70_000_000, True, 0),
    ("RUN apt-get install ca-certificates", 5_000_000, True, 200_000),
    ("WORKDIR /app", 0, False, 0),
    ("RUN /bin/sh -c pip install flask # buildkit", 96_400_000, False, 38_000_000),
    ("COPY . .", 10_000_000, False, 0),
)  # 181.4 MB, of which 38.2 MB is hidden
WASTE = hidden(
    (5, "RUN pip install flask", "deleted", 1_200, 30_000_000),
    (5, "RUN pip install flask", "overwritten", 10, 6_000_000),
    (2, "RUN make", "metadata", 40, 3_000_000),
    (7, "COPY . .", "opaque", 2, 1_000_000),
)
FIVE = weighed(
    ("busybox:1.37", 4_200_000, 4_400_000, 2_100_000, 4_300_000, 0),
    ("python:3.11", 1_010_000_000, 1_049_000_000, 344_000_000, 2_312_000_000, 74_000_000),
)
WAITS = pulls(
    ("small", "100 Mbit/s", 1.2),
    ("large", "100 Mbit/s", 25.0),
    ("small", "10 Mbit/s", 12.0),
    ("large", "10 Mbit/s", 250.0),
    ("middle", "10 Mbit/s", 60.0),
)


# --- waterfall ------------------------------------------------------------------------------------------------------


def test_the_waterfall_says_how_much_is_shipped_for_nobody_and_by_which_line():
    figure = charts.waterfall(LEAKY)
    assert title(figure) == "38.2 MB of 181.4 MB is shipped for nobody: most of it by RUN pip install flask"
    assert charts.in_words(figure) == (
        title(figure) + " (38.0 MB). Visible in the image: 143.2 MB. Layer by layer: base image (2 layers) 75.0 MB, "
        "RUN pip install flask 96.4 MB, COPY . . 10.0 MB."
    )


def test_each_bar_begins_where_the_one_above_ends_and_the_totals_at_zero():
    _, seen, unseen = charts.waterfall(LEAKY).data
    assert list(seen.base) == [0, 75_000_000, 75_000_000, 171_400_000, 0, 0]
    assert list(seen.x) == [74_800_000, 0, 58_400_000, 10_000_000, 143_200_000, 143_200_000]
    assert list(unseen.x) == [200_000, 0, 38_000_000, 0, 38_200_000, 0]
    assert list(unseen.base) == [base + wide for base, wide in zip(seen.base, seen.x)], "the hidden part ends a bar"
    assert unseen.marker.pattern.shape == "/", "not by colour alone"


def test_the_numbers_beside_the_bars_are_those_of_the_frame():
    notes = written(charts.waterfall(LEAKY))
    for text in (
        "75.0 MB",
        "0.2 MB",
        "0 bytes",
        "96.4 MB",
        "38.0 MB",
        "<b>181.4 MB</b>",
        "<b>38.2 MB</b>",
        "<b>143.2 MB</b>",
    ):
        assert text in notes


def test_base_layers_are_one_row_with_the_base_images_name():
    frame = LEAKY.copy()
    frame.attrs["base"] = "python:3.11-slim"
    labels = charts.waterfall(frame).layout.yaxis.ticktext
    assert labels[0] == "python:3.11-slim (2 layers) " and labels[1] == "WORKDIR /app " and len(labels) == 6


def test_without_waste_the_heaviest_line_is_the_finding():
    figure = charts.waterfall(LEAKY.drop(columns=["wasted", "from_base"]))
    assert title(figure) == "RUN pip install flask adds 96.4 MB of 181.4 MB"
    assert len(figure.layout.yaxis.ticktext) == 5 + 1, "no row for the visible part"
    assert not any("Dockerfile" in text for text in written(figure)), "who added what is not known"
    none = charts.waterfall(LEAKY.assign(wasted=0))
    assert title(none) == "All 181.4 MB can be seen: no layer ships a byte for nobody"


def test_a_share_below_half_is_not_called_most():
    figure = charts.waterfall(stack(*[(f"RUN {n}", 10_000_000, False, 1_000_000) for n in range(4)]))
    assert title(figure) == "4.0 MB of 40.0 MB is shipped for nobody: 25 % of it by RUN 0"


def test_forty_layers_fit_and_no_byte_is_lost():
    frame = stack(*[(LONG, (n % 7 == 3) * 20_000_000 + n * 1_000, n < 3, n * 10) for n in range(40)])
    figure = charts.waterfall(frame)
    _, seen, unseen = figure.data
    assert len(seen.x) <= 16 + 2
    assert sum(seen.x[:-2]) + sum(unseen.x[:-2]) == frame["bytes"].sum()
    assert sum(unseen.x[:-2]) == unseen.x[-2] == frame["wasted"].sum()
    assert any("lighter layers" in text for text in figure.layout.yaxis.ticktext)


def test_a_waterfall_of_nothing_is_a_sentence():
    assert title(charts.waterfall(LEAKY.iloc[:0])) == "No layer at all: nothing is shipped"
    assert "no bytes" in title(charts.waterfall(LEAKY.assign(bytes=0, wasted=0)))
    assert "all of it by COPY . ." in title(charts.waterfall(stack(("COPY . .", 5, False, 2))))


def test_a_waterfall_of_two_images_says_how_to_choose_one():
    with pytest.raises(WorkshopError, match="one image, and this frame has 2: x, y"):
        charts.waterfall(pd.concat([LEAKY, LEAKY.assign(image="y")]))


# --- waste ----------------------------------------------------------------------------------------------------------


def test_waste_names_the_line_and_the_sentence_the_causes():
    figure = charts.waste(WASTE)
    assert title(figure) == "40.0 MB is shipped for nobody, 90 % of it by RUN pip install flask"
    assert charts.in_words(figure) == (
        title(figure) + " (36.0 MB); in 1,252 files of 3 lines: 30.0 MB deleted later, 6.0 MB overwritten later, "
        "3.0 MB only its metadata changed later, 1.0 MB opaque: its folder was replaced later."
    )


def test_the_most_wasteful_line_is_on_top_and_each_cause_has_colour_and_pattern():
    figure = charts.waste(WASTE.sample(frac=1, random_state=1))
    assert [text.strip() for text in figure.layout.yaxis.ticktext] == ["RUN pip install flask", "RUN make", "COPY . ."]
    drawn = {bar.name: list(zip(bar.y, bar.x)) for bar in figure.data}
    assert drawn == {
        "deleted later": [(0, 30_000_000)],
        "overwritten later": [(0, 6_000_000)],
        "only its metadata changed later": [(1, 3_000_000)],
        "opaque: its folder was replaced later": [(2, 1_000_000)],
    }
    for part in (lambda bar: bar.marker.pattern.shape, lambda bar: bar.marker.line.color):
        assert len({part(bar) for bar in figure.data}) == 4
    assert figure.layout.showlegend
    assert "<b>36.0 MB</b>, 1,210 files" in written(figure)


def test_beyond_eight_lines_the_rest_is_added_up():
    frame = hidden(*[(n, f"RUN {n}", "deleted", 1, (n + 1) * 1_000_000) for n in range(11)])
    figure = charts.waste(frame)
    assert len(figure.layout.yaxis.ticktext) == 9 and figure.layout.yaxis.ticktext[-1] == "(3 more) "
    assert figure.data[0].x[-1] == 6_000_000 and sum(figure.data[0].x) == frame["bytes"].sum()


def test_lines_of_several_images_are_kept_apart():
    frame = pd.concat([WASTE.assign(image="factory/a"), WASTE.assign(image="factory/b", bytes=WASTE["bytes"] * 2)])
    figure = charts.waste(frame.assign(image=frame["image"].astype("category")))
    assert title(figure) == "120.0 MB is shipped for nobody, 60 % of it by RUN pip install flask in factory/b"
    assert figure.layout.yaxis.ticktext[0].startswith("b <br>") and len(figure.layout.yaxis.ticktext) == 6


def test_a_cause_on_two_lines_has_a_bar_on_each_and_every_bar_is_its_rows_bytes():
    frame = hidden(
        (2, "RUN make", "deleted", 4, 5_000_000),
        (3, "COPY . .", "deleted", 1, 2_000_000),
        (3, "COPY . .", "overwritten", 2, 1_500_000),
        (4, "RUN make", "deleted", 8, 4_000_000),  # the same words, another layer: another line
    )
    figure = charts.waste(frame)
    bars = {bar.name: dict(zip(bar.y, bar.x)) for bar in figure.data}
    assert bars == {
        "deleted later": {0: 5_000_000, 1: 4_000_000, 2: 2_000_000},
        "overwritten later": {2: 1_500_000},
    }
    sums = {note.y: note.text for note in figure.layout.annotations if note.xanchor == "left" and note.yref != "paper"}
    assert [sums[row] for row in range(3)] == [
        "<b>5.0 MB</b>, 4 files",
        "<b>4.0 MB</b>, 8 files",
        "<b>3.5 MB</b>, 3 files",
    ]


def test_no_waste_is_said_plainly():
    for frame in (WASTE.iloc[:0], WASTE.assign(bytes=0)):
        assert title(charts.waste(frame)) == "Nothing is wasted: every byte that is shipped can be seen"
    assert ", all of it by COPY . ." in title(charts.waste(WASTE.iloc[3:]))


# --- meanings -------------------------------------------------------------------------------------------------------


def test_the_image_whose_sizes_are_furthest_apart_is_the_finding():
    figure = charts.meanings(FIVE)  # 1,968 MB apart, against 2.3 MB for busybox
    assert title(figure) == "python:3.11 is 344.0 MB or 2,312.0 MB, depending on whom you ask"
    said = charts.in_words(figure)
    assert said.index("python:3.11: its files hold 1,010.0 MB, its layers as tar are 1,049.0 MB") < said.index(
        "busybox:1.37: its files hold 4.2 MB, its layers as tar are 4.4 MB, a pull transfers 2.1 MB, "
        "the engine reports 4.3 MB, in layers shared with the others: 0 bytes."
    )


def test_bytes_count_for_the_finding_and_not_ratios():
    tiny = ("tiny", 1_000_000, 3_000_000, None, None, 900_000_000)  # 3 times, but 2 MB; what is shared is no size
    figure = charts.meanings(weighed(tiny, ("big", 900_000_000, 930_000_000, None, None, 0)))
    assert title(figure) == "big is 900.0 MB or 930.0 MB, depending on whom you ask"


def test_every_meaning_has_its_own_marker_and_its_own_row():
    figure = charts.meanings(FIVE)
    assert figure.layout.xaxis.type == "log" and figure.layout.showlegend
    assert (
        len({trace.marker.symbol for trace in figure.data}) == len({trace.marker.color for trace in figure.data}) == 5
    )
    rows = sorted(y for trace in figure.data for y in trace.y)
    assert all(upper - lower > 0.1 for lower, upper in zip(rows, rows[1:])), "no marker covers another"
    assert [list(trace.x) for trace in figure.data[:4]] == [
        [1_010_000_000, 4_200_000],
        [1_049_000_000, 4_400_000],
        [344_000_000, 2_100_000],
        [2_312_000_000, 4_300_000],
    ]


def test_zero_has_a_place_of_its_own_on_the_logarithmic_axis():
    figure = charts.meanings(FIVE)
    shared, axis = figure.data[4], figure.layout.xaxis
    assert [text.strip() for text in shared.text] == ["74.0 MB", "0 bytes"]
    assert shared.x[1] == axis.tickvals[0] and axis.ticktext[0] == "0" and shared.x[1] < 1_000_000
    assert "0" not in charts.meanings(FIVE.assign(shared=1_000_000)).layout.xaxis.ticktext


@pytest.mark.parametrize(
    ("low", "high"), [(1, 2), (512, 513), (4_200_000, 4_400_000), (3_000_000, 2_000_000_000), (99, 10**12), (7, 7)]
)
def test_the_axis_holds_all_values_and_has_ticks_to_read_them_by(low, high):
    axis = charts.meanings(weighed(("x", low, high, None, None, None))).layout.xaxis
    assert 10 ** axis.range[0] < low and 10 ** axis.range[1] >= high
    assert 2 <= len(axis.tickvals) <= 14
    assert len(set(axis.ticktext)) == len(axis.ticktext)


def test_columns_and_values_that_nobody_asked_for_may_be_missing():
    figure = charts.meanings(FIVE.drop(columns=["shared", "compressed"]).astype({"tar": float}))
    assert [trace.name for trace in figure.data] == [
        "content of its files",
        "its layers as tar",
        "what the engine reports",
    ]
    assert title(figure) == "python:3.11 is 1,010.0 MB or 2,312.0 MB, depending on whom you ask"
    gap = FIVE.assign(compressed=[None, 344_000_000])
    assert len(charts.meanings(gap).data[2].x) == 1 and "a pull transfers 2.1" not in charts.in_words(
        charts.meanings(gap)
    )


def test_sizes_that_agree_are_said_to_agree():
    same = weighed(("x", 5, 5, 5, 5, 0), ("y", 7, 7, 7, 7, 0))
    assert title(charts.meanings(same.iloc[:1])) == "x is 5 bytes, whomever you ask"
    assert title(charts.meanings(same)) == "Each image has one size, whomever you ask"
    assert title(charts.meanings(weighed(("e", 0, 0, 0, 0, 0)))) == "e is 0 bytes, whomever you ask"
    assert (
        title(charts.meanings(weighed(("e", 0, 1_500, 60, 0, 0))))
        == "e is 0 bytes or 1.5 kB, depending on whom you ask"
    )
    assert title(charts.meanings(weighed())) == "No image to weigh yet"


# --- pull -----------------------------------------------------------------------------------------------------------


def test_the_longest_and_the_shortest_pull_at_the_slowest_speed_are_the_finding():
    figure = charts.pull(WAITS)
    assert title(figure) == "At 10 Mbit/s the longest pull takes 4 min 10 s, the shortest 12 s"
    assert charts.in_words(figure) == (
        title(figure) + ". At 10 Mbit/s: large 4 min 10 s, small 12 s. At 100 Mbit/s: large 25 s, small 1.2 s."
    )


def test_speeds_and_images_are_in_order_and_every_bar_has_its_seconds():
    figure = charts.pull(WAITS)
    assert [text.strip() for text in figure.layout.yaxis.ticktext] == [
        "",
        "large",
        "middle",
        "small",
        "",
        "large",
        "small",
    ]
    assert list(figure.data[0].x) == [250, 60, 12, 25, 1.2] and list(figure.data[0].y) == [1, 2, 3, 5, 6]
    notes = written(figure)
    assert [n for n in notes if "<b>" not in n] == ["4 min 10 s", "1 min 00 s", "12 s", "25 s", "1.2 s"]
    assert [n for n in notes if "<b>" in n] == ["<b>at 10 Mbit/s</b>", "<b>at 100 Mbit/s</b>"]


def test_of_many_images_the_slowest_and_the_fastest_are_shown():
    figure = charts.pull(pulls(*[(f"i{n}", "slow", float(n + 1)) for n in range(9)]))
    labels = [text.strip() for text in figure.layout.yaxis.ticktext]
    assert labels == ["", "i8", "i7", "i6", "i5", "i4", "(3 more)", "i0"]
    assert "(" not in "".join(charts.pull(pulls(*[(f"i{n}", "s", 1.0) for n in range(6)])).layout.yaxis.ticktext)


def test_pulls_of_one_image_of_none_and_in_no_time():
    assert title(charts.pull(WAITS.iloc[1:2])) == "At 100 Mbit/s pulling large takes 25 s"
    assert title(charts.pull(WAITS.iloc[:0])) == "No pull to time yet"
    assert title(charts.pull(pulls(("a", "s", 0.0), ("b", "s", 0.0)))) == "At s every image takes 0.0 s"
    assert title(charts.pull(pulls(("a", "s", 0.01)))) == "At s pulling a takes under 0.1 s"


# --- left to pull ---------------------------------------------------------------------------------------------------

LEFT = pd.DataFrame(
    [("full", "10 Mbit/s", 289.3, 4.6), ("scratch", "10 Mbit/s", 11.9, 11.9), ("multi", "10 Mbit/s", 16.9, 1.4)],
    columns=["image", "speed", "empty disk", "base is there"],
)


def test_what_is_left_to_pull_is_drawn_with_the_most_on_top_and_the_whole_pull_written_behind_it():
    figure = charts.left_to_pull(LEFT)
    assert title(figure) == "Where the bases are there, scratch has the most left to pull: 12 s at 10 Mbit/s"
    assert charts.in_words(figure) == (
        title(figure) + ". What is left of each: scratch 12 s of 12 s, full 4.6 s of 4 min 49 s, multi 1.4 s of 17 s."
    )
    (bar,) = figure.data
    assert list(bar.x) == [11.9, 4.6, 1.4] and list(bar.y) == [0, 1, 2]
    assert [text.strip() for text in figure.layout.yaxis.ticktext] == ["scratch", "full", "multi"]
    assert [re.sub("<.*?>", "", note) for note in written(figure)[:3]] == [
        "12 s of 12 s",
        "4.6 s of 4 min 49 s",
        "1.4 s of 17 s",
    ]
    assert bar.marker.color[0] != bar.marker.color[1] == bar.marker.color[2]


def test_what_is_left_of_one_image_of_none_and_of_equal_ones():
    assert (
        title(charts.left_to_pull(LEFT.iloc[:1]))
        == "Where the bases are there, full has 4.6 s left to pull at 10 Mbit/s"
    )
    assert title(charts.left_to_pull(LEFT.iloc[:0])) == "No pull to time yet"
    equal = charts.left_to_pull(LEFT.assign(**{"base is there": 0.0}))
    assert title(equal) == "Where the bases are there, every image has 0.0 s left to pull at 10 Mbit/s"


# --- all of them ----------------------------------------------------------------------------------------------------


def every_figure() -> list[go.Figure]:
    hostile = "<i>$x$</i>" + "y" * 300
    return [
        charts.waterfall(LEAKY),
        charts.waterfall(stack((LONG, 9, True, 4), (None, 8, False, 1), image=hostile)),
        charts.waste(WASTE),
        charts.waste(hidden((0, LONG, "deleted", 1, 7), (1, None, "<b>$new</b>", 2, 9))),
        charts.meanings(FIVE),
        charts.meanings(FIVE.assign(image=[f"{hostile}{row}" for row in range(len(FIVE))])),
        charts.pull(WAITS),
        charts.left_to_pull(LEFT.assign(image=LEFT["image"] + hostile)),
        charts.pull(WAITS.assign(image=WAITS["image"] + hostile, speed="<b>" + WAITS["speed"] + "$1</b>")),
    ]


def test_text_is_shown_not_interpreted_and_cut_where_it_is_long():
    for figure in every_figure():
        shown = figure.to_plotly_json()
        del shown["layout"]["meta"], shown["layout"]["template"]  # the sentence is plain text
        text = repr(shown)
        assert "$" not in text and not any(tag in text for tag in ("<i>", "<b>flask", "<b>&#36;new", "<b>&#36;1"))
        labels = figure.layout.yaxis.ticktext
        assert all(len(label.replace("&lt;", "<").replace("&gt;", ">").replace("&#36;", "$")) < 60 for label in labels)


def test_every_figure_is_a_white_card_small_enough_to_store_with_its_footer():
    charts.set_footer("Docker Engine 28.5.2 · python:3.11 (stand-in)")
    for figure in every_figure():
        assert figure.layout.paper_bgcolor == "#ffffff" and charts.in_words(figure).endswith(".")
        assert len(figure.to_json()) < 60_000
        assert any("(stand-in)" in text for text in written(figure))
    for empty in (
        charts.waterfall(LEAKY.iloc[:0]),
        charts.waste(WASTE.iloc[:0]),
        charts.meanings(FIVE.iloc[:0]),
        charts.pull(WAITS.iloc[:0], footer="Podman 5.8"),
    ):
        assert empty.to_json() and empty.layout.xaxis.visible is False
    assert "Podman 5.8" in written(empty)


def test_categoricals_with_unused_values_draw_the_same():
    def columns_as_categories(frame):
        names = frame.columns.intersection(["image", "created_by", "cause", "speed"])
        return frame.assign(**{name: frame[name].astype("category").cat.add_categories("unused") for name in names})

    for draw, frame in (
        (charts.waterfall, LEAKY),
        (charts.waste, WASTE),
        (charts.meanings, FIVE),
        (charts.pull, WAITS),
    ):
        assert draw(columns_as_categories(frame)).to_json() == draw(frame).to_json()


def test_a_layer_of_the_base_that_no_line_explains_is_called_by_the_bases_name():
    frame = pd.DataFrame(
        [("hello", 0, "/bin/sh -c #(nop) COPY dir:0a1b in / ", 2_000_000, True), ("hello", 1, "RUN echo", 30, False)],
        columns=["image", "layer", "created_by", "bytes", "from_base"],
    )
    assert title(charts.layers(frame)) == "over 99 % of hello is in one layer of the base image"
    frame.attrs["base"] = "busybox:1.37"
    assert title(charts.layers(frame)) == "over 99 % of hello is in one layer of busybox:1.37"
    assert "busybox:1.37" in charts.layers(frame).data[0].text[0]
    frame["from_base"] = False
    assert title(charts.layers(frame)) == "over 99 % of hello is in one layer: COPY to /"
