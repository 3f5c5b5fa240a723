"""A learner's own copy of the lessons, `my_course/`: without our results, so that nobody sees an answer before guessing, and
what a learner does there changes nothing for git.

What a lesson shows (its cells and their results) tells whether it was touched; settings that an editor adds do not count.
Standard library only, because a lesson can be put back before anything is installed.
"""

import contextlib
import difflib
import hashlib
import json
import os
import re
from pathlib import Path

import environment

LESSONS = Path(os.path.abspath(__file__)).parent
COPY = LESSONS.parent / "my_course"
RECORD = ".copied.json"  # {file name: what it showed when it was copied}
RESET = "python3 notebooks --reset"


def update(copy=COPY, lessons=LESSONS):
    """Makes the copy of the lessons, or brings it up to date. Returns what there is to say, a list of sentences.

    A lesson that was not touched since it was copied becomes the course's own of today; any other file stays as it is. Two
    calls at the same moment (in two processes) take turns, and one that is cut off leaves each lesson whole.
    Raises environment.Problem.
    """
    with _plainly(copy):
        fresh = _fresh(lessons)
        if not any(_changes(copy, fresh)[:3]):
            return _said(copy, [], _changes(copy, fresh)[3], [], False)
        with _alone(copy):
            new, outdated, retired, left = _changes(copy, fresh)
            missing = [name for name in new if not os.path.lexists(copy / name)]
            record = _recorded(copy)
            first = not record
            try:
                for name in new + outdated:
                    if _shows(copy / name) != _shown(fresh[name]):
                        _write(copy / name, fresh[name])
                    record[name] = _shown(fresh[name])
                for name in retired:
                    if record.pop(name) == _shows(copy / name):
                        (copy / name).unlink()
            finally:
                _write(copy / RECORD, json.dumps(record, indent=1).encode())
        return _said(copy, outdated, left, missing, first)


def reset(lesson, copy=COPY, lessons=LESSONS):
    """Puts a lesson back as the course has it; what was there stays beside it under another name, if it was touched.

    lesson: its number, its name, or the path of it. Returns a sentence that says what was done. Raises environment.Problem.
    """
    with _plainly(copy):
        fresh = _fresh(lessons)
        name = _named(lesson, list(fresh))
        path, record = copy / name, _recorded(copy)
        if _shows(path) == _shown(fresh[name]):
            return "%s is as the course has it. Nothing was changed." % _short(path)
        with _alone(copy):
            kept = ""
            if os.path.lexists(path) and (name not in record or _shows(path) != record[name]):
                beside = _free(path)
                os.rename(path, beside)
                kept = ", and what you had there is in %s" % beside.name
            _write(path, fresh[name])
            _write(copy / RECORD, json.dumps({**record, name: _shown(fresh[name])}, indent=1).encode())
    again = " If it is open in JupyterLab, close its tab there and open it again." if kept else ""
    return "%s is as the course has it%s.%s" % (_short(path), kept, again)


def without_results(notebook):
    """A notebook (bytes of JSON) without the results of its cells. Raises ValueError for what is no notebook."""
    content = json.loads(notebook)
    try:
        for cell in content["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
    except (KeyError, TypeError):
        raise ValueError("no list of cells") from None
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


# ---- what is there ---------------------------------------------------------------------------------------------------


def _fresh(lessons):
    """{file name: content without results}, in the order of the course."""
    fresh = {}
    for path in sorted(lessons.glob("[0-9][0-9]_*.ipynb")):
        try:
            fresh[path.name] = without_results(path.read_bytes())
        except ValueError as error:
            raise environment.Problem(
                "%s is damaged (%s): get it again, with `git checkout %s` for instance. Nothing was changed."
                % (_short(path), error, _short(path))
            ) from None
    if not fresh:
        raise environment.Problem(
            "There is no lesson in %s: this copy of the folder is incomplete, get it again." % lessons
        )
    return fresh


def _changes(copy, fresh):
    """Names of lessons: those to copy for the first time, to renew, to forget, and newer ones than what somebody touched."""
    record = _recorded(copy)
    new, outdated, left = [], [], []
    for name, content in fresh.items():
        there, ours = _shows(copy / name), _shown(content)
        if not os.path.lexists(copy / name) or (there == ours and name not in record):
            new.append(name)
        elif there != ours and there == record.get(name):
            outdated.append(name)
        elif there != ours and record.get(name) != ours:
            left.append(name)
    return new, outdated, [name for name in record if name not in fresh], left


def _recorded(copy):
    try:
        record = json.loads((copy / RECORD).read_text(encoding="utf-8"))
        ours = re.compile(r"[0-9][0-9]_[^/\\]*\.ipynb")
        return {name: digest for name, digest in record.items() if ours.fullmatch(name) and isinstance(digest, str)}
    except (OSError, ValueError, AttributeError):  # nobody's, or damaged: then what differs from ours counts as touched
        return {}


def _shows(path):
    """As _shown, of a file; "" if there is none."""
    return _shown(path.read_bytes()) if path.is_file() else ""


def _shown(notebook):
    """sha256 (hex) of what a notebook shows: its cells with their results. Of a file that is no notebook: of its bytes."""
    try:
        cells = [
            [cell["cell_type"], "".join(cell["source"]), cell.get("outputs", [])]
            for cell in json.loads(notebook)["cells"]
        ]
        notebook = json.dumps(cells, sort_keys=True).encode()
    except (ValueError, KeyError, TypeError):
        pass
    return hashlib.sha256(notebook).hexdigest()


def _named(lesson, names):
    """The file name of the lesson that is meant."""
    word = lesson.strip().replace("\\", "/").rstrip("/").split("/")[-1].lower().removesuffix(".ipynb")
    word = re.sub(r"[\s-]+", "_", word)
    stems = {name.removesuffix(".ipynb").lower(): name for name in names}
    if word.isdecimal():
        found = [name for stem, name in stems.items() if int(stem[:2]) == int(word)]
    else:
        found = [name for stem, name in stems.items() if word in (stem, stem[3:])]
        found = found or [
            name for stem, name in stems.items() if word and (stem.startswith(word) or stem[3:].startswith(word))
        ]
    if len(found) == 1:
        return found[0]
    close = difflib.get_close_matches(word, [*stems, *(stem[3:] for stem in stems)], n=1)
    meant = " Did you mean %s?" % close[0] if close else ""
    what = (
        "Several lessons begin with %s" % word
        if found
        else "There is no lesson %s" % (lesson.strip() or "without a name")
    )
    raise environment.Problem("%s.%s There are: %s. Nothing was changed." % (what, meant, ", ".join(stems)))


def _said(copy, renewed, left, new, first):
    """A sentence for each of these that has names of lessons in it."""
    said = []
    if first:
        said.append("Your own copy of the lessons is in %s: change there what you like." % copy.name)
    elif new:
        said.append("New in %s: %s." % (copy.name, ", ".join(new)))
    if renewed:
        said.append("In %s, because the course has changed, these were renewed: %s." % (copy.name, ", ".join(renewed)))
    if left:
        said.append(
            "In %s, these are as you left them, and the course has newer ones: %s. `%s %s` puts the new one there and keeps "
            "yours beside it." % (copy.name, ", ".join(left), RESET, left[0][:2])
        )
    return said


def _short(path):
    return "%s/%s" % (path.parent.name, path.name)


def _free(path):
    """The first name beside a lesson for what a learner made of it: 03_two_stages_mine.ipynb, …_mine_2.ipynb."""
    number = 1
    while True:
        beside = path.with_name("%s_mine%s%s" % (path.stem, "_%d" % number if number > 1 else "", path.suffix))
        if not os.path.lexists(beside):
            return beside
        number += 1


# ---- writing it ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _plainly(copy):
    """Whatever the disk refuses is said in words."""
    try:
        yield
    except OSError as error:
        raise environment.Problem(
            "The lessons cannot be copied to %s (%s): free some space there, or copy the whole folder to a place of your own, "
            "then start again. Each lesson there is as it was, or as the course has it."
            % (copy, error.strerror or error)
        ) from None


@contextlib.contextmanager
def _alone(copy):
    """The folder is there, and nobody else writes in it."""
    if os.path.lexists(copy) and not copy.is_dir():
        raise environment.Problem(
            "Your copy of the lessons would be the folder %s, and there is a file of that name: move it away and start again. "
            "Nothing was changed." % copy
        )
    copy.mkdir(exist_ok=True)
    with environment.only_one(copy / ".lock"):
        for half in copy.glob(".*.partial"):  # of a start that was cut off
            half.unlink()
        yield


def _write(path, content):
    """All of it, or nothing."""
    half = path.with_name(".%s.partial" % path.name)
    try:
        half.write_bytes(content)
        os.replace(half, path)
    except BaseException:
        with contextlib.suppress(OSError):
            half.unlink()
        raise
