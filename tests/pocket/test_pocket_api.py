"""The API as its clients see it: the Docker SDK, the docker command line, and plain HTTP."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
import uuid
from urllib.parse import quote

import docker
import pytest
from at_hand import needs_registry
from engines import ROOT, Pocket
from test_pocket_registry import READER, locked  # noqa: F401
from workshop.archives import tar_of

SMALL = b'FROM scratch\nLABEL made=here\nCOPY word /word\nCMD ["/word"]\n'


class OverSocket(http.client.HTTPConnection):
    """HTTP over the engine's unix socket."""

    def __init__(self, path: str):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


@pytest.fixture
def ask(pocket_engine_of_tests):
    """ask(method, path, body, **headers) -> (status, headers, body)."""

    def one(method: str, path: str, body: bytes | None = None, **headers: str):
        connection = OverSocket(str(pocket_engine_of_tests.socket))
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    return one


@pytest.fixture
def name() -> str:
    """A repository's name that no other test uses."""
    return f"api-test/{uuid.uuid4().hex[:12]}"


def build(client: docker.DockerClient, name: str, dockerfile: bytes = SMALL, word: bytes = b"hello", **options):
    context = io.BytesIO(tar_of({"Dockerfile": dockerfile, "word": word}))
    return client.images.build(fileobj=context, custom_context=True, tag=name, rm=True, **options)


def message(body: bytes) -> str:
    return json.loads(body)["message"]


def test_a_ping_says_which_api_and_which_builder(ask):
    for method, body in (("GET", b"OK"), ("HEAD", b"")):
        status, headers, content = ask(method, "/_ping")
        assert (status, content) == (200, body)
        assert (headers["Api-Version"], headers["Ostype"], headers["Builder-Version"]) == ("1.44", "linux", "1")
        assert headers["Docker-Experimental"] == "false" and headers["Server"].startswith("Pocket/")


def test_every_version_from_1_24_to_1_44_is_spoken_and_no_other(ask):
    for version in ("1.24", "1.41", "1.44"):
        assert ask("GET", f"/v{version}/version")[0] == 200
    status, _, body = ask("GET", "/v1.23/version")
    assert (status, message(body)) == (
        400,
        "client version 1.23 is too old. Minimum supported API version is 1.24, "
        "please upgrade your client to a newer version",
    )
    status, _, body = ask("GET", "/v1.45/info")
    assert (status, message(body)) == (400, "client version 1.45 is too new. Maximum supported API version is 1.44")
    assert ask("GET", "/v1..2/info")[0] == 400
    assert ask("GET", f"/v{'9' * 5000}.1/info")[0] == 400


@pytest.mark.parametrize("path", ["/nonsense", "/v1.44/nonsense", "/", "/v1.44/images/json/"])
def test_an_unknown_route_is_dockers_404(ask, path):
    status, headers, body = ask("POST", path)
    assert (status, message(body)) == (404, "page not found")
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("GET", "/v1.41/swarm", "swarm"),
        ("POST", "/v1.41/swarm/init", "swarm"),
        ("GET", "/v1.41/nodes", "nodes"),
        ("GET", "/v1.41/services", "services"),
        ("GET", "/v1.41/plugins", "plugins"),
        ("POST", "/v1.41/commit?container=x", "committing"),
        ("POST", "/v1.41/containers/x/checkpoints", "checkpoints"),
        ("POST", "/v1.41/networks/create", "networks"),
        ("POST", "/v1.41/volumes/create", "volumes"),
        ("GET", "/v1.41/images/search?term=x", "search"),
        ("POST", "/session", "BuildKit"),
        ("POST", "/v1.41/build?version=2", "BuildKit"),
        ("POST", "/v1.41/build?remote=http://localhost/x", "remote"),
        ("POST", "/v1.41/images/create?fromSrc=http://localhost/x", "download"),
    ],
)
def test_what_is_not_done_is_named(ask, method, path, named):
    status, _, body = ask(method, path)
    assert status == 501
    assert "pocket engine" in message(body) and named in message(body)


def test_the_sdk_reads_version_info_and_disk_usage(pocket, name):
    image, _ = build(pocket, name)
    version, info, df = pocket.version(), pocket.info(), pocket.df()
    assert version["ApiVersion"] == "1.44" and version["Os"] == "linux"
    assert "Pocket Engine" in [part["Name"] for part in version["Components"]]
    assert info["Driver"] == "pocket" and info["NCPU"] >= 1 and info["MemTotal"] > 1e8 and info["Images"] >= 1
    assert info["Containers"] == info["ContainersRunning"] + info["ContainersPaused"] + info["ContainersStopped"]
    assert image.id in [one["Id"] for one in df["Images"]]
    assert df["LayersSize"] >= 5


@needs_registry
def test_mirrors_are_asked_for_docker_hubs_images_and_told(pocket, name, registry, tmp_path):
    image, _ = build(pocket, name, word=name.encode())
    image.tag(f"{registry}/{name}", "1")
    pocket.images.push(f"{registry}/{name}", tag="1")
    mirrors = ["http://127.0.0.1:1/", f"http://{registry}/"]
    other = Pocket(tmp_path, "--mirror", mirrors[0], "--mirror", mirrors[1].rstrip("/"))
    try:
        client = other.start()
        said = client.info()["RegistryConfig"]
        assert said["Mirrors"] == said["IndexConfigs"]["docker.io"]["Mirrors"] == mirrors
        told = list(client.api.pull(name, tag="1", stream=True, decode=True))
        assert "The mirror 127.0.0.1:1 did not serve it" in told[0]["status"]
        assert client.images.get(f"{name}:1").id == image.id
        assert client.images.get_registry_data(f"{name}:1").id.startswith("sha256:")
        client.images.remove(f"{name}:1")
        build(client, f"{name}:2", f"FROM {name}:1\nLABEL a=b\n".encode())
        assert client.images.get(f"{name}:1").id == image.id  # FROM asks them, too
    finally:
        other.stop()
    assert pocket.info()["RegistryConfig"]["Mirrors"] == []


def test_an_engine_with_a_mirror_that_is_none_does_not_start(tmp_path):
    place, program = tmp_path / "own", [sys.executable, ROOT / "binder" / "pocket_engine"]
    place.mkdir(0o700)
    words = [*program, "--socket", place / "s", "--store", tmp_path / "store", "--mirror", "mirror.example"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "Cannot start: invalid mirror: 'mirror.example'" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "store" / "images.json").exists()


@needs_registry
def test_a_login_is_checked_and_then_used(pocket_engine_of_tests, pocket, ask, name, locked):  # noqa: F811
    client = docker.DockerClient(base_url=f"unix://{pocket_engine_of_tests.socket}", version="1.41")
    with pytest.raises(docker.errors.APIError, match="login attempt to .* failed with status: 401") as refused:
        client.login(READER["username"], "guess", registry=locked)
    assert refused.value.status_code == 401
    said = client.login(READER["username"], READER["password"], registry=locked)
    assert said == {"Status": "Login Succeeded", "IdentityToken": ""}
    image, _ = build(pocket, name, word=name.encode())
    image.tag(f"{locked}/{name}", "1")
    client.images.push(f"{locked}/{name}", tag="1")
    found = client.images.get_registry_data(f"{locked}/{name}:1")
    assert found.has_platform(f"linux/{pocket.version()['Arch']}") and found.attrs["Descriptor"]["size"] > 0
    with pytest.raises(docker.errors.APIError, match="access denied") as refused:
        pocket.images.get_registry_data(f"{locked}/{name}:1")
    assert refused.value.status_code == 401
    assert client.images.pull(f"{locked}/{name}", tag="1").id == image.id
    client.close()
    status, _, body = ask("POST", "/v1.44/auth")
    assert status == 400 and "username" in message(body)


@needs_registry
def test_what_a_registry_does_not_have_is_a_404(pocket, ask, name, registry):
    with pytest.raises(docker.errors.NotFound, match=f"manifest for {registry}/{name}:latest not found"):
        pocket.images.get_registry_data(f"{registry}/{name}")
    assert ask("GET", "/v1.41/distribution/UPPER/json")[0] == 400
    assert ask("GET", "/v1.41/distribution/127.0.0.1:1/x/json")[0] == 500


def test_the_networks_that_are_always_there_can_be_looked_at(pocket):
    assert {network.name for network in pocket.networks.list()} == {"bridge", "host", "none"}
    bridge = pocket.networks.get("bridge")
    assert pocket.networks.get(bridge.id).name == "bridge"
    assert [network.name for network in pocket.networks.list(names=["host"])] == ["host"]
    assert pocket.volumes.list() == []
    with pytest.raises(docker.errors.NotFound):
        pocket.networks.get("nosuch")


def test_a_build_gives_an_image_with_labels_history_and_size(pocket, name):
    image, log = build(pocket, name, labels={"asked": "too"})
    assert image.tags == [f"{name}:latest"]
    assert image.labels == {"made": "here", "asked": "too"}
    assert image.attrs["Size"] == 5 and image.attrs["Config"]["Cmd"] == ["/word"]
    assert len(image.attrs["RootFS"]["Layers"]) == 1
    steps = image.history()
    assert [step["Size"] for step in steps if step["Size"]] == [5]
    assert "CMD" in " ".join(step["CreatedBy"] for step in steps[:2])  # newest first
    assert steps[0]["Id"] == image.id and steps[0]["Tags"] == [f"{name}:latest"]
    assert any(line.get("stream", "").startswith("Step 1/") for line in log)


def test_a_quiet_build_says_its_id_alone(pocket, name):
    context = io.BytesIO(tar_of({"Dockerfile": SMALL, "word": b"x"}))
    lines = list(pocket.api.build(fileobj=context, custom_context=True, tag=name, quiet=True, decode=True))
    assert lines == [{"stream": f"{pocket.images.get(name).id}\n"}]


def test_a_build_that_fails_says_why(pocket, name):
    with pytest.raises(docker.errors.BuildError, match="nosuch"):
        build(pocket, name, b"FROM scratch\nCOPY nosuch /\n")
    with pytest.raises((docker.errors.APIError, docker.errors.BuildError), match="(?i)unknown instruction: FRMO"):
        build(pocket, name, b"FRMO scratch\n")
    with pytest.raises(docker.errors.ImageNotFound):
        pocket.images.get(name)


def test_limits_are_said_to_be_without_effect(pocket, name):
    _, log = build(pocket, name, container_limits={"memory": 10_000_000})
    assert any("sets no limits: memory has no effect" in line.get("stream", "") for line in log)


def test_the_list_is_filtered_as_in_docker(pocket, name):
    image, _ = build(pocket, f"{name}:one", word=name.encode())
    image.tag(name, "two")
    api = pocket.api
    listed = api.images(name=name)
    assert [one["Id"] for one in listed] == [image.id]
    assert sorted(listed[0]["RepoTags"]) == [f"{name}:one", f"{name}:two"]
    assert listed[0]["Containers"] == listed[0]["SharedSize"] == -1
    assert api.images(name=f"{name}:two")[0]["RepoTags"] == [f"{name}:two"]
    assert api.images(name="api-test/*:one", filters={"label": "made=here"})
    assert not api.images(name=name, filters={"label": "made=elsewhere"})
    assert not api.images(name=name, filters={"dangling": True})
    everything = {one["Id"] for one in api.images(all=True)}
    steps = everything - {one["Id"] for one in api.images()}
    assert (
        set(one["Id"] for one in api.history(f"{name}:one")[1:]) - {"<missing>"} <= steps
    )  # the builder's steps are hidden
    with pytest.raises(docker.errors.APIError, match="invalid filter 'shape'"):
        api.images(filters={"shape": "round"})
    with pytest.raises(docker.errors.NotFound):
        api.images(filters={"before": "nosuch"})


def test_a_list_before_1_43_calls_what_has_no_name_none(ask, pocket, name):
    image, _ = build(pocket, name, word=name.encode())
    pocket.images.get(name)
    build(pocket, name, word=b"another " + name.encode())  # takes the name over
    query = "/images/json?filters=" + quote(json.dumps({"dangling": ["true"]}))
    for version, tags in (("1.41", ["<none>:<none>"]), ("1.44", [])):
        listed = {one["Id"]: one for one in json.loads(ask("GET", f"/v{version}{query}")[2])}
        assert listed[image.id]["RepoTags"] == tags
        assert ("VirtualSize" in listed[image.id]) == (version == "1.41")


def test_what_is_saved_can_be_loaded_with_the_same_id(pocket, name):
    image, _ = build(pocket, name, word=name.encode())
    saved = b"".join(image.save(named=True))
    assert "manifest.json" in tarfile.open(fileobj=io.BytesIO(saved)).getnames()
    pocket.images.remove(name)
    with pytest.raises(docker.errors.ImageNotFound):
        pocket.images.get(image.id)
    assert [one.id for one in pocket.images.load(saved)] == [image.id]
    assert pocket.images.get(name).id == image.id


def test_several_images_are_saved_in_one_archive(ask, pocket, name):
    for tag in ("a", "b"):
        build(pocket, f"{name}:{tag}", word=tag.encode())
    status, headers, body = ask("GET", f"/v1.41/images/get?names={name}:a&names={name}:b")
    assert (status, headers["Content-Type"]) == (200, "application/x-tar")
    manifest = json.load(tarfile.open(fileobj=io.BytesIO(body)).extractfile("manifest.json"))
    assert sorted(tag for one in manifest for tag in one["RepoTags"]) == [f"{name}:a", f"{name}:b"]
    status, _, body = ask("GET", "/v1.41/images/get?names=nosuch")
    assert status == 404 and "nosuch" in message(body)


def test_an_import_is_one_layer_with_the_changes_asked_for(pocket, name):
    answer = pocket.api.import_image_from_data(
        tar_of({"etc/hello": b"hello\n"}), repository=name, tag="t", changes=['CMD ["sh"]', "ENV A=1"]
    )
    image = pocket.images.get(f"{name}:t")
    assert json.loads(answer.splitlines()[-1]) == {"status": image.id}
    assert (image.attrs["Config"]["Cmd"], image.attrs["Config"]["Env"]) == (["sh"], ["A=1"])
    assert image.attrs["Size"] == 6


def test_what_is_no_archive_is_refused_in_a_sentence(pocket, ask):
    with pytest.raises((docker.errors.APIError, docker.errors.ImageLoadError)):
        pocket.images.load(b"this is no archive" * 100)
    for path in ("/v1.41/images/load", "/v1.41/images/create?fromSrc=-", "/v1.41/build"):
        status, _, body = ask("POST", path, b"this is no archive" * 100)
        assert b"Traceback" not in body
        assert status == 400 or b'"error"' in body, (path, status, body)


def test_removal_answers_and_tells_as_docker_does(pocket, name):
    image, _ = build(pocket, name, word=name.encode())
    image.tag(name, "other")
    assert pocket.api.remove_image(f"{name}:other") == [{"Untagged": f"{name}:other"}]
    gone = pocket.api.remove_image(name)
    assert {"Untagged": f"{name}:latest"} in gone and {"Deleted": image.id} in gone
    with pytest.raises(docker.errors.ImageNotFound, match="(?i)no such image"):
        pocket.api.remove_image(name)
    with pytest.raises(docker.errors.NotFound):
        pocket.api.tag("nosuch", "x")


def test_events_are_told_as_they_happen_and_afterwards(pocket, name):
    since, heard = time.time(), []
    stream = pocket.events(decode=True, filters={"type": "image", "event": "tag"})
    reader = threading.Thread(target=lambda: heard.extend([next(stream)]), daemon=True)
    reader.start()
    time.sleep(0.5)
    image, _ = build(pocket, name)
    image.tag(name, "later")
    reader.join(10)
    stream.close()
    assert heard and heard[0]["Type"] == "image" and heard[0]["Action"] == "tag"
    past = list(pocket.events(since=since, until=time.time(), decode=True))
    told = [(one["id"], one["Actor"]["Attributes"].get("name")) for one in past if one["Action"] == "tag"]
    assert [one for one in told if one[0] == image.id] == [(image.id, f"{name}:latest"), (image.id, f"{name}:later")]


def test_nothing_that_is_needed_is_pruned(pocket, name):
    kept, _ = build(pocket, name, word=b"kept " + name.encode())
    old, _ = build(pocket, f"{name}:moving", word=b"old " + name.encode())
    build(pocket, f"{name}:moving", word=b"new " + name.encode())
    answer = pocket.images.prune(filters={"dangling": True})
    assert old.id in [one.get("Deleted") for one in answer["ImagesDeleted"]]
    assert answer["SpaceReclaimed"] > 0
    assert pocket.images.get(name).id == kept.id
    assert set(pocket.api.prune_builds()) == {"CachesDeleted", "SpaceReclaimed"}


def test_a_client_that_hangs_up_does_not_disturb_the_next(pocket_engine_of_tests, ask):
    for sent in (b"", b"GET", b"POST /v1.41/build HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\nhalf"):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(pocket_engine_of_tests.socket))
            line.sendall(sent)
    assert ask("GET", "/_ping")[2] == b"OK"


def test_a_port_needs_the_token(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = [sys.executable, str(ROOT / "binder" / "pocket_engine")]
    process = subprocess.Popen(
        [*program, "--port", str(port), "--store", str(tmp_path / "store"), "--idle", "60"],
        env={**os.environ, "FACTORY_FLOOR_POCKET_TOKEN": "a-secret"},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.connect()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.1)
        for given, status in ((None, 401), ("Bearer wrong", 401), ("Bearer a-secret", 200), ("Bearer \xe9", 401)):
            connection.request("GET", "/_ping", headers={"Authorization": given} if given else {})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == status
            assert status == 200 or "token" in message(body)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def command(pocket_engine_of_tests):
    """command(*words, input) -> what the docker command line prints."""
    program = shutil.which("docker")
    assert program, "the docker command line is needed (Debian: apt-get install docker.io)"

    def run(*words: str, input: bytes | None = None) -> bytes:
        environment = {**os.environ, "DOCKER_HOST": f"unix://{pocket_engine_of_tests.socket}", "DOCKER_BUILDKIT": "0"}
        done = subprocess.run([program, *words], input=input, capture_output=True, env=environment, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


def test_the_command_line_works(command, pocket, name):
    context = tar_of({"Dockerfile": SMALL, "word": name.encode()})
    assert b"Successfully built" in command("build", "-t", name, "-", input=context)
    image = pocket.images.get(name)
    assert name.encode() in command("images")
    assert command("images", "-q", "--no-trunc", name).decode().split() == [image.id]
    history = command("history", "--no-trunc", name).decode()
    assert "COPY" in history and image.id in history
    assert b"Pocket Engine" in command("version")
    about = command("info").decode()
    assert "Storage Driver: pocket" in about
    saved = command("save", name)
    assert f"Untagged: {name}:latest" in command("rmi", name).decode()
    assert f"Loaded image: {name}:latest" in command("load", input=saved).decode()
    assert command("inspect", "-f", "{{.Id}}", name).decode().strip() == image.id
    command("tag", name, f"{name}:again")
    assert b"TYPE" in command("system", "df")
    assert b"bridge" in command("network", "ls")
    command("rmi", f"{name}:again", name)
