"""Fixtures: the engine that `workshop.connect()` finds, and small things that the tests build themselves.

Run against another engine with DOCKER_HOST=… python3 tests.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.request
import uuid

import pytest

for module in (
    "agreement",
    "docker_build",
    "images",
    "at_hand",
    "dive_itself",
    "hand",
    "oracle",
    "compare",
    "kill_pocket",
):
    pytest.register_assert_rewrite(module)

import workshop  # noqa: E402
from at_hand import REGISTRY, forget, free_port  # noqa: E402
from workshop.bases import certificates, resolve  # noqa: E402

# A shell starts what it puts into the background with Ctrl-C ignored, and Python would keep it so: the tests that
# interrupt a build, and the processes that they start, need it back.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def client():
    """The engine at hand. On a machine that has none the tests that need one are skipped; one that was named must answer."""
    try:
        return workshop.connect(quiet=True)
    except workshop.WorkshopError as error:
        if os.environ.get("DOCKER_HOST") or os.environ.get("FACTORY_FLOOR_ENGINE"):
            raise
        pytest.skip(" ".join(str(error).split()))


@pytest.fixture(scope="session")
def busybox(client):
    """The smallest base image of the lessons."""
    workshop.bases.ensure(client, ["busybox:1.37"])
    return "busybox:1.37"


@pytest.fixture
def app(client, tmp_path):
    """An empty app folder under a name that nobody else uses; what was built from it is removed afterwards."""
    folder = tmp_path / f"test-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    yield folder
    forget(client, folder.name)


@pytest.fixture(scope="module")
def shared_app(client, tmp_path_factory):
    """The same for all tests of a module: for images that they look at, and leave as they are."""
    folder = tmp_path_factory.mktemp("shared") / f"test-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    yield folder
    forget(client, folder.name)


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """host:port of a registry on loopback, which engines use without TLS."""
    folder, port = tmp_path_factory.mktemp("registry"), free_port()
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    process = subprocess.Popen([REGISTRY, "serve", str(folder / "config.yml")], stderr=subprocess.DEVNULL)
    for _ in range(50):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/")
            break
        time.sleep(0.1)
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.fixture
def fresh_resolver(monkeypatch):
    """No source is known to be out of reach, and nothing is set that a teacher may have set."""
    monkeypatch.setattr(resolve, "_unreachable", {})
    for name in (resolve.KIT, resolve.REGISTRY, resolve.OTHER_MIRRORS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(certificates.CA_FILE, "none")
    certificates.bundle.cache_clear()
    yield
    certificates.bundle.cache_clear()
