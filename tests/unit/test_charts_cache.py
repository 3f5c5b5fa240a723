"""The pictures of the cache, a timeline and a heat map, say what their frames say."""

from __future__ import annotations

import math

import pandas as pd
from drawn import no_footer, title  # noqa: F401
from workshop import charts
from workshop.charts.style import BASE, BUILDER, FINAL, tint

NAN = math.nan


def steps(*rows, build="x", recorded="") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["stage", "instruction", "status", "began", "ended"])
    return frame.assign(build=build, recorded=recorded)


EDITED = steps(
    ("floor", "FROM python:3.11 AS floor", "base", 0.0, 0.25),
    ("floor", "COPY widget.c .", "run", 0.25, 0.5),
    ("floor", "RUN gcc widget.c", "run", 0.5, 2.5),
    ("package", "FROM busybox", "base", 0.0, 0.0),
    ("package", "COPY --from=floor /widget /", "cached", 2.5, 2.5),
    ("package", 'CMD ["widget"]', "cached", NAN, NAN),
    build="a comment",
)
BOTH = pd.concat(
    [
        steps(("a", "RUN one", "run", 0.0, 2.0), ("b", "RUN two", "run", 2.0, 4.0), build="classic"),
        steps(
            ("a", "RUN one", "run", 0.0, 2.0),
            ("b", "RUN two", "run", 0.5, 2.5),
            ("c", "RUN three", "skipped", NAN, NAN),
            build="BuildKit",
            recorded="recorded on Docker Engine 28",
        ),
    ]
)


def written(figure) -> list[str]:
    return [note.text for note in figure.layout.annotations]


def test_a_bar_lasts_from_when_its_step_began_to_when_it_ended_and_a_hit_is_a_mark():
    figure = charts.timeline(EDITED)
    bars, hits = figure.data
    assert list(bars.base) == [0.0, 0.25, 0.5, 0.0] and list(bars.x) == [0.25, 0.25, 2.0, 0.05]  # at least 2 % wide
    assert list(bars.y) == [1, 2, 3, 4] and list(hits.x) == [2.5] and list(hits.y) == [5]
    assert [text.strip() for text in figure.layout.yaxis.ticktext] == [
        *("floor · FROM python:3.11 AS floor", "floor · COPY widget.c .", "floor · RUN gcc widget.c"),
        *("package · FROM busybox", "package · COPY --from=floor /widget /"),
    ]
    alone = charts.timeline(EDITED.iloc[:3])
    assert alone.layout.yaxis.ticktext[1].strip() == "COPY widget.c .", "one stage alone needs no name"


def test_what_ran_has_its_stages_colour_and_a_base_is_grey():
    bars, hits = charts.timeline(EDITED).data
    assert list(bars.marker.color) == [tint(BASE, 0.45), tint(BUILDER, 1), tint(BUILDER, 1), tint(BASE, 0.45)]
    assert list(hits.marker.line.color) == [FINAL] and hits.marker.color == "#ffffff"


def test_each_step_says_its_seconds_or_that_it_is_a_hit_or_skipped():
    texts = written(charts.timeline(pd.concat([EDITED, BOTH])))
    assert texts[:5] == ["", "0.2 s", "2.0 s", "", "hit"]
    assert "skipped" in texts and "<b>BuildKit: 2.5 s</b>" in texts and "<b>classic: 4.0 s</b>" in texts


def test_the_title_of_a_timeline_counts_what_ran_of_each_build():
    assert title(charts.timeline(EDITED)) == "2 of 4 steps ran, 2.5 s"
    figure = charts.timeline(BOTH)
    assert title(figure) == "classic: 2 of 2 steps ran, 4.0 s; BuildKit: 2 of 2 steps ran, 2.5 s"
    words = charts.in_words(figure)
    assert "BuildKit: ran: RUN one, RUN two; skipped: RUN three; at work at the same time: a and b." in words
    assert "classic: ran: RUN one, RUN two." in words


def test_a_recording_is_called_one_below_the_picture():
    assert any("recorded on Docker Engine 28" in text for text in written(charts.timeline(BOTH)))
    assert not any("recorded" in text for text in written(charts.timeline(EDITED)))


def test_a_timeline_of_nothing_draws_nothing():
    assert title(charts.timeline(EDITED.iloc[:0])) == "No build to time yet"
    assert not charts.timeline(EDITED.iloc[5:]).data, "a line that did no work has no place on the clock"


def costs(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["recipe", "edit", "steps", "ran", "seconds", "again"])


FIELDS = costs(
    ("one", "code", 4, 3, 6.0, "COPY . .\nRUN pip\nCMD x"),
    ("two", "code", 8, 2, 0.2, "COPY . .\nCMD x"),
    ("one", "notes", 4, 0, 0.0, ""),
)


def test_a_field_has_the_share_of_the_steps_that_ran_and_says_how_many():
    figure = charts.reruns(FIELDS)
    assert [list(line) for line in figure.data[0].z] == [[0.75, 0.25], [0.0, None]]
    assert list(figure.layout.xaxis.ticktext) == ["one", "two"]
    assert [text.strip() for text in figure.layout.yaxis.ticktext] == ["code", "notes"]
    assert written(figure) == ["<b>3 of 4</b><br>6.0 s", "<b>2 of 8</b><br>0.2 s", "<b>0 of 4</b><br>all hits"]
    assert "RUN pip" in figure.data[0].hovertext[0][0] and "nothing ran" in figure.data[0].hovertext[1][0]


def test_the_title_of_a_heat_map_names_the_dearest_edit_and_who_has_it_cheapest():
    figure = charts.reruns(FIELDS)
    assert title(figure) == "code costs “one” 3 steps, 6.0 s; “two” 2 steps, 0.2 s"
    assert "notes, one: 0 of 4 ran, 0.0 s" in charts.in_words(figure)
    assert title(charts.reruns(FIELDS.iloc[:1])) == "code costs “one” 3 steps, 6.0 s"


def test_a_heat_map_of_nothing_draws_nothing():
    assert title(charts.reruns(FIELDS.iloc[:0])) == "No edit to count yet"
    assert not charts.reruns(FIELDS.iloc[:0]).data
