"""Jobs: what a program sees, what it leaves, and that its end is the end of everything that it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from engines import RUNNERS, busybox_files, until
from pocket_engine.errors import BadRequest, EngineError
from pocket_engine.runtime import chown_record, listen_addresses, program_lookup, runner, seccomp
from pocket_engine.runtime.jobs import Job, Mount

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}  # 127.0.0.1 and ::ffff:127.0.0.1, as in /proc/net/tcp


@pytest.fixture(params=RUNNERS)
def a_runner(request):
    return runner.choose_runner(request.param)


@pytest.fixture
def root(tmp_path):
    """A root filesystem of one program under many names."""
    place = tmp_path / "root"
    for folder in ("bin", "etc", "tmp", "home"):
        (place / folder).mkdir(parents=True)
    for name, content in busybox_files().items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(content)
        (place / name).chmod(0o755)
    names = "sh ls cat id touch chown stat sleep env echo nc mkdir rm setsid kill pwd hostname wget httpd true ln mv ps"
    for name in names.split():
        (place / "bin" / name).symlink_to("busybox")
    (place / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n")
    return place


class Ran:
    def __init__(self, status, text, process):
        self.status, self.text, self.process = status, text, process


@pytest.fixture
def run(a_runner, root, tmp_path):
    """Run a shell line to its end."""
    count = iter(range(1000))

    def call(line, argv=None, **more):
        scratch = tmp_path / f"scratch{next(count)}"
        scratch.mkdir()
        env = {"PATH": PATH} | more.pop("env", {})
        job = Job(root, argv or ["sh", "-c", line], env, scratch, **more)
        with open(scratch / "out", "w+b") as out:
            process = a_runner.start(job, stdin=None, stdout=out.fileno(), stderr=out.fileno())
            status = process.wait(30)
            out.seek(0)
            return Ran(status, out.read().decode(), process)

    return call


@pytest.fixture
def begin(a_runner, root, tmp_path):
    """Start a shell line; it is killed at the end of the test."""
    begun = []

    def call(line, **more):
        scratch = tmp_path / f"begun{len(begun)}"
        scratch.mkdir()
        job = Job(root, ["sh", "-c", line], {"PATH": PATH}, scratch, **more)
        with open(scratch / "out", "wb") as out:
            process = a_runner.start(job, stdin=None, stdout=out.fileno(), stderr=out.fileno())
        begun.append(process)
        return process

    yield call
    for process in begun:
        process.kill()
        process.wait(10)


def running(mark: str) -> list[int]:
    """Processes with this word among their arguments."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if mark.encode() in Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0"):
                found.append(int(name))
    return found


def test_a_job_sees_itself_as_root_in_its_root(run):
    ran = run("id -u; id -g; pwd; cat /etc/passwd | head -c 4")
    assert (ran.status, ran.text.split()) == (0, ["0", "0", "/", "root"])


def test_the_environment_is_what_was_given_and_no_more(run):
    names = {line.partition("=")[0] for line in run("", ["env"], env={"COLOUR": "red"}).text.splitlines()}
    assert names - {"PWD"} == {"PATH", "COLOUR"}  # PRoot sets PWD, as a shell would


def test_the_status_is_the_programs(run):
    assert run("exit 7").status == 7
    assert run("exit 255").status == 255


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_is_a_status_over_128(run, number):
    ran = run(f"sh -c 'kill -{int(number)} $$'; exit $?")
    assert ran.status == 128 + number


def test_a_program_that_is_not_there_is_said_as_docker_says_it(run):
    with pytest.raises(BadRequest, match=r'exec: "nope": executable file not found in \$PATH') as caught:
        run("", ["nope"])
    assert caught.value.code == 127
    with pytest.raises(BadRequest, match=r'exec: "/nope": stat /nope: no such file or directory'):
        run("", ["/nope"])


def test_a_program_that_is_not_executable_is_said_so(run):
    with pytest.raises(BadRequest, match="permission denied") as caught:
        run("", ["/etc/passwd"])
    assert caught.value.code == 126


def test_a_missing_working_folder_is_made(run, root):
    assert run("pwd", cwd="/srv/new").text == "/srv/new\n"
    assert (root / "srv/new").is_dir()


def test_stat_reads_the_guests_file_and_not_the_hosts(run, root):
    # /etc/passwd is on the host too, and a stat that a runner does not translate shows that one.
    ran = run("stat -c '%i %s' /etc/passwd")
    found = (root / "etc/passwd").stat()
    assert ran.text.split() == [str(found.st_ino), str(found.st_size)]


def test_statx_is_not_answered_from_the_host(run, root, tmp_path):
    """By a program that calls statx directly, wherever libc would."""
    host = os.path.realpath(sys.executable)
    code = (
        "import ctypes; c = ctypes.CDLL(None, use_errno=True); b = ctypes.create_string_buffer(256);"
        "r = c.syscall({'x86_64': 332, 'aarch64': 291}[__import__('os').uname().machine], -100, b'/etc/passwd', 0, 0x7ff, b);"
        "print(r, ctypes.get_errno(), int.from_bytes(b[40:48], 'little'))"
    )
    ran = run("", [host, "-I", "-S", "-c", code], mounts=_libraries())
    said = ran.text.split()
    assert said in (["-1", "38", "0"], ["0", "0", str((root / "etc/passwd").stat().st_size)])


def test_a_job_as_another_user_is_that_user(run):
    assert run("id -u; id -g", uid=1000, gid=1001).text.split() == ["1000", "1001"]


def test_another_user_cannot_write_what_is_roots(a_runner, run):
    if a_runner.privileged:
        assert run("touch /etc/x", uid=1000, gid=1000).status == 1


def test_files_that_a_job_makes_are_there_afterwards(run, root):
    run("echo made > /home/made")
    assert (root / "home/made").read_text() == "made\n"


def test_nothing_is_left_of_the_mounts(run, root):
    def listing():
        return {str(path.relative_to(root)): path.lstat().st_mtime_ns for path in [root, *root.rglob("*")]}

    before = listing()
    ran = run("cat /proc/self/comm; cat /dev/null; cat /etc/hosts")
    assert "localhost" in ran.text
    assert listing() == before


def test_what_a_program_puts_in_a_mount_point_folder_stays(run, root, tmp_path):
    (tmp_path / "data").mkdir()
    mounts = (Mount(tmp_path / "data", "/data/inner", False),)
    run("touch /data/inner/in /data/beside", mounts=mounts)
    assert (tmp_path / "data/in").exists()
    assert (root / "data/beside").exists()
    assert not list((root / "data").glob("inner/*"))


def test_a_read_only_mount_is_read_only_where_that_is_possible(a_runner, run, tmp_path):
    (tmp_path / "data").mkdir()
    run("touch /data/x", mounts=(Mount(tmp_path / "data", "/data", True),))
    assert (tmp_path / "data/x").exists() is not a_runner.privileged


def test_a_link_in_the_image_does_not_lead_mounts_out_of_the_root(run, root, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.rmtree(root / "etc")
    (root / "etc").symlink_to(outside)
    run("true")
    assert list(outside.iterdir()) == []


def test_kill_reaches_what_has_left_the_session(begin):
    process = begin("setsid sleep 98761 & (setsid sh -c 'setsid sleep 98761 & sleep 98761' &) ; sleep 98761")
    until(lambda: len(running("98761")) >= 3)
    process.kill()
    assert process.wait(10) == 137
    assert running("98761") == []


def test_the_end_of_the_first_program_is_the_end_of_the_others(begin):
    process = begin("setsid sleep 98762 & sleep 98762 & exit 3")
    assert process.wait(10) == 3
    assert running("98762") == []


def test_a_signal_reaches_the_program(begin, root):
    process = begin("trap 'echo got > /tmp/got; exit 4' TERM; echo > /tmp/ready; while :; do sleep 0.05; done")
    until(lambda: (root / "tmp/ready").exists())
    process.kill(signal.SIGTERM)
    assert process.wait(10) == 4
    assert (root / "tmp/got").exists()


def test_wait_gives_up_after_its_time(begin):
    process = begin("sleep 98763")
    with pytest.raises(TimeoutError):
        process.wait(0.05)
    assert process.poll() is None


def test_a_thread_that_starts_a_job_may_end_before_it(begin):
    box = []
    thread = threading.Thread(target=lambda: box.append(begin("sleep 0.3; exit 5")))
    thread.start()
    thread.join()
    assert box[0].wait(10) == 5


def test_when_the_engine_is_killed_its_jobs_end(a_runner, root, tmp_path):
    program = f"""
import sys, time; sys.path.insert(0, {str(Path(runner.__file__).parents[2])!r})
from pathlib import Path
from pocket_engine.runtime import jobs, runner
line = "setsid sleep 98764 & sleep 98764"
job = jobs.Job(Path({str(root)!r}), ["sh", "-c", line], {{"PATH": {PATH!r}}}, Path({str(tmp_path)!r}))
runner.choose_runner({a_runner.name!r}).start(job, stdin=None, stdout=2, stderr=2)
time.sleep(600)
"""
    engine = subprocess.Popen([sys.executable, "-c", program])
    try:
        until(lambda: len(running("98764")) >= 2)
    finally:
        engine.kill()
        engine.wait()
    until(lambda: not running("98764"), 5)


def test_a_published_server_is_reached_on_its_host_port_of_loopback(begin):
    host = _free_port()
    begin("while :; do echo served | nc -l -p 5000; done", ports={5000: host})
    assert until(lambda: _heard("127.0.0.1", host)) == b"served\n"
    assert until(lambda: _listening_at(host)) <= LOOPBACK


def test_an_unpublished_server_listens_on_loopback_only(begin):
    port = _free_port()
    begin(f"while :; do echo served | nc -l -p {port}; done")
    assert until(lambda: _listening_at(port)) <= LOOPBACK


def test_a_job_reaches_its_own_published_server_at_the_port_it_knows(run):
    line = "(echo served | nc -l -p 5001 &); sleep 0.3; nc 127.0.0.1 5001 < /dev/null"
    assert "served" in run(line, ports={5001: _free_port()}).text


def test_a_privileged_port_can_be_published(begin):
    host = _free_port()
    begin("while :; do echo served | nc -l -p 80; done", ports={80: host})
    assert until(lambda: _heard("127.0.0.1", host)) == b"served\n"


def test_a_chown_without_the_right_to_it_is_kept(a_runner, run, root):
    ran = run(
        "cd /tmp && touch a b c && ln -s a l && chown 5:7 a && chown 0:0 b && chown -h 33:34 l && chown :9 c && mv a d"
    )
    assert ran.status == 0, ran.text
    truth = {
        name: (root / "tmp" / name).lstat().st_uid if a_runner.privileged else _owner(ran, root / "tmp" / name)
        for name in ("d", "b", "l")
    }
    if a_runner.privileged:
        assert ran.process.owners() == {}
        assert truth == {"d": 5, "b": 0, "l": 33}
    else:
        assert truth == {"d": (5, 7), "b": (0, 0), "l": (33, 34)}
        assert _owner(ran, root / "tmp/c") == (0, 9)


def test_a_chown_to_the_engines_own_number_is_not_taken_for_root(a_runner, run, root):
    mine = os.getuid() or 1000
    ran = run(f"cd /tmp && touch a b && chown {mine}:{mine} a && chown 0:0 b")
    if not a_runner.privileged:
        assert [_owner(ran, root / "tmp" / name) for name in "ab"] == [(mine, mine), (0, 0)]


def test_a_file_does_not_inherit_the_owner_of_a_deleted_one(a_runner, run, root):
    # Filesystems give the number of a deleted file to the next one; sixteen tries make that as good as certain.
    line = (
        "cd /tmp; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do touch a$i; chown 5:5 a$i; rm a$i; touch b$i; done"
    )
    ran = run(line)
    if not a_runner.privileged:
        assert set(ran.process.owners().values()) <= {(5, 5)}
        here = {(path.lstat().st_dev, path.lstat().st_ino) for path in (root / "tmp").iterdir()}
        assert here & set(ran.process.owners()) == set()


def test_a_job_that_is_killed_twice_was_still_killed(begin):
    process = begin("sleep 98765")
    process.kill()
    process.kill()
    assert process.wait(10) == 137
    process.kill()
    assert process.wait(10) == 137


def test_a_chown_of_a_missing_file_fails(run):
    assert run("chown 1:1 /tmp/missing").status == 1


def _owner(ran, path: Path) -> tuple[int, int]:
    found = path.lstat()
    return ran.process.owners()[(found.st_dev, found.st_ino)]


def test_an_unset_part_of_an_owner_is_as_before():
    record = chown_record.ChownRecord((0, 0))
    found = os.stat("/")
    record.note(found, (chown_record.UNCHANGED, 9))
    key = (found.st_dev, found.st_ino)
    assert record.owners() == {key: (0, 9)}
    assert record.owners(lambda _: (1000, 1000)) == {key: (1000, 9)}
    record.note(found, (3, chown_record.UNCHANGED))
    assert record.owners() == {key: (3, 9)}


def test_addresses_beyond_loopback_move_to_it():
    any4 = bytes.fromhex("0200 1388 00000000") + bytes(8)  # AF_INET, 5000, 0.0.0.0
    assert [listen_addresses.port(place) for place in listen_addresses.listen_candidates(any4, {5000: 45000})] == [
        45000
    ]
    assert listen_addresses.listen_candidates(any4, {})[0][4:8] == bytes([127, 0, 0, 1])
    own = bytes.fromhex("0200 1388 7f000001") + bytes(8)
    assert listen_addresses.listen_candidates(own, {}) == []
    assert listen_addresses.port(listen_addresses.connect_target(own, {5000: 45000})) == 45000
    assert listen_addresses.connect_target(own, {}) is None
    any6 = bytes.fromhex("0a00 1388") + bytes(24)
    assert listen_addresses.listen_candidates(any6, {5000: 7})[0][8:24] == bytes(10) + b"\xff\xff" + bytes(
        [127, 0, 0, 1]
    )


def test_a_filter_is_a_whole_number_of_instructions_and_its_jumps_stay_inside():
    code = seccomp.program(seccomp.UNTRANSLATED, seccomp.CHOWN + seccomp.NETWORK, tracer=True)
    lines = [code[at : at + 8] for at in range(0, len(code), 8)]
    assert len(code) == 8 * len(lines) and lines[-1][0] == 0x06
    for at, line in enumerate(lines):
        assert at + 1 + max(line[2], line[3]) < len(lines) or line[0] == 0x06


def test_links_are_followed_inside_the_root(root, tmp_path):
    (root / "way").symlink_to("/../../home/../etc")
    job = Job(root, ["sh"], {}, tmp_path)
    assert program_lookup.host_path(job, "/way/passwd") == ("/etc/passwd", root / "etc/passwd")
    (root / "loop").symlink_to("loop")
    with pytest.raises(OSError):
        program_lookup.host_path(job, "/loop/x")


def test_a_runner_that_does_not_exist_is_refused():
    with pytest.raises(EngineError, match="no runner"):
        runner.choose_runner("qemu")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _heard(host: str, port: int) -> bytes:
    with contextlib.suppress(OSError), socket.create_connection((host, port), 1) as caller:
        caller.shutdown(socket.SHUT_WR)
        return caller.recv(100)
    return b""


def _listening_at(port: int) -> set[str]:
    """The local addresses, as the kernel writes them, at which a TCP port listens."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, number = line.split()[1].split(":")
            if line.split()[3] == "0A" and int(number, 16) == port:
                found.add(address)
    return found


def _libraries() -> tuple[Mount, ...]:
    """The host's folders that its Python needs."""
    places = {"/usr", "/lib", "/lib64", sys.base_prefix}
    return tuple(Mount(Path(os.path.realpath(place)), place, True) for place in sorted(places) if os.path.isdir(place))
