"""A workbench: a copy of an app in a folder of its own, to be edited and built. The app itself stays as it is."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from pathlib import Path

from ..builders.build import SAMPLE_APPS
from ..dockerfiles import syntax
from ..errors import WorkshopError
from ..units import size

MOST_BYTES, MOST_FILES = 100_000_000, 10_000  # of an app; somebody's home folder is none

_folders: list[tempfile.TemporaryDirectory] = []  # each is removed when Python ends, unless that is killed


def workbench(app: str | Path) -> Path:
    """A copy of an app's folder, to be changed (`edit`) and built (`build`) as any app; it goes when the kernel ends in order.

    app: a folder in sample_apps/, or a path. Images built from it are called factory/<app>-bench:… by default.
    Raises WorkshopError for an app that is not there, cannot be copied, or is too large to be one.
    """
    folder = syntax.locate(app, SAMPLE_APPS)
    try:
        if _is_large(folder):
            most = f"{size(MOST_BYTES)} in {MOST_FILES:,} files"
            what = f"{folder} is too large for a workbench, which is a copy of the whole folder: up to {most}."
            raise WorkshopError(what, "Name a folder that holds one app.", "Nothing was changed.")
        _folders.append(tempfile.TemporaryDirectory(prefix="factory-floor-", ignore_cleanup_errors=True))
        bench = Path(_folders[-1].name).resolve() / f"{folder.name}-bench"
        return Path(shutil.copytree(folder, bench, symlinks=True))
    except OSError as error:  # shutil.Error is one: it lists what could not be copied
        raise WorkshopError(
            f"{folder} cannot be copied to a workbench: {error}.", state="Nothing was changed."
        ) from None


def _is_large(folder: Path) -> bool:
    """True as soon as there is more in a folder than a workbench takes."""
    count = total = 0
    for root, folders, names in os.walk(folder):
        count += len(folders) + len(names)
        if count > MOST_FILES:
            return True
        total += sum(os.lstat(os.path.join(root, name)).st_size for name in names)
        if total > MOST_BYTES:
            return True
    return False


def edit(bench: Path, path: str, old: str, new: str) -> None:
    """Put `new` in the place of `old` in a file of a workbench, once; an empty `old` stands for the file's end.

    path: within the workbench; for an empty `old`, a file that is not there is made. Raises WorkshopError for a folder that
    is no workbench, for a path that leads out of it, and where the file does not have the old text.
    """
    bench = bench.resolve()
    if not any(bench.parent == Path(folder.name).resolve() for folder in _folders):
        remedy = "bench = workshop.workbench(app) makes a copy to edit."
        raise WorkshopError(f"{bench} is no workbench: only copies are edited here.", remedy, "Nothing was changed.")
    file = (bench / path).resolve()
    if not file.is_relative_to(bench) or file == bench:
        raise WorkshopError(f"{path!r} is no file in the workbench.", "Name it as seen from there, such as app.py.")
    try:
        text = file.read_text(encoding="utf-8") if old or file.exists() else ""
        if old not in text:
            raise WorkshopError(
                f"{path} has no {old!r} to be replaced.", "Is it edited already? Run from the workbench on."
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        there = ", ".join(sorted(one.name for one in bench.iterdir()))
        why = getattr(error, "strerror", None) or "it is no text"
        raise WorkshopError(f"{path} cannot be edited: {why}.", f"The workbench has {there}.") from None


def nonce() -> str:
    """A word that nobody has used before. What it is part of is in no cache: a cold start that takes nothing from anybody."""
    return uuid.uuid4().hex[:12]
