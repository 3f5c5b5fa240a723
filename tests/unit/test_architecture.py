"""The rooms of `workshop`: arrows run downward only, and what counts is pure. Read from the sources, nothing is imported."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

WORKSHOP = Path(__file__).resolve().parents[2] / "notebooks" / "workshop"

# From the bottom up: a room may import those before it, never one behind it.
ROOMS = [
    "opening",
    "units",
    "restarted",
    "errors",
    "archives",
    "paths",
    "labels",
    "markup",
    "progress",
    "dockerfiles",
    "layer",
    "analysis",
    "charts",
    "bases",
    "engine",
    "builders",
    "measure",
    "lesson",
    "kinds",
    "arguments",
]
BESIDE = {path.stem for path in WORKSHOP.glob("*.py")}  # modules that are rooms of their own

# All that analysis/ may import: nothing here asks an engine or reads a disk, and nothing of workshop that does.
PURE = {"__future__", "collections", "dataclasses", "hashlib", "numpy", "pandas"}
PURE_HERE = {
    "dockerfiles": {"copy_from", "history", "syntax"},
    "layer": {"layer", "merge", "package_databases"},
    "errors": {"WorkshopError"},
    "paths": {"followed", "matches"},
    "units": {"size"},
}
READING = re.compile(r"\bopen\(|\bread_\w+\(|\bto_(csv|json|pickle|parquet)\(|\bdocker\.")


def imports(path: Path) -> set[str]:
    """Absolute names of the modules that a module imports, wherever in it."""
    package = ["workshop", *path.relative_to(WORKSHOP).parts[:-1]]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            # `from . import x` names a module, `from .x import y` may: the room is what counts
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def room(name: str) -> str:
    """The room of a module of workshop: `workshop.layer.files` → `layer`."""
    return name.split(".")[1]


def modules() -> list[Path]:
    return sorted(path for path in WORKSHOP.rglob("*.py") if path.parent != WORKSHOP or path.name != "__init__.py")


def test_every_module_stands_in_a_room_and_every_room_is_there():
    rooms = {path.relative_to(WORKSHOP).parts[0].removesuffix(".py") for path in modules()}
    assert rooms == set(ROOMS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(WORKSHOP).as_posix())
def test_arrows_run_downward_only(path):
    own = ROOMS.index(path.relative_to(WORKSHOP).parts[0].removesuffix(".py"))
    inside = {name for name in imports(path) if name.split(".")[0] == "workshop"}
    assert "workshop" not in inside, f"{path.name} imports the package that it is in: all rooms at once"
    up = {name for name in inside if ROOMS.index(room(name)) > own}
    assert not up, f"{path.name} imports from above: {sorted(up)}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(WORKSHOP).as_posix())
def test_inside_nobody_goes_through_the_doors_that_are_for_learners(path):
    """`workshop/arguments.py` guards what these offer: what a Dockerfile says, say, is not a learner's argument."""
    asked = imports(path) & {"workshop.bases", "workshop.charts", "workshop.lesson.costs"}
    assert not asked, f"{path.name} asks {asked}, and would be answered as a learner is: import from the module inside"


def test_no_import_is_hidden_in_a_string():
    """The tests above do not see it. The text of a program that runs in a container is none of ours."""
    hidden = re.compile(r"import_module\(|^(?!__import__\(sys\.argv).*__import__\(", re.M)
    assert not [path.name for path in modules() if hidden.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", sorted((WORKSHOP / "analysis").glob("*.py")), ids=lambda path: path.name)
def test_analysis_is_pure(path):
    """It counts what is in a frame: it neither asks an engine nor reads a disk."""
    own = [name.split(".") for name in imports(path)]
    assert {name[0] for name in own} - {"workshop"} <= PURE
    beyond = [name for name in own if name[0] == "workshop" and name[1] != "analysis"]
    assert not [name for name in beyond if name[2] not in PURE_HERE.get(name[1], ())]
    assert not READING.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted(WORKSHOP.rglob("*/__init__.py")), ids=lambda path: path.parent.name)
def test_each_room_says_what_it_owns_and_imports_no_more_than_it_says(path):
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    _, owns, rest = said.partition("Owns")
    _, may, allowed = rest.partition("May import")
    assert owns and may
    inside = {name for file in path.parent.rglob("*.py") for name in imports(file) if name.startswith("workshop.")}
    others = {room(name) for name in inside} - {path.relative_to(WORKSHOP).parts[0]}
    if "everything else" not in allowed:
        assert {other for other in others - BESIDE if not re.search(rf"\b{other}\b", allowed)} == set()
        listed = re.search(r"modules beside this folder \(([^)]*)\)", allowed)
        assert not listed or others & BESIDE <= set(listed[1].split(", "))


def test_no_package_has_the_name_of_what_tools_make():
    names = {path.name for path in WORKSHOP.rglob("*") if path.is_dir()}
    assert not names & {"build", "dist", "out"}


def test_no_room_hides_behind_a_public_function_of_its_name():
    """`workshop.layers` is a function: a package of that name would shadow it, or be shadowed, by the order of imports."""
    tree = ast.parse((WORKSHOP / "__init__.py").read_text(encoding="utf-8"))
    functions = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").count(".") >= 1 or _from_module(node)
        for alias in node.names
    }
    assert not functions & set(ROOMS)


def _from_module(node: ast.AST) -> bool:
    """`from .measure import gate`: names of a module that is not a package."""
    return isinstance(node, ast.ImportFrom) and bool(node.module) and (WORKSHOP / f"{node.module}.py").is_file()
