"""What a build ran, when, and what an edit costs: from builds written by hand, from recordings, and at the workbench."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest
import workshop
from workshop.builders.build import SAMPLE_APPS, Build
from workshop.builders.buildkit_trace import BuildkitTrace
from workshop.builders.classic_log import ClassicLog
from workshop.builders.steps import COLUMNS, Step, steps_frame
from workshop.dockerfiles import syntax
from workshop.errors import WorkshopError
from workshop.lesson import recordings, workbench

NAN = math.nan
MESSAGES = Path(__file__).parent / "recordings"


def made(*rows, printed=None, recorded="") -> Build:
    """A build of steps (stage, instruction, status, began, ended)."""
    steps = [
        Step(number, stage, number, text, status, began, ended, 0.0 if math.isnan(began) else ended - began)
        for number, (stage, text, status, began, ended) in enumerate(rows, 1)
    ]
    names = dict.fromkeys((row[0] for row in rows if row[2] != "skipped"), "sha256:1")
    frame = steps_frame(steps)
    return Build("sha256:1", "hand", 9.0, names, {}, frame, "FROM a\n", printed=printed or {}, recorded=recorded)


TWO = made(
    ("a", "FROM busybox", "base", 100.0, 100.25),
    ("a", "COPY x .", "run", 100.25, 100.5),
    ("a", "RUN make", "run", 100.5, 104.5),
    ("b", "FROM busybox", "base", 100.0, 100.0),
    ("b", "RUN wait", "run", 101.0, 103.0),
    ("b", "COPY --from=a /x /", "cached", 104.5, 104.5),
    ("b", "CMD x", "cached", NAN, NAN),
    printed={3: ["made x", "done"], 5: ["made nothing"]},
)


def test_the_clock_starts_with_the_first_step():
    assert list(TWO.steps["began"][:6]) == [0.0, 0.25, 0.5, 0.0, 1.0, 4.5]
    assert list(TWO.steps["ended"][:6]) == [0.25, 0.5, 4.5, 0.0, 3.0, 4.5]
    assert math.isnan(TWO.steps["began"][6]) and list(TWO.steps.columns) == COLUMNS


def test_steps_that_ran_have_their_numbers():
    assert workshop.ran(TWO) == [2, 3, 5]
    assert workshop.ran(made(("a", "FROM x", "base", 0.0, 0.0), ("a", "RUN y", "cached", 0.0, 0.0))) == []


def test_what_was_printed_is_found_by_a_word_in_the_order_of_the_steps():
    assert workshop.printed(TWO) == ["made x", "done", "made nothing"]
    assert workshop.printed(TWO, "made") == ["made x", "made nothing"] and workshop.printed(TWO, "none") == []


def test_stages_are_side_by_side_if_two_of_their_steps_ran_at_the_same_time():
    assert workshop.side_by_side(TWO) == [("a", "b")]
    in_turn = made(("a", "RUN x", "run", 0.0, 2.0), ("b", "RUN y", "run", 2.0, 4.0), ("c", "RUN z", "cached", 1.0, 1.0))
    assert workshop.side_by_side(in_turn) == [], "one ends as the other begins, and a hit does no work"


def test_a_timeline_has_every_step_of_every_build_under_its_name():
    frame = workshop.timeline(
        {"first": TWO, "second": made(("a", "FROM x", "base", 0.0, 1.0), recorded="recorded on X")}
    )
    assert list(frame["build"]) == ["first"] * 7 + ["second"] and list(frame["recorded"])[-1] == "recorded on X"
    assert list(workshop.timeline(TWO)["build"]) == ["hand"] * 7 and workshop.timeline({}).empty


def test_reruns_count_the_steps_that_ran_of_those_that_the_cache_can_answer():
    frame = workshop.reruns({"two stages": {"a comment": TWO}})
    assert frame.to_dict("records") == [
        {
            "recipe": "two stages",
            "edit": "a comment",
            "steps": 5,
            "ran": 3,
            "seconds": 6.25,
            "again": "COPY x .\nRUN make\nRUN wait",
        }
    ]


@pytest.mark.parametrize(("name", "log_class"), [("buildkit-edited", BuildkitTrace), ("classic-edited", ClassicLog)])
def test_a_builders_own_stream_says_when_each_step_was_at_work(name, log_class):
    recording = json.loads((MESSAGES / f"{name}.json").read_text(encoding="utf-8"))
    parsed = syntax.parse(recording["dockerfile"])
    log = log_class(parsed, len(parsed.stages) - 1) if log_class is BuildkitTrace else log_class(parsed)
    for message in recording["messages"]:
        log.feed(message)
    if isinstance(log, ClassicLog):
        log.end()
    steps = steps_frame(log.dockerfile_steps())
    at_work = steps[steps["status"] == "run"].dropna(subset=["began"])
    assert len(at_work) >= 2 and (at_work["ended"] >= at_work["began"]).all() and steps["began"].min() == 0
    assert (at_work["began"].diff().dropna() >= 0).all(), "one step of a stage after the other"
    assert steps.loc[steps["status"] == "skipped", "began"].isna().all()
    assert log.printed() == {4: ["last words"]}, "a hit prints nothing"


# --- recordings of builds -------------------------------------------------------------------------------------------

RECORDED = sorted(path.stem for path in recordings.FOLDER.glob("*.json"))


@pytest.mark.parametrize("name", RECORDED)
def test_a_recording_says_where_and_when_and_is_a_build(name):
    build = recordings.load(name)
    assert build.recorded.startswith("recorded on Docker Engine ") and build.recorded in repr(build)
    assert list(build.steps.columns) == COLUMNS and build.steps["began"].min() == 0
    assert workshop.ran(build), "a recording of hits alone shows nothing"
    assert list(workshop.timeline(build)["recorded"]) == [build.recorded] * len(build.steps)


def test_a_build_that_is_written_down_is_read_again_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    (tmp_path / "two.json").write_text(recordings.as_json(TWO, "recorded on X"), encoding="utf-8")
    again = recordings.load("two")
    pd.testing.assert_frame_equal(again.steps, TWO.steps, check_dtype=False)
    assert (again.printed, again.dockerfile, list(again.stages)) == (TWO.printed, TWO.dockerfile, ["a", "b"])
    assert again.recorded == "recorded on X" and recordings.load("three") is None


class Elsewhere:
    """An engine of another make, asked for its name alone."""


def test_without_buildkit_a_recording_of_this_dockerfile_is_shown_and_said_to_be_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    monkeypatch.setattr(recordings, "has_buildkit", lambda client: False)
    monkeypatch.setattr(recordings, "describe", lambda client: {"engine": "Pocket engine"})
    recipe = "FROM busybox\nRUN echo {}\n"
    kept = made(("a", "FROM busybox", "base", 0.0, 0.0), ("a", "RUN echo", "run", 0.0, 1.0))
    object.__setattr__(kept, "dockerfile", recipe.format(workshop.nonce()))
    (tmp_path / "one.json").write_text(recordings.as_json(kept, "recorded on Docker Engine 28 on 2026-01-02"))
    shown = recordings.on_buildkit(Elsewhere(), "hello", recipe.format(workshop.nonce()), recording="one")
    assert workshop.ran(shown) == [2] and shown.recorded == "recorded on Docker Engine 28 on 2026-01-02"
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("This engine has no BuildKit. What you see was recorded on Docker Engine 28 on 2026-01-02")
    of_another, of_none = "is of another Dockerfile", "there is no recording 'two'"
    for text, name, why in (("FROM other\nRUN x\n", "one", of_another), (recipe, "two", of_none)):
        with pytest.raises(WorkshopError, match=f"Pocket engine.* has no BuildKit, and .*{why}"):
            recordings.on_buildkit(Elsewhere(), "hello", text, recording=name)


# --- the workbench --------------------------------------------------------------------------------------------------


def test_a_workbench_is_a_copy_that_can_be_edited_and_the_app_stays_as_it_is():
    before = {path: path.read_bytes() for path in (SAMPLE_APPS / "widget").iterdir()}
    bench = workshop.workbench("widget")
    assert bench.name == "widget-bench" and not bench.is_relative_to(SAMPLE_APPS)
    workshop.edit(bench, "widget.c", "Widget no. 1", "Widget no. 2")
    workshop.edit(bench, "notes/one.md", "", "first\n")
    workshop.edit(bench, "notes/one.md", "", "second\n")
    assert (
        "Widget no. 2" in (bench / "widget.c").read_text() and (bench / "notes/one.md").read_text() == "first\nsecond\n"
    )
    assert {path: path.read_bytes() for path in (SAMPLE_APPS / "widget").iterdir()} == before
    assert {path.name for path in bench.iterdir()} == {path.name for path in before} | {"notes"}


def test_only_the_first_of_several_places_is_edited(tmp_path):
    (tmp_path / "x").write_text("a a a")
    bench = workshop.workbench(tmp_path)
    workshop.edit(bench, "x", "a", "b")
    assert (bench / "x").read_text() == "b a a" and (tmp_path / "x").read_text() == "a a a"


def test_a_folder_that_is_no_app_is_not_copied(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/one").write_bytes(b"12345")
    (tmp_path / "two").write_bytes(b"123")
    for most_bytes, most_files, fits in ((8, 3, True), (7, 3, False), (8, 2, False)):
        monkeypatch.setattr(workbench, "MOST_BYTES", most_bytes)
        monkeypatch.setattr(workbench, "MOST_FILES", most_files)
        if fits:
            assert (workshop.workbench(tmp_path) / "deep/one").read_bytes() == b"12345"
            continue
        with pytest.raises(WorkshopError, match="too large for a workbench"):
            workshop.workbench(tmp_path)


@pytest.mark.parametrize(
    ("path", "old", "says"),
    [
        ("widget.c", "no such words", "widget.c has no 'no such words'"),
        ("widget.h", "x", "widget.h cannot be edited: No such file"),
        ("../widget.c", "x", "is no file in the workbench"),
        ("/etc/hostname", "x", "is no file in the workbench"),
        (".", "x", "is no file in the workbench"),
        ("image.png", "x", "it is no text"),
        ("folder", "x", "folder cannot be edited: Is a directory"),
    ],
)
def test_an_edit_that_cannot_be_made_is_told_and_changes_nothing(path, old, says):
    bench = workshop.workbench("widget")
    (bench / "image.png").write_bytes(b"\xff\xfe\x00")
    (bench / "folder").mkdir()
    with pytest.raises(WorkshopError, match=says):
        workbench.edit(bench, path, old, "y")
    assert (bench / "widget.c").read_bytes() == (SAMPLE_APPS / "widget/widget.c").read_bytes()


def test_nothing_but_a_workbench_is_edited(tmp_path):
    (tmp_path / "x").write_text("a")
    for folder in (tmp_path, SAMPLE_APPS / "widget", workshop.workbench("widget").parent):
        with pytest.raises(WorkshopError, match="is no workbench: only copies are edited"):
            workshop.edit(folder, "x", "a", "b")
    assert (tmp_path / "x").read_text() == "a"


def test_a_link_that_leads_out_of_the_workbench_is_not_followed(tmp_path):
    (tmp_path / "outside").write_text("a")
    bench = workshop.workbench("widget")
    (bench / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(WorkshopError, match="is no file in the workbench"):
        workshop.edit(bench, "link", "a", "b")
    assert (tmp_path / "outside").read_text() == "a"


def test_no_two_nonces_are_alike_and_each_is_one_word():
    words = {workshop.nonce() for _ in range(100)}
    assert len(words) == 100 and all(recordings.NONCE.fullmatch(word) for word in words)
