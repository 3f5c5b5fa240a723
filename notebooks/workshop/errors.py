"""Errors that a learner can act on: what happened, what to do, what state things are in. No traceback."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

import docker
import requests
import urllib3

from .restarted import sentences

Given = ParamSpec("Given")
Result = TypeVar("Result")


class WorkshopError(Exception):
    """Something a learner can cause or meet. In a notebook it shows as its own sentences, without a traceback."""

    def __init__(self, what: str, remedy: str = "", state: str = "Nothing was changed.") -> None:
        self.what, self.remedy, self.state = what, remedy, state
        super().__init__(what, remedy, state)

    def __str__(self) -> str:
        second_line = " ".join(part for part in (self.remedy, self.state) if part)
        return "\n".join(part for part in (self.what, second_line) if part)

    def _render_traceback_(self, *_: object) -> list[str]:
        """IPython asks an exception for this list of lines before it formats a traceback of its own."""
        return str(self).splitlines()


class EngineLost(WorkshopError):
    """The engine answered before and does not answer now."""


# What the HTTP stack raises when the other end of the socket goes away, at any depth.
CONNECTION_ERRORS = (
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.Timeout,
    urllib3.exceptions.ProtocolError,
    urllib3.exceptions.NewConnectionError,
    ConnectionError,
)


START_IT = "Start it again, then run this cell again: it will pick up the new connection by itself."
_remedy = START_IT  # of the engine that connect() found


def when_lost(remedy: str = START_IT) -> None:
    """Say this from now on when the engine stops answering."""
    global _remedy
    _remedy = remedy


def engine_lost(while_doing: str, state: str = "") -> EngineLost:
    """The sentence for an engine that stopped answering, e.g. engine_lost("step 4 of the build")."""
    return EngineLost(
        f"The container engine stopped answering during {while_doing}.",
        _remedy,
        state or "Finished images are untouched.",
    )


def translate_engine_loss(while_doing: str) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """Decorator: an engine that goes away during the call becomes EngineLost, e.g. `("the export of an image")`."""

    def wrap(function: Callable[Given, Result]) -> Callable[Given, Result]:
        @functools.wraps(function)
        def call(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            try:
                return function(*args, **kwargs)
            except CONNECTION_ERRORS:
                raise engine_lost(while_doing) from None

        return call

    return wrap


def explain(error: BaseException) -> WorkshopError | None:
    """The learner's version of an SDK or connection error; None for an error that is not ours to explain."""
    if isinstance(error, WorkshopError):
        return error
    if isinstance(error, KeyboardInterrupt):
        done = str(error) or "What was under way was stopped."
        return WorkshopError(f"Interrupted, as you asked. {done}", "Run the cell again whenever you like.", "")
    if isinstance(error, docker.errors.ImageNotFound):
        return WorkshopError(
            f"The engine has no such image: {error.explanation or error}.",
            "Run the cells above that build it, or check the spelling.",
        )
    if isinstance(error, docker.errors.BuildError):
        output = "".join(line.get("stream", "") for line in error.build_log).splitlines()[-15:]
        return WorkshopError(f"The build failed: {error.msg}", "\n".join(["Its last lines:", *output]), "")
    if isinstance(error, docker.errors.APIError) and re.search(r"/v2/|pull access denied", str(error.explanation)):
        return WorkshopError(
            "The engine has no such image, and no registry could give it one.",
            f"Is the name right? The engine says: {str(error.explanation).strip()}.",
        )
    if isinstance(error, TypeError) and "You must specify a directory" in str(error):
        return WorkshopError("There is no such folder to build from.", "Paths start where the notebook is.")
    if isinstance(error, docker.errors.APIError):
        return WorkshopError(f"The engine refused: {error.explanation or error}.", "", "")
    if isinstance(error, docker.errors.DockerException):
        return WorkshopError(f"The Docker SDK could not do that: {error}.", "Is the engine running?", "")
    if isinstance(error, CONNECTION_ERRORS):
        return engine_lost("this cell")
    return None


def speak_plainly() -> None:
    """In a notebook, show the SDK's and the connection's errors, interruptions, and cells that were left out, as sentences."""
    shell = _shell()
    if shell is None:
        return

    def show(
        shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: int | None = None
    ) -> None:
        explained = explain(error)
        if said := sentences(error, shell):
            explained = WorkshopError(said, state="")
        shown = explained.with_traceback(trace) if explained else error
        shell.showtraceback((type(shown), shown, trace), tb_offset=tb_offset)

    kinds = (docker.errors.DockerException, KeyboardInterrupt, TypeError, NameError, *CONNECTION_ERRORS)
    shell.set_custom_exc(kinds, show)


def _shell() -> Any:
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()
