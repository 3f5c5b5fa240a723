"""A learner's own copy of the lessons: no results in it, renewed while it is untouched, never lost, always whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import course
import environment
import pytest
from at_hand import NOTEBOOKS, ROOT
from environments import wait_for

ONE, TWO = "01_first.ipynb", "02_second.ipynb"


def notebook(source: str, outputs: list | None = None, **metadata: object) -> str:
    """A notebook of one line of prose and one cell, as JSON."""
    cell = {"cell_type": "code", "id": "b", "metadata": {}, "source": [source], "execution_count": 1}
    output = {"output_type": "stream", "name": "stdout", "text": ["the answer\n"]}
    prose = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# A lesson · Ü"]}
    cells = [prose, {**cell, "outputs": [output] if outputs is None else outputs}]
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def place(tmp_path):
    """A course of two lessons: (its folder, where the copy goes)."""
    lessons = tmp_path / "notebooks"
    lessons.mkdir()
    for name in (ONE, TWO):
        (lessons / name).write_text(notebook(f"print({name!r})"), encoding="utf-8")
    return lessons, tmp_path / "my_course"


def update(place) -> list[str]:
    lessons, copy = place
    return course.update(copy, lessons)


def reset(place, lesson: str) -> str:
    lessons, copy = place
    return course.reset(lesson, copy, lessons)


def change(path: Path, source: str, **more) -> None:
    path.write_text(notebook(source, **more), encoding="utf-8")


def listed(copy: Path) -> list[str]:
    return sorted(path.name for path in copy.iterdir())


def cell(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))["cells"][1]


def refused(call) -> str:
    with pytest.raises(environment.Problem) as caught:
        call()
    return str(caught.value)


def test_the_first_copy_holds_every_lesson_and_no_result(place):
    lessons, copy = place
    assert update(place) == ["Your own copy of the lessons is in my_course: change there what you like."]
    assert listed(copy) == [course.RECORD, ONE, TWO]
    assert cell(copy / ONE)["outputs"] == [] and cell(copy / ONE)["execution_count"] is None
    assert cell(copy / ONE)["source"] == [f"print({ONE!r})"] and "Ü" in (copy / ONE).read_text(encoding="utf-8")
    assert cell(lessons / ONE)["outputs"] and update(place) == []


def test_of_the_real_lessons_nothing_is_lost_but_their_results():
    for path in course.LESSONS.glob("0*.ipynb"):
        before, after = (json.loads(text) for text in (path.read_bytes(), course.without_results(path.read_bytes())))
        for one, other in zip(before["cells"], after["cells"], strict=True):
            assert not other.get("outputs") and other.get("execution_count") is None
            for content in (one, other):
                content.pop("outputs", None)
                content.pop("execution_count", None)
        assert before == after
    assert course.LESSONS == NOTEBOOKS and course.COPY == ROOT / "my_course"


def test_what_is_copied_is_kept_out_of_git_and_of_images():
    for file in (".gitignore", ".dockerignore"):
        assert "my_course" in (ROOT / file).read_text().replace("/", "").split()


def test_an_untouched_lesson_is_renewed_and_a_touched_one_is_left(place):
    lessons, copy = place
    update(place)
    change(copy / TWO, "my own", outputs=[])
    for name in (ONE, TWO):
        change(lessons / name, "print('new')")
    renewed, left = update(place)
    assert renewed == f"In my_course, because the course has changed, these were renewed: {ONE}."
    assert TWO in left and "`python3 notebooks --reset 02`" in left
    assert cell(copy / ONE)["source"] == ["print('new')"] and cell(copy / TWO)["source"] == ["my own"]
    assert update(place) == [left]


def test_a_touched_lesson_is_no_news_while_the_course_is_as_it_was(place):
    update(place)
    change(place[1] / TWO, "my own", outputs=[])
    assert update(place) == []


@pytest.mark.parametrize(
    "what, touched",
    [
        ({"source": f"print({ONE!r})", "outputs": [], "language_info": {"name": "python"}}, False),  # as it is opened
        ({"source": f"print({ONE!r})"}, True),  # it was run: the results are the learner's
        ({"source": f"print({ONE!r}) ", "outputs": []}, True),
    ],
)
def test_what_counts_as_touched_is_what_a_lesson_shows(place, what, touched):
    lessons, copy = place
    update(place)
    change(copy / ONE, **what)
    change(lessons / ONE, "print('new')")
    update(place)
    assert (cell(copy / ONE)["source"] != ["print('new')"]) == touched


def test_a_lesson_that_was_deleted_comes_back_and_a_new_one_is_told(place):
    lessons, copy = place
    update(place)
    (copy / ONE).unlink()
    change(lessons / "03_third.ipynb", "3")
    assert update(place) == [f"New in my_course: {ONE}, 03_third.ipynb."]
    assert listed(copy) == [course.RECORD, ONE, TWO, "03_third.ipynb"]


def test_a_lesson_that_the_course_gave_up_goes_unless_it_was_touched(place):
    lessons, copy = place
    update(place)
    change(copy / TWO, "my own")
    for name in (ONE, TWO):
        (lessons / name).rename(lessons / name.replace("0", "1"))
    update(place)
    assert listed(copy) == [course.RECORD, TWO, ONE.replace("0", "1"), TWO.replace("0", "1")]


@pytest.mark.parametrize("foreign", ["a file", "a notebook", "a folder", "a link to nowhere"])
def test_what_is_not_ours_is_never_written_over(place, foreign):
    lessons, copy = place
    copy.mkdir()
    (copy / "notes.txt").write_text("mine")
    path = copy / ONE
    {
        "a file": lambda: path.write_text("mine"),
        "a notebook": lambda: change(path, "mine"),
        "a folder": path.mkdir,
        "a link to nowhere": lambda: path.symlink_to("nowhere"),
    }[foreign]()
    before = path.lstat()
    said = update(place)
    assert ONE in said[-1] and "as you left them" in said[-1]
    assert path.lstat() == before and (copy / "notes.txt").read_text() == "mine"
    assert cell(copy / TWO)["outputs"] == []
    assert reset(place, "1").endswith("open it again.")
    assert cell(path)["outputs"] == [] and os.path.lexists(copy / "01_first_mine.ipynb")


@pytest.mark.parametrize("record", [None, "", "[]", '{"01_first.ipynb": 3, "../x": "y", "09_gone.ipynb": "z"}'])
def test_a_lost_or_damaged_record_loses_no_work(place, record):
    lessons, copy = place
    update(place)
    change(copy / TWO, "my own")
    (copy / course.RECORD).unlink() if record is None else (copy / course.RECORD).write_text(record)
    assert len(update(place)) <= 2 and cell(copy / TWO)["source"] == ["my own"]
    change(lessons / ONE, "print('new')")
    update(place)
    assert cell(copy / ONE)["source"] == ["print('new')"] and cell(copy / TWO)["source"] == ["my own"]


def test_where_the_folder_should_be_a_file_is_left_alone(place):
    place[1].write_text("mine")
    for call in (lambda: update(place), lambda: reset(place, "1")):
        assert "there is a file of that name: move it away" in refused(call)
    assert place[1].read_text() == "mine"


def test_a_folder_that_refuses_is_told_and_leaves_each_lesson_whole(place, monkeypatch):
    lessons, copy = place
    update(place)
    for name in (ONE, TWO):
        change(lessons / name, "print('new')")

    def full(half, path):
        if path.name == TWO:
            raise OSError(28, "No space left on device")
        shutil.move(half, path)

    monkeypatch.setattr(os, "replace", full)
    said = refused(lambda: update(place))
    assert "No space left on device" in said and "my_course" in said
    assert [cell(copy / name)["source"] for name in (ONE, TWO)] == [["print('new')"], [f"print({TWO!r})"]]
    monkeypatch.undo()
    assert update(place) == [f"In my_course, because the course has changed, these were renewed: {TWO}."]
    assert listed(copy) == [course.RECORD, ONE, TWO]


@pytest.fixture
def open_to_all():
    """A folder that every user may look into, with the course's programs; pytest's own are for one user."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        lessons = Path(folder, "notebooks")
        lessons.mkdir()
        for name in ("course.py", "environment.py", "installer.py"):
            shutil.copy(NOTEBOOKS / name, lessons)
        yield lessons, Path(folder, "my_course")


def test_a_folder_that_nobody_may_write_to_serves_as_it_is(open_to_all):
    """As another user: root may write everywhere."""
    lessons, copy = open_to_all
    change(lessons / ONE, "print('old')")
    update(open_to_all)
    code = """if True:
        import os, pathlib, course, environment
        if os.getuid() == 0: os.setgid(65534), os.setuid(65534)
        try: print(course.update())
        except environment.Problem as problem: print("Problem:", problem)
    """
    copy.chmod(0o555)

    def said() -> str:
        line = [sys.executable, "-c", code]
        return subprocess.run(line, capture_output=True, text=True, check=True, cwd=lessons).stdout

    assert said() == "[]\n"
    change(lessons / ONE, "print('new')")
    assert said().startswith("Problem: The lessons cannot be copied to") and "Permission denied" in said()
    copy.chmod(0o755)


def test_a_damaged_lesson_of_the_course_is_told_and_nothing_is_changed(place):
    lessons, copy = place
    (lessons / TWO).write_text("<<<<<<< HEAD")
    assert "notebooks/02_second.ipynb is damaged" in refused(lambda: update(place))
    (lessons / TWO).write_text("[]")
    assert "git checkout notebooks/02_second.ipynb" in refused(lambda: update(place))
    shutil.rmtree(lessons)
    assert "incomplete" in refused(lambda: update(place)) and not copy.exists()


SLOW = """
import os, pathlib, sys, time
sys.path.insert(0, {notebooks!r})
import course
replace = os.replace
def slow(half, path):
    pathlib.Path({lessons!r}, "begun").touch()
    time.sleep({seconds})
    replace(half, path)
os.replace = slow
print(course.update(pathlib.Path({copy!r}), pathlib.Path({lessons!r})))
"""


def begin(place, seconds: float) -> subprocess.Popen:
    """A process that copies the lessons and takes so long over each file."""
    lessons, copy = place
    code = SLOW.format(notebooks=str(NOTEBOOKS), lessons=str(lessons), copy=str(copy), seconds=seconds)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_copy_that_was_cut_off_is_completed_by_the_next_start(place):
    lessons, copy = place
    process = begin(place, 60)
    wait_for(lessons / "begun")
    assert [path.name for path in copy.glob("*.ipynb")] == []
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (copy / f".{TWO}.partial").write_text("half")
    update(place)
    assert listed(copy) == [course.RECORD, ONE, TWO] and cell(copy / ONE)["outputs"] == []


def test_two_starts_at_once_take_turns(place):
    lessons, copy = place
    first = begin(place, 0.5)
    wait_for(lessons / "begun")
    began = time.monotonic()
    assert update(place) == [] and time.monotonic() - began > 0.2
    assert "Your own copy" in first.communicate()[0] and first.returncode == 0
    assert listed(copy) == [course.RECORD, ONE, TWO]


@pytest.mark.parametrize(
    "word", ["2", "02", "02_second", "second", "02_second.ipynb", "my_course/02_second.ipynb", "sec", "a\\b\\02_second"]
)
def test_a_lesson_is_put_back_by_any_of_its_names_and_the_work_is_kept(place, word):
    lessons, copy = place
    update(place)
    change(copy / TWO, "my own")
    change(copy / ONE, "my own")
    assert reset(place, word).startswith(
        "my_course/02_second.ipynb is as the course has it, and what you had there is in 02_second_mine.ipynb."
    )
    assert cell(copy / TWO)["outputs"] == [] and cell(copy / "02_second_mine.ipynb")["source"] == ["my own"]
    assert reset(place, word) == "my_course/02_second.ipynb is as the course has it. Nothing was changed."
    assert cell(copy / ONE)["source"] == ["my own"]


def test_what_was_put_aside_stays_when_it_happens_again(place):
    copy = place[1]
    update(place)
    for number in (1, 2, 3):
        change(copy / TWO, f"attempt {number}")
        reset(place, "2")
    names = ["02_second_mine.ipynb", "02_second_mine_2.ipynb", "02_second_mine_3.ipynb"]
    assert [cell(copy / name)["source"] for name in names] == [["attempt 1"], ["attempt 2"], ["attempt 3"]]
    assert update(place) == []


def test_a_reset_needs_no_copy_and_renews_an_untouched_one(place):
    lessons, copy = place
    assert reset(place, "first") == "my_course/01_first.ipynb is as the course has it."
    change(lessons / ONE, "print('new')")
    assert reset(place, "first") == "my_course/01_first.ipynb is as the course has it."
    assert listed(copy) == [course.RECORD, ONE] and cell(copy / ONE)["source"] == ["print('new')"]
    assert update(place) == [f"New in my_course: {TWO}."]


@pytest.mark.parametrize(
    "word, words", [("7", "no lesson 7."), ("secnd", "mean second?"), (" ", "no lesson without a name"), ("²", "")]
)
def test_a_lesson_that_is_not_there_is_told_with_those_that_are(place, word, words):
    said = refused(lambda: reset(place, word))
    assert words in said and "There are: 01_first, 02_second." in said and not place[1].exists()


def command(folder: Path, *arguments: str) -> tuple[int, str]:
    """`python3 notebooks …` of a copy of the course that has no environment: (exit code, what it said)."""
    line = [sys._base_executable, str(folder / "notebooks"), *arguments]
    done = subprocess.run(line, capture_output=True, text=True, cwd=folder.parent, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The programs and lessons of the course, without `workshop`."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copytree(NOTEBOOKS, folder / "notebooks", ignore=shutil.ignore_patterns("workshop", "__pycache__", ".*"))
    return folder


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_explains_and_sets_nothing_up(whole, word):
    code, said = command(whole, word)
    assert code == 0 and "--reset LESSON" in said and "my_course/" in said
    assert sorted(path.name for path in whole.iterdir() if path.name != "my_course") == ["notebooks"]


def test_a_reset_needs_no_environment(whole):
    assert command(whole, "--reset", "5") == (0, "my_course/05_layers.ipynb is as the course has it.\n")
    assert command(whole, "--reset=layers", "0")[1].splitlines() == [
        "my_course/05_layers.ipynb is as the course has it. Nothing was changed.",
        "my_course/00_start_here.ipynb is as the course has it.",
    ]
    assert not (whole / ".venv").exists()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--reset"], "Which lesson?"),
        (["--reset", "layrs"], "Did you mean layers?"),
        (["--reset="], "There is no lesson without a name"),
        (["--rest", "3"], "did you mean `python3 notebooks --reset`?"),
        (["reset", "3"], "did you mean `python3 notebooks --reset`?"),
        (["help"], "did you mean `python3 notebooks --help`?"),
    ],
)
def test_a_slip_gets_a_sentence_and_sets_nothing_up(whole, arguments, words):
    code, said = command(whole, *arguments)
    assert code != 0 and words in said and "Nothing was changed." in said
    assert not (whole / ".venv").exists()
