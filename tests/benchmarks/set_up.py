"""Measure a set-up from nothing by uv beside pip, one after the other: `python3 tests/benchmarks/set_up.py [rounds]`.

uv, fetched    as `python3 notebooks` does it on a machine that has no uv: fetched by pip, all caches empty
uv, at hand    the same once there is a uv, uv's cache empty
uv, again      the same with uv's cache filled: what a changed requirement costs
pip            `python -m venv` and `pip install -r requirements.txt`, pip's cache empty

Each prints its seconds, a round a column, and pip's median as a multiple of its own. Then the first and the second `import
workshop` in what uv made and in what pip made: pip compiles every module beforehand, uv leaves it to the first import.
Everything goes to folders that are removed; about 1 GB is fetched and deleted again in a round.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASE = getattr(sys, "_base_executable", sys.executable)
ENSURE = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import environment, installer
installer.shutil.which = lambda name: None  # a uv that this machine has is left out
place = pathlib.Path(sys.argv[2])
environment.ensure(place / ".venv", [place / "requirements.txt"])
"""


def seconds(*command: str, **variables: str) -> float:
    """How long that takes; PYTHONDONTWRITEBYTECODE, which containers set, is not a learner's."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.monotonic()
    done = subprocess.run(command, env=kept | variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(done.stdout)
    if "Going on with pip" in done.stdout:
        raise SystemExit("uv cannot be used here, so there is nothing to compare:\n" + done.stdout)
    return time.monotonic() - began


def first_imports(python: Path) -> tuple[float, float]:
    """Seconds of the first and of the second `import workshop`."""
    line = (str(python), "-c", "import workshop")
    with tempfile.TemporaryDirectory() as folder:  # of the package itself nothing is compiled either
        shutil.copytree(ROOT / "notebooks/workshop", f"{folder}/workshop", ignore=shutil.ignore_patterns("__pycache__"))
        return seconds(*line, PYTHONPATH=folder), seconds(*line, PYTHONPATH=folder)


def round_of_all(folder: Path, taken: dict[str, list[float]], imports: dict[str, list[tuple[float, float]]]) -> None:
    """Does everything once in the empty `folder`, and adds what it took."""
    shutil.copy(ROOT / "requirements.txt", folder)
    venv = folder / ".venv"
    python = str(venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    caches = {"FACTORY_FLOOR_CACHE": "fetched", "UV_CACHE_DIR": "uv", "PIP_CACHE_DIR": "pip"}
    caches = {name: str(folder / value) for name, value in caches.items()}

    def ensure(name):
        took = seconds(BASE, "-c", ENSURE, str(ROOT / "notebooks"), str(folder), **caches)
        taken.setdefault(name, []).append(took)

    ensure("uv, fetched")
    for name, keeps in (("uv, at hand", False), ("uv, again", True)):
        shutil.rmtree(venv)
        if not keeps:
            shutil.rmtree(caches["UV_CACHE_DIR"])
        ensure(name)
    imports.setdefault("uv", []).append(first_imports(Path(python)))
    shutil.rmtree(venv)
    shutil.rmtree(caches["PIP_CACHE_DIR"], ignore_errors=True)
    took = seconds(BASE, "-m", "venv", str(venv))
    took += seconds(python, "-m", "pip", "install", "-q", "-r", str(folder / "requirements.txt"), **caches)
    taken.setdefault("pip", []).append(took)
    imports.setdefault("pip", []).append(first_imports(Path(python)))


def main(rounds: int) -> None:
    """Prints the tables."""
    taken: dict[str, list[float]] = {}
    imports: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            round_of_all(Path(folder), taken, imports)
    for name, runs in taken.items():
        ratio = statistics.median(taken["pip"]) / statistics.median(runs)
        print(f"{name:12} {' '.join(f'{run:6.1f}' for run in runs)} s   pip takes {ratio:.1f} times as long")
    for name, pairs in imports.items():
        print(
            f"import workshop after {name:3} " + ", ".join(f"{first:.1f} s, then {then:.1f} s" for first, then in pairs)
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1)
