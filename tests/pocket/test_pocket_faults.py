"""What goes wrong in the middle: kills, many at once, a store that is full."""

from __future__ import annotations

import io
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import docker
import kill_pocket
import pytest
import workshop
from corpus.case import tar
from engines import Pocket, until


@pytest.fixture(scope="module")
def busybox_archive(client) -> bytes:
    workshop.bases.ensure(client, ["busybox:1.37"])
    return b"".join(client.api.get_image("busybox:1.37"))


def test_kills_at_random_moments_lose_no_finished_image(busybox_archive, tmp_path):
    assert kill_pocket.run(12, 7, busybox_archive, tmp_path) == []


def test_ten_builds_at_once_are_all_right(busybox_archive, tmp_path):
    engine = Pocket(tmp_path)
    engine.start().images.load(busybox_archive)

    def one(number: int) -> str:
        client = docker.DockerClient(base_url=f"unix://{engine.socket}", version="1.41", timeout=300)
        dockerfile = (
            f"FROM busybox:1.37\nRUN echo same > /same\nRUN echo {number % 5} > /n && sleep 0.2\nCMD cat /same /n\n"
        )
        image, _ = client.images.build(fileobj=io.BytesIO(tar({"Dockerfile": dockerfile})), custom_context=True)
        return client.containers.run(image.id, remove=True).decode()

    try:
        with ThreadPoolExecutor(10) as pool:
            assert list(pool.map(one, range(10))) == [f"same\n{number % 5}\n" for number in range(10)]
    finally:
        engine.stop()


def test_a_full_store_is_a_sentence_and_loses_nothing(busybox_archive, tmp_path):
    engine = Pocket(tmp_path, "--limit", "0.05")  # GB
    client = engine.start()
    client.images.load(busybox_archive)
    dockerfile = "FROM busybox:1.37\nRUN dd if=/dev/urandom of=/big bs=1M count=80\n"
    try:
        with pytest.raises(docker.errors.BuildError, match="limit"):
            client.images.build(fileobj=io.BytesIO(tar({"Dockerfile": dockerfile})), custom_context=True)
        assert client.containers.run("busybox:1.37", ["echo", "still here"], remove=True) == b"still here\n"
        small = client.images.build(fileobj=io.BytesIO(b"FROM busybox:1.37\nRUN echo small > /s\n"))[0]
        assert client.containers.run(small.id, ["cat", "/s"], remove=True) == b"small\n"
    finally:
        engine.stop()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 160 MB."""
    if os.getuid():
        pytest.skip("only root can mount a small disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=700", "tmpfs", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def test_a_full_disk_is_a_sentence_and_loses_nothing(busybox_archive, small_disk):
    engine = Pocket(small_disk)
    client = engine.start()
    client.images.load(busybox_archive)
    dockerfile = "FROM busybox:1.37\nRUN dd if=/dev/urandom of=/big bs=1M count=90\n"  # fits once, not twice
    try:
        with pytest.raises(docker.errors.BuildError, match="No space left on the disk"):
            client.images.build(fileobj=io.BytesIO(dockerfile.encode()))
        context = tar({"Dockerfile": "FROM busybox:1.37\nCOPY big /\n", "big": b"0" * 70_000_000})
        with pytest.raises((docker.errors.BuildError, docker.errors.APIError), match="(?i)space|disk"):
            client.images.build(fileobj=io.BytesIO(context), custom_context=True)
        until(lambda: not kill_pocket.wrong(client, small_disk / "store", {}))  # what was sent goes after the answer
        assert client.containers.run("busybox:1.37", ["echo", "still here"], remove=True) == b"still here\n"
    finally:
        engine.stop()
    assert "Traceback" not in (small_disk / "engine.log").read_text()
