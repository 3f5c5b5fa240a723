"""`files()` says what a container of the image has: zero differences, on the engine at hand."""

from __future__ import annotations

import tarfile
import uuid

import agreement
import pytest
import workshop
from hand import archive_of, link


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """What an earlier test, or another engine, has read is not looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACTORY_FLOOR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize("image", workshop.bases.BASES)
def test_a_base_image_is_read_as_the_engine_sees_it(client, image):
    workshop.bases.ensure(client, [image])
    agrees(client, image)


@pytest.mark.parametrize("tag", agreement.SAMPLE_APPS)
def test_a_sample_app_is_read_as_the_engine_sees_it(client, tag):
    app, dockerfile = agreement.SAMPLE_APPS[tag]
    agrees(client, workshop.build(client, app, dockerfile, tag=tag).tag)


@pytest.mark.parametrize("image", ["busybox:1.37", "python:3.11-slim"])
def test_programs_inside_the_container_see_the_same(client, image):
    workshop.bases.ensure(client, [image])
    ours = agreement.listed(workshop.files(client, image), image)
    found = agreement.differences(ours, agreement.inside(client, image), mounted=agreement.MOUNTED)
    assert found.empty, found.to_string()


HARD = """FROM busybox:1.37
RUN mkdir -p /full/deep /again/old /plain && touch /full/deep/a /again/old/b && echo 1 > /file && echo 2 > /other
RUN ln /file /second-name && ln -s nowhere /dangling && mkfifo /pipe && chmod 4755 /other && chown 7:8 /plain
RUN rm -r /full && rm -r /again && mkdir /again && echo new > /again/new
RUN echo changed > /file && rm /other && mkdir /other && echo x > /other/x && rmdir /plain && echo now > /plain
RUN ln /again/new /linked-later && chmod 600 /second-name && truncate -s 3000000 /sparse && touch '/a b' /ü
"""


def test_what_a_build_can_do_to_lower_layers_is_read_as_the_engine_sees_it(client, app):
    """Deleted, emptied and replaced folders, a file for a folder and back, hard links within a layer and across."""
    agrees(client, workshop.build(client, app, HARD).tag)


LOWER = {
    "bin": None,
    "bin/true": b"no program",
    "d": None,
    "d/one": b"1",
    "d/two": b"22",
    "o": None,
    "o/old": b"old",
    "first": b"shared",
    "second": link(tarfile.LNKTYPE, "first"),
    "third": link(tarfile.LNKTYPE, "second"),
    "to": link(tarfile.SYMTYPE, "d/one"),
    "pipe": link(tarfile.FIFOTYPE, ""),
    "deep/" * 60 + "end": b"far",
    "new\nline": b"n",
    "ß" * 70: b"s",
    "turns": b"a file",
    "etc/hosts": b"ours",
    "run/x": b"x",
    "swap": None,
    "swap/x": b"x",
}

UPPER = {
    "d/.wh.one": b"",
    "o/.wh..wh..opq": b"",
    "o": None,
    "o/new": b"new",
    ".wh.first": b"",
    "turns": None,
    "turns/now": b"!",
    "second": b"own again",
    "swap": b"a file",
}


def test_layers_written_by_hand_are_read_as_the_engine_sees_them(client):
    """What no lesson builds: whiteouts beside hard links, an opaque folder, names that need an extension."""
    tag = f"factory/test-{uuid.uuid4().hex[:8]}:hand"
    client.images.load(archive_of([dict(LOWER), dict(UPPER)], kind="legacy", tag=tag))
    try:
        agrees(client, tag)
    finally:
        client.api.remove_image(tag)


def agrees(client, image: str) -> None:
    found, sentence = agreement.compare(client, image)
    assert ", 0 differences" in sentence and found.empty, f"{sentence}\n{found.head(30).to_string()}"
