"""Two dozen small slips, made one at a time in a copy of this repository, and whether the tests notice.

usage: .venv/bin/python tests/support/slips.py [LEVEL or test file, …]     (by default: unit)

Prints a line a slip, and the score. A slip that no longer fits the code is an error: write a fresh one. What `unit` lets
through can be tried on an engine: `… slips.py tests/engine/test_gates.py`. Nothing here is a test.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# (file below notebooks/workshop/, what stands there, what a tired hand would write)
SLIPS = [
    ("layer/merge.py", 'self.empty("" if path == "/" else path, OPAQUE)', "self.empty(path, OPAQUE)"),
    (
        "layer/merge.py",
        "if kind != DIRECTORY and path in self.inside:",
        "if kind == DIRECTORY and path in self.inside:",
    ),
    ("analysis/waste.py", '["bytes"].agg(files="count", bytes="sum")', '["bytes"].agg(files="count", bytes="max")'),
    ("analysis/waste.py", 'later = hidden["hidden_by_layer"] > hidden["layer"]', "later = True"),
    ("analysis/gate.py", "fates = [LEFT if where is None else SHIPPED", "fates = [SHIPPED if where is None else LEFT"),
    ("analysis/packages.py", "if key[3] not in rewritten or key in named", "if True"),
    ("dockerfiles/syntax.py", "return max((index for index, own", "return min((index for index, own"),
    ("dockerfiles/history.py", "start = start if at is None else at + 1", "start = start if at is None else at"),
    ("dockerfiles/copy_from.py", 'if top == "/":', 'if top == "":'),
    ("layer/files.py", "for other, diff_ids in stacks.items() if other != image", "for diff_ids in stacks.values()"),
    ("layer/base_layers.py", "key=lambda tag: (-len(known[tag])", "key=lambda tag: (len(known[tag])"),
    ("builders/classic_log.py", "self._next, self.parsed.instructions.index(found) + 1", "self._next, self._next"),
    ("builders/classic_log.py", 'step.status = "cached"', 'step.status = "run"'),
    ("builders/buildkit_trace.py", "cached = all(self.vertices", "cached = any(self.vertices"),
    ("builders/fsutil.py", "stat.S_ISUID: 1 << 23", "stat.S_ISUID: 1 << 22"),
    ("builders/context.py", "return not self.unwanted.matches(path) or", "return not self.unwanted.matches(path) and"),
    ("builders/stage_tags.py", 'f"{full_tag(tag)}.{tag_word(name)}"', 'f"{full_tag(tag)}.{tag_word(last)}"'),
    (
        "builders/request.py",
        'if line.strip() and not line.startswith("#")',
        'if line.strip() and not line.startswith("!")',
    ),
    ("lesson/check.py", "more - less >= megabytes * 1e6", "more - less > megabytes * 1e6"),
    ("lesson/check.py", "return count < megabytes * 1e6", "return count <= megabytes * 1e6"),
    ("lesson/predict.py", "if factor <= 1.5 else", "if factor <= 3 else"),
    ("lesson/costs.py", "stored, pulled = base + versions * (whole - base)", "stored, pulled = versions * whole"),
    ("paths.py", "fnmatchcase(names[0], first)", 'fnmatchcase("/".join(names), first)'),
    ("labels.py", 'return name if ":" in name.rsplit("/", 1)[-1]', 'return name if ":" in name'),
    ("bases/pull.py", 'r"toomanyrequests|429', 'r"toomanyrequests|428'),
    ("charts/waste.py", ".groupby(rows)", ".groupby(level=0)"),
]


def main(levels: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(copy)], check=True)
        noticed = 0
        for name, old, new in SLIPS:
            path = copy / "notebooks" / "workshop" / name
            text = path.read_text(encoding="utf-8")
            if old not in text:
                print(f"{name} has no {old!r} any more: write a fresh slip", file=sys.stderr)
                return 1
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
            began = time.monotonic()
            caught = _fails(copy, levels)
            noticed += caught is not None
            print(f"{time.monotonic() - began:4.0f} s  {name}: {new!r}: {caught or 'NOT NOTICED'}", flush=True)
            path.write_text(text, encoding="utf-8")
    print(f"{noticed} of {len(SLIPS)} slips noticed")
    return 0


def _fails(copy: Path, levels: list[str]) -> str | None:
    """The first test that fails, or None."""
    tests = ["tests/unit" if level == "unit" else level for level in levels]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(copy / "notebooks"), "FACTORY_FLOOR_PROGRESS": "plain"}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].split(" - ")[0] if failed else f"exit code {done.returncode}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["unit"]))
