"""connect(): where it looks, and how it explains a place that does not answer."""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import threading

import docker
import pytest
import workshop
from workshop.engine import connect, containers


def place(path) -> connect.Candidate:
    return connect.Candidate("Docker", f"unix://{path}")


def why(candidate) -> str:
    """The sentences for a place that does not answer."""
    tried = []
    assert connect._open(candidate, tried) is None
    return str(tried[0][1])


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
    (tmp_path / "config.json").write_text("{}")  # without one, the SDK puts contexts into the current folder
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


def test_when_nothing_answers_each_place_says_why():
    reasons = [workshop.WorkshopError(f"reason {number}", f"remedy {number}") for number in (1, 2)]
    assert all(f"reason {number} remedy {number}" in str(connect.no_engine(reasons)) for number in (1, 2))
    assert "Install Docker" in str(connect.no_engine([]))


def test_a_dead_docker_host_is_an_error_and_not_a_detour(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(workshop.WorkshopError, match="unset DOCKER_HOST"):
        workshop.connect()


def test_a_web_app_on_this_machine_is_asked_past_the_networks_proxy(monkeypatch):
    class App(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"Hello")

        def log_message(self, *_):
            pass

    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), App) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert containers.ask(f"http://127.0.0.1:{server.server_address[1]}/").text == "Hello"
        server.shutdown()
