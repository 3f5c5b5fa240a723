"""One path of an image: what a container that is never started says is what the layers say, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import threading

import docker
import pytest
import workshop
from at_hand import everything
from workshop.analysis.find import visible_at
from workshop.engine import peek
from workshop.engine.tidy import our_containers
from workshop.layer import cache
from workshop.lesson import check

RECIPE = """FROM busybox:1.37 AS made
RUN mkdir -p /out/real/deep /out/usr/bin /out/etc && cd /out \\
 && printf 12345 > real/file && ln real/file real/second && printf 1 > real/deep/one \\
 && ln -s real here && ln -s /real/deep absolute && ln -s ../../../../real out-of-it && ln -s here/deep twice \\
 && ln -s nowhere dangling && ln -s b a && ln -s a b && ln -s usr/bin bin && printf x > usr/bin/tool \\
 && mkfifo pipe && printf gone > gone && printf mine > etc/hostname && ln -s etc settings && ln -s real/file filelink
FROM scratch
COPY --from=made /out /
"""

PATHS = """/real/file /real/second /real /here/file /here /absolute/one /out-of-it/file /twice/one /dangling /dangling/x /a /a/x
/bin/tool /bin /usr/bin/tool /usr/bin/tool/x /pipe /nothing /nothing/at/all /real/../real/file /filelink /filelink/x
/here/deep/one /REAL/file""".split()
BY_LAYERS_ONLY = [
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/settings/hosts",
    "/.dockerenv",
    "/dev/null",
    "/proc",
]


@pytest.fixture(scope="module")
def image(client, busybox, shared_app):
    return workshop.build(client, shared_app, RECIPE, tag=f"factory/{shared_app.name}:odd").tag


def need_docker(client):
    if (name := workshop.engine.connect.describe(client)["engine"]) != "Docker Engine":
        pytest.skip(f"{name} is asked for its layers")


@pytest.mark.parametrize("path", [path for path in PATHS if ".." not in path])
def test_a_container_says_what_the_layers_say(client, image, path):
    need_docker(client)
    try:
        seen = peek.peek(client, image, path)
    except peek.CannotTell:
        assert path in ("/a", "/a/x"), "a circle of links is left to the layers"
        return
    found = visible_at(workshop.files(client, image), path)
    if found is None or seen is None:
        assert found is seen
        return
    kind = {"hard link": "file", "fifo": "other", "device": "other"}.get(found[0], found[0])
    assert (seen.kind, seen.bytes) == (kind, found[1])


@pytest.mark.parametrize("path", BY_LAYERS_ONLY)
def test_what_docker_puts_into_every_container_is_left_to_the_layers(client, image, path):
    need_docker(client)
    with pytest.raises(peek.CannotTell):
        peek.peek(client, image, path)


@pytest.mark.parametrize("path", PATHS + BY_LAYERS_ONLY)
def test_a_check_says_the_same_with_an_empty_cache_and_with_a_full_one(client, image, tmp_path, monkeypatch, path):
    workshop.files(client, image)
    full = [check.that(client, image, one(path)) for one in (check.has, check.lacks)]
    monkeypatch.setenv(cache.HERE, str(tmp_path))
    empty = [check.that(client, image, one(path)) for one in (check.has, check.lacks)]
    assert [repr(one) for one in empty] == [repr(one) for one in full]
    assert {bool(one) for one in full} == {True, False}


def test_a_check_of_one_path_exports_nothing(client, image, tmp_path, monkeypatch):
    need_docker(client)
    monkeypatch.setenv(cache.HERE, str(tmp_path))
    monkeypatch.setattr("workshop.layer.source._export", lambda *_, **__: pytest.fail("it was exported"))
    assert check.that(client, image, check.has("/bin/tool"), check.has("real/second"), check.lacks("/gone/by"))
    assert not check.that(client, image, check.lacks("/here/file"))


def test_what_a_volume_covers_is_left_to_the_layers(client, busybox, app):
    need_docker(client)
    tag = workshop.build(client, app, "FROM busybox:1.37\nRUN mkdir /v && echo 1 > /v/one\nVOLUME /v\n").tag
    before = everything(client)
    with pytest.raises(peek.CannotTell):
        peek.peek(client, tag, "/v/one")
    assert check.that(client, tag, check.has("/v/one"))
    assert everything(client)["volumes"] == before["volumes"]


def test_an_image_that_is_gone_is_told_as_ever(client, app):
    with pytest.raises(workshop.WorkshopError, match="no image factory/gone"):
        check.has("/x")(client, "factory/gone:1")


def test_a_container_that_somebody_removes_meanwhile_is_no_missing_path(client, image, monkeypatch):
    need_docker(client)
    real = docker.APIClient.head

    def removed_before(api, url, **given):
        for container in our_containers(client):
            if container.attrs["Config"]["Cmd"] == ["none"]:
                api.remove_container(container.id, force=True)
        return real(api, url, **given)

    monkeypatch.setattr(docker.APIClient, "head", removed_before)
    with pytest.raises(peek.CannotTell):
        peek.peek(client, image, "/nothing")


@pytest.mark.parametrize("milliseconds", [1, 5, 15, 30, 50, 80, 120])
def test_a_look_that_is_stopped_at_any_moment_leaves_no_container(client, image, milliseconds):
    need_docker(client)
    before = {container.id for container in our_containers(client)}
    timer = threading.Timer(milliseconds / 1000, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        while True:
            peek.peek(client, image, "/real/deep/one")
    assert {container.id for container in our_containers(client)} <= before
