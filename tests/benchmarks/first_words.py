"""Measure a lesson's first cell in fresh kernels: `.venv/bin/python tests/benchmarks/first_words.py [rounds]`.

first words    from Shift-Enter until the cell shows something
import         until `import workshop` is done, with pandas, Plotly and the Docker SDK
connect        until `workshop.connect()` has said which engine answers, on the engine at hand

Seconds, a round a column, then the median; the kernel is up before the clock starts, as it is when somebody reads the page.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path

from jupyter_client import KernelManager

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
DONE = "the import is done"
CELL = f"import workshop\nprint({DONE!r}, flush=True)\nclient = workshop.connect()"


def one_round() -> dict[str, float]:
    """{what: seconds} of the cell in a kernel of its own."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "PYTHONPATH": str(NOTEBOOKS)}, cwd=str(NOTEBOOKS))
    client = manager.client()
    client.start_channels()
    taken: dict[str, float] = {}
    try:
        client.wait_for_ready(timeout=60)
        began = time.monotonic()

        def hear(message: dict) -> None:
            text = message["content"].get("text", "")
            if text or "data" in message["content"]:
                taken.setdefault("first words", time.monotonic() - began)
            if DONE in text:
                taken["import"] = time.monotonic() - began

        answer = client.execute_interactive(CELL, timeout=600, output_hook=hear)
        taken["connect"] = time.monotonic() - began
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if answer["content"]["status"] != "ok":
        raise SystemExit(f"The cell failed: {answer['content'].get('evalue')}")
    return taken


def main(rounds: int = 5) -> None:
    one_round()  # modules are compiled, and in the disk's cache
    measured = [one_round() for _ in range(rounds)]
    for name in ("first words", "import", "connect"):
        taken = [each[name] for each in measured]
        print(f"{name:<12}", *(f"{one:6.2f}" for one in taken), f"  median {statistics.median(taken):.2f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
