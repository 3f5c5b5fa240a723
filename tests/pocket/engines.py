"""The pocket engine on the path, and one running for the tests that talk to it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import docker
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
for folder in (ROOT / "binder", Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def until(condition, seconds: float = 20):
    """Wait until the condition gives something; returns that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


class Pocket:
    """A pocket engine of a test's own: `start` it, ask its `client`, `stop` or `kill` it."""

    def __init__(self, folder: Path, *options: str):
        self.folder, self.options = Path(folder), options
        self.socket = Path(tempfile.mkdtemp(prefix="pocket-")) / "s"
        self.process: subprocess.Popen | None = None
        self.client: docker.DockerClient | None = None

    def start(self) -> docker.DockerClient:
        log = open(self.folder / "engine.log", "ab")
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "binder" / "pocket_engine", "--socket", self.socket, "--store",
             self.folder / "store", "--idle", "600", *self.options],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        log.close()
        deadline = time.monotonic() + 30
        while True:
            try:
                self.client = docker.DockerClient(base_url=f"unix://{self.socket}", version="1.41", timeout=300)
                self.client.ping()
                return self.client
            except Exception:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((self.folder / "engine.log").read_text()[-3000:]) from None
                time.sleep(0.05)

    def stop(self) -> None:
        if self.client:
            self.client.close()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def kill(self) -> None:
        """As a power cut would."""
        if self.process:
            self.process.kill()
            self.process.wait(30)


@pytest.fixture(scope="session")
def pocket_engine_of_tests(tmp_path_factory):
    engine = Pocket(tmp_path_factory.mktemp("pocket"))
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def pocket(pocket_engine_of_tests) -> docker.DockerClient:
    """A client of a pocket engine that is the tests' own."""
    return pocket_engine_of_tests.client
