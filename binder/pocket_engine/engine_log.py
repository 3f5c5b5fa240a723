"""The engine's log: plain lines on stderr, which whoever starts it may send to a file."""

from __future__ import annotations

import logging
import sys

LOG = logging.getLogger("pocket_engine")
CANNOT = "Cannot start: "  # how the line begins that says why; workshop/engine/pocket_launcher.py looks for it


def start(*, verbose: bool = False) -> None:
    """Write from now on: what was started, ended and restarted, and faults; with verbose, every request, too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(message)s", "%Y-%m-%d %H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    LOG.setLevel(logging.DEBUG if verbose else logging.INFO)


def cannot_start(sentence: str) -> int:
    """Say on one plain line why there is no engine, and return the exit status for it."""
    print(CANNOT + " ".join(sentence.split()), file=sys.stderr, flush=True)
    return 1
