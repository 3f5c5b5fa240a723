"""The ladder of base images: what it says, and what it asks for nothing."""

from __future__ import annotations

import http.server
import shutil
import ssl
import subprocess
import threading

import pytest
from workshop.bases import ca, ladder
from workshop.bases.known import source
from workshop.bases.pull import failure


def test_what_a_kit_brought_along_is_not_said_to_be_built():
    assert ladder._told(ladder.Outcome("x:1", "stand-in")) == f"x:1: {ladder.WITH_ANOTHER}"
    assert "built here in 2.0 s" in ladder._told(ladder.Outcome("x:1", "stand-in", (), 2.0))


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


def test_a_base_that_downloads_nothing_gets_no_certificates(fresh_ladder, monkeypatch, tmp_path):
    (tmp_path / "ca.pem").write_text("x")
    monkeypatch.setenv(ca.CA_FILE, str(tmp_path / "ca.pem"))
    ca.bundle.cache_clear()
    assert ca.needed_for("python:3.11") and not ca.needed_for("busybox:1.37")


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
        monkeypatch.setattr(ca, "PROBE", f"https://127.0.0.1:{server.server_address[1]}/")
        monkeypatch.delenv(ca.CA_FILE)
        for variable in ca.VARIABLES:
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv("PIP_CERT", str(pem))
        assert ca.bundle() == pem.read_bytes()
        server.shutdown()
    ca.bundle.cache_clear()
    assert ca.bundle() is None, "nobody answers: nothing can be said, and nothing is added"


def test_names_without_a_tag_mean_latest():
    assert ladder._tagged("nginx") == "nginx:latest" and ladder._tagged("localhost:5000/a") == "localhost:5000/a:latest"
    assert ladder._tagged("a:1") == "a:1" and ladder._tagged("a@sha256:0") == "a@sha256:0"


def test_images_of_other_registries_are_not_looked_for_on_the_mirrors(fresh_ladder):
    assert [rung for rung, _ in ladder._rungs("gcr.io/distroless/python3-debian12:latest")] == ["gcr.io", "a stand-in"]
    assert [rung for rung, _ in ladder._rungs("busybox:1.37")][0] == "Docker Hub"
    assert [rung for rung, _ in ladder._rungs("busybox:1.37")][-1] == "a stand-in"


def test_another_registry_is_called_by_its_name(fresh_ladder):
    assert [rung for rung, _ in ladder._rungs("ghcr.io/somebody/something:1")] == ["ghcr.io"]
    refused = failure("gcr.io/distroless/python9:latest", "manifest unknown")
    assert refused.reason == "gcr.io has no gcr.io/distroless/python9:latest" and not refused.everywhere
    pulled = {"RepoDigests": ["gcr.io/distroless/python3-debian12@sha256:0"]}
    assert source(pulled) == "gcr.io" and source({"RepoDigests": ["python@sha256:0"]}) == "Docker Hub"
