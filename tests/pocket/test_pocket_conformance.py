"""The pocket engine builds what Docker's classic builder builds: entry for entry, key for key, word for word.

Needs Docker at DOCKER_HOST or its default socket, and says so where there is none. Bases are carried from there to
the pocket engine, so that both build upon the same bytes.
"""

from __future__ import annotations

import io
import os

import docker
import pytest
import workshop
from compare import build, differences, unmet
from corpus import CASES, samples
from corpus.case import Case


@pytest.fixture(scope="module")
def real_docker():
    """Docker itself: an engine to compare with, never the pocket engine."""
    try:
        client = docker.from_env(timeout=600)
    except docker.errors.DockerException as error:
        if os.environ.get("DOCKER_HOST"):
            raise
        pytest.skip(f"there is no Docker on this machine to compare the pocket engine with: {error}")
    names = {component["Name"] for component in client.version().get("Components", [])}
    assert "containerd" in names, "DOCKER_HOST must be Docker, to compare the pocket engine with"
    return client


def carry(case: Case, source: docker.DockerClient, destination: docker.DockerClient) -> None:
    """Sees to it that both engines have the case's bases, and the same ones."""
    workshop.bases.ensure(source, case.bases)
    for base in case.bases:
        theirs = source.images.get(base).id
        held = {image["Id"] for image in destination.api.images(base)}
        if theirs not in held:
            destination.api.load_image(io.BytesIO(b"".join(source.api.get_image(base))))


def param(case: Case):
    return pytest.param(case, id=case.name, marks=[pytest.mark.samples] if case in samples.CASES else [])


@pytest.mark.parametrize("case", [param(case) for case in CASES])
def test_builds_as_docker_does(case, real_docker, pocket):
    carry(case, real_docker, pocket)
    theirs, ours = build(real_docker, case), build(pocket, case)
    assert bool(theirs.error) == case.expect_error or "everything" in case.differs, theirs.error
    if case.written is not None:
        assert unmet(ours, case) == []
    else:
        assert differences(theirs, ours, case) == []
