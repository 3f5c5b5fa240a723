"""The ladder of base images: each rung with a real registry, a real archive, a real refusal."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
import time

import pytest
import workshop
from conftest import everything, needs_registry, tar_of
from workshop.bases import certificates, resolve
from workshop.bases.known import in_engine, source
from workshop.bases.pull import failure


@pytest.fixture
def fresh_ladder(monkeypatch):
    """No rung is known to be out of reach, and nothing is set that a teacher may have set."""
    monkeypatch.setattr(resolve, "_out_of_reach", {})
    for name in (resolve.KIT, resolve.REGISTRY, resolve.OTHER_MIRRORS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(certificates.CA_FILE, "none")
    certificates.bundle.cache_clear()
    yield
    certificates.bundle.cache_clear()


@pytest.fixture
def name(client):
    """A base image that nobody has, under a name that nobody else uses."""
    name = f"factory-floor-test-{os.getpid()}-{time.monotonic_ns()}:1"
    yield name
    for image in client.images.list():
        for tag in image.tags:
            if name in tag:
                client.api.remove_image(tag)


def push(client, registry: str, name: str, content: bytes) -> None:
    """Put a small image into the registry, and take it out of the engine again."""
    there = f"{registry}/{name}"
    repository, tag = there.rsplit(":", 1)
    client.api.import_image_from_data(tar_of({"content": content}), repository=repository, tag=tag)
    for line in client.api.push(
        repository, tag=tag, stream=True, decode=True, auth_config={"username": "", "password": ""}
    ):
        assert "error" not in line, line
    client.api.remove_image(there)


def test_an_image_that_is_there_costs_one_look(client, busybox, capsys):
    before = everything(client)
    outcome = workshop.bases.ensure(client, [busybox])
    assert outcome[0].name == busybox and outcome[0].steps_down == ()
    assert everything(client) == before and capsys.readouterr().out == ""


@needs_registry
def test_a_class_registry_is_asked_first_and_the_name_is_the_official_one(
    client, registry, name, fresh_ladder, monkeypatch
):
    push(client, registry, name, b"from the classroom")
    monkeypatch.setenv(resolve.REGISTRY, registry)
    outcome = workshop.bases.ensure(client, [name])[0]
    assert outcome.source == f"the class registry {registry}" and outcome.steps_down == ()
    assert in_engine(client, name) and not in_engine(client, f"{registry}/{name}")


@needs_registry
def test_a_class_registry_may_hold_a_base_of_another_registry(client, registry, name, fresh_ladder, monkeypatch):
    push(client, registry, f"gcr.io/{name}", b"from the classroom")
    monkeypatch.setenv(resolve.REGISTRY, registry)
    outcome = workshop.bases.ensure(client, [f"gcr.io/{name}"])[0]
    assert outcome.source == f"the class registry {registry}" and in_engine(client, f"gcr.io/{name}")


@needs_registry
def test_a_mirror_follows_docker_hub_and_the_reason_is_told(client, registry, name, fresh_ladder, monkeypatch, capsys):
    push(client, registry, name, b"from the mirror")
    monkeypatch.setenv(resolve.OTHER_MIRRORS, f"{registry}/")
    outcome = workshop.bases.ensure(client, [name])[0]
    assert outcome.source == f"the mirror {registry}"
    assert len(outcome.steps_down) == 1 and outcome.steps_down[0].startswith("Docker Hub")
    assert f"because {outcome.steps_down[0]}" in capsys.readouterr().out


def test_what_a_kit_brought_along_is_not_said_to_be_built():
    assert resolve._told(resolve.Outcome("x:1", "stand-in")) == f"x:1: {resolve.WITH_ANOTHER}"
    assert "built here in 2.0 s" in resolve._told(resolve.Outcome("x:1", "stand-in", (), 2.0))


@needs_registry
def test_progress_is_told_in_bytes(client, registry, name, fresh_ladder, monkeypatch):
    push(client, registry, name, os.urandom(60_000_000))
    monkeypatch.setenv(resolve.REGISTRY, registry)
    details = []
    original = resolve.Panel.row

    def listening(self, key, text=None, **changes):
        details.append(changes.get("detail", ""))
        original(self, key, text, **changes)

    monkeypatch.setattr(resolve.Panel, "row", listening)
    workshop.bases.ensure(client, [name])
    assert any(detail.endswith("of 60.0 MB") for detail in details)


def test_a_rate_limit_is_recognised_and_explained(client, name, fresh_ladder, monkeypatch):
    class TooMany(http.server.BaseHTTPRequestHandler):
        """A registry that answers as Docker Hub does when its limit is reached."""

        # An engine that tries TLS first falls back only if the refusal looks like HTTP.
        protocol_version = default_request_version = "HTTP/1.1"

        def do_GET(self):
            limited = "/manifests/" in self.path
            error = {"code": "TOOMANYREQUESTS", "message": "You have reached your pull rate limit."}
            body = json.dumps({"errors": [error]} if limited else {}).encode()
            self.send_response(429 if limited else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), TooMany) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv(resolve.REGISTRY, host)
        with pytest.raises(workshop.WorkshopError) as caught:
            workshop.bases.ensure(client, [name])
        server.shutdown()
    text = str(caught.value)
    assert f"{host} answered “too many requests” (HTTP 429)" in text
    assert "docker login" in text and "class kit" in text
    assert f"the class registry {host}" in resolve._out_of_reach, "it is not asked again for the next image"


def test_when_no_rung_delivers_each_says_why(client, name, fresh_ladder, monkeypatch):
    monkeypatch.setenv(resolve.OTHER_MIRRORS, "127.0.0.1:9/")
    before = everything(client)
    with pytest.raises(workshop.bases.NotToBeHad) as caught:
        workshop.bases.ensure(client, [name])
    text = str(caught.value)
    assert "Docker Hub" in text and "127.0.0.1:9" in text
    assert everything(client) == before


def test_a_kit_that_was_named_and_is_not_there_is_no_reason_to_ask_docker_hub(client, name, fresh_ladder, monkeypatch):
    monkeypatch.setenv(resolve.KIT, "~/no-such-kit.tar")
    with pytest.raises(workshop.WorkshopError) as caught:
        workshop.bases.ensure(client, [name])
    assert "~/no-such-kit.tar, which is not there" in str(caught.value) and "Docker Hub" not in str(caught.value)


def test_a_misspelt_base_is_answered_with_the_one_that_was_meant(client, fresh_ladder, monkeypatch):
    monkeypatch.setenv(resolve.OTHER_MIRRORS, "")
    with pytest.raises(workshop.WorkshopError, match=r"did you mean python:3\.11-slim\?"):
        workshop.bases.ensure(client, ["python:3.11-slm"])


def test_a_kit_beside_the_readme_is_found_without_being_named(client, name, fresh_ladder, monkeypatch, tmp_path):
    client.api.import_image_from_data(tar_of({"kit": b"2"}), repository=name.split(":")[0], tag="1")
    monkeypatch.setattr(resolve, "KIT_FILE", workshop.bases.save_kit(client, tmp_path / "class-kit.tar", names=(name,)))
    client.api.remove_image(name)
    assert workshop.bases.ensure(client, [name])[0].source == "the class kit"


def test_a_class_kit_brings_what_it_holds(client, name, fresh_ladder, monkeypatch, tmp_path):
    client.api.import_image_from_data(tar_of({"kit": b"1"}), repository=name.split(":")[0], tag="1")
    kit = workshop.bases.save_kit(client, tmp_path / "kit.tar", names=(name,))
    client.api.remove_image(name)
    monkeypatch.setenv(resolve.KIT, str(kit))
    outcome = workshop.bases.ensure(client, [name])[0]
    assert outcome.source == "the class kit" and in_engine(client, name)
    assert not list(tmp_path.glob("*.partial"))


def test_a_kit_that_does_not_hold_the_image_or_is_none_says_so(
    client, busybox, name, fresh_ladder, monkeypatch, tmp_path
):
    monkeypatch.setenv(resolve.KIT, str(workshop.bases.save_kit(client, tmp_path / "kit.tar", names=(busybox,))))
    with pytest.raises(workshop.WorkshopError, match="kit.tar does not hold"):
        workshop.bases.ensure(client, [name])
    (tmp_path / "kit.tar").write_bytes(b"not an archive" * 1000)
    with pytest.raises(workshop.WorkshopError, match="kit.tar"):
        workshop.bases.ensure(client, [name])


@pytest.mark.parametrize(
    "message, everywhere, says",
    [
        ("toomanyrequests: You have reached your unauthenticated pull rate limit.", True, "HTTP 429"),
        (
            "Get https://registry-1.docker.io/v2/: dial tcp: lookup registry-1.docker.io: no such host",
            True,
            "cannot be resolved",
        ),
        ("dial tcp 1.2.3.4:443: i/o timeout", True, "no answer in time"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", True, "does not trust"),
        ("manifest for python:9.9 not found: manifest unknown", False, "Docker Hub has no python:9.9"),
        ("write /var/lib/docker/tmp/x: no space left on device", True, "disk is full"),
    ],
)
def test_what_an_engine_says_about_a_failed_pull_is_put_into_words(message, everywhere, says):
    found = failure("python:9.9", message)
    assert says in found.reason and found.everywhere is everywhere


def test_the_certificate_layer_is_labelled_and_found_by_pip(client, busybox, name, fresh_ladder, monkeypatch, tmp_path):
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n")
    monkeypatch.setenv(certificates.CA_FILE, str(tmp_path / "ca.pem"))
    certificates.bundle.cache_clear()
    client.api.tag(busybox, *name.split(":"))
    assert certificates.add_layer(client, name, "Docker Hub", lambda _: None)
    assert "ours" in workshop.run(client, name, "sh -c 'cat $PIP_CERT'")
    image = in_engine(client, name)
    assert image["Config"]["Labels"]["factory-floor.ca"] and source(image) in ("Docker Hub", "stand-in")
    count = len(image["RootFS"]["Layers"])
    assert count == len(in_engine(client, busybox)["RootFS"]["Layers"]) + 1
    certificates.add_layer(client, name, "Docker Hub", lambda _: None)
    assert len(in_engine(client, name)["RootFS"]["Layers"]) == count, "once is enough"


def test_a_base_that_downloads_nothing_gets_no_certificates(fresh_ladder, monkeypatch, tmp_path):
    (tmp_path / "ca.pem").write_text("x")
    monkeypatch.setenv(certificates.CA_FILE, str(tmp_path / "ca.pem"))
    certificates.bundle.cache_clear()
    assert certificates.needed_for("python:3.11") and not certificates.needed_for("busybox:1.37")


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl, to make a certificate authority of its own")
def test_interception_shows_as_a_certificate_that_only_this_machine_trusts(fresh_ladder, monkeypatch, tmp_path):
    key, pem = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            str(key),
            "-out",
            str(pem),
        ],
        check=True,
        capture_output=True,
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(certificates, "PROBE", f"https://127.0.0.1:{server.server_address[1]}/")
        monkeypatch.delenv(certificates.CA_FILE)
        for variable in certificates.VARIABLES:
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv("PIP_CERT", str(pem))
        assert certificates.bundle() == pem.read_bytes()
        server.shutdown()
    certificates.bundle.cache_clear()
    assert certificates.bundle() is None, "nobody answers: nothing can be said, and nothing is added"


def test_the_table_tells_which_bases_are_there_and_where_from(client, busybox):
    table = workshop.bases.table(client).set_index("name")
    assert list(table.index) == list(workshop.bases.BASES)
    assert table.loc[busybox, "present"] and table.loc[busybox, "source"]
    assert workshop.bases.summary(client)


def test_names_without_a_tag_mean_latest():
    assert (
        resolve._tagged("nginx") == "nginx:latest" and resolve._tagged("localhost:5000/a") == "localhost:5000/a:latest"
    )
    assert resolve._tagged("a:1") == "a:1" and resolve._tagged("a@sha256:0") == "a@sha256:0"


def test_images_of_other_registries_are_not_looked_for_on_the_mirrors(fresh_ladder):
    assert [rung for rung, _ in resolve._rungs("gcr.io/distroless/python3-debian12:latest")] == ["gcr.io", "a stand-in"]
    assert [rung for rung, _ in resolve._rungs("busybox:1.37")][0] == "Docker Hub"
    assert [rung for rung, _ in resolve._rungs("busybox:1.37")][-1] == "a stand-in"


def test_the_distroless_base_comes_from_its_own_registry_or_is_made_here(client, fresh_ladder, monkeypatch):
    asked, made = [], []

    def unreachable(client, there, panel, row):
        asked.append(there)
        raise failure(there, "dial tcp: lookup gcr.io: no such host")

    monkeypatch.setattr(resolve, "pull", unreachable)
    monkeypatch.setattr(resolve, "in_engine", lambda client, name: None)
    monkeypatch.setattr(resolve.standins, "can_build", lambda name: None)
    monkeypatch.setattr(resolve.standins, "build", lambda client, name, report: made.append(name))
    outcome = workshop.bases.ensure(client, ["gcr.io/distroless/python3-debian12"])[0]
    assert asked == made == ["gcr.io/distroless/python3-debian12:latest"]
    assert outcome.source == "stand-in" and outcome.steps_down == ("gcr.io: the name cannot be resolved here",)
    assert not outcome.certificates, "pip does not run in it"


def test_another_registry_is_called_by_its_name(fresh_ladder):
    assert [rung for rung, _ in resolve._rungs("ghcr.io/somebody/something:1")] == ["ghcr.io"]
    refused = failure("gcr.io/distroless/python9:latest", "manifest unknown")
    assert refused.reason == "gcr.io has no gcr.io/distroless/python9:latest" and not refused.everywhere
    pulled = {"RepoDigests": ["gcr.io/distroless/python3-debian12@sha256:0"]}
    assert source(pulled) == "gcr.io" and source({"RepoDigests": ["python@sha256:0"]}) == "Docker Hub"
