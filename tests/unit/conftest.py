"""What is tested here needs no engine: who looks for one fails, on every machine alike."""

from __future__ import annotations

import os

import pytest

NOBODY = "tcp://127.0.0.1:1"  # nothing listens there


@pytest.fixture(scope="session", autouse=True)
def no_engine(tmp_path_factory):
    """No engine answers, neither here nor in a process that a test starts; layers are kept apart from anybody's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", NOBODY)
        if "FACTORY_FLOOR_CACHE" not in os.environ:
            patch.setenv("FACTORY_FLOOR_CACHE", str(tmp_path_factory.mktemp("layers")))
        yield


@pytest.fixture(scope="session")
def client():
    pytest.fail("a test in tests/unit asks for an engine: its place is tests/engine")
