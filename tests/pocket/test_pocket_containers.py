"""Containers through the Docker SDK: what they do, write, publish and leave. One image of one static program."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import tarfile
import threading
import time
import urllib.request
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, ContainerError, NotFound
from engines import RUNNERS, Pocket, busybox_files
from pocket_engine import passwd
from pocket_engine.containers.container_json import duration
from pocket_engine.containers.healthcheck import HealthMonitor
from pocket_engine.containers.logs import ContainerLog, LineSplitter, LogRecord
from pocket_engine.containers.resolve_in_root import resolve
from pocket_engine.errors import BadRequest

IMAGE = "tiny:1"
PASSWD = b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/home/app:/bin/sh\n99:x:5:5::/odd:/bin/sh\n"
GROUP = b"root:x:0:\napp:x:1001:\nstaff:x:50:app,other\nwheel:x:51:other\n"


def an_image() -> bytes:
    """As `docker save` sends it: /bin/busybox under many names, two users, a link out of the root."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for folder in ("bin", "etc", "tmp", "root", "home", "home/app"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        contents = {**busybox_files(), "etc/passwd": PASSWD, "etc/group": GROUP}
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        names = "sh ls cat id touch chown stat sleep env echo nc mkdir rm setsid pwd hostname wget httpd true false yes head wc"
        links = {f"bin/{name}": "busybox" for name in names.split()}
        for name, target in {**links, "out": "/../../../../etc", "loop": "loop"}.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Env": ["PATH=/bin", "FROM_IMAGE=yes"],
            "Cmd": ["sh", "-c", "echo from the image"],
            "Labels": {"of": "image"},
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    files = {
        "layer.tar": layer.getvalue(),
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    return a_tar(files)


def a_tar(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o640, 7, 8
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def start_engine(folder: Path, runner: str) -> Pocket:
    engine = Pocket(folder, "--runner", runner)
    engine.start()
    engine.client.images.load(an_image())
    return engine


@pytest.fixture(scope="module", params=RUNNERS)
def engine(request, tmp_path_factory):
    started = start_engine(tmp_path_factory.mktemp(request.param), request.param)
    yield started
    started.stop()


@pytest.fixture
def client(engine) -> docker.DockerClient:
    yield engine.client
    for left in engine.client.containers.list(all=True):
        left.remove(force=True)


def sh(line: str) -> list[str]:
    return ["sh", "-c", line]


def processes(mark: str) -> list[int]:
    """The processes of this machine with `mark` in their command line."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in place.read_bytes():
                found.append(int(place.parent.name))
        except OSError:
            pass
    return found


def eventually(true, seconds: float = 10.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


# Running


def test_run_gives_back_what_the_images_command_writes_and_removes_the_container(client):
    assert client.containers.run(IMAGE, remove=True) == b"from the image\n"
    eventually(lambda: client.containers.list(all=True) == [])


def test_a_programs_exit_status_and_error_output_reach_the_caller(client):
    with pytest.raises(ContainerError) as failure:
        client.containers.run(IMAGE, sh("echo spoiled >&2; exit 3"))
    assert failure.value.exit_status == 3
    assert failure.value.stderr == b"spoiled\n"


def test_output_and_error_output_are_told_apart(client):
    container = client.containers.run(IMAGE, sh("echo good; echo bad >&2"), detach=True)
    assert container.wait()["StatusCode"] == 0
    assert container.logs(stderr=False) == b"good\n"
    assert container.logs(stdout=False) == b"bad\n"


def test_environment_user_folder_and_hostname_are_as_asked(client):
    line = "id -u; id -g; id -G; pwd; hostname; echo $FROM_IMAGE $MINE $HOME"
    options = dict(user="app", working_dir="/made/for/it", environment={"MINE": "two words"}, hostname="box")
    output = client.containers.run(IMAGE, sh(line), **options).decode().splitlines()
    assert output[:2] == ["1000", "1001"]
    if client.info()["DriverStatus"][0][1].startswith("bubblewrap"):  # PRoot cannot pretend further groups
        assert "50" in output[2].split()
        assert output[4] == "box"
    assert output[3] == "/made/for/it"
    assert output[5] == "yes two words /home/app"


def test_an_entrypoint_of_ones_own_drops_the_images_command(client):
    assert client.containers.run(IMAGE, entrypoint=["echo", "alone"]) == b"alone\n"
    assert client.containers.run(IMAGE, ["behind"], entrypoint="echo") == b"behind\n"


def test_a_program_that_is_not_there_is_named_and_nothing_is_left_of_it(client):
    container = client.containers.create(IMAGE, ["no-such-program"])
    with pytest.raises(APIError, match='"no-such-program": executable file not found in \\$PATH') as failure:
        container.start()
    assert failure.value.status_code == 400
    container.reload()
    assert (container.status, container.attrs["State"]["ExitCode"]) == ("created", 127)


@pytest.mark.parametrize("rootfs", ["absent", None, {"type": "layers"}, {"type": "layers", "diff_ids": []}], ids=str)
def test_an_image_without_layers_makes_a_container_that_starts_only_what_it_is_given(client, rootfs):
    """As on Docker: it is made, has no file, cannot start a program that is not there, and starts one that was put in."""
    config = {"os": "linux", "architecture": "amd64", "config": {"Cmd": ["/x"]}, "rootfs": rootfs}
    config = {key: value for key, value in config.items() if value != "absent"}
    manifest = [{"Config": "config.json", "RepoTags": ["nothing:1"], "Layers": []}]
    files = {"config.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    client.images.load(a_tar(files))
    container = client.containers.create("nothing:1")
    assert container.status == "created" and container.attrs["Config"]["Cmd"] == ["/x"]
    with pytest.raises(APIError, match='exec: "/x": stat /x: no such file or directory') as failure:
        container.start()
    assert failure.value.status_code == 400
    container.reload()
    assert (container.status, container.attrs["State"]["ExitCode"]) == ("created", 127)
    container.remove()
    assert client.images.get("nothing:1").attrs["RootFS"].get("Layers") in (None, [])
    client.images.remove("nothing:1")


def test_an_image_of_settings_alone_is_built_and_makes_a_container(client):
    """FROM scratch with nothing that makes a layer."""
    text = b'FROM scratch\nENV A=1\nLABEL b=c\nCMD ["/x"]\n'
    built, _ = client.images.build(fileobj=io.BytesIO(text), tag="settings:1", rm=True)
    on_it, _ = client.images.build(fileobj=io.BytesIO(b"FROM settings:1\nENV D=2\n"), tag="settings:2", rm=True)
    for image in (built, on_it):
        container = client.containers.create(image.id)
        assert "A=1" in container.attrs["Config"]["Env"]
        with pytest.raises(APIError, match="no such file or directory"):
            container.start()
        assert container.put_archive("/", a_tar({"y": b"1"}))
        assert [one["Path"] for one in container.diff()] == ["/y"]
        container.remove()
    with pytest.raises(APIError, match="[Nn]o command"):
        bare, _ = client.images.build(fileobj=io.BytesIO(b"FROM scratch\nLABEL b=c\n"), rm=True)
        client.containers.create(bare.id)


def test_an_unknown_user_is_named_as_docker_names_it(client):
    container = client.containers.create(IMAGE, user="nobody-here")
    with pytest.raises(APIError, match="unable to find user nobody-here: no matching entries in passwd file"):
        container.start()


def test_what_a_container_wrote_is_there_at_its_next_start(client):
    container = client.containers.run(IMAGE, sh("cat /kept; echo again >> /kept"), detach=True)
    container.wait()
    container.start()
    container.wait()
    assert container.logs(stderr=False) == b"again\n"


def test_two_containers_of_an_image_do_not_see_each_others_files(client):
    client.containers.run(IMAGE, sh("echo mine > /file"))
    assert client.containers.run(IMAGE, sh("ls /file 2>/dev/null || echo none")) == b"none\n"


# Stopping


def test_stop_sends_the_stop_signal_and_a_second_stop_changes_nothing(client):
    line = "trap 'echo got it; exit 7' USR1; echo ready; while :; do sleep 0.05; done"
    container = client.containers.run(IMAGE, sh(line), detach=True, stop_signal="SIGUSR1")
    eventually(lambda: container.logs() == b"ready\n")
    container.stop(timeout=20)
    container.stop()
    assert container.wait()["StatusCode"] == 7
    assert container.logs() == b"ready\ngot it\n"


def test_what_does_not_heed_the_stop_signal_is_killed_after_the_time_given(client):
    container = client.containers.run(IMAGE, sh("trap '' TERM; echo ready; while :; do sleep 0.1; done"), detach=True)
    eventually(lambda: container.logs() == b"ready\n")
    began = time.monotonic()
    container.stop(timeout=1)
    assert 0.9 < time.monotonic() - began < 30
    assert container.wait()["StatusCode"] == 137


def test_a_program_that_ends_leaves_nothing_running(client):
    container = client.containers.run(IMAGE, sh("setsid sleep 98761 & sleep 0.3; echo done"), detach=True)
    assert container.wait()["StatusCode"] == 0
    eventually(lambda: not processes("98761"))
    assert container.logs() == b"done\n"


def test_kill_of_what_does_not_run_and_unknown_signals_are_refused(client):
    container = client.containers.create(IMAGE)
    with pytest.raises(APIError, match=f"Container {container.id} is not running") as failure:
        container.kill()
    assert failure.value.status_code == 409
    with pytest.raises(APIError, match="Invalid signal: SIGNOTHING"):
        container.kill("SIGNOTHING")


def test_start_of_what_runs_is_answered_with_304_and_restart_starts_it_anew(client):
    container = client.containers.run(IMAGE, ["sleep", "60"], detach=True)
    first = client.api.inspect_container(container.id)["State"]
    response = client.api._post(client.api._url("/containers/{0}/start", container.id))
    assert response.status_code == 304
    container.restart(timeout=0)
    second = client.api.inspect_container(container.id)["State"]
    assert second["Running"] and second["StartedAt"] > first["StartedAt"]


def test_wait_for_removal_ends_when_an_auto_removed_container_is_gone(client):
    container = client.containers.run(IMAGE, sh("sleep 0.5; exit 4"), detach=True, auto_remove=True)
    assert container.wait(condition="removed")["StatusCode"] == 4
    with pytest.raises(NotFound, match=f"No such container: {container.id}"):
        client.containers.get(container.id)


# Names and lists


def test_names_are_unique_found_by_beginning_and_can_be_changed(client):
    container = client.containers.create(IMAGE, name="one")
    with pytest.raises(APIError, match='The container name "/one" is already in use by container') as failure:
        client.containers.create(IMAGE, name="one")
    assert failure.value.status_code == 409
    container.rename("other")
    assert client.containers.get("other").id == client.containers.get(container.id[:10]).id == container.id
    with pytest.raises(NotFound, match="No such container: one"):
        client.containers.get("one")
    with pytest.raises(APIError, match=r"Invalid container name \(a b\)"):
        container.rename("a b")


def test_a_missing_image_is_docker_s_404(client):
    with pytest.raises(docker.errors.ImageNotFound, match="No such image: nothing:latest"):
        client.api.create_container("nothing", ["true"])


def test_lists_can_be_filtered(client):
    running = client.containers.run(IMAGE, ["sleep", "60"], detach=True, name="runs", labels={"floor": "2"})
    ended = client.containers.run(IMAGE, sh("exit 5"), detach=True, name="ended")
    ended.wait()

    def listed(**filters):
        return [one.name for one in client.containers.list(all=True, filters=filters)]

    assert [one.name for one in client.containers.list()] == ["runs"]
    assert listed() == ["ended", "runs"]
    assert listed(label="floor=2") == listed(status="running") == ["runs"]
    assert listed(label="of=image") == ["ended", "runs"]
    assert listed(exited=5) == listed(since=running.id) == listed(name="end") == ["ended"]
    assert listed(before=ended.id) == listed(id=running.id[:12]) == listed(label=["floor", "of"]) == ["runs"]
    assert listed(ancestor=IMAGE) == ["ended", "runs"]
    shown = client.api.containers(all=True)
    assert shown[0]["Status"].startswith("Exited (5) ")
    assert shown[1]["Status"].startswith("Up ")


def test_prune_removes_what_has_ended_and_leaves_what_runs(client):
    running = client.containers.run(IMAGE, ["sleep", "60"], detach=True)
    ended = client.containers.create(IMAGE, labels={"kind": "old"})
    kept = client.containers.create(IMAGE)
    assert client.containers.prune(filters={"label": "kind=old"})["ContainersDeleted"] == [ended.id]
    assert {one.id for one in client.containers.list(all=True)} == {running.id, kept.id}


def test_the_image_of_a_running_container_stays_whatever_the_force(client):
    image, _ = client.images.build(fileobj=io.BytesIO(f"FROM {IMAGE}\nLABEL own=yes\n".encode()), tag="own:1")
    image.tag("own", "2")
    container = client.containers.run(image.id, ["sleep", "60"], detach=True)
    short = container.id[:12]
    kept = rf"unable to delete {image.id[7:19]} \(cannot be forced\) - image is being used by running container {short}"
    for force in (False, True):
        with pytest.raises(APIError, match=kept) as failure:
            client.images.remove(image.id, force=force)
        assert failure.value.status_code == 409
    assert client.api.remove_image("own:2") == [{"Untagged": "own:2"}]
    with pytest.raises(
        APIError, match=rf'reference "own:1" \(must force\) - container {short} is using its referenced'
    ):
        client.images.remove("own:1")
    # The last name may go by force, in Docker too; the image stays without one.
    assert client.api.remove_image("own:1", force=True) == [{"Untagged": "own:1"}]
    with pytest.raises(APIError, match=kept):
        client.images.remove(image.id, force=True)
    container.stop(timeout=0)
    with pytest.raises(APIError, match=rf"\(must be forced\) - image is being used by stopped container {short}"):
        client.images.remove(image.id)
    assert client.api.remove_image(image.id, force=True) == [{"Deleted": image.id}]


def test_a_running_container_is_removed_by_force_only_and_its_folder_goes_too(client, engine):
    container = client.containers.run(IMAGE, ["sleep", "98762"], detach=True)
    with pytest.raises(APIError, match="container is running") as failure:
        container.remove()
    assert failure.value.status_code == 409
    container.remove(force=True)
    assert not (engine.folder / "store" / "containers" / container.id).exists()
    assert not processes("98762")


# Logs


def test_logs_can_be_followed_while_the_program_writes(client):
    container = client.containers.run(IMAGE, sh("for n in 1 2 3; do echo $n; sleep 0.2; done"), detach=True)
    assert list(container.logs(stream=True, follow=True)) == [b"1\n", b"2\n", b"3\n"]


def test_logs_end_with_the_last_lines_and_can_carry_times(client):
    container = client.containers.run(IMAGE, sh("for n in 1 2 3 4; do echo $n; done; echo -n rest"), detach=True)
    container.wait()
    assert container.logs(tail=2) == b"4\nrest"
    assert container.logs(tail=0) == b""
    stamped = container.logs(timestamps=True, tail=1).decode()
    assert stamped.endswith("Z rest") and stamped[:4] == time.strftime("%Y", time.gmtime())
    assert container.logs(since=time.time() + 60) == b""
    assert container.logs(until=time.time() - 60) == b""


def test_large_output_arrives_whole(client):
    output = client.containers.run(IMAGE, sh("yes 0123456789abcde | head -n 400000"))
    assert len(output) == 6_400_000
    assert output.count(b"0123456789abcde\n") == 400_000


def test_a_terminal_gives_plain_bytes_with_carriage_returns(client):
    container = client.containers.run(IMAGE, sh("echo line"), detach=True, tty=True)
    container.wait()
    assert container.logs() == b"line\r\n"


# Attach and exec


def test_an_attached_client_gives_input_and_reads_the_answer_to_its_end(client):
    container = client.containers.create(IMAGE, sh("cat; echo end"), stdin_open=True)
    line = client.api.attach_socket(container.id, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    container.start()
    line._sock.sendall(b"hello\n")
    assert read_frame(line._sock) == (1, b"hello\n")
    container.kill()
    assert line._sock.recv(1) == b""


def read_frame(line: socket.socket) -> tuple[int, bytes]:
    head = b""
    while len(head) < 8:
        head += line.recv(8 - len(head))
    body = b""
    while len(body) < int.from_bytes(head[4:], "big"):
        body += line.recv(4096)
    return head[0], body


def test_the_end_of_input_reaches_a_program_that_was_created_for_one_client(client):
    config = client.api.create_container_config(IMAGE, sh("cat; echo end"), stdin_open=True) | {"StdinOnce": True}
    made = client.api.create_container_from_config(config)
    line = client.api.attach_socket(made["Id"], {"stdin": 1, "stdout": 1, "stream": 1})
    line._sock.sendall(b"all of it\n")
    line._sock.shutdown(socket.SHUT_WR)
    client.api.start(made["Id"])
    received = b""
    while piece := line._sock.recv(4096):
        received += piece
    assert b"all of it\n" in received and received.endswith(b"end\n")


def test_attach_shows_what_was_written_before_where_logs_are_asked_for(client):
    container = client.containers.run(IMAGE, sh("echo before"), detach=True)
    container.wait()
    assert container.attach(logs=True, stream=False) == b"before\n"


def test_exec_runs_in_the_containers_files_and_tells_its_status(client):
    container = client.containers.run(IMAGE, ["sleep", "60"], detach=True)
    code, output = container.exec_run(
        sh("echo here > /mark; cat /mark; echo $EXTRA >&2; exit 6"), environment=["EXTRA=e"], demux=True
    )
    assert (code, output) == (6, (b"here\n", b"e\n"))
    assert container.exec_run("id -u", user="1000").output == b"1000\n"
    assert container.exec_run("pwd", workdir="/etc").output == b"/etc\n"
    code, output = container.exec_run("no-such-program")
    assert code == 127 and b"executable file not found" in output


def test_exec_takes_input_and_a_large_output_arrives_whole(client):
    container = client.containers.run(IMAGE, ["sleep", "60"], detach=True)
    run = client.api.exec_create(container.id, sh("cat | wc -c"), stdin=True)
    line = client.api.exec_start(run["Id"], socket=True)
    line._sock.sendall(b"x" * 300_000)
    line._sock.shutdown(socket.SHUT_WR)
    assert read_frame(line._sock) == (1, b"300000\n")
    output = container.exec_run(sh("yes 0123456789abcde | head -n 1000000")).output
    assert len(output) == 16_000_000


def test_exec_detached_goes_on_and_ends_with_the_container(client):
    container = client.containers.run(IMAGE, ["sleep", "60"], detach=True)
    run = client.api.exec_create(container.id, ["sleep", "98763"])
    client.api.exec_start(run["Id"], detach=True)
    assert client.api.exec_inspect(run["Id"])["Running"]
    with pytest.raises(APIError, match="is already running"):
        client.api.exec_start(run["Id"], detach=True)
    container.stop(timeout=0)
    eventually(lambda: not client.api.exec_inspect(run["Id"])["Running"])
    assert not processes("98763")


def test_exec_in_what_does_not_run_is_a_conflict(client):
    container = client.containers.create(IMAGE)
    with pytest.raises(APIError, match=f"Container {container.id} is not running") as failure:
        container.exec_run("true")
    assert failure.value.status_code == 409


# Ports


def served(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/page", timeout=5) as answer:
        return answer.read()


def answers(port: int) -> bool:
    try:
        return bool(served(port))
    except OSError:
        return False


def test_a_published_port_is_reached_on_loopback_and_free_again_afterwards(client):
    line = "mkdir /www; echo served > /www/page; exec httpd -f -p 8000 -h /www"
    options = dict(detach=True, ports={"8000/tcp": ("127.0.0.1", None)})
    first, second = (client.containers.run(IMAGE, sh(line), **options) for _ in range(2))
    ports = []
    for container in (first, second):
        container.reload()
        binding = container.attrs["NetworkSettings"]["Ports"]["8000/tcp"][0]
        assert binding["HostIp"] == "127.0.0.1"
        ports.append(int(binding["HostPort"]))
    assert ports[0] != ports[1]
    for port in ports:
        eventually(lambda port=port: answers(port))
        assert served(port) == b"served\n"
    third = client.containers.create(IMAGE, ["true"], ports={"8000/tcp": ("127.0.0.1", ports[0])})
    with pytest.raises(APIError, match=f"Bind for 127.0.0.1:{ports[0]} failed: port is already allocated"):
        third.start()
    first.stop(timeout=0)
    third.start()


def test_a_port_that_another_program_has_is_already_allocated(client):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        container = client.containers.create(IMAGE, ["true"], ports={"80/tcp": port})
        with pytest.raises(APIError, match="port is already allocated"):
            container.start()
    warnings = client.api.create_container(
        IMAGE, ["true"], host_config=client.api.create_host_config(port_bindings={80: port})
    )
    assert warnings["Warnings"] == ["A port published on 0.0.0.0 is reached on 127.0.0.1 only."]


def test_two_ports_of_the_host_lead_to_one_of_the_container(client):
    line = "mkdir /www; echo served > /www/page; exec httpd -f -p 8000 -h /www"
    container = client.containers.run(IMAGE, sh(line), detach=True, ports={"8000/tcp": [None, None]})
    container.reload()
    ports = [int(one["HostPort"]) for one in container.attrs["NetworkSettings"]["Ports"]["8000/tcp"]]
    assert len(set(ports)) == 2
    eventually(lambda: all(answers(port) for port in ports))


# Mounts, limits, refusals


def test_folders_of_the_host_are_seen_and_empty_ones_are_empty_again(client, tmp_path):
    (tmp_path / "in").write_text("from outside\n")
    options = dict(volumes={str(tmp_path): {"bind": "/data", "mode": "rw"}}, tmpfs={"/scratch": ""})
    line = "cat /data/in; ls /scratch; touch /scratch/file; echo out > /data/out"
    container = client.containers.run(IMAGE, sh(line), detach=True, **options)
    container.wait()
    container.start()
    container.wait()
    assert container.logs() == b"from outside\nfrom outside\n"
    assert (tmp_path / "out").read_text() == "out\n"
    container.reload()
    assert container.attrs["Mounts"][0]["Destination"] == "/data"


def test_limits_are_accepted_with_a_warning_and_rights_are_refused(client):
    host = client.api.create_host_config(mem_limit="64m", read_only=True)
    made = client.api.create_container(IMAGE, ["true"], host_config=host)
    assert [one.split()[0] for one in made["Warnings"]] == ["HostConfig.Memory", "HostConfig.ReadonlyRootfs"]
    for asked in (dict(privileged=True), dict(cap_add=["SYS_ADMIN"]), dict(devices=["/dev/null:/dev/x:r"])):
        with pytest.raises(APIError, match="The pocket engine does not do") as failure:
            client.containers.create(IMAGE, **asked)
        assert failure.value.status_code == 501
    with pytest.raises(APIError, match="bind a folder of the host instead"):
        client.containers.create(IMAGE, volumes=["named:/data"])


# Files


def test_files_go_in_and_out_with_owner_and_mode(client):
    container = client.containers.create(IMAGE, sh("cat /home/note"))
    assert container.put_archive("/home", a_tar({"note": b"copied\n", "deep/er/file": b"1"}))
    pieces, about = container.get_archive("/home/note")
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        entry = tar.getmember("note")
        assert (entry.uid, entry.gid, entry.mode, tar.extractfile(entry).read()) == (7, 8, 0o640, b"copied\n")
    assert (about["name"], about["size"], about["mode"]) == ("note", 7, 0o640)
    pieces, about = container.get_archive("/home")
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        assert tar.getnames() == ["home", "home/app", "home/deep", "home/deep/er", "home/deep/er/file", "home/note"]
    assert about["mode"] == 0o755 | 1 << 31
    container.start()
    container.wait()
    assert container.logs() == b"copied\n"


def test_no_link_leads_out_of_the_root(client):
    container = client.containers.create(IMAGE)
    pieces, _ = container.get_archive("/out/passwd")
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        assert tar.extractfile("passwd").read() == PASSWD
    _, about = container.get_archive("/out")
    assert about["linkTarget"] == "/etc"
    container.put_archive("/out", a_tar({"marker-of-a-test": b"x"}))
    assert not Path("/etc/marker-of-a-test").exists()
    with pytest.raises(APIError, match="leads out of the folder"):
        container.put_archive("/etc", a_tar({"../../marker-of-a-test": b"x"}))
    with pytest.raises(NotFound, match="Could not find the file /nothing in container"):
        container.get_archive("/nothing")
    with pytest.raises(APIError, match="too many levels of symbolic links"):
        container.get_archive("/loop/")


def test_changes_name_what_was_added_changed_and_deleted(client):
    container = client.containers.run(IMAGE, sh("echo x > /home/new; rm /etc/group; echo >> /etc/passwd"), detach=True)
    container.wait()
    found = {one["Path"]: one["Kind"] for one in container.diff()}
    assert found["/home/new"] == 1 and found["/etc/group"] == 2 and found["/etc/passwd"] == 0 and found["/home"] == 0
    assert "/bin" not in found and "/proc" not in found


def test_export_has_every_file(client):
    container = client.containers.create(IMAGE)
    with tarfile.open(fileobj=io.BytesIO(b"".join(container.export()))) as tar:
        assert {"bin/busybox", "etc/passwd", "out", "home/app"} <= set(tar.getnames())


# Looking


def test_inspect_tells_state_image_and_times(client):
    container = client.containers.run(IMAGE, sh("exit 2"), detach=True)
    container.wait()
    container.reload()
    state = container.attrs["State"]
    assert (state["Status"], state["ExitCode"], state["Running"], state["Pid"]) == ("exited", 2, False, 0)
    assert container.attrs["Created"] <= state["StartedAt"] <= state["FinishedAt"]
    assert container.image.id == client.images.get(IMAGE).id
    assert container.labels == {"of": "image"}


def test_top_and_stats_name_the_programs_processes(client):
    container = client.containers.run(IMAGE, ["sleep", "98764"], detach=True)
    rows = [" ".join(row) for row in container.top()["Processes"]]
    assert any("sleep 98764" in row for row in rows)
    assert container.stats(stream=False)["memory_stats"]["usage"] > 0


def test_a_health_check_turns_healthy_and_is_told(client):
    check = {"test": ["CMD-SHELL", "ls /ready"], "interval": 10**8, "retries": 1}
    container = client.containers.run(IMAGE, ["sleep", "60"], detach=True, healthcheck=check)

    def status():
        container.reload()
        return container.attrs["State"]["Health"]["Status"]

    eventually(lambda: status() == "unhealthy")
    container.exec_run("touch /ready")
    eventually(lambda: status() == "healthy")


def test_events_tell_a_containers_life(client):
    since = time.time()
    container = client.containers.run(IMAGE, sh("exit 1"), detach=True)
    container.wait()
    container.remove()
    told = [
        one for one in client.events(since=since, until=time.time() + 0.5, decode=True) if one["Type"] == "container"
    ]
    assert [one["Action"] for one in told if one["Actor"]["ID"] == container.id] == [
        "create",
        "start",
        "die",
        "destroy",
    ]


# The engine's end


@pytest.mark.parametrize("runner", RUNNERS)
def test_after_a_crash_containers_are_shown_as_killed_and_their_programs_are_gone(tmp_path, runner):
    engine = start_engine(tmp_path, runner)
    try:
        container = engine.client.containers.run(IMAGE, sh("echo before; sleep 98765"), detach=True, name="kept")
        engine.client.containers.run(IMAGE, ["sleep", "98765"], detach=True, auto_remove=True)
        engine.kill()
        engine.start()
        eventually(lambda: not processes("98765"))
        [found] = engine.client.containers.list(all=True)
        assert (found.name, found.status, found.attrs["State"]["ExitCode"]) == ("kept", "exited", 137)
        assert found.logs() == b"before\n"
        found.start()
        eventually(lambda: found.logs() == b"before\nbefore\n")
        assert container.id == found.id
    finally:
        engine.stop()
    assert not processes("98765")


# Parts


def test_users_are_looked_up_as_docker_does():
    files = {"/etc/passwd": PASSWD, "/etc/group": GROUP}
    assert passwd.resolve("", files.get) == (0, 0, (), "/root")
    assert passwd.resolve("app", files.get) == (1000, 1001, (50,), "/home/app")
    assert passwd.resolve("app:wheel", files.get) == (1000, 51, (), "/home/app")
    assert passwd.resolve("1000", files.get) == (1000, 1001, (50,), "/home/app")
    assert passwd.resolve("99", files.get) == (99, 0, (), "/")  # a number is never a name
    assert passwd.resolve("4000:4001", files.get) == (4000, 4001, (), "/")
    assert passwd.resolve("", {}.get) == (0, 0, (), "/")
    for wrong in ("nobody", "app:nobody", "-1", "4294967296"):
        with pytest.raises(BadRequest):
            passwd.resolve(wrong, files.get)


def test_a_log_is_bounded_and_a_reader_who_must_not_miss_anything_holds_the_writer(tmp_path):
    log = ContainerLog(tmp_path, limit=1000)
    log.open()
    for number in range(100):
        log.write(1, b"%03d" % number * 10)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2200
    kept = [record.data[:3] for record in all_of(log.reader())]
    assert kept[-1] == b"099" and len(kept) < 60
    log.close()


def all_of(reader) -> list[LogRecord]:
    found = []
    while records := reader.read():
        found += records
    return found


def test_half_a_record_that_a_crash_left_is_cut_off(tmp_path):
    log = ContainerLog(tmp_path)
    log.open()
    log.write(1, b"whole")
    log.close()
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes() + b"half")
    again = ContainerLog(tmp_path)
    again.open()
    again.write(2, b"next")
    assert [(one.stream, one.data) for one in all_of(again.reader())] == [(1, b"whole"), (2, b"next")]


def test_lines_are_put_together_for_each_stream_on_its_own():
    lines = LineSplitter()
    records = [LogRecord(1, 1, b"a"), LogRecord(2, 2, b"x\ny"), LogRecord(3, 1, b"b\nc")]
    assert list(lines.feed(records)) == [LogRecord(2, 2, b"x\n"), LogRecord(1, 1, b"ab\n")]
    assert lines.rest() == [LogRecord(2, 2, b"y"), LogRecord(3, 1, b"c")]


def test_a_swapped_folder_does_not_lead_out(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "up").symlink_to("../../outside")
    (root / "absolute").symlink_to(outside)
    with resolve(root, "/up/file", make=True) as spot:
        assert spot.path == "/outside/file"
    with resolve(root, "/absolute/../file", make=True) as spot:
        os.close(spot.open(os.O_WRONLY | os.O_CREAT))
    assert list(outside.iterdir()) == []


def test_lengths_of_time_are_worded_as_docker_words_them():
    spans = {
        0.4: "Less than a second",
        1: "1 second",
        59: "59 seconds",
        61: "About a minute",
        150: "2 minutes",
        3600: "About an hour",
        7200: "2 hours",
        172800: "2 days",
        1209600: "2 weeks",
    }
    assert {span: duration(span) for span in spans} == spans


def test_failures_do_not_count_while_a_container_may_take_its_time():
    told, results = [], iter([(1, ""), (1, ""), (0, "fine")])
    done = threading.Event()

    def probe(_, __):
        try:
            return next(results)
        finally:
            if len(told) or not results.__length_hint__():
                done.set()

    check = {"Test": ["CMD", "x"], "Interval": 10**7, "Retries": 1, "StartPeriod": 60 * 10**9}
    health = HealthMonitor(check, probe, told.append)
    health.start()
    assert done.wait(5)
    eventually(lambda: told == ["healthy"])
    health.stop()
