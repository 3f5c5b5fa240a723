"""What the engine answers when it cannot do what was asked: a status code and one sentence."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path


class EngineError(Exception):
    """Carries `message`, a sentence for people, and `status`, the HTTP status of the answer."""

    status = 500

    def __init__(self, message: str):
        super().__init__(message)
        self.message = message


class BadRequest(EngineError):
    """The request, or the Dockerfile, context or archive with it, is not one that can be carried out."""

    status = 400


class NotFound(EngineError):
    """There is no such image, container or path."""

    status = 404


class Conflict(EngineError):
    """It is there, but in a state that does not allow this."""

    status = 409


class Unsupported(EngineError):
    """Docker does this; the pocket engine does not."""

    status = 501


class NoSpace(EngineError):
    """The disk is full, or the store's size limit reached with nothing left that may go."""

    status = 507


class Interrupted(EngineError):
    """The caller hung up, so the work was stopped."""

    status = 499


@contextlib.contextmanager
def no_space(folder: Path | str):
    """A full disk becomes NoSpace, with a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise NoSpace(
                f"No space left on the disk that holds {folder}. Remove images, or make room there."
            ) from None
        raise
