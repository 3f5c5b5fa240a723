"""Measure what running a lesson takes, on the engine that answers: `.venv/bin/python tests/benchmarks/lessons.py [00 03 …]`.

Prints the seconds of `import workshop` and of `connect()`, each in a fresh process, then for each lesson the seconds of its
cells in a first run and in a warm one (what the first has built and read is there), and each cell of the warm run that takes
over 5 s. The notebooks are left as they are.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
LONG = 5  # seconds of a cell that is worth a line

ALONE = """
import time
began = time.monotonic()
import workshop
imported = time.monotonic()
workshop.connect(quiet=True)
print(imported - began, time.monotonic() - imported)
"""


def start() -> tuple[float, float]:
    """Seconds of the import and of `connect()`, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(NOTEBOOKS)}
    run = subprocess.run([sys.executable, "-c", ALONE], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    imported, connected = map(float, run.stdout.split()[-2:])
    return imported, connected


def lesson(path: Path) -> list[tuple[float, str]]:
    """(seconds, first line) of each code cell, from a clean kernel."""
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(NOTEBOOKS)}}
    NotebookClient(notebook, timeout=1800, kernel_name="python3", resources=place).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    return [(seconds(cell.metadata["execution"]), cell.source.splitlines()[0]) for cell in cells]


def seconds(timing: dict[str, str]) -> float:
    """Of a cell, by what nbclient notes when the kernel takes it up and when it is done."""
    begun, done = (datetime.fromisoformat(timing[key]) for key in ("iopub.execute_input", "shell.execute_reply"))
    return (done - begun).total_seconds()


def main(numbers: list[str]) -> None:
    begun = [start() for _ in range(3)]
    for what, runs in zip(("import workshop", "connect()"), zip(*begun)):
        print(f"{what}: {sorted(runs)[1]:.2f} s", flush=True)
    for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")):
        if numbers and path.name[:2] not in numbers:
            continue
        first, warm = lesson(path), lesson(path)
        totals = [sum(took for took, _ in run) for run in (first, warm)]
        print(f"{path.stem}: {totals[0]:.1f} s, warm {totals[1]:.1f} s", flush=True)
        for took, line in warm:
            if took > LONG:
                print(f"    {took:5.1f} s  {line[:90]}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
