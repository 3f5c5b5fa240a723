"""The door of the workshop: what a public function is handed is looked at here, once; behind it, functions trust it.

`guard` puts a door before every public function. There each argument is of a kind (kinds.py), and what is of another kind
ends in a sentence: of which argument of which function, what was given, what is wanted, and how to get that.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any
from weakref import WeakSet

from .errors import WorkshopError
from .kinds import Kind, Unfit, kind_of, shown

PACKAGE = "workshop."  # what a learner writes before the name of a public function
_doors: WeakSet[Callable] = WeakSet()  # a package that is loaded again finds its modules' doors in place


def guard(public: dict[str, Any], prefix: str = PACKAGE) -> None:
    """Put a door before each function in a module's `__all__`, and before those of the modules in it.

    public: the module's names, `globals()`. prefix: what a learner writes before them.
    """
    for name in public["__all__"]:
        if isinstance(public[name], ModuleType):
            guard(vars(public[name]), f"{prefix}{name}.")
        elif isinstance(public[name], FunctionType) and public[name] not in _doors:
            public[name] = checked(public[name], prefix + name)


def checked(function: Callable, called: str) -> Callable:
    """The function behind its door, with the same name, signature and docstring. called: as a learner writes it."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        signature = _signature(function)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise WorkshopError(
                f"{called}() takes other arguments than these: {error}.", f"It takes {_listed(signature)}."
            ) from None
        arguments = bound.arguments
        for name, given in arguments.items():
            parameter = signature.parameters[name]
            fit = functools.partial(_fit, called, signature, parameter, others=arguments)
            if parameter.kind is parameter.VAR_POSITIONAL:
                arguments[name] = tuple(fit(one, name) for one in given)
            elif parameter.kind is parameter.VAR_KEYWORD:
                arguments[name] = {key: fit(one, key) for key, one in given.items()}
            else:
                arguments[name] = fit(given, name)
        return function(*bound.args, **bound.kwargs)

    _doors.add(call)
    return call


def kind_at(called: str, name: str) -> Kind | None:
    """The kind that an argument of a public function is of."""
    return kind_of(called.removeprefix(PACKAGE), name)


def may_be_none(parameter: inspect.Parameter) -> bool:
    """True if the signature says that None will do."""
    return parameter.default is None or bool(re.search(r"\bNone\b", str(parameter.annotation)))


@functools.cache
def _signature(function: Callable) -> inspect.Signature:
    return inspect.signature(function)


def _fit(
    called: str, signature: inspect.Signature, parameter: inspect.Parameter, given: Any, name: str, others: Mapping
) -> Any:
    """The value to hand on. name: of the argument. Raises WorkshopError for what is not of its kind."""
    kind = kind_at(called, parameter.name)
    if kind is None or given is parameter.default or (given is None and may_be_none(parameter)):
        return given
    try:
        return kind.take(given, others)
    except Unfit as unfit:
        why = f": {unfit}" if str(unfit) else ""
        what = f"a {type(given).__name__}" if kind.secret else shown(given)
        raise WorkshopError(
            f"The argument {name} of {called}() has to be {kind.wanted}, and {what} was given{why}.",
            kind.remedy.replace("{call}", _usage(called, signature)),
        ) from None


def _usage(called: str, signature: inspect.Signature) -> str:
    """How a function is called, e.g. workshop.files(client, images)."""
    needed = [
        one.name for one in signature.parameters.values() if one.default is one.empty and one.kind < one.VAR_KEYWORD
    ]
    return f"{called}({', '.join(needed)})"


def _listed(signature: inspect.Signature) -> str:
    """A signature without its annotations, e.g. (files, depth=2)."""
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty)) if bare else "none"
