"""The pictures say what their frames say: every number below is worked out by hand."""

import pandas as pd
import plotly.graph_objects as go
import plotly.io
import pytest
from drawn import no_footer, title  # noqa: F401
from workshop import charts
from workshop.dockerfiles import syntax

SEED = """\
# Stage 1
FROM python:3.11-slim AS builder
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --prefix=/install -r requirements.txt

# Stage 2
FROM python:3.11-alpine
WORKDIR /app
COPY --from=builder /install /usr/local
COPY . .
EXPOSE 5000
CMD ["python", "app.py"]
"""
FOUR = """\
ARG PY=3.11
FROM python:${PY} AS deps
RUN pip wheel -r requirements.txt
FROM node:22-bookworm-slim AS web
RUN npm run build
FROM deps AS test
RUN pytest
FROM gcr.io/distroless/python3-debian13
COPY --from=deps /wheels /wheels
COPY --from=1 /web/dist /srv
COPY --from=ghcr.io/example/tool:1 /tool /bin/tool
"""


def weights(**bytes_of) -> pd.DataFrame:
    return pd.DataFrame({"image": list(bytes_of), "bytes": list(bytes_of.values())})


def files(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["stage", "path", "bytes", "fate", "landed"])


def labels(figure: go.Figure) -> list[str]:
    """A flow's labels as they are read."""
    return [label.replace("<br>", " ").strip("\u00a0 ") for label in figure.data[0].node.label]


def stack(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["image", "layer", "created_by", "bytes", "from_base"])


CROSSED = ("builder", "/install/app", 3_200_000, "shipped", "/usr/local/app")
STAYED = ("builder", "/usr/bin/gcc", 248_700_000, "left behind", None)
GROUND = ("final", "/lib/ld-musl.so", 8_000_000, "from the base", None)
OWN = ("final", "/app/app.py", 2_000, "from the context", None)


# --- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (99_900, "99.9 kB"),
        (100_000, "0.1 MB"),
        (412_345_678, "412.3 MB"),
        (1_012_400_000, "1,012.4 MB"),
    ],
)
def test_bytes_are_shown_as_megabytes_and_small_ones_as_kilobytes(count, text):
    assert charts.megabytes(count) == text


# --- sizes ----------------------------------------------------------------------------------------------------------


def test_the_title_names_the_ratio_of_the_frame():
    figure = charts.sizes(weights(single=912_400_000, multi=65_100_000))  # 14.02
    assert title(figure) == "multi is 14 times smaller than single: 65.1 MB against 912.4 MB"
    assert charts.in_words(figure) == title(figure) + "."


def test_a_small_ratio_keeps_its_decimal_and_none_is_called_none():
    assert "1.5 times smaller" in title(charts.sizes(weights(a=150_000_000, b=100_000_000)))
    assert "about the same size" in title(charts.sizes(weights(a=101_000_000, b=100_000_000)))


def test_one_image_just_has_its_size():
    assert title(charts.sizes(weights(solo=5_000_000))) == "solo is 5.0 MB"


def test_of_many_images_the_title_names_largest_and_smallest_and_the_sentence_all():
    figure = charts.sizes(weights(slim=130_000_000, full=1_000_000_000, alpine=50_000_000))
    assert title(figure) == "alpine is 20 times smaller than full: 50.0 MB against 1,000.0 MB"
    assert charts.in_words(figure).endswith("full: 1,000.0 MB, slim: 130.0 MB, alpine: 50.0 MB.")
    assert list(figure.data[0].x) == [1_000_000_000, 130_000_000, 50_000_000]


def test_an_empty_image_divides_nothing_by_zero():
    assert title(charts.sizes(weights(scratch=0, full=5_000_000))) == "scratch is empty, full is 5.0 MB"
    assert title(charts.sizes(weights())) == "No image to weigh yet"


# --- layers ---------------------------------------------------------------------------------------------------------


def test_the_heaviest_layer_is_named_with_its_share_of_its_image():
    figure = charts.layers(
        stack(
            ("x", 0, "/bin/sh -c #(nop) ADD file:0a1b in / ", 10_000_000, True),
            ("x", 1, "/bin/sh -c apt-get install -y gcc", 84_000_000, False),
            ("x", 2, "", 6_000_000, False),
        )
    )
    assert title(figure) == "84 % of x is in one layer: RUN apt-get install -y gcc"
    assert charts.in_words(figure).endswith("(84.0 MB); x has 3 layers, 100.0 MB, 10.0 MB of it from the base.")


def test_a_share_is_of_the_layers_own_image():
    figure = charts.layers(
        stack(
            ("a", 0, "RUN a", 30_000_000, False),
            ("b", 0, "RUN b", 60_000_000, False),
            ("b", 1, "RUN c", 20_000_000, False),
        )
    )
    assert title(figure) == "75 % of b is in one layer: RUN b"
    assert "a has 1 layer, 30.0 MB; b has 2 layers, 80.0 MB" in charts.in_words(figure)


def test_layers_do_not_need_to_know_the_base_and_may_be_none_or_empty():
    frame = stack(("x", 0, "COPY a b", 1_000, False)).drop(columns="from_base")
    assert title(charts.layers(frame)) == "100 % of x is in one layer: COPY a b"
    assert "No layer" in title(charts.layers(frame.iloc[:0]))
    assert "no bytes" in title(charts.layers(frame.assign(bytes=0)))


@pytest.mark.parametrize(
    ("history", "dockerfile"),
    [
        ("/bin/sh -c #(nop) WORKDIR /app", "WORKDIR /app"),
        ('/bin/sh -c #(nop)  CMD ["python" "app.py"]', 'CMD ["python" "app.py"]'),
        ("/bin/sh -c pip install   flask", "RUN pip install flask"),
        ("RUN /bin/sh -c pip install flask # buildkit", "RUN pip install flask"),
        ("|1 V=3 /bin/sh -c make", "RUN make"),
        ("/bin/sh -c #(nop) COPY file:0123 in /app/ ", "COPY to /app/"),
        ("COPY . . # buildkit", "COPY . ."),
        (None, "(no instruction recorded)"),
    ],
)
def test_a_history_entry_is_shown_as_the_dockerfile_had_it(history, dockerfile):
    from workshop.dockerfiles.history import instruction

    assert instruction(history) == dockerfile


# --- gate -----------------------------------------------------------------------------------------------------------


def test_the_gate_says_what_crossed_and_what_stayed():
    figure = charts.gate(files(CROSSED, STAYED, GROUND, OWN))
    assert title(figure) == "3.2 MB crossed the gate, 248.7 MB stayed on the factory floor"
    assert charts.in_words(figure) == (
        "Of 251.9 MB in the builder stages, 3.2 MB in 1 file crossed into the final image and 248.7 MB in 1 file "
        "stayed behind; the final image also holds 8.0 MB from the base and 2.0 kB from the context."
    )
    assert sorted(figure.data[0].link.value) == [2_000, 3_200_000, 8_000_000, 248_700_000]
    assert "final image: 11.2 MB" in labels(figure)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([STAYED], "Nothing crossed the gate: 248.7 MB stayed on the factory floor"),
        ([CROSSED], "Everything crossed the gate: 3.2 MB, and the factory floor is empty"),
        ([GROUND, OWN], "No gate here: all 8.0 MB of the image came in without one"),
        ([], "No gate here: all 0 bytes of the image came in without one"),
    ],
)
def test_a_gate_with_one_side_empty_is_still_a_picture(rows, said):
    assert title(charts.gate(files(*rows))) == said


def test_several_stages_add_up_and_each_has_its_own_flows():
    dist = ("web", "/dist/a.js", 1_800_000, "shipped", "/srv/a.js")
    modules = ("web", "/node_modules/b", 1_300_000, "left behind", None)
    figure = charts.gate(files(CROSSED, STAYED, dist, modules))
    assert title(figure) == "5.0 MB crossed the gate, 250.0 MB stayed on the factory floor"
    assert {"stage builder: 251.9 MB", "stage web: 3.1 MB"} <= set(labels(figure))


def test_what_the_final_stage_made_itself_is_a_source_of_its_own():
    figure = charts.gate(files(CROSSED, STAYED, ("final", "/app/x.pyc", 400_000, "made here", "/app/x.pyc")))
    assert "made in the final stage: 0.4 MB" in labels(figure)
    assert charts.in_words(figure).endswith("the final image also holds 0.4 MB made here.")


def test_a_flow_thinner_than_its_label_does_not_strike_it_through():
    """Two sources: 234 pixels for all bytes and one gap of 30. 17 pixels, a line of text, are 8.3 % of the rest."""
    for count, below in ((8_000, True), (8_700, False)):
        drawn = charts.gate(
            files(("builder", "/a", 100_000 - count, "shipped", "/a"), ("final", "/b", count, "made here", None))
        )
        label = next(label for label in drawn.data[0].node.label if "made in" in label)
        assert label.startswith("\u00a0<br>") == below


# --- contents -------------------------------------------------------------------------------------------------------


def test_the_deepest_directory_with_most_of_the_bytes_is_named():
    rows = [("/usr/lib/gcc/cc1", 60_000_000), ("/usr/bin/perl", 30_000_000), ("/etc/passwd", 10_000_000)]
    figure = charts.contents(pd.DataFrame(rows, columns=["path", "bytes"]))
    assert title(figure) == "/usr/lib/gcc holds 60 % of 100.0 MB"
    assert charts.in_words(figure).endswith("largest at the top: /usr 90.0 MB, /etc 10.0 MB.")


def test_small_directories_are_one_area_and_no_byte_is_lost():
    rows = [("/big/file", 98_000_000)] + [(f"/small{n}/file", 500_000) for n in range(4)]
    figure = charts.contents(pd.DataFrame(rows, columns=["path", "bytes"]))
    areas = dict(zip(figure.data[0].ids, figure.data[0]["values"]))
    assert areas == {"/": 100_000_000, "/big": 98_000_000, "/(4 smaller)": 2_000_000}


def test_a_group_of_directories_that_has_no_room_for_a_name_is_no_area():
    rows = [("/big/file", 99_000_000), ("/a/file", 600_000), ("/b/file", 400_000)]
    figure = charts.contents(pd.DataFrame(rows, columns=["path", "bytes"]))
    assert dict(zip(figure.data[0].ids, figure.data[0]["values"])) == {"/": 100_000_000, "/big": 99_000_000}


def test_the_way_back_lies_below_the_map_where_it_covers_neither_title_nor_buttons():
    figure = charts.contents(pd.DataFrame({"path": ["/a/b"], "bytes": [1_000_000]}))
    assert figure.data[0].pathbar.side == "bottom"
    assert figure.layout.margin.b >= figure.data[0].pathbar.thickness + 10


def test_contents_can_start_from_another_column():
    frame = pd.DataFrame({"path": ["/a/x", "/a/y"], "bytes": [3_000_000, 1_000_000], "stage": ["builder", "final"]})
    assert title(charts.contents(frame, by="stage")) == "builder/a holds 75 % of 4.0 MB"


def test_no_files_make_no_picture_but_a_sentence():
    assert title(charts.contents(pd.DataFrame({"path": [], "bytes": []}))) == "0 bytes, in no directory"


OPENED = pd.DataFrame(
    [
        ("/usr/lib/a/x.so", 1_000_000),
        ("/usr/lib/a/y.so", 59_000_000),
        ("/usr/bin/python", 2_000_000),
        ("/usr/bin/gcc", 28_000_000),
        ("/etc/tiny", 500_000),
        ("/srv/rest", 9_500_000),
    ],
    columns=["path", "bytes"],
)


def test_what_is_opened_is_blue_in_its_own_directory_and_no_byte_is_lost():
    loaded = ["/usr/lib/a/x.so", "/usr/bin/python", "/etc/tiny", "/proc/gone"]
    (drawn,) = charts.opened(OPENED, loaded).data
    blue = [drawn.marker.colors[number] for number, one in enumerate(drawn.ids) if one.endswith(" opened")]
    grey = [drawn.marker.colors[number] for number, one in enumerate(drawn.ids) if not one.endswith(" opened")]
    assert len(set(blue)) == len(set(grey)) == 1 and set(blue) != set(grey)
    areas = dict(zip(drawn.ids, drawn["values"]))
    opened = {one: count for one, count in areas.items() if one.endswith(" opened")}
    # /etc has no area of its own: what is opened in it is drawn where it lies, in /
    assert opened == {"/ opened": 500_000, "/usr/lib/a opened": 1_000_000, "/usr/bin opened": 2_000_000}
    assert {one: count for one, count in areas.items() if one not in opened} == {
        "/": 100_000_000,
        "/usr": 90_000_000,
        "/usr/lib": 60_000_000,
        "/usr/lib/a": 60_000_000,
        "/usr/bin": 30_000_000,
        "/srv": 9_500_000,
    }
    assert dict(zip(drawn.ids, drawn.parents))["/usr/bin opened"] == "/usr/bin"


@pytest.mark.parametrize(
    ("loaded", "said"),
    [
        (["/usr/lib/a/x.so", "/usr/bin/python", "/etc/tiny"], "Only 3.5 % of 100.0 MB is opened"),
        (["/usr/lib/a/y.so"], "59 % of 100.0 MB is opened"),
        (["/etc/tiny"], "Under 1 % of 100.0 MB is opened"),
        ([], "Nothing of 100.0 MB is opened"),
    ],
)
def test_how_much_is_opened_is_said(loaded, said):
    assert title(charts.opened(OPENED, loaded)) == said


def test_the_sentence_of_what_is_opened_says_how_many_files_and_where_most_of_the_rest_is():
    said = charts.in_words(charts.opened(OPENED, ["/usr/lib/a/x.so", "/usr/bin/python", "/etc/tiny"]))
    assert said == ("Only 3.5 % of 100.0 MB is opened: 3 files of 6, 3.5 MB; most of what is not is in /usr: 87.0 MB.")
    assert title(charts.opened(OPENED.iloc[:0], ["/x"])) == "No file to open"


# --- the factory ----------------------------------------------------------------------------------------------------


def test_the_factory_says_what_crosses_its_gate():
    assert title(charts.floor(SEED)) == "2 halls, one gate: only /install leaves “builder”, the rest stays behind"
    assert title(charts.floor("FROM python:3.11\nRUN true\n")) == "One hall, no gate: all of python:3.11 ships too"
    four = title(charts.floor(FOUR))
    assert four == "4 halls: only /wheels and /web/dist cross into the image, the rest stays behind"


def test_a_last_stage_built_upon_another_ships_all_of_it():
    said = title(charts.floor("FROM python:3.11 AS base\nRUN a\nFROM base\nRUN b\n"))
    assert said == "2 halls, no gate: the last one carries on from “base” and ships all of it"


def test_a_run_that_looks_into_another_stage_is_no_missing_gate():
    said = title(charts.floor("FROM a AS make\nRUN a\nFROM b\nRUN --mount=from=make,target=/in cp /in/x /x\n"))
    assert said.startswith("2 halls, no COPY between them: a RUN that ships looks into “make”")


def test_the_walk_has_one_stop_a_line_and_one_where_each_hall_ends():
    figure = charts.floor(SEED)
    stops = [step.label for step in figure.layout.sliders[0].steps]
    assert stops == ["2", "3", "4", "5", "end 1", "8", "9", "10", "11", "12", "13", "end 2"]
    assert [frame.name for frame in figure.frames] == [step.args[0][0] for step in figure.layout.sliders[0].steps]
    lines = charts.in_words(figure).split("\n")
    assert len(lines) == 12
    assert lines[7] == (
        "Line 10, COPY --from: Through the gate: only /install leaves “builder”, and is put at /usr/local. "
        "The rest stays where it is."
    )
    assert lines[4].startswith("What passed no gate stays behind in “builder”")
    assert lines[-1].startswith("The box is packed: the building python:3.11-alpine")


def test_no_two_stops_are_called_alike_and_one_hall_has_one_end():
    for text in (SEED, FOUR):
        stops = [step.label for step in charts.floor(text).layout.sliders[0].steps]
        assert len(set(stops)) == len(stops)
    assert [step.label for step in charts.floor("FROM a\nCMD b\n").layout.sliders[0].steps] == ["1", "2", "end"]


def test_what_a_hall_is_called_stands_on_a_plate_that_goods_pass_behind():
    notes = charts.floor(SEED).layout.annotations
    plates = {note.text: note.bgcolor for note in notes if "HALL" in note.text or " · <b>" in note.text}
    assert list(plates) == [
        "<b>HALL 1 · builder</b>",
        "rents python:3.11-slim · <b>stays behind</b>",
        "<b>HALL 2 · stage-1</b>",
        "rents python:3.11-alpine · <b>ships</b>",
    ]
    assert all(plates.values())


def test_each_stop_shows_its_own_line():
    figure = charts.floor(SEED)
    card = figure.frames[7].data[-1].text[0]
    assert "line 10" in card and "COPY --from=builder /install /usr/local" in card
    assert figure.frames[7].data[1].x, "the goods' way through the gate is lit"
    assert not figure.frames[8].data[1].x, "a COPY from the build context uses no gate"


def test_stages_are_found_by_name_by_number_and_in_arguments():
    parsed = syntax.parse(FOUR)
    bases = ["python:3.11", "node:22-bookworm-slim", "deps", "gcr.io/distroless/python3-debian13"]
    assert [stage.base for stage in parsed.stages] == bases
    assert [stage.parent for stage in parsed.stages] == [None, None, 0, None]
    assert [line.source for line in parsed.of_stage(3)] == [None, 0, 1, "ghcr.io/example/tool:1"]
    assert parsed.needed() == [0, 1, 3] and parsed.shipped == {3}
    lent = syntax.parse("FROM a AS b\nFROM c\nRUN --mount=type=bind,from=b,target=/x make\n")
    assert lent.of_stage(1)[1].sources == (0,)


def test_no_two_stations_stand_in_the_same_place_and_all_are_inside():
    from workshop.charts.factory.layout import halls_of

    for text in (SEED, FOUR, "FROM a\n" + "RUN b\n" * 30, "FROM a\n" + "RUN b\n" * 6):
        halls, width, height = halls_of(syntax.parse(text))
        places = [(x, y) for hall in halls for x, y in [*[(x, y) for _, x, y in hall.spots], hall.end]]
        assert len(set(places)) == len(places)
        assert all(0 < x < width and 0 < y < height for x, y in places)


def test_goods_leave_at_the_machine_that_made_them_and_arrive_at_the_copy():
    from workshop.charts.factory.layout import EXIT, HEADER, MACHINE, ROOF, WALL, WIDTH, halls_of

    upper, lower = halls_of(syntax.parse(SEED))[0]
    pitch = (WIDTH - 8) / 7  # seven places in a row; RUN has the fourth, COPY --from the third
    run, copy = 4 + pitch * 3.5, 4 + pitch * 2.5
    first, second = ROOF + HEADER, lower.wall + WALL + 8 + HEADER  # tops of the two rows
    (route,) = lower.routes
    assert route.points == [
        (run + MACHINE[0], first + EXIT),
        (run + pitch / 2, first + EXIT),  # down between the stations, not through their words
        (run + pitch / 2, lower.wall - 5),
        (copy, lower.wall - 5),
        (copy, second + 3),
    ]
    assert upper.bottom < lower.wall - 5


def test_goods_from_further_up_leave_at_their_machine_too_and_no_two_ways_share_a_strip():
    from workshop.charts.factory.layout import halls_of

    parsed = syntax.parse(FOUR)
    halls = halls_of(parsed)[0]
    wheels, dist, tool = halls[3].routes
    spot = {step.line: (x + 36, top + 40) for hall in halls for step, x, top in hall.spots}
    assert wheels.points[0] == spot[3] and dist.points[0] == spot[5] and tool.points[0][0] == 0
    across = [
        (y, min(x, to_x), max(x, to_x))
        for hall in halls
        for route in hall.routes
        for (x, y), (to_x, to_y) in zip(route.points[1:], route.points[2:])
        if y == to_y and x != to_x
    ]
    assert len({y for y, _, _ in across}) == len(across)
    assert all(a.bottom <= y for a in halls for y, _, _ in across if a.top <= y < a.bottom + 1)


def test_a_file_that_is_no_dockerfile_gets_a_sentence_with_the_line():
    said = title(charts.floor("FROM a\nFROBNICATE b\n"))
    assert said.startswith("No factory can be built from this.") and "line 2: unknown instruction: FROBNICATE" in said
    assert "no FROM line" in title(charts.floor(""))


def test_text_of_a_dockerfile_is_shown_not_interpreted():
    figure = charts.floor("FROM a\nRUN echo $A <b>$B</b>\n")
    card = figure.frames[1].data[-1].text[0]
    assert "$" not in card and "&lt;b&gt;" in card, "neither TeX nor a tag"


@pytest.mark.parametrize(
    "line",
    [
        "ADD a b",
        "ARG A",
        "CMD a",
        "ENTRYPOINT a",
        "ENV A=b",
        "EXPOSE 1",
        "HEALTHCHECK NONE",
        "LABEL a=b",
        "USER a",
        "VOLUME /a",
        "MAINTAINER me",
        "ONBUILD RUN a",
        'SHELL ["a"]',
        "STOPSIGNAL INT",
        "COPY <<E /a\nb\nE",
    ],
)
def test_every_dockerfile_word_has_its_station(line):
    figure = charts.floor(f"FROM a\n{line}\n")
    assert f"Line 2, {line.split()[0]}: " in charts.in_words(figure)
    assert "no counterpart" not in charts.in_words(figure)


def test_a_sentence_keeps_the_capitals_of_dockerfile_words():
    said = charts.in_words(charts.floor('FROM a\nADD x.tar /x\nSHELL ["/bin/bash"]\n'))
    assert "Goods in, unpacked: like COPY, but also fetches URLs" in said and "reads the RUN lines" in said


def test_words_are_listed_once_with_their_lines():
    frame = charts.words_of(SEED)
    assert list(frame.columns) == ["word", "line", "factory", "meaning"]
    assert dict(zip(frame["word"], frame["line"])) == {
        "FROM": "2, 8",
        "WORKDIR": "3, 9",
        "COPY": "4, 11",
        "RUN": "5",
        "COPY --from": "10",
        "EXPOSE": "12",
        "CMD": "13",
    }
    assert frame.set_index("word").loc["COPY --from", "factory"] == "through the gate"


# --- all of them ----------------------------------------------------------------------------------------------------


def every_figure() -> list[go.Figure]:
    return [
        charts.sizes(weights(a=2_000_000, b=1_000_000)),
        charts.layers(stack(("x", 0, "RUN a", 1_000_000, True))),
        charts.gate(files(CROSSED, STAYED)),
        charts.contents(pd.DataFrame({"path": ["/a/b"], "bytes": [1_000_000]})),
        charts.opened(OPENED, ["/usr/bin/python"]),
        charts.floor(SEED),
    ]


def test_a_figure_names_its_engine_and_bases():
    charts.set_footer("Docker Engine 28.5.2 · python:3.11 (stand-in)")
    *measured, plan = every_figure()
    assert not any("stand-in" in (note.text or "") for note in plan.layout.annotations), "a plan measures nothing"
    for figure in measured:
        assert any("python:3.11 (stand-in)" in (note.text or "") for note in figure.layout.annotations)
    own = charts.sizes(weights(a=1), footer="Podman 5.8")
    assert own.layout.annotations[0].text == "Podman 5.8"


def test_small_print_is_asked_anew_for_each_figure():
    """Base images arrive while a lesson runs: the second figure says so."""
    said = iter(["bases: to be fetched", "bases: 5 stand-ins"])
    charts.set_footer(lambda: next(said))
    assert [charts.sizes(weights(a=1)).layout.annotations[0].text for _ in range(2)] == [
        "bases: to be fetched",
        "bases: 5 stand-ins",
    ]


def test_a_stage_has_one_colour_in_every_figure():
    assert charts.stage_colour(0) == charts.stage_colour("builder") == charts.stage_colour("floor")
    flows = charts.gate(files(CROSSED, STAYED))
    colours = dict(zip((label.split(":")[0] for label in labels(flows)), flows.data[0].node.color))
    assert colours["stage builder"] == charts.stage_colour("builder")
    assert colours["final image"] == charts.stage_colour("final")
    halls = [shape.fillcolor for shape in charts.floor(SEED).layout.shapes]
    assert charts.stage_colour("builder") in halls and charts.stage_colour("final") in halls


def test_every_figure_is_a_white_card_with_dark_text():
    for figure in every_figure():
        assert figure.layout.paper_bgcolor == "#ffffff" and figure.layout.font.color == "#1f2933"
        assert charts.in_words(figure)


def test_an_output_holds_the_figure_and_no_library():
    assert plotly.io.renderers.default == "plotly_mimetype"
    bundle = plotly.io.renderers["plotly_mimetype"].to_mimebundle(charts.floor(SEED).to_plotly_json())
    assert list(bundle) == ["application/vnd.plotly.v1+json"]
    assert all(len(figure.to_json()) < 60_000 for figure in every_figure())
