"""A cell that asks for a name which only an earlier cell makes: the error says so, and which menu runs those cells.

A kernel that was restarted knows nothing, `workshop` neither: so this runs in it before anything is imported
(binder/ipython_kernel_config.py), and uses the standard library alone.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class NotYet(NameError):
    """A NameError that a notebook shows as sentences, without a traceback."""

    def _render_traceback_(self, *_: object) -> list[str]:
        return str(self).splitlines()


def watch(shell: Any) -> None:
    """From now on, show such an error in this IPython shell as sentences; every other as ever."""

    def show(shell, kind, error, trace, tb_offset=None):
        said = sentences(error, shell)
        shown = NotYet(said).with_traceback(trace) if said else error
        shell.showtraceback((type(shown), shown, trace), tb_offset=tb_offset)

    shell.set_custom_exc((NameError,), show)


def sentences(error: BaseException, shell: Any) -> str:
    """What to say of an error in the cell that this shell ran last; "" where an earlier cell would not help."""
    name = getattr(error, "name", None)
    if type(error) is not NameError or not name or name not in made_by(earlier(shell)):
        return ""
    return (
        f"This kernel does not know {name} yet: an earlier cell of this notebook makes it, and that has not run since the "
        "kernel started.\nChoose Run → Run All Above Selected Cell, then run this cell. Nothing was changed."
    )


def earlier(shell: Any) -> list[str]:
    """The sources of the code cells above the one that this shell ran last, as its notebook was last saved; [] for none."""
    try:
        notebook = json.loads(Path(os.environ["JPY_SESSION_NAME"]).read_text(encoding="utf-8"))
        sources = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    except (KeyError, OSError, ValueError, TypeError):  # no notebook, or not on this machine
        return []
    last = (shell.user_ns.get("In") or [""])[-1].strip()
    same = [number for number, source in enumerate(sources) if source.strip() == last]
    return sources[: same[-1]] if same else sources  # a cell that was changed since may stand anywhere


def made_by(sources: Iterable[str]) -> set[str]:
    """The names that cells assign, import or define."""
    names: set[str] = set()
    for source in sources:
        try:
            nodes = list(ast.walk(ast.parse(source)))
        except SyntaxError:  # a magic, or a learner's slip
            continue
        names |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        names |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        names |= {(alias.asname or alias.name).split(".")[0] for node in nodes for alias in _imported(node)}
    return names


def _imported(node: ast.AST) -> list[ast.alias]:
    return node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else []
