"""An engine of our own that is killed in the middle of a build, and comes back."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import docker
import pytest
import workshop
from workshop.builders import context

DOCKERD, UNSHARE = shutil.which("dockerd"), shutil.which("unshare")
pytestmark = pytest.mark.skipif(
    not DOCKERD or not UNSHARE or os.geteuid() != 0,
    reason="needs dockerd and unshare on the PATH, and root, to start an engine that may be killed",
)


class OwnEngine:
    """A dockerd with folders, a socket and a network namespace of its own; only its own process is ever ended.

    The namespace matters: a dockerd that is told to do without a bridge deletes docker0, which is another engine's.
    """

    def __init__(self, folder: Path):
        self.folder, self.url = folder, f"unix://{folder}/docker.sock"
        self.process = None

    def start(self) -> docker.DockerClient:
        flags = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"]
        places = {"data-root": "data", "exec-root": "exec", "pidfile": "docker.pid"}
        flags += [f"--{flag}={self.folder / name}" for flag, name in places.items()]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen([UNSHARE, "--net", DOCKERD, "-H", self.url, *flags], stdout=log, stderr=log)
        for _ in range(150):
            try:
                client = docker.DockerClient(base_url=self.url, timeout=60)
                client.ping()
                return client
            except docker.errors.DockerException:
                time.sleep(0.2)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        # Its containerd goes with it; where nobody reaps that, dockerd would take the dead one for alive.
        (self.folder / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()


@pytest.fixture
def own_engine():
    folder = Path(tempfile.mkdtemp(prefix="ff-engine-"))  # short: a socket's path has a limit of 108 bytes
    engine = OwnEngine(folder)
    yield engine
    engine.stop()
    for left in Path("/proc").glob("[0-9]*/cmdline"):  # the shims of its containers
        with contextlib.suppress(OSError):
            if str(folder).encode() in left.read_bytes():
                os.kill(int(left.parent.name), signal.SIGKILL)
    time.sleep(0.5)
    subprocess.run(f"grep -o '{folder}[^ ]*' /proc/mounts | sort -r | xargs -r umount -l", shell=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def test_an_engine_that_dies_is_one_sentence_and_the_next_cell_works(client, busybox, app, own_engine):
    mine = own_engine.start()
    mine.api.load_image(b"".join(client.images.get(busybox).save(named=True)))
    timer = threading.Timer(1.5, own_engine.kill)
    timer.start()
    recipe = "FROM busybox:1.37\nRUN echo first > /a\nRUN test -e /never || sleep {}\n"
    with pytest.raises(workshop.EngineLost) as caught:
        workshop.build(mine, app, recipe.format(30), builder="classic")  # BuildKit's RUN wants the bridge
    assert "stopped answering during step 3 of the build" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    with pytest.raises(workshop.EngineLost):
        workshop.files(mine, "busybox:1.37")
    own_engine.start()
    build = workshop.build(mine, app, recipe.format(0), builder="classic")
    assert workshop.run(mine, build.tag, "cat /a") == "first"


def test_an_engine_that_dies_while_it_is_sent_a_context_is_one_sentence(own_engine, tmp_path, monkeypatch):
    """On BuildKit, whose session notices it first; nothing goes on waiting for an engine that is gone."""
    mine = own_engine.start()
    (tmp_path / "large").write_bytes(os.urandom(1 << 24))
    opened = context.Entry.open

    def kill(entry):
        if entry.path == "large":
            own_engine.kill()
        return opened(entry)

    monkeypatch.setattr(context.Entry, "open", kill)
    with pytest.raises(workshop.EngineLost, match="stopped answering during") as caught:
        workshop.build(mine, tmp_path, "FROM scratch\nCOPY large /\n", builder="buildkit")
    assert "Traceback" not in str(caught.value)
    assert not [one.name for one in threading.enumerate() if "BuildKit" in one.name]
    monkeypatch.undo()
    own_engine.start()
    assert workshop.build(mine, tmp_path, "FROM scratch\nCOPY large /\n", builder="buildkit").stages
