"""A kernel that was restarted knows nothing: a cell from the middle of a lesson says which menu runs the ones before it."""

from __future__ import annotations

import json
import os
import shutil
from types import SimpleNamespace

import pytest
from at_hand import NOTEBOOKS, ROOT
from workshop import opening, restarted

CELLS = [
    "import workshop\nclient = workshop.connect()",
    "files = 1\nfor row in (1, 2): pass",
    "print(files)",
    "late = 1",
]
REMEDY = "Choose Run → Run All Above Selected Cell, then run this cell."


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """A notebook of CELLS, as the server tells a kernel of it."""
    path = tmp_path / "05_layers.ipynb"
    cells = [{"cell_type": "markdown", "source": ["nowhere = 1"]}]
    cells += [{"cell_type": "code", "source": source.splitlines(keepends=True)} for source in CELLS]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    return path


def said(source: str) -> str:
    """What is said when a cell fails in a kernel that knows nothing."""
    with pytest.raises(Exception) as caught:
        exec(source, {})
    return restarted.sentences(caught.value, SimpleNamespace(user_ns={"In": ["", source]}))


@pytest.mark.parametrize("source", ["print(files)", "client.ping()", "workshop.tidy()", "print(row)", "files + late"])
def test_a_name_that_a_cell_above_makes_is_told(lesson, source):
    name = source.removeprefix("print(").split(".")[0].split(" ")[0].rstrip(")")
    assert said(source).startswith(f"This kernel does not know {name} yet: an earlier cell of this notebook makes it")
    assert REMEDY in said(source)


@pytest.mark.parametrize(
    "source",
    [
        "print(fils)",  # a slip
        "print(nowhere)",  # prose makes nothing
        "def f():\n    print(files)\n    files = 2\nf()",  # of its own making
        "files = {}['files']",  # no NameError
        "late = late + 1",
    ],
)
def test_what_running_the_cells_above_would_not_mend_stays_pythons_word(lesson, source):
    if "late" in source:  # this cell is the one that makes it
        content = json.loads(lesson.read_text(encoding="utf-8"))
        content["cells"][-1]["source"] = [source]
        lesson.write_text(json.dumps(content), encoding="utf-8")
    assert said(source) == ""


def test_without_a_notebook_nothing_is_guessed(monkeypatch, tmp_path):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert said("files") == ""
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "gone.ipynb"))
    assert said("files") == ""


def test_every_lesson_knows_its_own_names():
    """No cell of theirs is beyond this reader."""
    for path in sorted(NOTEBOOKS.glob("0*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        assert {"workshop", "client", "check"} <= restarted.made_by(sources), path.name


@pytest.mark.slow
def test_a_kernel_with_the_courses_settings_says_it_and_keeps_no_name(lesson, tmp_path):
    """A real kernel, before and after `import workshop`."""
    from jupyter_client import KernelManager

    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    shutil.copy(ROOT / "binder" / "ipython_kernel_config.py", profile)
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(
        env={**os.environ, "IPYTHONDIR": str(tmp_path / "ipython"), "PYTHONPATH": str(NOTEBOOKS)}, cwd=str(tmp_path)
    )
    client = manager.client()
    client.start_channels()

    def answer(source: str) -> str:
        parts = []

        def hear(message):
            content = message["content"]
            parts.extend(content.get("traceback") or [content.get("text") or ""])

        client.execute_interactive(source, timeout=60, output_hook=hear)
        return "\n".join(parts)

    try:
        client.wait_for_ready(timeout=60)
        assert REMEDY in answer("print(files)") and "Traceback" not in answer("print(files)")
        assert "name 'prnt' is not defined" in answer("print(prnt)")
        assert "_start" not in answer("print([name for name in dir() if 'start' in name])")
        assert answer("import workshop; workshop.errors.speak_plainly()").strip() == opening.WORDS
        assert REMEDY in answer("client.ping()") and "Traceback" not in answer("client.ping()")
        assert "name 'prnt' is not defined" in answer("print(prnt)")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
