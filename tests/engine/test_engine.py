"""connect(): where it looks, what it says, and how it explains a place that does not answer."""

from __future__ import annotations

import http.server
import json
import os
import re
import socket
import socketserver
import threading

import docker
import pytest
import workshop
from workshop.engine import connect
from workshop.errors import explain


def place(path) -> connect.Candidate:
    return connect.Candidate("Docker", f"unix://{path}")


def why(candidate) -> str:
    """The sentences for a place that does not answer."""
    tried = []
    assert connect._open(candidate, tried) is None
    return str(tried[0][1])


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


def test_docker_host_comes_first_and_alone():
    places = connect.candidates({"DOCKER_HOST": "tcp://127.0.0.1:1"})
    assert [(one.name, one.url, one.chosen) for one in places] == [("DOCKER_HOST", "tcp://127.0.0.1:1", True)]


def test_the_usual_sockets_are_found_in_order(tmp_path):
    for name in (".colima/default/docker.sock", ".rd/docker.sock", "run/podman/podman.sock", ".docker/run/docker.sock"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    places = connect.candidates({"XDG_RUNTIME_DIR": str(tmp_path / "run")}, tmp_path)
    names = [one.name for one in places if str(tmp_path) in one.url]
    assert names == ["Docker Desktop", "Colima", "Rancher Desktop", "Podman"]


def test_a_docker_context_is_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    made = docker.context.ContextAPI.create_context("elsewhere", host="unix:///nowhere/docker.sock")
    try:
        places = connect.candidates({"DOCKER_CONTEXT": "elsewhere"})
        assert places[0].url.endswith("unix:///nowhere/docker.sock") and places[0].chosen
        assert "the Docker context elsewhere" in why(places[0])
    finally:
        made.remove()


def test_a_socket_without_an_engine_is_told_from_none_at_all(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "d.sock"))
    assert "no engine listens on it" in why(place(tmp_path / "d.sock"))
    assert "sudo systemctl start docker" in why(place(tmp_path / "d.sock"))
    assert "there is no such socket" in why(place(tmp_path / "none.sock"))


def test_a_stopped_docker_desktop_is_told_to_be_started(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "d.sock"))
    text = why(connect.Candidate("Docker Desktop", f"unix://{tmp_path}/d.sock"))
    assert "it is stopped, or still starting" in text and "Start it" in text


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
            os.write(writer, why(place(path)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    assert "permission denied" in text and "usermod -aG docker" in text


def test_an_engine_too_old_is_told_to_be_updated(tmp_path):
    class OldEngine(http.server.BaseHTTPRequestHandler):
        """No engine this old runs on a current machine; its answer to /version is all that counts here."""

        def do_GET(self):
            body = json.dumps({"ApiVersion": "1.20", "Version": "1.8.0"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self):
            return "unix"

        def log_message(self, *_):
            pass

    with socketserver.UnixStreamServer(str(tmp_path / "old.sock"), OldEngine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        text = why(place(tmp_path / "old.sock"))
        server.shutdown()
    assert "too old" in text and "20.10 or newer" in text


def test_a_figure_after_the_engine_has_gone_names_it_as_before(client, tmp_path):
    assert connect._banner_now(client, "before") == connect.banner(client)
    gone = docker.DockerClient(base_url=f"unix://{tmp_path}/gone.sock", version="1.41")
    assert connect._banner_now(gone, "before") == "before"


def test_when_nothing_answers_each_place_says_why():
    reasons = [workshop.WorkshopError(f"reason {number}", f"remedy {number}") for number in (1, 2)]
    assert all(f"reason {number} remedy {number}" in str(connect.no_engine(reasons)) for number in (1, 2))
    assert "Install Docker" in str(connect.no_engine([]))


def test_a_dead_docker_host_is_an_error_and_not_a_detour(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(workshop.WorkshopError, match="unset DOCKER_HOST"):
        workshop.connect()


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
