"""The pocket engine on the path, and one running for the tests that talk to it."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import docker
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
for folder in (ROOT / "notebooks", ROOT / "binder", Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import workshop  # noqa: E402
from workshop.labels import labels  # noqa: E402

RUNNERS = [
    *(["bubblewrap"] if os.geteuid() == 0 else []),
    pytest.param(
        "proot",
        marks=pytest.mark.skipif(
            not shutil.which("proot"), reason="needs PRoot: `apt-get install proot`, as on Binder"
        ),
    ),
]  # what runs programs here


def until(condition, seconds: float = 20):
    """Wait until the condition gives something; returns that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


@functools.cache
def busybox_files() -> dict[str, bytes]:
    """What to put into a root of one's own: /bin/busybox of the lessons' base image, and the libraries that it may need."""
    client = workshop.connect(quiet=True)
    workshop.bases.ensure(client, ["busybox:1.37"])
    made = client.api.create_container("busybox:1.37", ["true"], labels=labels("test"))["Id"]
    found = {}
    try:
        for path in ("/bin/busybox", "/lib", "/lib64"):
            with contextlib.suppress(docker.errors.NotFound):
                packed = io.BytesIO(b"".join(client.api.get_archive(made, path)[0]))
                with tarfile.open(fileobj=packed) as tar:
                    first, above = tar.getmembers()[0], path.rpartition("/")[0]
                    if first.issym():  # /lib64 is /lib
                        other = os.path.join("/", first.linkname).strip("/") + "/"
                        found |= {
                            name.replace(other, path[1:] + "/", 1): found[name]
                            for name in found
                            if name.startswith(other)
                        }
                    else:
                        files = [one for one in tar if one.isreg() or one.islnk()]
                        found |= {f"{above}/{one.name}".lstrip("/"): tar.extractfile(one).read() for one in files}
    finally:
        client.api.remove_container(made, force=True, v=True)
        client.close()
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
            [
                sys.executable,
                ROOT / "binder" / "pocket_engine",
                "--socket",
                self.socket,
                "--store",
                self.folder / "store",
                "--idle",
                "600",
                *self.options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
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
