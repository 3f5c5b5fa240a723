"""Removing what a job left in a folder, whatever permission bits it has."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path


def clear(path: str) -> None:
    """Remove whatever is there, if anything is."""
    if os.path.isdir(path) and not os.path.islink(path):
        remove(Path(path))
    elif os.path.lexists(path):
        os.unlink(path)


def remove(folder: Path) -> None:
    """Remove a tree, folders without permission bits included."""

    def open_up(function, path, _):
        with contextlib.suppress(OSError):
            parent = os.path.dirname(path)
            os.chmod(parent, 0o700)
            if not os.path.islink(path) and os.path.isdir(path):
                os.chmod(path, 0o700)
                shutil.rmtree(path, onerror=open_up) if function is not os.rmdir else os.rmdir(path)
            else:
                os.unlink(path)

    shutil.rmtree(folder, onerror=open_up)
