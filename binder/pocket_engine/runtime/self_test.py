"""A tiny job in a root of its own: whether a runner really works here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ..errors import EngineError
from .jobs import Job, Mount
from .runner import Runner


def failure(runner: Runner) -> str:
    """What keeps it from running `true` with the host's libraries, in its own words; "" if nothing does."""
    program = shutil.which("true") or sys.executable
    with tempfile.TemporaryDirectory(prefix="pocket-trial-") as folder:
        root, scratch = Path(folder) / "root", Path(folder) / "scratch"
        root.mkdir()
        scratch.mkdir()
        mounts = []
        for name in ("/usr", "/lib", "/lib64", "/bin", "/nix"):
            if os.path.islink(name):
                (root / name[1:]).symlink_to(os.readlink(name))
            elif os.path.isdir(name):
                mounts.append(Mount(Path(name), name, True))
        (root / "tmp").mkdir()
        argv = [program] if program != sys.executable else [program, "-I", "-S", "-c", ""]
        job = Job(root, argv, {"PATH": os.defpath}, scratch, mounts=tuple(mounts))
        with tempfile.TemporaryFile() as heard:
            try:
                process = runner.start(job, stdin=None, stdout=heard.fileno(), stderr=heard.fileno())
                status = process.wait(20)
            except TimeoutError:
                process.kill()
                return "a program that does nothing did not end within 20 s"
            except EngineError as error:
                status, said = 1, error.message
            else:
                said = f"exit status {status}"
            heard.seek(0)
            lines = heard.read().decode(errors="replace").strip().splitlines()
        return "" if status == 0 else (lines[0] if lines else said)


def version(program: str) -> str:
    """The number in what a program says of its version; "unknown" if there is none."""
    heard = subprocess.run([program, "--version"], capture_output=True, text=True, errors="replace")
    words = (heard.stdout + heard.stderr).split()
    return next((word.strip("v,") for word in words if word[:1].isdigit() and "." in word), "unknown")
