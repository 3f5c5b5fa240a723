"""`.venv` is made once, reused, rebuilt when it must be and never left half-made: real environments, tiny packages.

What is promised holds whether uv or pip does it.
"""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import environment
import pytest
from at_hand import ROOT
from environments import ensure, has, installed_by, names, package, program, start, wait_for, without_uv

pytestmark = pytest.mark.slow  # each makes an environment, or two

SLOW_BUILD = """
import pathlib, time
pathlib.Path({begun!r}).touch()
time.sleep(30)
"""


@pytest.fixture(scope="module", params=["uv", "pip"])
def by(request, tmp_path_factory):
    """Which of them does it: uv, which is installed here, or pip, because there is no uv."""
    folder = tmp_path_factory.mktemp("by")
    variables = without_uv(folder)
    if request.param == "uv":
        variables |= program(folder / "real")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield request.param


@pytest.fixture(scope="module")
def two_starts(by, tmp_path_factory):
    """Two first starts at the same moment: (place, one's process id, [(second, line)] it said, the other's words)."""
    place = tmp_path_factory.mktemp("place")
    (place / "requirements.txt").write_text(package(place, "alpha", "import time; time.sleep(3)") + "\n")
    first = start(place)
    wait_for(place / ".venv.lock")
    other = start(place)
    heard = [(time.monotonic(), line) for line in first.stdout]
    return place, first.pid, heard, other.communicate(timeout=60)[0]


@pytest.fixture
def place(two_starts):
    """A place with a whole environment that has package alpha; brought back should the test before have changed it."""
    place = two_starts[0]
    backend = place / "alpha" / "backend.py"
    backend.write_text(backend.read_text().replace("sleep(3)", "sleep(0)"))
    (place / "requirements.txt").write_text(f"alpha @ {(place / 'alpha').as_uri()}\n")
    code, said = ensure(place)
    assert code == 0, said
    return place


def test_a_first_start_says_how_long_and_tells_what_it_does(two_starts, by):
    place, _, heard, _ = two_starts
    times, lines = zip(*heard)
    assert lines[0] == "Setting up .venv, once: about 500 MB, a minute or two.\n"
    assert installed_by(place, "alpha") == by
    told = ["building alpha|installing 1 package"] if by == "uv" else ["creating the environment", "package index"]
    assert all(any(re.search(words, line) for line in lines) for words in told), lines
    assert by == "uv" or any("Going on with pip" in line for line in lines)
    assert lines[-1] == "changed True\n"
    assert max(b - a for a, b in zip(times, times[1:])) < 2.5  # 2 s, and half a second for a busy machine


def test_two_starts_at_once_take_turns(two_starts):
    place, pid, _, other = two_starts
    assert f"waiting for another start that is setting up (process {pid})" in other
    assert other.endswith("changed False\n")
    assert has(place, "alpha") and names(place) == [".venv"]


def test_an_unchanged_environment_is_reused_at_once(place):
    marker = place / ".venv" / environment.MARKER
    before, begun = marker.stat().st_mtime_ns, time.monotonic()
    assert ensure(place) == (0, "changed False\n")
    assert time.monotonic() - begun < 10  # it would have to fetch something first
    (place / "requirements.txt").write_text(f"# reworded\nalpha @ {(place / 'alpha').as_uri()}  # a comment\n\n")
    assert ensure(place) == (0, "changed False\n")
    assert marker.stat().st_mtime_ns == before


def test_the_tests_extra_requirements_are_added_without_a_rebuild(place, by):
    (place / "more.txt").write_text(package(place, "beta") + "\n")
    stays = place / ".venv" / "stays"
    stays.touch()
    code, said = ensure(place, "requirements.txt", "more.txt")
    assert code == 0 and "more.txt" in said and installed_by(place, "beta") == by
    assert has(place, "beta") and has(place, "alpha") and stays.exists()
    assert ensure(place) == (0, "changed False\n")
    assert ensure(place, "requirements.txt", "more.txt") == (0, "changed False\n")
    assert stays.exists() and not (place / ".venv" / "tmp").exists()


def test_an_addition_that_is_stopped_leaves_the_environment_as_it_was(place):
    begun = place / "begun"
    (place / "gamma.txt").write_text(
        package(place, "gamma") + "\n" + package(place, "waits", SLOW_BUILD.format(begun=str(begun))) + "\n"
    )
    before = environment._entries(place / ".venv")
    process = start(place, "requirements.txt", "gamma.txt")
    wait_for(begun)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=20)[0]
    assert process.returncode == 143 and "The environment is as it was" in said, said
    assert environment._entries(place / ".venv") == before
    assert ensure(place) == (0, "changed False\n")


def test_an_addition_that_fails_half_way_is_undone(place):
    before = environment._entries(place / ".venv")
    (place / "epsilon.txt").write_text(
        package(place, "epsilon")
        + "\n"
        + package(place, "zeta", metadata="Requires-Dist: epsilon\\n", entry="zeta-1.0.data/no_such_place/file")
        + "\n"
    )
    code, said = ensure(place, "requirements.txt", "epsilon.txt")
    assert code == 1 and "Setting up failed" in said and "The environment is as it was" in said, said
    assert environment._entries(place / ".venv") == before
    assert ensure(place) == (0, "changed False\n")


def test_changed_requirements_rebuild_and_drop_what_is_no_longer_asked_for(place):
    (place / "requirements.txt").write_text(package(place, "delta") + "\n")
    code, said = ensure(place)
    assert code == 0 and "again, because" in said
    assert has(place, "delta") and not has(place, "alpha")
    assert names(place) == [".venv"]


def test_a_half_made_environment_is_repaired_and_a_dead_process_lock_is_no_obstacle(place):
    (place / ".venv" / environment.MARKER).unlink()
    (place / ".venv" / "stray").touch()
    (place / ".venv.lock").write_text("999999999")
    code, said = ensure(place)
    assert code == 0 and "waiting" not in said, said
    assert has(place, "alpha") and not (place / ".venv" / "stray").exists()
    assert names(place) == [".venv"]


def test_an_environment_that_somebody_else_made_is_left_alone(tmp_path, by):
    (tmp_path / "requirements.txt").touch()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "theirs").touch()
    code, said = ensure(tmp_path)
    assert code == 1 and "did not make" in said and "Nothing was changed" in said
    assert (tmp_path / ".venv" / "bin" / "theirs").exists()


def test_an_environment_whose_python_is_gone_is_made_anew(place):
    python = environment.python_of(place / ".venv")
    python.rename(python.with_suffix(".away"))
    try:
        assert environment.state(place / ".venv", [place / "requirements.txt"]) == "stale"
    finally:
        python.with_suffix(".away").rename(python)
    assert environment.state(place / ".venv", [place / "requirements.txt"]) == "ready"


def test_an_environment_that_was_moved_is_made_anew(place, tmp_path):
    shutil.copytree(place / ".venv", tmp_path / ".venv", symlinks=True)
    shutil.copy(place / "requirements.txt", tmp_path)
    assert environment.state(tmp_path / ".venv", [tmp_path / "requirements.txt"]) == "stale"
    assert environment.state(place / ".venv", [place / "requirements.txt"]) == "ready"


def test_when_a_rebuild_fails_the_previous_environment_is_put_back(place):
    (place / "requirements.txt").write_text("no-such-package-here\n")
    code, said = ensure(place)
    assert code == 1
    assert "pip finds no index that has what is needed" in said and "The previous environment was put back" in said
    assert has(place, "alpha") and names(place) == [".venv"]


def test_a_rebuild_cut_off_by_a_power_cut_is_undone_at_the_next_start(place):
    (place / ".venv").rename(place / ".venv.old")
    (place / ".venv").mkdir()
    assert ensure(place) == (0, "changed False\n")
    assert has(place, "alpha") and names(place) == [".venv"]


def test_a_first_start_stopped_by_ctrl_c_leaves_nothing_behind(tmp_path, by):
    begun = tmp_path / "begun"
    (tmp_path / "requirements.txt").write_text(package(tmp_path, "waits", SLOW_BUILD.format(begun=str(begun))) + "\n")
    process = start(tmp_path)
    wait_for(begun)
    stopped = time.monotonic()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=20)[0]
    assert time.monotonic() - stopped < 20
    assert process.returncode == 130
    assert said.endswith("Problem: Stopped. Nothing was left behind; the next start tries again.\n"), said
    assert names(tmp_path) == []
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in running


def test_no_network_is_told_in_one_sentence(tmp_path, by):
    (tmp_path / "requirements.txt").write_text("no-such-package-here\n")
    code, said = ensure(tmp_path, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_NO_INDEX="0", PIP_RETRIES="1")
    assert code == 1 and "The package index does not answer: check the network" in said, said
    assert "Nothing was left behind" in said and names(tmp_path) == []


def test_too_little_space_is_noticed_before_anything_is_made(tmp_path, by):
    (tmp_path / "requirements.txt").touch()
    code, said = ensure(tmp_path, megabytes=10**9)
    assert code == 1 and re.search(r"Too little space: \d+ MB are free", said) and "Nothing was changed" in said
    assert names(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path):
    """An empty 40 MB filesystem of its own."""
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root can mount a small filesystem for this test")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a small filesystem for this test")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_fills_up_is_told_and_nothing_is_left(small_disk, by):
    (small_disk / "requirements.txt").write_text(package(small_disk, "big", entry="filler", size=80 * 10**6) + "\n")
    code, said = ensure(small_disk)
    assert code == 1 and "The disk is full" in said and "Nothing was left behind" in said, said
    assert names(small_disk) == []


def test_a_read_only_disk_is_told_in_one_sentence(small_disk, by):
    (small_disk / "requirements.txt").touch()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    code, said = ensure(small_disk)
    assert code == 1 and "The folder cannot be written to" in said and "Nothing was changed" in said, said
    assert names(small_disk) == []


def test_a_folder_of_somebody_else_is_told_in_one_sentence(tmp_path, by):
    if os.name == "nt" or os.geteuid() == 0:
        pytest.skip("root may write to every folder, so this needs an ordinary user (a read-only disk is tested)")
    (tmp_path / "requirements.txt").touch()
    tmp_path.chmod(0o500)
    code, said = ensure(tmp_path)
    assert code == 1 and "The folder cannot be written to" in said and "Nothing was changed" in said, said


def test_a_python_without_ensurepip_names_the_package_to_install_unless_there_is_uv(tmp_path, by):
    (tmp_path / "requirements.txt").touch()
    code, said = ensure(tmp_path, before="sys.modules['ensurepip'] = None")  # as Debian without python3-venv has it
    if by == "uv":
        assert code == 0 and "Going on" not in said, said
    else:
        assert code == 1 and "`sudo apt-get install python3-venv`" in said and "Nothing was left behind" in said, said
        assert names(tmp_path) == []


def test_missing_requirements_mean_an_incomplete_copy(tmp_path, by):
    code, said = ensure(tmp_path)
    assert code == 1 and "requirements.txt is missing" in said


@pytest.mark.parametrize("command", ["notebooks", "tests"])
def test_the_commands_parse_on_python_3_6(command):
    ast.parse((ROOT / command / "__main__.py").read_text(), feature_version=(3, 6))


@pytest.mark.parametrize("command", ["notebooks", "tests"])
def test_an_old_python_is_told_so(command):
    names = [shutil.which(f"python3.{minor}") for minor in range(6, 11)]
    old = [name for name in names if name and not subprocess.run([name, "--version"], capture_output=True).returncode]
    if not old:
        pytest.skip("no Python older than 3.11 on this machine to run the command with")
    for python in old:
        done = subprocess.run([python, str(ROOT / command)], capture_output=True, text=True)
        assert done.returncode == 1 and "Factory Floor needs 3.11 or newer" in done.stdout, done


def run_tests(file):
    """`python3 tests FILE`, as it goes on once the environment is there."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests"), "-p", "no:cacheprovider", str(file)],
        text=True,
        stdout=subprocess.PIPE,
        env={**os.environ, environment.INSIDE: str(ROOT / ".venv")},
    )


def test_pytests_exit_code_and_last_line_are_the_commands(tmp_path):
    (tmp_path / "test_one.py").write_text("def test_one():\n    assert False\n")
    process = run_tests(tmp_path / "test_one.py")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert re.search(r"= 1 failed in .*=\n$", said), said


def test_ctrl_c_during_the_tests_gives_130(tmp_path):
    begun = tmp_path / "begun"
    (tmp_path / "test_one.py").write_text(
        f"import pathlib, time\ndef test_one():\n    pathlib.Path({str(begun)!r}).touch()\n    time.sleep(30)\n"
    )
    process = run_tests(tmp_path / "test_one.py")
    wait_for(begun)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
