"""connect() to the engine at hand: what it says of it, and how its errors are told."""

from __future__ import annotations

import os
import re

import docker
import pytest
from workshop.engine import connect
from workshop.errors import explain


def test_connect_gives_a_plain_docker_client_that_answers(client):
    assert type(client) is docker.DockerClient and client.ping()
    assert client.api.timeout == connect.TIMEOUT


def test_the_banner_names_engine_version_store_platform_and_bases(client):
    line = connect.banner(client)
    version = client.version()["Version"].split("+")[0]
    assert re.fullmatch(r"(Docker Engine|Podman|Pocket engine) \S+ · \S+ image store · \w+/\w+ · base images: .+", line)
    assert version in line or "Podman" in line
    assert "\n" not in line


def test_the_image_store_is_the_engines_own(client):
    store = connect.describe(client)["store"]
    driver = client.info()["Driver"]
    assert store == ("containerd" if driver == "overlayfs" else driver)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become another user to be refused")
def test_a_refused_socket_names_the_docker_group(client, tmp_path):
    url = client.api.base_url
    path = url.removeprefix("http+unix://") if url.startswith("http+unix") else "/var/run/docker.sock"
    path = path if os.path.exists(path) else "/var/run/docker.sock"
    if not os.path.exists(path):
        pytest.skip("the engine under test has no unix socket whose permissions could refuse anybody")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setuid(65534)
            tried = []
            connect._open(connect.Candidate("Docker", f"unix://{path}"), tried)
            os.write(writer, str(tried[0][1]).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    assert "permission denied" in text and "usermod -aG docker" in text


def test_a_figure_after_the_engine_has_gone_names_it_as_before(client, tmp_path):
    assert connect._banner_now(client, "before") == connect.banner(client)
    gone = docker.DockerClient(base_url=f"unix://{tmp_path}/gone.sock", version="1.41")
    assert connect._banner_now(gone, "before") == "before"


def test_the_sdks_own_errors_have_a_sentence_too(client):
    with pytest.raises(docker.errors.ImageNotFound) as caught:
        client.images.get("factory/no-such-image")
    assert "The engine has no such image" in str(explain(caught.value))
    assert explain(KeyboardInterrupt()).what.startswith("Interrupted")
    assert explain(ZeroDivisionError()) is None


def test_in_a_notebook_an_error_is_its_sentences_and_no_traceback():
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    cells = [
        "import workshop\nclient = workshop.connect(quiet=True)",
        "workshop.build(client, 'no-such-app')",
        "client.images.get('factory/no-such-image')",
        "raise KeyboardInterrupt",
        "1 / 0",
    ]
    notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
    NotebookClient(notebook, allow_errors=True, kernel_name="python3").execute()
    shown = ["\n".join(cell.outputs[-1].get("traceback", [])) if cell.outputs else "" for cell in notebook.cells]
    assert shown[1].startswith("There is no app called 'no-such-app', and no such folder")
    assert shown[2].startswith("The engine has no such image")
    assert shown[3].startswith("Interrupted, as you asked.")
    assert "Traceback" not in "".join(shown[:4])
    assert "ZeroDivisionError" in shown[4], "a mistake in the learner's own Python keeps its traceback"
