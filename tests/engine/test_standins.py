"""Stand-ins for official base images: what a lesson relies on holds in them, and making them leaves nothing behind."""

from __future__ import annotations

import collections
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path

import docker
import pytest
import workshop
from at_hand import NOTEBOOKS, address
from workshop.archives import tar_of
from workshop.bases import debian_root, standins
from workshop.bases.known import DEBIAN
from workshop.bases.standins import LABEL, StandInError

PYTHONS = tuple(name for name in standins.NAMES if name.startswith("python"))


@pytest.fixture(scope="module")
def client():
    client = workshop.connect(quiet=True)
    yield client
    client.close()


@pytest.fixture(scope="module")
def have(client):
    """have(name): the stand-in is in the engine afterwards; without a way to make it, the test is skipped."""

    def have(name: str) -> str:
        if not standins.is_current(client, name):
            if problem := standins.can_build(name):
                pytest.skip(problem)
            try:
                standins.build(client, name)
            except StandInError as error:
                if "not a stand-in" not in error.what:
                    raise
                pytest.skip(error.what)
        return name

    return have


@pytest.fixture
def run(client, have):
    """run(name, script): what the shell script prints in a container of that stand-in; fails if the script does."""

    def run(name: str, script: str) -> str:
        return client.containers.run(have(name), ["/bin/sh", "-ec", script], remove=True, network_mode="none").decode()

    return run


@pytest.fixture(scope="module")
def root(client):
    """A Debian root is in the engine. Stand-ins that came with a class kit came without it."""
    if problem := standins.can_build("busybox:1.37"):
        pytest.skip(problem)
    debian_root.ensure(client, "trixie", lambda text: None)
    return debian_root.root("trixie")


@pytest.fixture
def trial(client, root, tmp_path, monkeypatch):
    """trial(steps): the name of a stand-in of the test's own, whose first stage has these steps."""
    name = f"factory/trial-{uuid.uuid4().hex[:8]}:1"
    shutil.copytree(standins.RECIPES, tmp_path / "recipes")
    monkeypatch.setattr(standins, "RECIPES", tmp_path / "recipes")
    monkeypatch.setattr(standins, "_RECIPES", {name: standins.Recipe("trial.Dockerfile", (), "It is a trial.")})

    def trial(steps: str) -> str:
        ours = f"LABEL {LABEL}={standins.STAND_IN_STAGE} {LABEL}.stand-in-for={name}"
        stages = f"FROM {root} AS one\n{ours}\n{steps}\nFROM scratch\n{ours}\nCOPY --from=one /etc/issue /\n"
        (tmp_path / "recipes" / "trial.Dockerfile").write_text(stages)
        return name

    yield trial
    steps = {"label": f"{LABEL}.stand-in-for={name}"}
    while images := client.api.images(filters=steps):  # on the containerd store, one step at a time
        for image in images:
            client.api.remove_image(image["Id"], force=True)
    assert client.api.images(all=True, filters=steps) == []


def left_of(client, name: str) -> list:
    """Images and containers that a recipe's build has left, apart from the finished image's own steps."""
    ours = {"label": [f"{LABEL}={standins.STAND_IN_STAGE}", f"{LABEL}.stand-in-for={name}"]}
    return client.api.images(filters={**ours, "dangling": True}) + client.api.containers(all=True, filters=ours)


DISTROLESS = "gcr.io/distroless/python3-debian13:latest"


@pytest.mark.parametrize("name", [name for name in standins.NAMES if name != DISTROLESS])
def test_each_has_a_shell_and_its_first_command(client, run, name):
    assert run(name, "echo hello") == "hello\n"
    assert client.images.get(name).attrs["Config"]["Cmd"] == (["sh"] if name.startswith("busybox") else ["python3"])


def test_distroless_is_python_alone(client, have):
    """No shell, no package manager; Python is the entrypoint, with the modules that need libraries; packages are named."""
    image = have(DISTROLESS)
    assert client.images.get(image).attrs["Config"]["Entrypoint"] == ["/usr/bin/python3.13"]
    code = (
        "import os, ssl, sqlite3, zlib; "
        "print([one for one in ('/bin/sh', '/usr/bin/apt', '/usr/bin/dpkg') if os.path.exists(one)])"
    )
    told = client.containers.run(image, ["-c", code], remove=True, labels={LABEL: "container"})
    assert told == b"[]\n"
    found = workshop.packages(client, image)
    assert {"libc6", "libssl3t64", "python3.13-minimal"} <= set(found["name"])


@pytest.mark.parametrize("name", standins.NAMES)
def test_each_says_what_it_is_and_what_differs(client, have, name):
    labels = client.images.get(have(name)).labels
    assert labels[LABEL] == "stand-in"
    assert labels[f"{LABEL}.stand-in-for"] == name
    assert labels[f"{LABEL}.recipe"] == standins.recipe(name)
    assert labels[f"{LABEL}.note"] == standins.note(name)
    table = workshop.bases.table(client).set_index("name")
    assert table.loc[name, "source"] == f"stand-in, from Debian {labels[DEBIAN]}"


@pytest.mark.parametrize(
    "name", [name for name in standins.NAMES if name not in ("busybox:1.37", "python:3.11-alpine")]
)
def test_each_is_made_from_the_debian_that_it_says(client, have, name):
    """The number is that of Debian's own files in it."""
    number = client.images.get(have(name)).labels[DEBIAN]
    version = dict(workshop.packages(client, name)[["name", "version"]].values)["base-files"]
    assert version.split(".")[0] == number


@pytest.mark.parametrize("name", standins.NAMES)
def test_no_stage_of_a_finished_stand_in_stays_behind(client, have, name):
    assert left_of(client, have(name)) == []


@pytest.mark.parametrize("name", PYTHONS)
def test_python_lives_where_the_original_has_it(run, name):
    assert run(name, "for p in python python3 pip; do command -v $p; done").split() == [
        "/usr/local/bin/python",
        "/usr/local/bin/python3",
        "/usr/local/bin/pip",
    ]
    version = name.split(":")[1].split("-")[0]
    told = run(name, 'python -c "import sys; print(sys.prefix, *sys.version_info[:2])"')
    assert told.split() == ["/usr/local", *version.split(".")]
    assert run(name, "python --version").split()[1] == run(name, "echo $PYTHON_VERSION").strip()
    run(name, 'python -c "import bz2, ctypes, decimal, hashlib, json, lzma, sqlite3, ssl, uuid, zlib"')


@pytest.mark.parametrize("name", PYTHONS)
def test_pip_installs_where_the_seed_copies_from(run, name):
    """A wheel by hand: not every image has what makes one."""
    wheel = """
import zipfile
with zipfile.ZipFile("gadget-1-py3-none-any.whl", "w") as wheel:
    wheel.writestr("gadget.py", "x = 1")
    wheel.writestr("gadget-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: gadget\\nVersion: 1\\n")
    wheel.writestr("gadget-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("gadget-1.dist-info/RECORD", "gadget.py,,\\n")
"""
    script = f"""
    cd /tmp && python -c '{wheel}'
    pip install -q --no-index --root-user-action=ignore --prefix=/install ./gadget-1-py3-none-any.whl
    test -f /install/lib/python3.*/site-packages/gadget.py
    cp -R /install/. /usr/local && cd / && python -c 'import gadget; print(gadget.__file__)'
    """
    version = name.split(":")[1].split("-")[0]
    assert run(name, script) == f"/usr/local/lib/python{version}/site-packages/gadget.py\n"


@pytest.mark.parametrize("name", PYTHONS)
def test_what_is_installed_with_python_is_what_the_original_has(run, name):
    """setuptools and wheel came with the official images up to 3.11; from 3.12 on pip comes alone."""
    names = run(name, "pip list --format=freeze --disable-pip-version-check | cut -d = -f 1").split()
    assert names == (["pip"] if "3.13" in name else ["pip", "setuptools", "wheel"])


@pytest.mark.parametrize("name", PYTHONS)
def test_a_virtual_environment_refers_to_usr_local(run, name):
    script = "python -m venv /v && /v/bin/pip --version >&2 && readlink /v/bin/python"
    assert run(name, script) == "/usr/local/bin/python\n"


@pytest.mark.parametrize("name", PYTHONS)
def test_no_compiled_modules_and_no_package_lists_are_shipped(run, name):
    assert run(name, "find /usr/local -name '*.pyc'; find /var -name '*_Packages*'") == ""


def test_the_slim_one_has_no_compiler_and_apt_still_names_debian(run):
    assert run("python:3.11-slim", "for tool in gcc cc make git curl; do command -v $tool || true; done") == ""
    assert "http://deb.debian.org/debian bookworm main" in run("python:3.11-slim", "cat /etc/apt/sources.list")


def test_the_full_one_has_a_compiler_and_git(run):
    run("python:3.11", "for tool in gcc g++ make git hg svn ssh curl wget; do command -v $tool; done")
    program = "echo 'int main(void) { return 0; }' > a.c && gcc -static a.c -o a && ./a && file a"
    assert "statically linked" in run("python:3.11", f"cd /tmp && {program}")


def test_alpine_is_musl_without_apk_and_says_so(client, run):
    name = "python:3.11-alpine"
    assert "/lib/ld-musl-" in run(name, "ldd /usr/local/bin/python3")
    assert run(name, "command -v apk || command -v apt || echo none") == "none\n"
    assert run(name, "find / -xdev -name apk -o -xdev -name dpkg -o -xdev -name rpm") == ""
    assert "no apk" in client.images.get(name).labels[f"{LABEL}.note"]


def test_alpine_takes_wheels_for_musl_and_not_for_glibc(run):
    tags = run("python:3.11-alpine", "python -m pip debug --verbose 2>/dev/null")
    assert "musllinux_1_2" in tags
    assert "manylinux" not in tags
    suffixes = run("python:3.11-alpine", 'python -c "import importlib.machinery as m; print(*m.EXTENSION_SUFFIXES)"')
    assert "-linux-musl.so" in suffixes
    assert "-linux-gnu.so" not in suffixes


def test_busybox_is_one_layer_of_the_version_that_it_says(client, run):
    assert "BusyBox v1.37" in run("busybox:1.37", "busybox | head -n 1")
    assert run("busybox:1.37", "stat -c %a /tmp; ls -l /bin/wget | grep -c busybox").split() == ["1777", "1"]
    assert len(client.images.get("busybox:1.37").attrs["RootFS"]["Layers"]) == 1


@pytest.fixture
def distroless(client, have):
    """distroless(code, **options): what Python, the image's entrypoint, prints for this code."""

    def distroless(code: str, **options) -> str:
        options |= {"remove": True, "network_mode": "none"}
        return client.containers.run(have(DISTROLESS), ["-c", code], **options).decode()

    return distroless


def test_distroless_cannot_start_a_shell(client, have):
    shell = ["/bin/sh", "-c", "true"]
    container = client.containers.create(have(DISTROLESS), entrypoint=shell, labels={LABEL: "container"})
    try:
        with pytest.raises(docker.errors.APIError, match="/bin/sh"):
            container.start()
    finally:
        container.remove(force=True)


def test_distroless_holds_three_names_of_one_program_and_one_layer(client, have):
    files = workshop.files(client, have(DISTROLESS))
    programs = files[files["path"].str.fullmatch(r"(/usr)?(/local)?/s?bin/.+")]
    assert set(programs["path"]) == {"/usr/bin/python", "/usr/bin/python3", "/usr/bin/python3.13"}
    assert (programs["kind"] == "file").sum() == 1
    assert files["layer"].max() == 0 and not files["path"].str.endswith(".pyc").any()
    assert (files.loc[files["kind"] == "file", "mode"] & 0o6000).sum() == 0, "nothing in it runs as somebody else"


def test_distroless_has_every_library_that_pythons_modules_are_linked_with(distroless):
    code = """
import glob, importlib, os, warnings
warnings.simplefilter("ignore")
names = {os.path.basename(path).split(".")[0] for path in glob.glob("/usr/lib/python3.13/lib-dynload/*.so")}
loaded = {name: importlib.import_module(name) for name in names}
print(len(loaded) > 25, {"_bz2", "_ctypes", "_lzma", "_sqlite3", "_ssl", "readline"} - set(loaded))
"""
    assert distroless(code) == "True set()\n"


def test_distroless_has_debians_places_for_packages(distroless):
    code = """
import os, subprocess, sys
for number, folder in enumerate(("/usr/lib/python3/dist-packages", "/usr/local/lib/python3.13/dist-packages")):
    os.makedirs(folder)
    open(f"{folder}/gadget{number}.py", "w").write(f"print({folder!r})")
subprocess.run([sys.executable, "-c", "import gadget0, gadget1"], check=True)
import site
print(site.getusersitepackages())
"""
    assert distroless(code).split() == [
        "/usr/lib/python3/dist-packages",
        "/usr/local/lib/python3.13/dist-packages",
        "/root/.local/lib/python3.13/site-packages",
    ]


def test_distroless_has_a_user_without_rights_who_can_work(distroless):
    code = """
import os, pathlib, ssl
print(os.getuid(), pathlib.Path.home(), oct(os.stat("/tmp").st_mode), os.access("/etc/passwd", os.W_OK))
for folder in ("/tmp", pathlib.Path.home()):
    pathlib.Path(folder, "mine").write_text("x")
print(len(ssl.create_default_context().get_ca_certs()) > 100)
"""
    assert distroless(code, user="nonroot").split() == ["65532", "/home/nonroot", "0o41777", "False", "True"]


def test_distroless_names_a_package_for_every_library_that_it_ships(client, have):
    image = have(DISTROLESS)
    files = workshop.files(client, image)
    files = files[files["kind"] == "file"]
    paths = files.loc[files["path"].str.startswith("/var/lib/dpkg/"), "path"]
    assert all(path.startswith("/var/lib/dpkg/status.d/") for path in paths), "there is no dpkg to keep a status file"
    named = set()
    for path in paths:
        text = workshop.read(client, image, path).decode()
        if path.endswith(".md5sums"):
            named |= {"/" + line.split(maxsplit=1)[1] for line in text.splitlines()}
        else:
            assert text.startswith(f"Package: {path.rsplit('/')[-1]}\n") and "\nVersion: " in text
    shipped = set(files.loc[files["path"].str.match(r"(/usr)?/(lib|bin)/"), "path"])
    assert len(shipped) > 700 and shipped - named == set()


def test_the_debian_root_is_known_as_ours(client, root):
    assert client.images.get(root).labels[LABEL] == "stand-in-root"


def test_a_changed_recipe_is_noticed(client, trial):
    name = trial("RUN true")
    assert not standins.is_current(client, name)
    standins.build(client, name)
    assert standins.is_current(client, name)
    first = client.images.get(name).id
    trial("RUN echo changed > /etc/issue")
    assert not standins.is_current(client, name)
    standins.build(client, name)
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get(first)  # the image that was replaced does not stay behind, nor do its steps
    named = client.api.images(filters={"label": f"{LABEL}.stand-in-for={name}"})
    assert [image["RepoTags"] for image in named] == [[name]]


def test_a_current_stand_in_is_not_made_again(client, trial):
    name, said = trial("RUN true"), []
    standins.build(client, name)
    standins.build(client, name, said.append)
    assert said == []


def test_an_image_that_is_not_ours_is_never_overwritten(client, trial):
    name = trial("RUN true")
    client.api.import_image_from_data(tar_of({"mine": b"1"}), *name.split(":"))
    mine = client.images.get(name).id
    try:
        with pytest.raises(StandInError, match="not a stand-in"):
            standins.build(client, name)
        assert client.images.get(name).id == mine
    finally:
        client.images.remove(name)


def test_a_failed_build_says_why_and_leaves_nothing(client, trial):
    name = trial("RUN echo made > /made\nRUN echo the reason; false")
    with pytest.raises(StandInError, match="the reason"):
        standins.build(client, name)
    assert left_of(client, name) == []


def test_progress_comes_every_two_seconds_even_from_a_silent_step(client, trial):
    """About every second: counted, not timed, because a busy machine may take its time."""
    name, said = trial("RUN sleep 5"), []
    standins.build(client, name, said.append)
    assert collections.Counter(re.sub(r"\d+", "", text) for text in said).most_common(1)[0][1] >= 3, said


def interrupted(client, call: str, until: str, **environment: str) -> subprocess.Popen:
    """Runs the call in a Python of its own and sends it SIGINT, as Jupyter does, once its report contains `until`."""
    setup = f"import docker; from workshop.bases import debian_root, standins; client = docker.from_env(timeout=600); {call}"
    paths = os.pathsep.join([str(NOTEBOOKS), os.environ.get("PYTHONPATH", "")])
    program = subprocess.Popen(
        [sys.executable, "-c", setup],
        env={**os.environ, "DOCKER_HOST": address(client), "PYTHONPATH": paths, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in program.stdout:
        if until in line:
            program.send_signal(signal.SIGINT)
            break
    _, errors = program.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    return program


def test_an_interrupted_build_leaves_nothing_half_made(client, trial):
    name = trial("RUN echo first > /first\nRUN echo begun; sleep 300")
    changed = "parts = (standins.Part('begun', 1, 'begun'),); "
    changed += f"standins.RECIPES = __import__('pathlib').Path({str(standins.RECIPES)!r}); "
    changed += f"standins._RECIPES = {{{name!r}: standins.Recipe('trial.Dockerfile', parts, 'It is a trial.')}}; "
    report = "lambda text: print(text, flush=True)"
    interrupted(client, f"{changed} standins.build(client, {name!r}, {report})", until=": begun")
    assert left_of(client, name) == []
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get(name)


def test_an_interrupted_debian_root_leaves_no_file_and_no_process(client, root, tmp_path):
    before = client.images.get(root).id
    report = "lambda text: print(text, flush=True)"
    interrupted(
        client, f"debian_root.make(client, 'trixie', {report})", until="extracting archives", TMPDIR=str(tmp_path)
    )
    assert list(tmp_path.iterdir()) == []
    still_running = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            still_running += [process] if str(tmp_path).encode() in process.read_bytes() else []
        except OSError:  # it ended while we looked
            continue
    assert still_running == []
    assert client.images.get(root).id == before


@pytest.mark.skipif(standins.can_build("busybox:1.37") is not None, reason="no stand-in can be made on this host")
def test_where_mmdebstrap_is_not_installed_one_is_unpacked_with_its_tools(monkeypatch, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for program in Path(folder).glob("*"):
            if not program.name.startswith("mm"):
                with contextlib.suppress(FileExistsError):
                    (programs / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", str(programs))
    (tmp_path / "made").mkdir()
    archive = debian_root.bootstrap(str(tmp_path / "made"), "trixie", lambda text: None)
    with tarfile.open(archive) as tar:
        assert {"./usr/bin/dpkg", "./etc/debian_version"} <= set(tar.getnames())
