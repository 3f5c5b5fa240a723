"""How the pocket engine starts, whom it stays for, and how it ends: real engines in folders of their own."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

import docker
import pytest
from engines import until
from workshop import WorkshopError, errors
from workshop.engine import connect, pocket_launcher

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "binder" / "pocket_engine"
CONNECT = "import workshop; print(workshop.connect({}).ping())"


def of_process(pid: int) -> list[str]:
    """State, parent and what follows in /proc/<pid>/stat; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def processes_of(folder: Path) -> list[int]:
    """The engines that serve in a folder, or in one below it."""
    return processes_with(b"pocket_engine\0--socket\0" + os.fsencode(folder))


def processes_with(words: bytes) -> list[int]:
    """Living processes with these words in their command line."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if words in one.read_bytes() and of_process(int(one.parent.name))[:1] not in ([], ["Z"]):
                found.append(int(one.parent.name))
    return found


@pytest.fixture
def home():
    """A folder with a short name, which the path of a socket has room for; engines left in it are ended."""
    folder = Path(tempfile.mkdtemp(prefix="ff-life-"))
    yield folder
    left = processes_of(folder)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until(lambda: not processes_of(folder))
    shutil.rmtree(folder)


class Started:
    """`python3 binder/pocket_engine` with a socket and a store below `home`."""

    def __init__(self, home: Path, *options: str, ready: bool = True, socket_path: Path | None = None):
        self.socket = socket_path or home / "run" / "pocket.sock"
        self.folder, self.log = self.socket.parent, home / "log"
        words = [sys.executable, PROGRAM, "--socket", self.socket, "--store", home / "store", *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([str(one) for one in words], stdout=log, stderr=log)
        if ready:
            until(lambda: self.process.poll() is not None or pocket_launcher._answers(self.socket))
            assert self.process.poll() is None, self.said()

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=f"unix://{self.socket}", timeout=30)

    def said(self) -> str:
        return self.log.read_text()

    def ended(self, seconds: float = 20) -> int:
        """The exit status, once it has ended."""
        return self.process.wait(seconds)

    def server(self) -> int:
        """The process that serves for an engine with --keep."""
        return until(lambda: [pid for pid in processes_of(self.socket) if pid != self.process.pid])[0]

    def hold(self, pid: int, start: str) -> None:
        """What workshop/engine/pocket_launcher.py does for a kernel."""
        (self.folder / "holders").mkdir(exist_ok=True)
        (self.folder / "holders" / str(pid)).write_text(start)


@pytest.fixture
def bystander():
    """A process that lives for a minute, if nobody ends it before."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def environment(home):
    """What a kernel would have that knows the pocket engine only, and nothing of the engines of this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "FACTORY_FLOOR_"))}
    ours = {
        "XDG_RUNTIME_DIR": home,
        pocket_launcher.STORE: home / "store",
        pocket_launcher.CHOICE: "pocket",
        "PYTHONPATH": ROOT / "notebooks",
    }
    return kept | {name: str(value) for name, value in ours.items()}


@pytest.fixture
def here(environment, monkeypatch):
    """The same for this process."""
    for name in [name for name in os.environ if name.startswith(("DOCKER_", "FACTORY_FLOOR_"))]:
        monkeypatch.delenv(name)
    for name in ("XDG_RUNTIME_DIR", pocket_launcher.STORE, pocket_launcher.CHOICE):
        monkeypatch.setenv(name, environment[name])
    yield
    errors.when_lost()


def kernel(environment: dict, code: str = CONNECT.format("")) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


# --- the place ---


def test_the_socket_is_for_its_user_alone(home):
    started = Started(home)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (started.folder, started.socket, home / "store")]
    assert modes == [0o700, 0o600, 0o700]
    assert started.client().ping()


def test_a_folder_that_others_may_enter_is_refused(home):
    (home / "open").mkdir()
    (home / "open").chmod(0o755)
    started = Started(home, ready=False, socket_path=home / "open" / "pocket.sock")
    assert started.ended() == 1
    assert started.said().startswith("Cannot start: The socket's folder") and "chmod 700" in started.said()


def test_a_path_too_long_for_a_socket_is_said_so(home):
    started = Started(home, ready=False, socket_path=home / ("x" * 100) / "pocket.sock")
    assert started.ended() == 1 and "longer than 107 bytes" in started.said()


def test_what_is_no_socket_is_not_removed(home):
    (home / "run").mkdir(mode=0o700)
    (home / "run" / "pocket.sock").write_text("precious")
    started = Started(home, ready=False)
    assert started.ended() == 1 and "is no socket" in started.said()
    assert (home / "run" / "pocket.sock").read_text() == "precious"


def test_the_socket_of_a_dead_engine_is_replaced(home):
    (home / "run").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home / "run" / "pocket.sock"))
    assert Started(home).client().ping()


def test_a_second_engine_leaves_the_first_and_says_so(home):
    first = Started(home)
    second = Started(home, ready=False)
    assert second.ended() == 0 and "runs already" in second.said()
    assert first.client().ping()


def test_an_engine_waits_for_one_that_is_just_ending(home):
    (home / "run").mkdir(mode=0o700)
    ending = os.open(home / "run" / "pocket.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(ending, fcntl.LOCK_EX)  # its socket is gone, its store not yet closed
    started = Started(home, ready=False)
    time.sleep(1)
    assert started.process.poll() is None and not started.socket.exists()
    os.close(ending)
    until(lambda: pocket_launcher._answers(started.socket))


def test_a_port_needs_a_token_and_is_on_loopback_only(home):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, str(PROGRAM), "--port", str(port), "--store", str(home / "store")]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=20)
    assert refused.returncode == 2 and "needs --token" in refused.stderr
    process = subprocess.Popen(words, env={**os.environ, "FACTORY_FLOOR_POCKET_TOKEN": "secret"})
    try:
        url = f"tcp://127.0.0.1:{port}"
        until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        with pytest.raises(docker.errors.DockerException, match="401"):
            docker.DockerClient(base_url=url, version="1.44").version()
        client = docker.DockerClient(base_url=url, version="1.44")
        client.api.headers["Authorization"] = "Bearer secret"
        assert client.ping()
        table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = [line[1] for line in table if line[3] == "0A" and line[1].endswith(f":{port:04X}")]
        assert listening == [f"0100007F:{port:04X}"]  # 127.0.0.1, as the kernel writes it
        assert b"secret" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    finally:
        process.terminate()
        assert process.wait(20) == 0


# --- whom it stays for ---


def test_an_engine_that_nobody_needs_ends_and_takes_its_socket_away(home):
    started = Started(home, "--idle", "0.5")
    assert started.ended(10) == 0
    assert not started.socket.exists()
    assert "nobody needed it any more" in started.said()


def test_it_stays_for_a_holder_and_ends_after_it(home, bystander):
    started = Started(home, "--idle", "0.5")
    started.hold(bystander.pid, of_process(bystander.pid)[19])
    time.sleep(2.5)
    assert started.process.poll() is None
    bystander.kill()  # a zombie from now on: that is no holder, either
    assert started.ended(10) == 0
    assert not list((started.folder / "holders").iterdir())


def test_another_process_with_the_holders_number_is_no_holder(home, bystander):
    started = Started(home, "--idle", "1")
    started.hold(bystander.pid, str(int(of_process(bystander.pid)[19]) - 1))
    assert started.ended(10) == 0 and bystander.poll() is None


def test_it_stays_while_a_request_is_under_way(home):
    started = Started(home, "--idle", "0.5")
    events = started.client().events()
    time.sleep(2.5)
    assert started.process.poll() is None
    events.close()
    assert started.ended(10) == 0


def test_idle_0_stays(home):
    started = Started(home, "--idle", "0")
    time.sleep(2)
    assert started.process.poll() is None


def test_who_registers_while_it_looks_round_is_not_left_without(home):
    started = Started(home, "--idle", "0.5")
    lock = os.open(started.folder / "holders.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    time.sleep(2.5)
    assert started.process.poll() is None and pocket_launcher._answers(started.socket)
    os.close(lock)
    assert started.ended(10) == 0


# --- how it ends, and comes back ---


@pytest.mark.parametrize("options", [(), ("--keep",)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(home, options, number):
    started = Started(home, *options)
    started.process.send_signal(number)
    assert started.ended() == 0
    assert not started.socket.exists() and not processes_of(home)
    assert "it was asked to" in started.said()


def test_an_engine_that_was_killed_is_started_again(home):
    started = Started(home, "--keep")
    client, first = started.client(), started.server()
    os.kill(first, signal.SIGKILL)
    until(lambda: of_process(first) == [] and pocket_launcher._answers(started.socket))
    assert client.ping(), "the client of before goes on"
    assert started.server() != first and "killed by SIGKILL: it is started again" in started.said()


def test_an_engine_that_dies_again_and_again_is_given_up(home):
    started = Started(home, "--keep")
    for _ in range(6):
        os.kill(until(lambda: pocket_launcher._answers(started.socket)) and started.server(), signal.SIGKILL)
    assert started.ended() == 1 and "for the 6th time within a minute" in started.said()
    assert not processes_of(home)


# --- with programs running ---


@pytest.fixture
def sleeper() -> bytes:
    """An image's files as a tar: this machine's own /bin/sh and sleep, with the libraries that they need."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", dereference=True) as archive:
        names = {"/bin/sh": shutil.which("sh"), "/bin/sleep": shutil.which("sleep")}
        for program in list(names.values()):
            listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
            names |= {path: path for path in re.findall(r"(/\S+) \(0x", listed)}
        for name, path in names.items():
            archive.add(os.path.realpath(path), name)
    return packed.getvalue()


def slow_build(client: docker.DockerClient, sleeper: bytes, number: int) -> threading.Thread:
    """A build that sleeps for `number` seconds in its last step: returns when it does."""
    client.api.import_image_from_data(sleeper, repository="sleeper")
    recipe = f"FROM sleeper\nRUN sleep {number}\n".encode()

    def build():
        with contextlib.suppress(Exception):  # its engine goes away, which is the point
            client.images.build(fileobj=io.BytesIO(recipe))

    thread = threading.Thread(target=build)
    thread.start()
    until(lambda: sleeping(number))
    return thread


def sleeping(number: int) -> list[int]:
    return processes_with(f"sleep\0{number}\0".encode())


def test_it_stays_while_a_container_runs(home, sleeper):
    started = Started(home, "--idle", "0.5")
    client = started.client()
    client.api.import_image_from_data(sleeper, repository="sleeper")
    client.containers.run("sleeper", ["/bin/sleep", "4"], detach=True)
    time.sleep(2.5)
    assert started.process.poll() is None
    assert started.ended(10) == 0


@pytest.mark.parametrize("options", [(), ("--keep",)])
def test_a_signal_ends_what_runs_and_leaves_no_process(home, sleeper, options):
    started = Started(home, *options)
    client, number = started.client(), 600 + os.getpid()
    building = slow_build(client, sleeper, number)
    client.containers.run("sleeper", ["/bin/sleep", str(number + 1)], detach=True)
    until(lambda: sleeping(number + 1))
    started.process.terminate()
    assert started.ended(15) == 0
    assert not sleeping(number) and not sleeping(number + 1) and not started.socket.exists()
    building.join(10)
    assert not building.is_alive()


def test_what_a_killed_engine_left_running_is_ended_and_the_store_is_whole(home, sleeper):
    started = Started(home, "--keep")
    client, number = started.client(), 600 + os.getpid()
    building = slow_build(client, sleeper, number)
    os.kill(started.server(), signal.SIGKILL)
    building.join(10)
    until(lambda: pocket_launcher._answers(started.socket))
    assert not sleeping(number)
    image, _ = client.images.build(fileobj=io.BytesIO(b"FROM sleeper\nRUN sleep 0\n"))
    assert len(image.attrs["RootFS"]["Layers"]) >= 1


# --- connect() ---


def test_connect_starts_an_engine_and_says_so_once(environment, home):
    first, _ = kernel(environment).communicate(timeout=60)
    *lines, answered = first.splitlines()
    at = lines.index(pocket_launcher.NOTICE)
    starting, banner = lines[:at], lines[at + 1 :]
    assert starting in ([], ["Starting the pocket engine …"])  # said where that takes a moment
    assert "no security boundary" in pocket_launcher.NOTICE
    assert banner[0].startswith("Pocket engine ") and " · pocket image store · linux/" in " ".join(banner)
    assert answered == "True" and len(list(home.glob("factory-floor/*/pocket.sock"))) == 1
    again, _ = kernel(environment).communicate(timeout=60)
    assert again.splitlines() == [*banner, answered]


def test_connect_can_be_quiet(environment):
    said, _ = kernel(environment, CONNECT.format("quiet=True")).communicate(timeout=60)
    assert said == "True\n"


def test_two_kernels_at_once_start_one_engine(environment, home):
    kernels = [kernel(environment) for _ in range(2)]
    said = [one.communicate(timeout=60)[0] for one in kernels]
    assert [one.returncode for one in kernels] == [0, 0], said
    assert sum(pocket_launcher.NOTICE in one for one in said) == 1
    assert len(processes_of(home)) == 2, "one that serves, and one that keeps it"


def test_the_engine_stays_for_the_kernel_and_its_jupyter_server(environment, home):
    program = home / "jupyter-lab"
    program.write_text(
        "import subprocess, sys\n"
        "code = 'import workshop, time; workshop.connect(quiet=True); print(1, flush=True); time.sleep(60)'\n"
        "child = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
        "child.kill()\n"
        "child.wait()\n"
    )
    server = subprocess.Popen(
        [sys.executable, program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    child = int(server.stdout.readline())
    folder = next(home.glob("factory-floor/*/holders"))
    held = {int(file.name): file.read_text().strip() for file in folder.glob("[0-9]*")}
    expected = {pid: of_process(pid)[19] for pid in (server.pid, child)}
    server.communicate(timeout=20)
    assert held == expected


def test_an_engine_that_was_ended_is_started_by_the_next_connect(here, home, capsys):
    client = connect.connect()
    for pid in processes_of(home):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not processes_of(home))
    with pytest.raises(errors.EngineLost, match=r"starts again by itself.*\n?.*workshop.connect\(\)"):
        errors.translate_engine_loss("the test")(client.ping)()
    assert connect.connect().ping() and client.ping()
    assert capsys.readouterr().out.count(pocket_launcher.NOTICE) == 2


def test_the_log_is_the_users_alone(here, home):
    connect.connect(quiet=True)
    (log,) = home.glob("factory-floor/*/engine.log")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600 and "serves at" in log.read_text()


def test_docker_host_comes_before_the_choice(here, monkeypatch, home):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(WorkshopError, match="unset DOCKER_HOST"):
        connect.connect()
    assert not processes_of(home)


def test_an_unknown_choice_is_said_so(here, monkeypatch):
    monkeypatch.setenv(pocket_launcher.CHOICE, "podmann")
    with pytest.raises(WorkshopError, match="only engine that it can name is 'pocket'"):
        connect.connect()


def test_where_no_engine_answers_the_pocket_engine_does(here, home, capsys):
    stopped = connect.Candidate("Docker", "unix:///var/run/docker.sock")
    reason = connect.why_not(stopped, ConnectionRefusedError("Connection refused"))
    assert connect._nothing_answers([(stopped, reason)]).ping()
    assert "no engine listens on it. So the pocket engine is used." in capsys.readouterr().out


def test_an_engine_that_cannot_start_says_why(here, monkeypatch, home):
    (home / "file").write_text("")
    monkeypatch.setenv(pocket_launcher.STORE, str(home / "file"))
    stopped = connect.Candidate("Docker", "unix:///var/run/docker.sock")
    with pytest.raises(WorkshopError) as caught:
        connect._nothing_answers([(stopped, WorkshopError("Docker is stopped.", "Start it."))])
    assert "Docker is stopped. Start it." in str(caught.value)
    assert f"The pocket engine cannot run here: The folder {home}/file cannot be used: File exists" in str(caught.value)


def test_elsewhere_than_on_linux_nothing_is_started(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(WorkshopError, match="Install Docker"):
        connect._nothing_answers([])


# --- where the run folder is ---


def test_each_store_has_a_run_folder_of_its_own(here, monkeypatch, home):
    one = pocket_launcher.run_folder()
    monkeypatch.setenv(pocket_launcher.STORE, str(home / "other"))
    two = pocket_launcher.run_folder()
    assert one != two and one.parent == two.parent == home / "factory-floor"
    assert stat.S_IMODE(one.stat().st_mode) == stat.S_IMODE(one.parent.stat().st_mode) == 0o700


def test_the_usual_store_has_the_usual_socket(here, monkeypatch, home):
    for name in (pocket_launcher.STORE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    assert pocket_launcher.store() == home / ".cache/factory-floor/pocket"
    assert pocket_launcher.run_folder() == home / "factory-floor"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "missing"))
    assert pocket_launcher.run_folder() == home / ".cache/factory-floor/run"


def test_a_path_too_long_falls_back_to_a_folder_in_tmp(here, monkeypatch, home):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / ("x" * 90)))
    (home / ("x" * 90)).mkdir()
    folder = pocket_launcher.run_folder()
    try:
        assert folder.parent == Path(f"/tmp/factory-floor-{os.getuid()}")
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    finally:
        folder.rmdir()
        with contextlib.suppress(OSError):
            folder.parent.rmdir()


def test_a_folder_that_somebody_else_laid_out_is_refused(here, home):
    (home / "elsewhere").mkdir()
    (home / "factory-floor").symlink_to(home / "elsewhere")
    with pytest.raises(WorkshopError, match="should be a folder of yours"):
        pocket_launcher.run_folder()
