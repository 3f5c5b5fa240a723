"""The pocket engine's packages know only what lies below them, lazy imports included: read from the source, nothing runs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parents[2] / "binder" / "pocket_engine"
# From the top down; names on one line know nothing of each other. The same list is in the engine's README.
ORDER = """
__main__
cli
server
api
engine
builder containers
engine_services
rootfs
runtime registry
store
lifetime supervisor endpoints
events passwd reference_grammar engine_log procfs inode_birth_time
errors
"""
LEVELS = {name: -level for level, line in enumerate(ORDER.split("\n")) for name in line.split()}
FILES = sorted(path for path in ENGINE.rglob("*.py") if path != ENGINE / "__init__.py")


def part(module: list[str]) -> str:
    """The package, or module outside of all packages, that pocket_engine.<module> is part of; "" for the engine's root."""
    return module[0] if module else ""


def imported(path: Path) -> set[str]:
    """The parts of the engine that a file imports, wherever in it. Names of the root (VERSION) are nobody's."""
    package = list(path.relative_to(ENGINE).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules: list[list[str]] = []
        if isinstance(node, ast.Import):
            modules = [name.name.split(".")[1:] for name in node.names if name.name.split(".")[0] == "pocket_engine"]
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            modules = [base] if base else [[name.name] for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "pocket_engine":
            modules = [node.module.split(".")[1:] or [name.name] for name in node.names]
        found |= {part(module) for module in modules}
    return {name for name in found if name in LEVELS or not name.isupper()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ENGINE)))
def test_imports_go_down(path):
    own = part(list(path.relative_to(ENGINE).with_suffix("").parts))
    wrong = [name for name in imported(path) if name != own and not LEVELS[name] < LEVELS[own]]
    assert not wrong, f"{own} must not import {', '.join(sorted(wrong))}"


def test_every_part_has_its_level():
    there = {path.stem for path in ENGINE.glob("*.py")} | {path.parent.name for path in ENGINE.glob("*/__init__.py")}
    assert there - {"__init__"} == set(LEVELS)


def test_the_readme_lists_the_parts_in_this_order():
    lines = (ENGINE / "README.md").read_text(encoding="utf-8").partition("## Packages")[2].splitlines()
    assert [line.split()[0].rstrip("/") for line in lines if line.startswith("    ")] == ORDER.split()


def test_no_import_is_hidden_in_a_string():
    """What import_module is given is read nowhere above: only the choice between the two runners may use it."""
    users = [path for path in FILES if "import_module" in path.read_text(encoding="utf-8")]
    assert [str(path.relative_to(ENGINE)) for path in users] == ["runtime/runner.py"]


@pytest.mark.parametrize("path", sorted(ENGINE.glob("*/__init__.py")), ids=lambda path: path.parent.name)
def test_every_package_says_what_it_owns_and_imports(path):
    """And what it says it may import is what it imports, no less and no more."""
    name = path.parent.name
    words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    allowed = words.partition("May import ")[2].rstrip(".").replace(",", "").split()
    assert "Owns " in words and len(words.splitlines()) <= 4, words
    there = set().union(*(imported(file) for file in path.parent.glob("*.py"))) - {name, ""}
    assert set(allowed) == there
