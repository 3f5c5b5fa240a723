"""Plotly as the lessons use it, imported without what it never calls.

plotly.io imports nbformat, for the version check in Figure.show(); that imports jsonschema, and that rfc3987_syntax, which
compiles the grammar of international addresses: one second on a quiet machine, five on a busy one. Only a schema with the
format "iri" needs it, so here it is imported when one asks.
"""

from __future__ import annotations

import importlib.util
import sys
import types

GRAMMAR = "rfc3987_syntax"


def defer_grammar() -> None:
    """Let the first use import the real module, unless it is imported already or not there at all."""
    if GRAMMAR in sys.modules or importlib.util.find_spec(GRAMMAR) is None:
        return
    waiting = types.ModuleType(GRAMMAR)

    def of_the_real_one(name: str):
        if name.startswith("__"):
            raise AttributeError(name)  # the import system looks round; nobody asks for anything yet
        if sys.modules.get(GRAMMAR) is waiting:
            del sys.modules[GRAMMAR]
        import rfc3987_syntax as real  # type: ignore[import-untyped]

        return getattr(real, name)

    waiting.__getattr__ = of_the_real_one  # type: ignore[method-assign]
    # the one name that jsonschema imports
    waiting.is_valid_syntax = lambda *given: of_the_real_one("is_valid_syntax")(*given)  # type: ignore[attr-defined]
    sys.modules[GRAMMAR] = waiting


defer_grammar()

import plotly.io  # noqa: E402

# JupyterLab draws this mime type itself. The default would put plotly.js, or a link to it, into every output.
plotly.io.renderers.default = "plotly_mimetype"
plotly.io.renderers["plotly_mimetype"].config = {"displaylogo": False}
