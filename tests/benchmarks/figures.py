"""Measure what a learner waits for, on this machine: `.venv/bin/python tests/benchmarks/figures.py [name …]`.

first_chart   seconds from `connect()` to the first chart of lesson 00, base images present, a fresh process each time
second_start  seconds from `python3 notebooks` to a served page, environment present
stand_ins     seconds to make each stand-in from nothing in the engine (removes the engine's stand-ins first)

Each prints the median and every run.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "notebooks"))

FIRST_CHART = """
import time
began = time.monotonic()
{cells}
figure.to_json()
print("seconds", time.monotonic() - began)
"""


def first_chart() -> float:
    """Lesson 00's own cells up to its first chart; the import stands before the clock, the layer cache is empty."""
    sources = [
        cell.source
        for cell in nbformat.read(ROOT / "notebooks/00_start_here.ipynb", 4).cells
        if cell.cell_type == "code"
    ]
    upto = next(at for at, source in enumerate(sources) if "workshop.charts." in source)
    cells = "\n".join(sources[: upto + 1]).replace("import workshop\n", "", 1)
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"FACTORY_FLOOR_CACHE": cache, "PYTHONPATH": str(ROOT / "notebooks")}
        code = "import workshop\n" + FIRST_CHART.format(cells=cells)
        run = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT / "notebooks",
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    return float(re.search(r"seconds ([\d.]+)", run.stdout)[1])


def second_start() -> float:
    """From the command to JupyterLab's page."""
    began = time.monotonic()
    command = [sys._base_executable, str(ROOT / "notebooks"), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\S+", line):
                assert b"jupyter" in urllib.request.urlopen(found[0]).read().lower()
                return time.monotonic() - began
    finally:
        process.terminate()
        process.wait()
    raise SystemExit("JupyterLab did not start")


def stand_ins() -> None:
    """Make every stand-in anew, one after the other; the first includes the Debian root that all are made from."""
    import workshop
    from workshop.bases import standins

    client = workshop.connect()
    workshop.tidy(client)
    workshop.tidy(client, bases=True)
    for name in sorted(standins.NAMES, reverse=True):
        began = time.monotonic()
        standins.build(client, name, lambda text: None)
        print(f"stand_ins: {name}: {time.monotonic() - began:.1f} s", flush=True)


def main(names: list[str]) -> None:
    for name in names or ["first_chart", "second_start"]:
        if name == "stand_ins":
            stand_ins()
            continue
        runs = [globals()[name]() for _ in range(5)]
        print(f"{name}: median {statistics.median(runs):.2f} s of {', '.join(f'{one:.2f}' for one in runs)}")


if __name__ == "__main__":
    main(sys.argv[1:])
