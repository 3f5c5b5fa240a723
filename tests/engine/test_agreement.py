"""`files()` says what a container of the image has: zero differences, on the engine at hand."""

from __future__ import annotations

import io
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


FILE = ("/etc/a", "file", 3, 0o644, 0, 0, "", "sha256:1")


OTHERS = [(1, "symlink"), (2, 4), (3, 0o4644), (4, 7), (5, 7), (6, "x"), (7, "sha256:2")]


def view(*rows: tuple):
    return agreement._view(rows)


@pytest.mark.parametrize("field, other", OTHERS)
def test_the_comparison_sees_every_field(field, other):
    changed = (*FILE[:field], other, *FILE[field + 1 :])
    found = agreement.differences(view(FILE), view(changed))
    assert agreement.FIELDS[field - 1] in set(found["field"])
    assert agreement.differences(view(FILE), view(FILE)).empty


def test_the_comparison_sees_what_only_one_side_has():
    folder = ("/var", "directory", 0, 0o755, 0, 0, "", "")
    assert list(agreement.differences(view(FILE, folder), view(FILE))["ours"]) == ["listed"]
    assert list(agreement.differences(view(FILE), view(FILE, folder))["engine"]) == ["there"]
    assert list(agreement.differences(view(FILE, FILE), view(FILE))["ours"]) == ["listed twice"]


def test_only_the_engines_own_and_implicit_folders_are_excused():
    made = [(path, "file", 0, 0o755, 0, 0, "", "") for path in sorted(agreement.REPLACED)]
    parent = ("/etc", "directory", 0, 0o755, 0, 0, "", "")
    assert agreement.differences(view(FILE), view(FILE, parent, *made)).empty
    hosts = ("/etc/hosts", "file", 9, 0o600, 1, 1, "", "sha256:3")
    assert agreement.differences(view(FILE, hosts), view(FILE, *made)).empty
    assert list(agreement.differences(view(FILE, hosts), view(FILE))["path"]) == ["/etc/hosts"]


def test_an_export_is_read_with_its_hard_links_resolved():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("a")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"abc"))
        archive.addfile(link(tarfile.LNKTYPE, "a", "b"))
    pieces = [packed.getvalue()[at : at + 1000] for at in range(0, len(packed.getvalue()), 1000)]
    with tarfile.open(fileobj=agreement.Chunks(pieces), mode="r|") as merged:
        first, second = agreement._members(merged)
    assert first[0] == "/a" and second[0] == "/b" and first[1:] == second[1:] and first[2] == 3
