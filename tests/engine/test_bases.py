"""Where base images come from: each source with a real registry, a real archive, a real refusal."""

from __future__ import annotations

import http.server
import io
import json
import os
import threading
import time

import pytest
import requests
import workshop
from at_hand import everything, needs_registry
from workshop.archives import tar_of
from workshop.bases import certificates, resolve
from workshop.bases.known import in_engine, is_ours, source
from workshop.bases.pull import failure


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
    assert outcome[0].name == busybox and outcome[0].reasons == ()
    assert everything(client) == before and capsys.readouterr().out == ""


@needs_registry
def test_a_class_registry_is_asked_first_and_the_name_is_the_official_one(
    client, registry, name, fresh_resolver, monkeypatch
):
    push(client, registry, name, b"from the classroom")
    monkeypatch.setenv(resolve.REGISTRY, registry)
    outcome = workshop.bases.ensure(client, [name])[0]
    assert outcome.source == f"the class registry {registry}" and outcome.reasons == ()
    assert in_engine(client, name) and not in_engine(client, f"{registry}/{name}")


@needs_registry
def test_a_class_registry_may_hold_a_base_of_another_registry(client, registry, name, fresh_resolver, monkeypatch):
    push(client, registry, f"gcr.io/{name}", b"from the classroom")
    monkeypatch.setenv(resolve.REGISTRY, registry)
    outcome = workshop.bases.ensure(client, [f"gcr.io/{name}"])[0]
    assert outcome.source == f"the class registry {registry}" and in_engine(client, f"gcr.io/{name}")


@needs_registry
def test_an_image_that_was_pulled_by_hand_keeps_its_name(client, registry, name, fresh_resolver, monkeypatch):
    push(client, registry, name, b"from the classroom")
    client.api.pull(f"{registry}/{name}")
    monkeypatch.setenv(resolve.REGISTRY, registry)
    workshop.bases.ensure(client, [name])
    assert in_engine(client, name) and in_engine(client, f"{registry}/{name}")


@needs_registry
def test_a_base_may_be_pinned_by_its_digest(client, registry, name, fresh_resolver):
    push(client, registry, name, name.encode())
    repository, tag = f"{registry}/{name}".rsplit(":", 1)
    kinds = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
    address = f"http://{registry}/v2/{name.rsplit(':', 1)[0]}/manifests/{tag}"
    digest = requests.head(address, headers={"Accept": kinds}, timeout=5).headers["Docker-Content-Digest"]
    pinned = f"{repository}@{digest}"
    assert workshop.bases.ensure(client, [pinned])[0].source == registry
    client.api.remove_image(in_engine(client, pinned)["Id"], force=True)


@needs_registry
def test_a_mirror_follows_docker_hub_and_the_reason_is_told(
    client, registry, name, fresh_resolver, monkeypatch, capsys
):
    push(client, registry, name, b"from the mirror")
    monkeypatch.setenv(resolve.OTHER_MIRRORS, f"{registry}/")
    outcome = workshop.bases.ensure(client, [name])[0]
    assert outcome.source == f"the mirror {registry}"
    assert len(outcome.reasons) == 1 and outcome.reasons[0].startswith("Docker Hub")
    assert f"because {outcome.reasons[0]}" in capsys.readouterr().out


@needs_registry
def test_progress_is_told_in_bytes(client, registry, name, fresh_resolver, monkeypatch):
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


def test_a_rate_limit_is_recognised_and_explained(client, name, fresh_resolver, monkeypatch):
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
    assert f"the class registry {host}" in resolve._unreachable, "it is not asked again for the next image"


def test_when_no_rung_delivers_each_says_why(client, name, fresh_resolver, monkeypatch):
    monkeypatch.setenv(resolve.OTHER_MIRRORS, "127.0.0.1:9/")
    before = everything(client)
    with pytest.raises(workshop.bases.Unavailable) as caught:
        workshop.bases.ensure(client, [name])
    text = str(caught.value)
    assert "Docker Hub" in text and "127.0.0.1:9" in text
    assert everything(client) == before


def test_a_kit_that_was_named_and_is_not_there_is_no_reason_to_ask_docker_hub(
    client, name, fresh_resolver, monkeypatch
):
    monkeypatch.setenv(resolve.KIT, "~/no-such-kit.tar")
    with pytest.raises(workshop.WorkshopError) as caught:
        workshop.bases.ensure(client, [name])
    assert "~/no-such-kit.tar, which is not there" in str(caught.value) and "Docker Hub" not in str(caught.value)


def test_a_misspelt_base_is_answered_with_the_one_that_was_meant(client, fresh_resolver, monkeypatch):
    monkeypatch.setenv(resolve.OTHER_MIRRORS, "")
    with pytest.raises(workshop.WorkshopError, match=r"did you mean python:3\.11-slim\?"):
        workshop.bases.ensure(client, ["python:3.11-slm"])


def test_a_kit_beside_the_readme_is_found_without_being_named(client, name, fresh_resolver, monkeypatch, tmp_path):
    client.api.import_image_from_data(tar_of({"kit": b"2"}), repository=name.split(":")[0], tag="1")
    monkeypatch.setattr(resolve, "KIT_FILE", workshop.bases.save_kit(client, tmp_path / "class-kit.tar", names=(name,)))
    client.api.remove_image(name)
    assert workshop.bases.ensure(client, [name])[0].source == "the class kit"


def test_a_class_kit_brings_what_it_holds(client, name, fresh_resolver, monkeypatch, tmp_path):
    client.api.import_image_from_data(tar_of({"kit": b"1"}), repository=name.split(":")[0], tag="1")
    kit = workshop.bases.save_kit(client, tmp_path / "kit.tar", names=(name,))
    client.api.remove_image(name)
    monkeypatch.setenv(resolve.KIT, str(kit))
    outcome = workshop.bases.ensure(client, [name])[0]
    assert outcome.source == "the class kit" and in_engine(client, name)
    assert not list(tmp_path.glob("*.partial"))


def test_a_class_kit_takes_no_name_away_from_somebody_elses_image(client, name, fresh_resolver, monkeypatch, tmp_path):
    other = f"{name}-other"
    for one, content in ((name, b"kit"), (other, b"kit, too")):
        client.api.import_image_from_data(tar_of({"from": content}), *one.rsplit(":", 1))
    kit = workshop.bases.save_kit(client, tmp_path / "kit.tar", names=(name, other))
    client.api.remove_image(name)
    client.api.remove_image(other)
    client.api.import_image_from_data(tar_of({"from": b"theirs"}), *other.rsplit(":", 1))
    theirs = in_engine(client, other)["Id"]
    monkeypatch.setenv(resolve.KIT, str(kit))
    workshop.bases.ensure(client, [name])
    assert in_engine(client, name) and in_engine(client, other)["Id"] == theirs


def test_a_kit_that_does_not_hold_the_image_or_is_none_says_so(
    client, busybox, name, fresh_resolver, monkeypatch, tmp_path
):
    monkeypatch.setenv(resolve.KIT, str(workshop.bases.save_kit(client, tmp_path / "kit.tar", names=(busybox,))))
    with pytest.raises(workshop.WorkshopError, match="kit.tar does not hold"):
        workshop.bases.ensure(client, [name])
    (tmp_path / "kit.tar").write_bytes(b"not an archive" * 1000)
    with pytest.raises(workshop.WorkshopError, match="kit.tar"):
        workshop.bases.ensure(client, [name])


def test_the_certificate_layer_is_labelled_and_found_by_pip(
    client, busybox, name, fresh_resolver, monkeypatch, tmp_path
):
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n")
    monkeypatch.setenv(certificates.CA_FILE, str(tmp_path / "ca.pem"))
    certificates.bundle.cache_clear()
    client.api.tag(busybox, *name.split(":"))
    assert certificates.add_layer(client, name, "Docker Hub", lambda _: None)
    assert "ours" in workshop.run(client, name, "sh -c 'cat $PIP_CERT'")
    image = in_engine(client, name)
    assert image["Config"]["Labels"]["factory-floor.ca"] and source(image).startswith(("Docker Hub", "stand-in"))
    count = len(image["RootFS"]["Layers"])
    assert count == len(in_engine(client, busybox)["RootFS"]["Layers"]) + 1
    certificates.add_layer(client, name, "Docker Hub", lambda _: None)
    assert len(in_engine(client, name)["RootFS"]["Layers"]) == count, "once is enough"


def test_the_table_tells_which_bases_are_there_and_where_from(client, busybox):
    table = workshop.bases.table(client).set_index("name")
    assert list(table.index) == list(workshop.bases.BASES)
    assert table.loc[busybox, "present"] and table.loc[busybox, "source"]
    assert workshop.bases.summary(client)


def test_the_distroless_base_comes_from_its_own_registry_or_is_made_here(client, fresh_resolver, monkeypatch):
    asked, made = [], []

    def unreachable(client, there, panel, row):
        asked.append(there)
        raise failure(there, "dial tcp: lookup gcr.io: no such host")

    monkeypatch.setattr(resolve, "pull", unreachable)
    monkeypatch.setattr(resolve, "in_engine", lambda client, name: None)
    monkeypatch.setattr(resolve.standins, "can_build", lambda name: None)
    monkeypatch.setattr(resolve.standins, "build", lambda client, name, report, left: made.append(name))
    outcome = workshop.bases.ensure(client, ["gcr.io/distroless/python3-debian13"])[0]
    assert asked == made == ["gcr.io/distroless/python3-debian13:latest"]
    assert outcome.source == "stand-in, from Debian 13" and outcome.reasons == (
        "gcr.io: the name cannot be resolved here",
    )
    assert not outcome.certificates, "pip does not run in it"


@needs_registry
def test_onbuild_lines_of_a_base_survive_the_certificate_layer(
    client, registry, name, app, busybox, fresh_resolver, monkeypatch, tmp_path
):
    """They run where somebody builds on the base: once, and not when the layer is put on top."""
    if workshop.engine.connect.describe(client)["engine"] == "Pocket engine":
        pytest.skip("the pocket engine makes no images of containers")
    there = f"{registry}/{name}"
    recipe = 'FROM busybox:1.37\nSHELL ["/bin/sh", "-ec"]\nONBUILD COPY late /late\nONBUILD RUN test -f /late\nCMD ["true"]\n'
    client.images.build(fileobj=io.BytesIO(recipe.encode()), tag=there, rm=True)
    for line in client.api.push(there, stream=True, decode=True, auth_config={"username": "", "password": ""}):
        assert "error" not in line, line
    before = client.api.inspect_image(there)["Config"]
    client.api.remove_image(there)
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    monkeypatch.setenv(certificates.CA_FILE, str(tmp_path / "ca.pem"))
    certificates.bundle.cache_clear()
    monkeypatch.setenv(resolve.REGISTRY, registry)
    assert workshop.bases.ensure(client, [name])[0].certificates
    image = client.api.inspect_image(name)
    assert is_ours(client, name, image) and image["Config"]["OnBuild"] == before["OnBuild"] == [
        "COPY late /late",
        "RUN test -f /late",
    ]
    assert (image["Config"]["Cmd"], image["Config"]["Shell"]) == (before["Cmd"], before["Shell"])
    assert f"PIP_CERT={certificates.IN_IMAGE}" in image["Config"]["Env"]
    assert workshop.read(client, name, certificates.IN_IMAGE) == b"-----BEGIN CERTIFICATE-----\n"
    (app / "late").write_text("late")
    made = workshop.build(client, app, f"FROM {name}\nRUN true\n", builder="classic")
    assert workshop.read(client, made.tag, "/late") == b"late"
