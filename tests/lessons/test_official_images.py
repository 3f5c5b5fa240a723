"""What the lessons conclude holds on the official images, too, which no test here can pull: their weight is fed to the cells.

A conclusion is read from the notebook's own cell, so a range that has no room for the official images fails here. The figures
are those of docker-library/repo-info of 2026 (bytes of the files in all layers, which it calls virtual size; bytes of a pull):
python:3.11 there is "~ 1.1 Gb", so both ends of what rounds to that are tried.
"""

from __future__ import annotations

import ast
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
import workshop
from at_hand import NOTEBOOKS

BYTES = {"python:3.11-slim": 124.9e6, "python:3.11-alpine": 54.6e6, "busybox:1.37": 4.42e6}
PULLED = {"python:3.11": 409e6, "python:3.11-slim": 45.5e6, "python:3.11-alpine": 20.4e6}
FULL = pytest.mark.parametrize("full", [1.05e9, 1.15e9], ids=["1.05 GB", "1.15 GB"])

# What the recipes add to whatever base they stand on, as the lessons measure it: the packages are the same on any.
WIDGET, FLASK, PIP = 0.7e6, 5.0e6, 10.6e6
PACKED = {"with pip's": 5.8e6, "alone": 1.8e6}  # Flask, in a pull
STARTED = 50e6  # twice what Python opens here to start the app
BOXES = ("single", "slim", "alpine", "multi", "distroless", "scratch")

# Conclusions in which no base image's weight occurs: the tests of the lessons' builds hold these.
WITHOUT_WEIGHT = {
    "00": {"an engine answers"},
    "01": {"both print the same sentence", "both carry the same product, byte for byte"},
    "02": {"the app answers", "a C compiler is on board", "the app never opens it"},
    "03": {
        "the multi-stage app answers",
        "everything that crossed came from /install",
        "the builder's apt-get stayed behind",
        "Flask crossed",
        "the final image has a pip of its own base",
        "the app never opens the library for glibc",
    },
    "04": {"all six boxes give the same answer", "two stages answer the same as one"},
    "05": {
        "deleting made the image no smaller",
        "the deleted file can be read",
        "docker history shows the build argument",
        "a new owner stored the whole file again",
        "three RUN lines as one would save over 15 MB",
        "the builder still has the secret",
        "no layer of the two-stage image has the secret",
        "its own lines waste under a tenth",
        "both images say the same",
    },
    "06": {
        "everything-first: one line of app.py runs pip again",
        "requirements-first: pip is a hit",
        "a comment runs the compiler, and nothing behind the gate",
        "after the comment, the image that ships is the same",
        "new code gets through the gate",
        "every builder here cuts off",
        "the text's own Dockerfile does not cut off",
        "what differs is bytecode alone",
        "without bytecode it does cut off",
        "a note in the context makes COPY . . run",
        ".dockerignore makes it a hit again",
        ".dockerignore filters no COPY --from",
        "a cache mount answers for a changed requirements.txt",
        "nothing of the mount is in the image",
        "a new machine's mount is empty",
        "the classic builder makes one stage at a time",
        "BuildKit makes independent stages side by side",
        "BuildKit skips the stage that nobody needs",
    },
}


def known(lesson: str, full: float) -> dict:
    """What the lesson's cells have measured by its end, as far as base images weigh in it. full: bytes of python:3.11."""
    built = {box: SimpleNamespace(tag=f"factory/flask_hello:{box}") for box in BOXES}
    bases = BYTES | {"python:3.11": full}
    slim, alpine = bases["python:3.11-slim"], bases["python:3.11-alpine"]
    weighed = (full + FLASK + PIP, slim + FLASK + PIP, alpine + FLASK + PIP, alpine + FLASK, 58e6, 43e6)
    pulled = [PULLED[base] + PACKED["with pip's"] for base in ("python:3.11", "python:3.11-slim", "python:3.11-alpine")]
    pulled += [PULLED["python:3.11-alpine"] + PACKED["alone"], 21e6, 15e6]
    shared = [1.02 * each for each in (full, slim, alpine, alpine, 53e6)] + [0]
    sizes = pd.DataFrame({"image": [one.tag for one in built.values()], "bytes": weighed, "shared": shared})
    sizes["tar"], sizes["compressed"], sizes["engine"] = 1.03 * sizes["bytes"], pulled, pulled
    weight = dict(zip(sizes["image"], sizes["bytes"]))
    builder = "factory/flask_hello:multi.builder"
    left = {"scratch": 15e6, "multi": PACKED["alone"]}
    most = max(left, key=left.get)
    measured = {
        "00": {"base": BYTES["busybox:1.37"], "greeting": 30, "layers": [0, 1]},
        "01": {"product": WIDGET, "big": full + WIDGET, "small": BYTES["busybox:1.37"] + WIDGET},
        "02": {
            "total": full + FLASK + PIP,
            "ours": pd.DataFrame({"bytes": [FLASK + PIP]}),
            "used": pd.DataFrame({"bytes": [STARTED]}),
        },
        "03": built
        | {
            "weight": weight | {builder: slim + FLASK + PIP},
            "builder": builder,
            "by_base": full - alpine,
            "by_stage": PIP,
        },
        "04": built | {"sizes": sizes, "weight": weight, "most": built[most].tag},
        "05": {},
        "06": {},
    }
    return measured[lesson]


def conclusions(lesson: str, names: dict) -> dict[str, bool]:
    """{conclusion: whether it holds} of those that need nothing but these names; what weighing cells make is put to them."""
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    found = {}
    for source in cells:
        for statement in ast.parse(source).body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.value).startswith(WEIGHING):
                if known_all(statement.value, names):
                    exec(compile(ast.Module([statement], []), path.name, "exec"), {"workshop": workshop}, names)
        if "workshop.conclude({" in source:
            (said,) = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Dict)]
            for claim, condition in zip(said.keys, said.values):
                if known_all(condition, names):
                    code = compile(ast.Expression(condition), path.name, "eval")
                    found[claim.value] = bool(eval(code, {"workshop": workshop} | names))
    return found


WEIGHING = ("workshop.sizes_between(", "workshop.by_image(sizes, 'shared')")


def known_all(code: ast.AST, names: dict) -> bool:
    """True if the code needs no other name than these, Python's own, and `workshop`'s table helpers."""
    needed = {node.id for node in ast.walk(code) if isinstance(node, ast.Name)}
    asks = {node.attr for node in ast.walk(code) if isinstance(node, ast.Attribute)} & {"answer", "run", "find", "ping"}
    return not asks and needed <= names.keys() | {"workshop", "set", "list", "len", "all", "max", "min"}


@FULL
@pytest.mark.parametrize("lesson", sorted(WITHOUT_WEIGHT))
def test_every_conclusion_about_weight_holds_on_the_official_images(lesson, full):
    found = conclusions(lesson, known(lesson, full))
    assert [claim for claim, holds in found.items() if not holds] == []
    assert not found.keys() & WITHOUT_WEIGHT[lesson]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")), ids=lambda path: path.stem)
def test_every_conclusion_of_a_lesson_is_tried_or_known_to_weigh_nothing(path):
    """A new conclusion has to be put in one of the two places."""
    lesson = path.stem[:2]
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if "workshop.conclude({" in cell.source]
    said = {
        key.value
        for cell in cells
        for node in ast.walk(ast.parse(cell))
        if isinstance(node, ast.Dict)
        for key in node.keys
    }
    assert said == conclusions(lesson, known(lesson, 1.1e9)).keys() | WITHOUT_WEIGHT[lesson]


@FULL
def test_the_tables_of_lesson_04_have_the_rows_that_its_prose_speaks_of(full):
    names = known("04", full)
    conclusions("04", names)
    assert set(names["about_900"]["meaning"]) == {"bytes", "tar"}, "the content, and not what a pull transfers"
    assert set(names["about_120_to_150"]["meaning"]) == {"bytes", "tar"}
    assert names["sizes"]["compressed"].max() < 0.45 * full, "well under half of it"


def test_a_range_without_room_for_them_would_be_seen(tmp_path, monkeypatch):
    cell = 'workshop.conclude({"within 1.25": 720e6 < total < 1125e6, "small": used["bytes"].sum() / total < 0.1})'
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    nbformat.write(notebook, tmp_path / "02_x.ipynb")
    monkeypatch.setitem(globals(), "NOTEBOOKS", tmp_path)
    assert conclusions("02", known("02", 1.15e9)) == {"within 1.25": False, "small": True}
