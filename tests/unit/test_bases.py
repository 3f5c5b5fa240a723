"""Where base images come from: what is said of it, and what is asked for nothing."""

from __future__ import annotations

import http.server
import shutil
import ssl
import subprocess
import threading

import pytest
from workshop.bases import certificates, known, resolve
from workshop.bases.known import source
from workshop.bases.pull import failure
from workshop.labels import full_tag, plain_tag


def test_what_a_kit_brought_along_is_not_said_to_be_built():
    assert resolve._sentence(resolve.Outcome("x:1", "stand-in")) == f"x:1: {resolve.CAME_ALONG}"
    made = resolve.Outcome("x:1", "stand-in, from Debian 12", (), 2.0)
    assert resolve._sentence(made) == "x:1: stand-in, from Debian 12, built here in 2.0 s"


@pytest.mark.parametrize(
    "message, registry_unreachable, says",
    [
        ("error parsing HTTP 429 response body: invalid character '<'", True, "HTTP 429"),
        ("toomanyrequests: You have reached your unauthenticated pull rate limit.", True, "HTTP 429"),
        (
            "Get https://registry-1.docker.io/v2/: dial tcp: lookup registry-1.docker.io: no such host",
            True,
            "cannot be resolved",
        ),
        ("dial tcp 1.2.3.4:443: i/o timeout", True, "no answer in time"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", True, "does not trust"),
        ("manifest for python:9.9 not found: manifest unknown", False, "Docker Hub has no python:9.9"),
        ("manifest for python@sha256:ab429cd not found: manifest unknown", False, "Docker Hub has no python:9.9"),
        ("write /var/lib/docker/tmp/x: no space left on device", True, "disk is full"),
    ],
)
def test_what_an_engine_says_about_a_failed_pull_is_put_into_words(message, registry_unreachable, says):
    found = failure("python:9.9", message)
    assert says in found.reason and found.registry_unreachable is registry_unreachable


def test_a_base_that_downloads_nothing_gets_no_certificates(fresh_resolver, monkeypatch, tmp_path):
    (tmp_path / "ca.pem").write_text("x")
    monkeypatch.setenv(certificates.CA_FILE, str(tmp_path / "ca.pem"))
    certificates.bundle.cache_clear()
    assert certificates.needed_for("python:3.11") and not certificates.needed_for("busybox:1.37")


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl, to make a certificate authority of its own")
def test_interception_shows_as_a_certificate_that_only_this_machine_trusts(fresh_resolver, monkeypatch, tmp_path):
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


def test_names_without_a_tag_mean_latest():
    assert (
        plain_tag("localhost/factory/a:1") == "factory/a:1" and plain_tag("docker.io/library/b") == "b"
    )  # as Podman has it
    assert full_tag("nginx") == "nginx:latest" and full_tag("localhost:5000/a") == "localhost:5000/a:latest"
    assert full_tag("a:1") == "a:1" and full_tag("a@sha256:0") == "a@sha256:0"


def test_images_of_other_registries_are_not_looked_for_on_the_mirrors(fresh_resolver):
    assert [where for where, _ in resolve._sources("gcr.io/distroless/python3-debian13:latest")] == [
        "gcr.io",
        "a stand-in",
    ]
    assert [where for where, _ in resolve._sources("busybox:1.37")][0] == "Docker Hub"
    assert [where for where, _ in resolve._sources("busybox:1.37")][-1] == "a stand-in"


def test_another_registry_is_called_by_its_name(fresh_resolver):
    assert [where for where, _ in resolve._sources("ghcr.io/somebody/something:1")] == ["ghcr.io"]
    refused = failure("gcr.io/distroless/python9:latest", "manifest unknown")
    assert refused.reason == "gcr.io has no gcr.io/distroless/python9:latest" and not refused.registry_unreachable
    pulled = {"RepoDigests": ["gcr.io/distroless/python3-debian13@sha256:0"]}
    assert source(pulled) == "gcr.io" and source({"RepoDigests": ["python@sha256:0"]}) == "Docker Hub"


def test_a_stand_in_says_which_debian_it_is_from_in_table_and_banner(monkeypatch):
    made = {"Config": {"Labels": {"factory-floor": "stand-in", "factory-floor.debian": "13"}}}
    assert source(made) == "stand-in, from Debian 13"
    assert source({"Config": {"Labels": {"factory-floor": "stand-in"}}}) == "stand-in"  # by an older recipe
    there = dict.fromkeys(known.BASES[:2], made) | {known.BASES[2]: {"RepoDigests": ["x@sha256:0"]}}
    monkeypatch.setattr(known, "in_engine", lambda client, name: there.get(name))
    assert known.summary(None).startswith("2 stand-ins from Debian 13, 1 from Docker Hub, 3 to be fetched")
    assert list(known.table(None)["source"][:3]) == ["stand-in, from Debian 13"] * 2 + ["Docker Hub"]
