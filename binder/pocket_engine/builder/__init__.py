"""The builder: a Dockerfile and its context become layers and an image."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from .builder import Build
from .options_and_state import Options

__all__ = ["Options", "build"]


def build(engine, context: Path | None, options: Options, say: Callable[[dict], None], stop: threading.Event) -> str:
    """Build, and return the image's id.

    context: the build context as a tar, compressed or not. say: gets the messages of Docker's build stream. Raises
    EngineError in Docker's words: BadRequest (what the Dockerfile or context has wrong), running.Failed (a RUN's program
    failed, .code), NoSpace, Interrupted once `stop` is set. Images of finished steps stay, as the cache of the next build.
    """
    return Build(engine, context, options, say, stop).run()
