"""Environments that tests make: real ones of tiny packages, by uv or by pip, in a process that can be stopped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import environment
import installer
import pytest
from at_hand import PATIENCE, ROOT

DRIVER = """
import sys, pathlib
sys.path.insert(0, {notebooks!r})
{before}
import environment
place = pathlib.Path(sys.argv[1])
try:
    files = [place / name for name in sys.argv[2:]]
    print("changed", environment.ensure(place / ".venv", files, megabytes={megabytes}))
except environment.Problem as problem:
    print("Problem:", problem)
    sys.exit(problem.code)
"""


def package(folder: Path, name: str, build: str = "", metadata: str = "", entry: str = "RECORD", size: int = 0) -> str:
    """A requirement: a source package that installs without any index.

    build: runs while it is built. entry: one more file, of `size` zero bytes.
    """
    (folder / name).mkdir(parents=True)
    (folder / name / "backend.py").write_text(f"""
import zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    {build.strip().replace(chr(10), chr(10) + "    ") or "pass"}
    wheel = "{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(directory + "/" + wheel, "w") as archive:
        archive.writestr("{name}.py", "")
        info = "{name}-1.0.dist-info/"
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n{metadata}")
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(info + "RECORD", "")
        if "{entry}" != "RECORD":
            archive.writestr("{entry}", bytes({size}), zipfile.ZIP_DEFLATED)
    return wheel
""")
    (folder / name / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\n'
    )
    return f"{name} @ {(folder / name).as_uri()}"


def start(place: Path, *requirements: str, megabytes: int = 1, before: str = "", **variables: str) -> subprocess.Popen:
    """A process that makes place/.venv from requirement files in `place`; `before` runs first, in Python."""
    code = DRIVER.format(notebooks=str(ROOT / "notebooks"), megabytes=megabytes, before=before)
    return subprocess.Popen(
        [sys._base_executable, "-c", code, str(place), *(requirements or ["requirements.txt"])],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, **variables},
    )


def ensure(place: Path, *requirements: str, **options) -> tuple[int, str]:
    """Runs `start` to its end: (exit code, what it said)."""
    process = start(place, *requirements, **options)
    said = process.communicate(timeout=PATIENCE)[0]
    assert "Traceback" not in said, said
    return process.returncode, said


def has(place: Path, module: str) -> bool:
    line = [environment.python_of(place / ".venv"), "-c", f"import {module}"]
    return subprocess.run(line, capture_output=True).returncode == 0


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir() if path.name.startswith(".venv"))


def wait_for(path: Path, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.05)


def real_uv() -> str:
    """Path of a uv on this machine; skips the test, and says so, where there is none."""
    with pytest.MonkeyPatch.context() as patch:
        found = installer.uv_at_hand()
        patch.delenv("FACTORY_FLOOR_CACHE", raising=False)  # the one that made .venv, when tests have another cache
        found = found or installer.uv_at_hand()
    if not found:
        pytest.skip("no uv on this machine: `python3 tests` fetches one where there is one for the platform")
    return found


def program(folder: Path, script: str = "") -> dict[str, str]:
    """Variables with which that shell script is the installed uv; without a script, the real one is."""
    folder.mkdir(parents=True)
    if script:
        (folder / "uv").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "uv").chmod(0o755)
    else:
        shutil.copy(real_uv(), folder / installer.UV)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def without_uv(folder: Path) -> dict[str, str]:
    """Variables with which no uv is to be found: the first one is older than any that will do; nothing was fetched."""
    caches = {"FACTORY_FLOOR_CACHE": str(folder / "fetched"), "UV_CACHE_DIR": str(folder / "cache")}
    return program(folder / "bin", "echo uv 0.1.0") | caches


def installed_by(place: Path, name: str) -> str:
    """Which program put the package there."""
    [record] = (place / ".venv").glob(f"lib/python*/site-packages/{name}-*.dist-info/INSTALLER")
    return record.read_text().strip()
