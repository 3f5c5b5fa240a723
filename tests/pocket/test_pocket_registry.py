"""Pulling and pushing: against Debian's docker-registry, and through a front that adds what a public registry has."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import http.client
import importlib
import io
import json
import shutil
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import zstandard
from pocket_engine import reference_grammar
from pocket_engine.errors import BadRequest, EngineError, Interrupted, NotFound
from pocket_engine.registry import auth, connection, inspect, login, mirrors, platforms, pull, push
from pocket_engine.registry import client as client_module
from pocket_engine.registry.registry_errors import AccessDenied, TooManyRequests, Unauthorized
from pocket_engine.store import Store
from workshop.archives import tar_of

push_module = importlib.import_module("pocket_engine.registry.push")  # the package's `push` is the function
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
# bcrypt of "open sesame"
HTPASSWD = "reader:$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy\n"
REGISTRY = shutil.which("docker-registry") or shutil.which("registry")
pytestmark = pytest.mark.skipif(not REGISTRY, reason="needs Debian's docker-registry, to have a registry to talk to")
READER = {"username": "reader", "password": "open sesame"}


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def stores(tmp_path):
    """Makes stores; two of them are two machines."""
    opened = []

    def another() -> Store:
        opened.append(Store(tmp_path / f"store-{len(opened)}"))
        return opened[-1]

    yield another
    for store in opened:
        with contextlib.suppress(AttributeError):
            store.close()


@pytest.fixture
def repository(registry):
    """A name in the registry that nothing else uses."""
    return f"{registry}/test/{uuid.uuid4().hex[:10]}"


@pytest.fixture
def locked(tmp_path):
    """host:port of a registry that only READER may use (HTTP Basic)."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as free:
        port = free.server_port
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    (tmp_path / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/data}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\nauth: {{htpasswd: {{realm: here, path: {tmp_path}/htpasswd}}}}\n"
    )
    process = subprocess.Popen([REGISTRY, "serve", str(tmp_path / "config.yml")], stderr=subprocess.DEVNULL)
    for _ in range(50):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/")
        except urllib.error.HTTPError:
            break
        except OSError:
            time.sleep(0.1)
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait()


class Front(ThreadingHTTPServer):
    """Hands requests on to a real registry. `before(handler)` may answer by itself and return True, `after(handler,
    status, headers, body)` may return another (status, headers, body); `cut` ends blob downloads after so many bytes."""

    daemon_threads = True

    def __init__(self, backend: str, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.backend = backend
        self.scheme = "https" if certificate else "http"
        self.seen: list[tuple[str, str, dict]] = []
        self.before = self.after = None
        self.cut: list[int] = []
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.host = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):
        """A client that goes away is what some of the tests are about."""

    def asked(self, method: str, part: str) -> list[str]:
        return [path for verb, path, _ in self.seen if verb == method and part in path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status: int, headers: dict | None = None, body: bytes = b""):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        front = self.server
        front.seen.append((self.command, self.path, dict(self.headers)))
        self.content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if front.before and front.before(self):
            return
        backend = http.client.HTTPConnection(front.backend)
        # The registry makes its addresses from Host; what the front checked itself is none of its business.
        headers = {key: value for key, value in self.headers.items() if key != "Authorization"}
        headers["X-Forwarded-Proto"] = front.scheme
        backend.request(self.command, self.path, self.content or None, headers)
        reply = backend.getresponse()
        status, body = reply.status, reply.read()
        headers = {k: v for k, v in reply.getheaders() if k.lower() not in ("transfer-encoding", "date")}
        backend.close()
        if front.after:
            status, headers, body = front.after(self, status, headers, body)
        if front.cut and self.command == "GET" and "/blobs/" in self.path and len(body) > front.cut[0]:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body[: front.cut.pop(0)])
            self.close_connection = True
            return
        if self.command == "HEAD":
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            return self.end_headers()
        self.answer(status, headers, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = handle_any


@pytest.fixture
def front(registry):
    made = Front(registry)
    yield made
    made.shutdown()
    made.server_close()


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def noise(size: int) -> bytes:
    """Bytes that do not compress, the same each time."""
    return b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(size // 32 + 1))[:size]


HELLO = {"etc/hello": b"hello\n"}
TOP = {"etc/top": noise(300_000)}


def make(store: Store, reference: str, *contents: dict[str, bytes]):
    """An image of these layers in a store, under a name."""
    diff_ids = [store.layers.add(io.BytesIO(tar_of(files))).diff_id for files in contents]
    config = {
        "os": "linux",
        "architecture": platforms.host_platform().architecture,
        "config": {"Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created_by": "test"} for _ in diff_ids],
    }
    return store.images.create(config, tags=[reference])


def do_pull(store: Store, name: str, reference: str = "1", **options) -> list[dict]:
    options.setdefault("stop", threading.Event())
    return list(pull(store.images, store.layers, store.blobs, name, reference, **options))


def do_push(store: Store, name: str, tag: str = "1", **options) -> list[dict]:
    options.setdefault("stop", threading.Event())
    return list(push(store.images, store.layers, store.blobs, name, tag, **options))


def statuses(messages: list[dict]) -> list[str]:
    return [message["status"] for message in messages if "status" in message]


def pushed_digest(messages: list[dict]) -> str:
    return next(message["aux"]["Digest"] for message in messages if "aux" in message)


def put(host: str, path: str, content: bytes, media_type: str = "") -> str:
    """A blob (path "name"), or a manifest (path "name:tag"), straight into a registry; returns its digest."""
    name, _, tag = path.partition(":")
    if tag:
        url = f"http://{host}/v2/{name}/manifests/{tag}"
    else:
        start = urllib.request.Request(f"http://{host}/v2/{name}/blobs/uploads/", b"", method="POST")
        url = f"{urllib.request.urlopen(start).headers['Location']}&digest={sha256(content)}"
    headers = {"Content-Type": media_type or "application/octet-stream"}
    urllib.request.urlopen(urllib.request.Request(url, content, headers, method="PUT")).close()
    return sha256(content)


def descriptor(content: bytes, media_type: str, **more) -> dict:
    return {"mediaType": media_type, "digest": sha256(content), "size": len(content), **more}


def put_oci(host: str, name: str, tag: str, blob: bytes, diff_id: str, architecture: str, kind="gzip") -> bytes:
    """A one-layer OCI image; returns its manifest."""
    config = json.dumps(
        {"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    ).encode()
    put(host, name, blob)
    put(host, name, config)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(config, OCI_CONFIG),
            "layers": [descriptor(blob, f"application/vnd.oci.image.layer.v1.tar+{kind}")],
        }
    ).encode()
    put(host, f"{name}:{tag}", manifest, OCI_MANIFEST)
    return manifest


# Names and platforms


@pytest.mark.parametrize(
    ("written", "host", "path", "familiar", "reference"),
    [
        ("python:3.11", "registry-1.docker.io", "library/python", "python", "3.11"),
        ("docker.io/library/python", "registry-1.docker.io", "library/python", "python", ""),
        ("index.docker.io/me/x:1", "registry-1.docker.io", "me/x", "me/x", "1"),
        ("localhost/x", "localhost", "x", "localhost/x", ""),
        ("localhost:5000/a/b:t", "localhost:5000", "a/b", "localhost:5000/a/b", "t"),
        (
            "gcr.io/distroless/python3-debian13",
            "gcr.io",
            "distroless/python3-debian13",
            "gcr.io/distroless/python3-debian13",
            "",
        ),
        (f"x@sha256:{'a' * 64}", "registry-1.docker.io", "library/x", "x", f"sha256:{'a' * 64}"),
    ],
)
def test_a_name_means_the_registry_that_docker_would_ask(written, host, path, familiar, reference):
    found, given = reference_grammar.split(written)
    assert (found.host, found.path, found.familiar, given) == (host, path, familiar, reference)


@pytest.mark.parametrize(
    "name", ["", "Python", "a//b", "x@", "x@sha256:12", "../x", "a/../b", "x:", "x:-", "host:port/x", "x y"]
)
def test_what_docker_calls_an_invalid_reference_is_refused_before_anything_is_asked(name):
    with pytest.raises(BadRequest, match="invalid reference format"):
        reference_grammar.split(name)


def test_only_loopback_by_its_spelling_gets_plain_http():
    assert all(
        map(reference_grammar.is_loopback, ["localhost", "localhost:5000", "127.0.0.1:80", "127.8.9.1", "[::1]:5000"])
    )
    assert not any(
        map(reference_grammar.is_loopback, ["localhost.example", "127.0.0.1.example:80", "10.0.0.1:5000", "[::2]:5000"])
    )
    away = connection.Connection("https://registry.example")
    for address in ("http://registry.example/token", "http://127.0.0.1:1/x", "ftp://registry.example/"):
        with pytest.raises(BadRequest, match="not HTTPS"):
            away.check(address)


def index_of(*written: str) -> dict:
    return {
        "manifests": [
            {"digest": text, "platform": dict(zip(("os", "architecture", "variant"), text.split("/")))}
            for text in written
        ]
    }


def test_an_index_gives_the_image_of_the_machine_and_never_an_attestation():
    index = index_of("unknown/unknown", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8", "linux/amd64")
    chosen = {
        wanted: platforms.choose_manifest(index, platforms.parse_platform(wanted), "x")["digest"]
        for wanted in ("linux/amd64", "arm64", "linux/arm64/v8", "linux/arm/v6", "linux/arm", "linux/x86_64")
    }
    assert chosen == {
        "linux/amd64": "linux/amd64",
        "arm64": "linux/arm64/v8",
        "linux/arm64/v8": "linux/arm64/v8",
        "linux/arm/v6": "linux/arm/v6",
        "linux/arm": "linux/arm/v7",
        "linux/x86_64": "linux/amd64",
    }
    with pytest.raises(NotFound, match="no matching manifest for linux/s390x .*linux/amd64, linux/arm, linux/arm/v5"):
        platforms.choose_manifest(index, platforms.parse_platform("linux/s390x"), "x")


def test_a_challenge_is_read_whatever_its_order_and_company():
    header = (
        'Basic realm="here, there", Bearer realm="https://auth.example/token",service="r.example",scope="a:b:pull,push"'
    )
    assert auth.challenges(header) == {
        "basic": {"realm": "here, there"},
        "bearer": {"realm": "https://auth.example/token", "service": "r.example", "scope": "a:b:pull,push"},
    }


# There and back


def test_an_image_comes_back_from_a_registry_as_it_went(stores, repository):
    here, there = stores(), stores()
    image = make(here, f"{repository}:1", HELLO, TOP)
    said = do_push(here, repository)
    assert said[0] == {"status": f"The push refers to repository [{repository}]"}
    assert [status for status in statuses(said) if status in ("Preparing", "Pushed")] == ["Preparing"] * 2 + [
        "Pushed"
    ] * 2
    digest = pushed_digest(said)
    assert here.images.digests(image.id) == [f"{repository}@{digest}"]

    said = do_pull(there, repository)
    pulled = there.images.find(f"{repository}:1")
    assert (pulled.id, pulled.config) == (image.id, image.config)
    assert there.images.digests(image.id) == [f"{repository}@{digest}"]
    view = there.layers.view(image.config["rootfs"]["diff_ids"])
    assert view.open("etc/top").read() == TOP["etc/top"] and view.open("etc/hello").read() == b"hello\n"
    assert said[0] == {"status": f"Pulling from {repository.partition('/')[2]}", "id": "1"}
    assert said[-2:] == [
        {"status": f"Digest: {digest}"},
        {"status": f"Status: Downloaded newer image for {repository}:1"},
    ]
    for layer in {message["id"] for message in said[1:-2]}:
        of_layer = [message["status"] for message in said[1:-2] if message["id"] == layer]
        assert list(dict.fromkeys(of_layer)) == [
            "Pulling fs layer",
            "Downloading",
            "Verifying Checksum",
            "Download complete",
            "Pull complete",
        ]
    last = [message["progressDetail"] for message in said if message["status"] == "Downloading"][-1]
    assert last["current"] == last["total"] > 0


def test_a_layer_has_the_same_digest_in_every_registry(stores, repository):
    digests = set()
    for number in (1, 2):
        store = stores()
        make(store, f"{repository}-{number}:1", HELLO)
        push_module._known.clear()  # as a new engine
        digests.add(pushed_digest(do_push(store, f"{repository}-{number}")))
    assert len(digests) == 1
    host, _, path = repository.partition("/")
    request = urllib.request.Request(f"http://{host}/v2/{path}-1/manifests/1", headers={"Accept": DOCKER_MANIFEST})
    layer = json.load(urllib.request.urlopen(request))["layers"][0]
    blob = urllib.request.urlopen(f"http://{host}/v2/{path}-1/blobs/{layer['digest']}").read()
    assert blob[:4] == b"\x1f\x8b\x08\x00" and blob[4:8] == bytes(4)  # no file name, no time
    assert gzip.decompress(blob) == store.layers.open(sha256(gzip.decompress(blob))).read()


def test_what_the_registry_has_is_not_sent_again(stores, front, repository):
    store, name = stores(), f"{front.host}/test/{uuid.uuid4().hex[:10]}"
    make(store, f"{name}:1", HELLO, TOP)
    do_push(store, name)
    front.seen.clear()
    make(store, f"{name}:2", HELLO, TOP, {"new": b"new"})
    said = statuses(do_push(store, name, "2"))
    assert (said.count("Layer already exists"), said.count("Pushed")) == (2, 1)
    assert len(front.asked("PATCH", "/blobs/uploads/")) == 2  # the new layer, the new config


def test_an_unchanged_image_is_up_to_date_and_costs_no_pull(stores, front):
    store, name = stores(), f"{front.host}/test/{uuid.uuid4().hex[:10]}"
    make(store, f"{name}:1", HELLO)
    do_push(store, name)
    other = stores()
    do_pull(other, name)
    front.seen.clear()
    assert statuses(do_pull(other, name))[-1] == f"Status: Image is up to date for {name}:1"
    assert front.asked("GET", "/manifests/") == front.asked("GET", "/blobs/") == []
    make(store, f"{name}:1", TOP)  # the tag moves on
    do_push(store, name)
    assert statuses(do_pull(other, name))[-1] == f"Status: Downloaded newer image for {name}:1"
    assert other.images.find(f"{name}:1").id == store.images.find(f"{name}:1").id


def test_shared_layers_come_once(stores, repository):
    here, there = stores(), stores()
    make(here, f"{repository}:1", HELLO)
    make(here, f"{repository}:2", HELLO, TOP, TOP)
    do_push(here, repository, "1"), do_push(here, repository, "2")
    do_pull(there, repository, "1")
    said = statuses(do_pull(there, repository, "2"))
    assert (said.count("Already exists"), said.count("Pull complete")) == (1, 1)


def test_by_digest_nothing_is_tagged(stores, repository):
    here, there = stores(), stores()
    image = make(here, f"{repository}:1", HELLO)
    digest = pushed_digest(do_push(here, repository))
    said = do_pull(there, repository, digest)
    assert said[-1] == {"status": f"Status: Downloaded newer image for {repository}@{digest}"}
    assert there.images.tags(image.id) == [] and there.images.find(f"{repository}@{digest}").id == image.id
    assert "up to date" in statuses(do_pull(there, f"{repository}@{digest}", ""))[-1]


def test_without_a_tag_all_tags_go_and_come(stores, repository):
    here, there = stores(), stores()
    make(here, f"{repository}:1", HELLO), make(here, f"{repository}:2", TOP)
    assert sum("aux" in message for message in do_push(here, repository, "")) == 2
    do_pull(there, repository, "")
    assert {there.images.find(f"{repository}:{tag}").id for tag in "12"} == {image.id for image in here.images.all()}


def test_an_image_without_layers_goes_and_comes(stores, repository):
    here, there = stores(), stores()
    image = make(here, f"{repository}:1")
    do_push(here, repository), do_pull(there, repository)
    assert there.images.find(f"{repository}:1").id == image.id


# What registries hold


@pytest.mark.parametrize("kind", ["gzip", "zstd", "plain"])
def test_layers_of_every_compression_unpack_to_their_diff_id(stores, registry, kind):
    plain, name = tar_of(HELLO), f"test/{uuid.uuid4().hex[:10]}"
    pack = {"gzip": gzip.compress, "zstd": zstandard.compress, "plain": bytes}[kind]
    put_oci(registry, name, "1", pack(plain), sha256(plain), platforms.host_platform().architecture, kind)
    store = stores()
    do_pull(store, f"{registry}/{name}")
    assert store.layers.view([sha256(plain)]).open("etc/hello").read() == b"hello\n"


def test_an_index_is_pulled_for_this_machine_under_its_own_digest(stores, registry):
    plain, name = tar_of(HELLO), f"test/{uuid.uuid4().hex[:10]}"
    mine = platforms.host_platform().architecture
    manifests = {
        architecture: put_oci(registry, name, architecture, gzip.compress(plain), sha256(plain), architecture)
        for architecture in (mine, "s390x")
    }
    listed = [
        descriptor(manifests["s390x"], OCI_MANIFEST, platform={"os": "unknown", "architecture": "unknown"}),
        descriptor(manifests["s390x"], OCI_MANIFEST, platform={"os": "linux", "architecture": "s390x"}),
        descriptor(manifests[mine], OCI_MANIFEST, platform={"os": "linux", "architecture": mine}),
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}).encode()
    put(registry, f"{name}:1", index, OCI_INDEX)
    store = stores()
    assert {"status": f"Digest: {sha256(index)}"} in do_pull(store, f"{registry}/{name}")
    assert store.images.find(f"{registry}/{name}:1").config["architecture"] == mine
    assert "up to date" in statuses(do_pull(store, f"{registry}/{name}"))[-1]
    do_pull(store, f"{registry}/{name}", platform="linux/s390x")
    assert store.images.find(f"{registry}/{name}:1").config["architecture"] == "s390x"
    with pytest.raises(NotFound, match="no matching manifest for linux/riscv64"):
        do_pull(store, f"{registry}/{name}", platform="linux/riscv64")
    with pytest.raises(NotFound, match="does not match the specified platform"):
        do_pull(stores(), f"{registry}/{name}", "s390x", platform=f"linux/{mine}")


def test_an_artifact_that_is_no_image_is_refused_by_its_kind(stores, registry):
    name, config = f"test/{uuid.uuid4().hex[:10]}", b"{}"
    put(registry, name, config)
    kind = "application/vnd.cncf.helm.config.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(config, kind), "layers": []}
    put(registry, f"{name}:1", json.dumps(manifest).encode(), OCI_MANIFEST)
    with pytest.raises(BadRequest, match=f"no container image.*{kind}".replace("+", r"\+")):
        do_pull(stores(), f"{registry}/{name}")


# Bytes that are not what they should be


@pytest.mark.parametrize("part", ["/blobs/", "/manifests/sha256"])
def test_bytes_changed_on_their_way_are_refused_and_nothing_is_tagged(stores, front, part):
    here, there, name = stores(), stores(), f"{front.host}/test/{uuid.uuid4().hex[:10]}"
    make(here, f"{name}:1", TOP)
    digest = pushed_digest(do_push(here, name))

    def change(handler, status, headers, body):
        if handler.command == "GET" and part in handler.path and len(body) > 50:
            body = body[:40] + bytes([body[40] ^ 1]) + body[41:]
        return status, headers, body

    front.after = change
    with pytest.raises(BadRequest, match="verification failed for digest"):
        do_pull(there, name, digest if "manifests" in part else "1")
    assert there.images.all() == []


def test_a_layer_that_unpacks_to_something_else_than_the_config_says_is_refused(stores, registry):
    name, other = f"test/{uuid.uuid4().hex[:10]}", sha256(b"other")
    put_oci(registry, name, "1", gzip.compress(tar_of(HELLO)), other, platforms.host_platform().architecture)
    store = stores()
    with pytest.raises(BadRequest, match=other):
        do_pull(store, f"{registry}/{name}")
    assert store.images.all() == [] and not store.layers.has(sha256(tar_of(HELLO)))


# Logging in


def test_a_registry_with_basic_auth_wants_the_right_password(stores, locked):
    here, there, name = stores(), stores(), f"{locked}/mine"
    make(here, f"{name}:1", HELLO)
    with pytest.raises(AccessDenied, match="push access denied for .*/mine, .*no basic auth credentials"):
        do_push(here, name)
    do_push(here, name, auth=READER)
    with pytest.raises(NotFound, match="pull access denied for .*'docker login': no basic auth credentials"):
        do_pull(there, name)
    with pytest.raises(NotFound, match="pull access denied for .*: unauthorized: authentication required"):
        do_pull(there, name, auth=READER | {"password": "guess"})
    do_pull(there, name, auth={"auth": base64.b64encode(b"reader:open sesame").decode()})
    assert there.images.find(f"{name}:1").id == here.images.find(f"{name}:1").id


class Tokens:
    """The token protocol in front of a registry: anonymous may pull public/…, READER everything."""

    def __init__(self, front: Front, life: int = 1000):
        self.front, self.life = front, life  # requests that a token is good for
        self.valid: dict[str, tuple[str, int]] = {}
        front.before = self

    def __call__(self, handler) -> bool:
        url = urllib.parse.urlsplit(handler.path)
        if url.path == "/token":
            return self.issue(handler, dict(urllib.parse.parse_qsl(url.query or handler.content.decode())))
        token = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        scope, left = self.valid.get(token, ("", 0))
        path = (
            url.path.removeprefix("/v2/").rpartition("/manifests/")[0]
            or url.path.removeprefix("/v2/").partition("/blobs/")[0]
        )
        wanted = f"repository:{path}:{'pull' if handler.command in ('GET', 'HEAD') else 'pull,push'}"
        if url.path == "/v2/" and token in self.valid:
            return not handler.answer(200)
        if left and scope.startswith(wanted):
            self.valid[token] = (scope, left - 1)
            return False
        error = ',error="insufficient_scope"' if left else ""
        body = b'{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}'
        challenge = f'Bearer realm="http://{self.front.host}/token",service="front.example",scope="{wanted}"{error}'
        handler.answer(401, {"WWW-Authenticate": challenge}, body)
        return True

    def issue(self, handler, asked: dict) -> bool:
        given = handler.headers.get("Authorization", "")
        right = "Basic " + base64.b64encode(b"reader:open sesame").decode()
        known = given == right or asked.get("refresh_token") == "kept"
        if given and not known or asked["service"] != "front.example":
            handler.answer(401, {}, b'{"details": "incorrect username or password"}')
            return True
        scope = asked.get("scope", "")
        public = scope.startswith("repository:public/") and scope.endswith(":pull")
        token = f"token-{len(self.valid)}"
        self.valid[token] = (scope if known or public else "", self.life)
        handler.answer(200, {}, json.dumps({"token": token, "expires_in": 60}).encode())
        return True


def test_tokens_are_fetched_with_and_without_credentials(stores, front):
    tokens, here = Tokens(front), stores()
    public, private = f"{front.host}/public/{uuid.uuid4().hex[:10]}", f"{front.host}/private/{uuid.uuid4().hex[:10]}"
    make(here, f"{public}:1", HELLO), make(here, f"{private}:1", HELLO)
    with pytest.raises(AccessDenied, match="denied: requested access to the resource is denied"):
        do_push(here, public)
    do_push(here, public, auth=READER), do_push(here, private, auth=READER)
    do_pull(stores(), public)
    with pytest.raises(
        NotFound,
        match="pull access denied for .*, repository does not exist or may require 'docker login': denied: req",
    ):
        do_pull(stores(), private)
    with pytest.raises(NotFound, match="pull access denied .*incorrect username or password"):
        do_pull(stores(), private, auth=READER | {"password": "guess"})
    do_pull(stores(), private, auth=READER)
    do_pull(stores(), private, auth={"identitytoken": "kept"})
    tokens.valid["given"] = ("repository:" + private.partition("/")[2] + ":pull", 100)
    do_pull(stores(), private, auth={"registrytoken": "given"})


def test_a_token_that_runs_out_on_the_way_is_renewed(stores, front):
    Tokens(front, life=2)
    here, there, name = stores(), stores(), f"{front.host}/public/{uuid.uuid4().hex[:10]}"
    image = make(here, f"{name}:1", HELLO, TOP, {"c": b"c"}, {"d": b"d"})
    do_push(here, name, auth=READER)
    do_pull(there, name)
    assert there.images.find(f"{name}:1").id == image.id
    assert len(front.asked("GET", "/token")) > 4


def test_credentials_stay_with_the_registry_when_it_redirects_to_a_storage(stores, front, registry):
    Tokens(front)
    storage = Front(registry)
    here, there, name = stores(), stores(), f"{front.host}/public/{uuid.uuid4().hex[:10]}"
    make(here, f"{name}:1", HELLO)
    do_push(here, name, auth=READER)

    def redirect(handler, status, headers, body):
        if handler.command == "GET" and "/blobs/" in handler.path:
            return 307, {"Location": f"http://{storage.host}{handler.path}?signature=x"}, b""
        return status, headers, body

    front.after = redirect
    do_pull(there, name, auth=READER)
    storage.shutdown()
    assert there.images.find(f"{name}:1")
    blobs = [headers for _, path, headers in storage.seen if "/blobs/" in path]
    assert len(blobs) == 2 and not any("Authorization" in headers for headers in blobs)


def do_login(server: str | None = None, **auth):
    """As POST /auth has it from clients, which send null for what they do not know."""
    login({"email": None, "serveraddress": server, **auth}, stop=threading.Event())


def test_a_login_is_checked_by_the_registry(locked, registry):
    for server in (locked, f"http://{locked}/v1/", f"https://someone@{locked}"):
        do_login(server, **READER)
    do_login(locked, auth=base64.b64encode(b"reader:open sesame").decode())
    with pytest.raises(Unauthorized) as refused:
        do_login(locked, **READER | {"password": "guess"})
    assert refused.value.message == f"login attempt to http://{locked}/v2/ failed with status: 401 Unauthorized"
    with pytest.raises(Unauthorized, match=f'Get "http://{locked}/v2/": no basic auth credentials'):
        do_login(locked)
    do_login(registry, **READER)  # it asks nobody who he is


def test_a_login_to_a_token_service_asks_for_no_repository(front):
    Tokens(front)
    do_login(front.host, **READER)
    do_login(front.host, identitytoken="kept")
    with pytest.raises(Unauthorized) as refused:
        do_login(front.host, **READER | {"password": "guess"})
    assert refused.value.message == f'Get "http://{front.host}/v2/": incorrect username or password'
    asked = front.asked("GET", "/token")
    assert len(asked) == 2 and not any("scope" in path for path in asked)


def test_a_login_without_an_address_is_docker_hubs(locked, monkeypatch):
    monkeypatch.setattr(reference_grammar, "HUB_HOST", locked)
    for server in (None, "", "https://index.docker.io/v1/", "docker.io", "index.docker.io"):
        do_login(server, **READER)
        with pytest.raises(Unauthorized):
            do_login(server, **READER | {"password": "guess"})


def test_a_login_where_no_registry_is_says_so(front):
    for server in ("not a host", "ftp://127.0.0.1", "http://[::1", "-"):
        with pytest.raises(BadRequest, match="unable to parse server address"):
            do_login(server, **READER)
    with pytest.raises(BadRequest, match="base64"):
        do_login(front.host, auth="é")
    with pytest.raises(EngineError, match="/v2/.*connection refused"):
        do_login("127.0.0.1:1", **READER)
    front.before = lambda handler: not handler.answer(404)
    with pytest.raises(EngineError, match=f"login attempt to http://{front.host}/v2/ failed with status: 404") as error:
        do_login(front.host, **READER)
    assert error.value.status == 500


# Looking without pulling


def look(name: str, **options) -> dict:
    return inspect(name, stop=threading.Event(), **options)


def test_a_name_is_looked_up_in_the_registry(stores, repository):
    here = stores()
    make(here, f"{repository}:latest", HELLO)
    sent = next(message["aux"] for message in do_push(here, repository, "latest") if "aux" in message)
    platform = {"architecture": platforms.host_platform().architecture, "os": "linux"}
    found = {
        "Descriptor": {"mediaType": DOCKER_MANIFEST, "digest": sent["Digest"], "size": sent["Size"]},
        "Platforms": [platform],
    }
    assert look(repository) == look(f"{repository}:latest") == look(f"{repository}@{sent['Digest']}") == found
    with pytest.raises(NotFound, match=f"manifest for {repository}:2 not found: manifest unknown"):
        look(f"{repository}:2")
    with pytest.raises(BadRequest, match="invalid reference format"):
        look("UPPER")


@pytest.mark.parametrize("kind", [OCI_INDEX, DOCKER_LIST])
def test_an_index_is_looked_up_with_the_platforms_of_its_entries(registry, kind):
    plain, name = tar_of(HELLO), f"test/{uuid.uuid4().hex[:10]}"
    manifest = put_oci(registry, name, "arm", gzip.compress(plain), sha256(plain), "arm")
    offered = [
        {"architecture": "arm", "os": "linux", "variant": "v7"},
        {"architecture": "amd64", "os": "windows", "os.version": "10.0.1"},
        {"architecture": "unknown", "os": "unknown"},  # an attestation; Docker lists it, too
    ]
    listed = [descriptor(manifest, OCI_MANIFEST, platform={**platform, "features": []}) for platform in offered]
    index = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": listed}).encode()
    put(registry, f"{name}:1", index, kind)
    assert look(f"{registry}/{name}:1") == {"Descriptor": descriptor(index, kind), "Platforms": offered}
    assert look(f"{registry}/{name}:arm")["Platforms"] == [{"architecture": "arm", "os": "linux"}]


def test_an_artifact_is_looked_up_without_a_platform(registry):
    name, config = f"test/{uuid.uuid4().hex[:10]}", b'{"os": "linux", "architecture": "amd64"}'
    put(registry, name, config)
    kind = "application/vnd.cncf.helm.config.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(config, kind), "layers": []}
    put(registry, f"{name}:1", json.dumps(manifest).encode(), OCI_MANIFEST)
    assert look(f"{registry}/{name}:1")["Platforms"] == []


def test_looking_takes_a_login_where_pulling_does(stores, locked, front):
    here, private = stores(), f"{locked}/mine"
    make(here, f"{private}:latest", HELLO)
    do_push(here, private, "latest", auth=READER)
    assert look(private, auth=READER)["Descriptor"]["mediaType"] == DOCKER_MANIFEST
    for given, words in ((None, "no basic auth credentials"), (READER | {"password": "x"}, "authentication required")):
        with pytest.raises(Unauthorized, match=f"access denied for {private}, .*'docker login': .*{words}"):
            look(private, auth=given)
    Tokens(front)
    name = f"{front.host}/private/{uuid.uuid4().hex[:10]}"
    make(here, f"{name}:latest", HELLO)
    do_push(here, name, "latest", auth=READER)
    assert look(name, auth=READER)["Platforms"]
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(front.asked("GET", "/token")[-1]).query)
    assert asked["scope"] == [f"repository:{name.partition('/')[2]}:pull"]  # no more than it needs
    with pytest.raises(Unauthorized, match="access denied for .*: denied: requested access to the resource is denied"):
        look(name)


# What goes wrong


def limited(seconds: str, headers: dict | None = None, times: int = 1000):
    left = [times]

    def before(handler) -> bool:
        if "/manifests/" not in handler.path or not left[0]:
            return False
        left[0] -= 1
        body = b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your pull rate limit."}]}'
        handler.answer(429, {"Retry-After": seconds, **(headers or {})}, body)
        return True

    return before


def test_a_used_up_limit_says_what_it_is_and_what_to_do(stores, front, monkeypatch):
    front.before = limited("120", {"RateLimit-Limit": "100;w=21600"})
    monkeypatch.setattr(reference_grammar, "HUB_HOST", front.host)
    with pytest.raises(TooManyRequests) as refused:
        do_pull(stores(), "busybox", "1.37")
    assert refused.value.message == (
        "toomanyrequests: Docker Hub allows 100 anonymous pulls per 6 hours per address, and that is used up: "
        "wait 120 s (Retry-After), log in, or use a mirror or a class kit."
    )
    with pytest.raises(TooManyRequests, match="limits how often it may be asked.*use another account"):
        front.before = limited("Fri, 01 Jan 2100 00:00:00 GMT")
        do_pull(stores(), f"{front.host}/x", auth=READER)


def test_a_registry_that_asks_for_a_second_gets_it(stores, front):
    here, name = stores(), f"{front.host}/test/{uuid.uuid4().hex[:10]}"
    make(here, f"{name}:1", HELLO)
    do_push(here, name)
    front.before = limited("1", times=1)
    started = time.monotonic()
    assert do_pull(stores(), name) and time.monotonic() - started >= 1


def test_what_is_not_there_is_said_as_docker_says_it(stores, repository):
    store = stores()
    make(store, f"{repository}:1", HELLO)
    do_push(store, repository)
    with pytest.raises(NotFound) as missing:
        do_pull(store, repository, "2")
    assert missing.value.message == f"manifest for {repository}:2 not found: manifest unknown: manifest unknown"
    with pytest.raises(NotFound, match="An image does not exist locally with the tag: .*:3"):
        do_push(store, repository, "3")


def test_a_registry_that_nobody_runs_is_a_sentence(stores):
    for name, words in (("127.0.0.1:1/x", "connection refused"), ("registry.invalid/x", "no such host")):
        with pytest.raises(EngineError, match=f"/v2/.*{words}"):
            do_pull(stores(), name)


def test_the_environments_proxy_is_used_but_not_for_loopback(stores, repository, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    store = stores()
    make(store, f"{repository}:1", HELLO)
    do_push(store, repository)
    with pytest.raises(EngineError, match="proxy"):
        do_pull(store, "registry.invalid/x")


def test_a_broken_download_goes_on_where_it_broke(stores, front):
    here, there, name = stores(), stores(), f"{front.host}/test/{uuid.uuid4().hex[:10]}"
    image = make(here, f"{name}:1", TOP)
    do_push(here, name)
    front.cut = [100_000, 100_000]  # bytes; the config is shorter
    do_pull(there, name)
    assert there.images.find(f"{name}:1").id == image.id
    assert [headers.get("Range") for _, path, headers in front.seen if "/blobs/" in path and _ == "GET"][1:] == [
        None,
        "bytes=100000-",
        "bytes=200000-",
    ]


def test_a_registry_without_ranges_is_read_from_the_start_again(stores, front):
    here, there, name = stores(), stores(), f"{front.host}/test/{uuid.uuid4().hex[:10]}"
    image = make(here, f"{name}:1", TOP)
    do_push(here, name)

    def no_ranges(handler) -> bool:
        del handler.headers["Range"]
        return False

    front.before, front.cut = no_ranges, [100_000, 150_000]
    do_pull(there, name)
    assert there.images.find(f"{name}:1").id == image.id


def test_a_download_that_breaks_again_and_again_is_given_up(stores, front, monkeypatch):
    monkeypatch.setattr(client_module.Client, "pause", lambda self, seconds: None)
    here, there, name = stores(), stores(), f"{front.host}/test/{uuid.uuid4().hex[:10]}"
    make(here, f"{name}:1", TOP)
    do_push(here, name)
    front.cut = [10_000] * 20
    with pytest.raises(EngineError, match="connection broke"):
        do_pull(there, name)
    assert len(front.cut) == 15 and there.images.all() == []


def test_a_broken_upload_is_sent_again(stores, front):
    here, name = stores(), f"{front.host}/test/{uuid.uuid4().hex[:10]}"
    make(here, f"{name}:1", TOP)
    broken = []

    def break_once(handler) -> bool:
        if handler.command != "PATCH" or broken:
            return False
        broken.append(handler.path)
        handler.close_connection = True
        return True

    front.before = break_once
    do_push(here, name)
    assert broken and do_pull(stores(), name)


def test_a_stopped_pull_ends_soon_though_the_registry_says_nothing(stores, front):
    here, there, name = stores(), stores(), f"{front.host}/test/{uuid.uuid4().hex[:10]}"
    make(here, f"{name}:1", TOP)
    do_push(here, name)
    stop, silent = threading.Event(), threading.Event()

    def stall(handler) -> bool:
        if "/blobs/" in handler.path:
            stop.set()
            silent.wait(20)
        return False

    front.before = stall
    started = time.monotonic()
    with pytest.raises(Interrupted):
        do_pull(there, name, stop=stop)
    assert time.monotonic() - started < 15 and there.images.all() == []
    silent.set()


# Mirrors and TLS


def test_mirrors_of_docker_hub_are_asked_first_and_then_docker_hub(stores, registry, front, monkeypatch):
    tag = uuid.uuid4().hex[:10]
    here, there = stores(), stores()
    image = make(here, f"{registry}/library/busybox:{tag}", HELLO)
    do_push(here, f"{registry}/library/busybox", tag)
    said = do_pull(there, "busybox", tag, mirrors=["http://127.0.0.1:1/", f"http://{front.host}/"], auth=READER)
    assert there.images.find(f"busybox:{tag}").id == image.id
    assert "The mirror 127.0.0.1:1 did not serve it" in said[0]["status"] and "Digest" in said[-2]["status"]
    assert not any("Authorization" in headers for _, _, headers in front.seen)

    front.before = lambda handler: not handler.answer(503)
    monkeypatch.setattr(client_module.Client, "pause", lambda self, seconds: None)
    monkeypatch.setattr(reference_grammar, "HUB_HOST", registry)
    another = stores()
    do_pull(another, "docker.io/busybox", tag, mirrors=[f"http://{front.host}/"])
    assert another.images.find(f"busybox:{tag}").id == image.id


def test_looking_asks_the_mirrors_too_but_gives_them_no_login(stores, registry, front, monkeypatch):
    tag = uuid.uuid4().hex[:10]
    here = stores()
    make(here, f"{registry}/library/busybox:{tag}", HELLO)
    digest = pushed_digest(do_push(here, f"{registry}/library/busybox", tag))
    asked = ["http://127.0.0.1:1/", f"http://{front.host}/"]
    assert look(f"busybox:{tag}", mirrors=asked, auth=READER)["Descriptor"]["digest"] == digest
    assert not any("Authorization" in headers for _, _, headers in front.seen)
    front.seen.clear()
    with pytest.raises(NotFound):
        look(f"{registry}/library/busybox:nosuch", mirrors=asked)
    assert front.seen == []  # mirrors are Docker Hub's alone
    monkeypatch.setattr(reference_grammar, "HUB_HOST", registry)
    front.before = lambda handler: not handler.answer(404)
    assert look(f"busybox:{tag}", mirrors=asked)["Descriptor"]["digest"] == digest
    assert front.seen


def test_a_mirror_is_an_address_and_kept_as_docker_keeps_it():
    assert mirrors.checked_mirror("https://mirror.example") == mirrors.checked_mirror("https://mirror.example/")
    assert mirrors.checked_mirror("http://127.0.0.1:5000") == "http://127.0.0.1:5000/"
    assert mirrors.checked_mirror("https://mirror.example/hub/") == "https://mirror.example/hub/"
    for wrong in (
        "",
        "mirror.example",
        "mirror.example:5000",
        "ftp://mirror.example",
        "https://",
        "https://m:port",
        "https://m/?a=b",
        "https://m/#a",
        "http://[::1",
    ):
        with pytest.raises(BadRequest, match="invalid mirror.*https://mirror.example"):
            mirrors.checked_mirror(wrong)
    with pytest.raises(BadRequest) as refused:
        mirrors.checked_mirror("https://someone:secret@mirror.example")
    assert "secret" not in refused.value.message


@pytest.fixture
def certificate(tmp_path):
    made = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    subprocess.run([*command.split(), "-out", made[0], "-keyout", made[1]], check=True, capture_output=True)
    return made


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_tls_is_checked_against_the_environments_certificates_except_on_loopback(
    stores, registry, certificate, monkeypatch
):
    front = Front(registry, certificate)
    store, name = stores(), f"{front.host}/test/{uuid.uuid4().hex[:10]}"
    make(store, f"{name}:1", HELLO)
    do_push(store, name)  # loopback: nobody signed this certificate, and Docker does not mind
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    for module in (client_module, connection):  # as if the registry were elsewhere
        monkeypatch.setattr(module, "is_loopback", lambda host: False)
    with pytest.raises(EngineError, match="certificate verify failed.*SSL_CERT_FILE"):
        do_pull(stores(), name)
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        with monkeypatch.context() as trusting:
            trusting.setenv(variable, str(certificate[0]))
            do_pull(stores(), name)
    front.shutdown()
