"""The Binder image: built as BinderHub builds it, and run as a Binder pod is at worst. Needs Docker, and says so."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
import uuid

import docker
import nbformat
import pytest
import workshop
from at_hand import PATIENCE, ROOT, free_port
from browser import ERROR, expect, ready, run
from workshop.labels import labels

WORST = {"user": "1000", "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}  # and Docker's seccomp profile
LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
STORE = "/opt/factory-floor/images"
MOST = 1200  # megabytes, unpacked, without the base images
# What BinderHub starts (`singleuser.cmd` of its chart), and with which arguments.
LAUNCH = ["python3", "-c", "import os, sys; os.execvp('jupyter-lab', sys.argv)"]
ARGUMENTS = [
    "--ip=0.0.0.0",
    "--port=8888",
    "--NotebookApp.base_url=/user/somebody/",
    "--NotebookApp.trust_xheaders=True",
]


@pytest.fixture(scope="module")
def docker_itself(client):
    name = workshop.engine.connect.describe(client)["engine"]
    if name != "Docker Engine":
        pytest.skip(f"the Binder image is built and run by Docker; this engine is {name}")
    return client


@pytest.fixture(scope="module")
def image(docker_itself, tmp_path_factory):
    """The image's name. Its base images come from a class kit, as where no registry can be reached."""
    client, context = docker_itself, tmp_path_factory.mktemp("binder") / "context"
    workshop.bases.ensure(client, workshop.bases.BASES)
    shutil.copytree(ROOT, context, ignore=shutil.ignore_patterns(".git", ".venv*", "class-kit.tar"))
    workshop.bases.save_kit(client, context / "class-kit.tar")
    name = f"factory-floor-binder:{uuid.uuid4().hex[:8]}"
    said, made = [], [name]
    try:
        for line in client.api.build(
            path=str(context),
            dockerfile="binder/Dockerfile",
            tag=name,
            rm=True,
            forcerm=True,
            decode=True,
            buildargs={"NB_USER": "somebody", "NB_UID": "1000"},
            labels=labels("test"),
        ):
            said.append(line.get("stream", ""))
            made += [line["aux"]["ID"]] if "aux" in line else []  # of each stage
            assert "error" not in line, "".join(said)[-3000:] + line["error"]
        yield name
    finally:
        for one in made:
            with contextlib.suppress(docker.errors.APIError):
                client.images.remove(one, force=True)


@pytest.fixture
def start(docker_itself, image):
    """Start a container of the image as Binder would at worst; it is removed at the end."""
    begun = []

    def call(command, **options):
        container = docker_itself.containers.run(
            image, command, detach=True, labels=labels("test"), **{**WORST, **options}
        )
        begun.append(container)
        return container

    yield call
    for container in begun:
        container.remove(force=True, v=True)


def finished(container, seconds: float = PATIENCE) -> str:
    """What it said; it must have ended well."""
    status = container.wait(timeout=seconds)["StatusCode"]
    text = container.logs().decode()
    assert status == 0, text[-6000:]
    return text


def test_it_is_small(start):
    said = finished(start(["du", "-sxm", f"--exclude={STORE}", "/"], user="0"))
    megabytes = int(said.split()[-2])
    print(f"{megabytes} MB unpacked, without the base images")
    assert 200 < megabytes < MOST


def test_a_launch_pulls_nothing(start):
    there = "print('there:', len([client.images.get(name) for name in workshop.bases.BASES]))"
    code = f"import workshop; client = workshop.connect(); {there}; workshop.bases.ensure(client, workshop.bases.BASES)"
    said = finished(start(["python3", "-c", code], network_mode="none"))
    assert "Pocket engine" in said
    assert f"there: {len(workshop.bases.BASES)}\n" in said and "\u25b6" not in said, "nothing was fetched"


def test_it_starts_as_somebody_without_rights(start):
    look = "id -u; grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; pwd; ls -A; ls -A .."
    said = finished(start(["sh", "-c", look]))
    assert re.search(r"^1000\nCapEff:\s+0+\nNoNewPrivs:\s+1\nSeccomp:\s+2\n/home/somebody/my_course\n", said), said
    assert {"notebooks", "sample_apps", "README.md", "LICENSE"} <= set(said.split())
    assert "class-kit.tar" not in said


def test_a_learners_copy_is_there_and_may_be_changed(start):
    change = "from pathlib import Path; [path.write_bytes(path.read_bytes()) for path in Path().iterdir()]"
    again = "sys.path.insert(0, '../notebooks'); import course; print(course.update(), *sorted(os.listdir()))"
    said = finished(start(["python3", "-c", f"import os, sys; {change}; {again}"]))
    assert said.split() == ["[]", ".copied.json", *(path.name for path in LESSONS)]


def test_every_lesson_passes_in_it(start):
    """Every lesson, or those that BINDER_LESSONS names: programs run about twice as slowly in it as on Docker."""
    lessons = os.environ.get("BINDER_LESSONS", "").split() or [f"notebooks/{path.name}" for path in LESSONS]
    home = {"working_dir": "/home/somebody"}
    container = start(["python3", "-m", "pytest", *lessons, "-p", "no:cacheprovider", "--durations=5"], **home)
    said = finished(container, 1500)
    print(said[-800:])
    cells = [cell for path in lessons for cell in nbformat.read(ROOT / path, as_version=4).cells]
    assert int(re.search(r"=+ (\d+) passed in", said)[1]) == sum(cell.cell_type == "code" for cell in cells)


def test_binderhubs_launch_opens_the_first_lesson(start, page):
    port, token = free_port(), uuid.uuid4().hex
    container = start([*LAUNCH, *ARGUMENTS, f"--NotebookApp.token={token}"], ports={"8888/tcp": ("127.0.0.1", port)})
    address = f"http://127.0.0.1:{port}/user/somebody/"
    deadline = time.monotonic() + PATIENCE
    while "is running at" not in (said := container.logs().decode()):
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
    page.goto(f"{address}?token={token}")
    page.wait_for_url(re.compile(r"/lab/tree/00_start_here\.ipynb"))
    ready(page)
    first = page.locator(".jp-NotebookPanel .jp-CodeCell").first
    expect(page.locator(".jp-NotebookPanel .jp-OutputArea-output")).to_have_count(0)
    run(first)
    expect(first.locator(".jp-OutputArea-output").filter(has_text="Pocket engine").first).to_be_visible()
    expect(first.locator(ERROR)).to_have_count(0)


def test_a_hub_can_start_its_single_user_server(start):
    assert re.search(r"^[5-9]\.\d", finished(start(["jupyterhub-singleuser", "--version"])), re.MULTILINE)
