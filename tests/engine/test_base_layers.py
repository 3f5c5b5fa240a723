"""from_base: which layers came with the base image, on whatever engine answers."""

from __future__ import annotations

import io
import uuid

import docker
import pytest
import workshop
from at_hand import need_buildkit
from workshop.archives import tar_of


@pytest.fixture
def raw(client):
    """raw(dockerfile, tag) builds without the workshop: no label, no helper. What it tagged is removed."""
    made = []

    def build(text: str, tag: str, **options) -> str:
        context = io.BytesIO(tar_of({"Dockerfile": text.encode(), "one": b"1", "two": b"2"}))
        for message in client.api.build(
            fileobj=context, custom_context=True, tag=tag, rm=True, forcerm=True, decode=True, **options
        ):
            assert "error" not in message, message
        made.append(tag)
        return tag

    yield build
    for tag in reversed(made):
        try:
            client.api.remove_image(tag)
        except docker.errors.APIError:
            pass


@pytest.fixture
def name():
    """A repository of one's own."""
    return f"test-{uuid.uuid4().hex[:8]}"


def own_paths(files, image: str) -> set[str]:
    """The files that did not come with the base image."""
    own = files[(files["image"] == image) & ~files["from_base"] & (files["kind"] == "file")]
    return set(own["path"])


def split(client, image: str) -> tuple[list[bool], str | None]:
    """(from_base by layer, the base image's name)."""
    files = workshop.files(client, image)
    return workshop.layers(files)["from_base"].tolist(), files.attrs["bases"].get(image)


def depth(client, image: str) -> int:
    return len(client.api.inspect_image(image)["RootFS"]["Layers"])


TWO_STAGES = """
FROM busybox:1.37 AS builder
RUN echo built > /product
FROM busybox:1.37 AS ready
RUN echo ready > /ready
FROM ready
COPY --from=builder /product /product
"""


def test_a_two_stage_build_has_what_its_last_from_names_from_the_base(client, busybox, app):
    build = workshop.build(client, app, TWO_STAGES)
    files = workshop.files(client, [build.tag, *list(build.stage_tags.values())[:-1], busybox])
    assert own_paths(files, build.tag) == {"/ready", "/product"}, "a stage is no base, what that one is built on is"
    assert own_paths(files, build.stage_tags["builder"]) == {"/product"}
    assert own_paths(files, busybox) == set(files.loc[(files["image"] == busybox) & (files["kind"] == "file"), "path"])
    assert files.attrs["bases"] == dict.fromkeys([build.tag, *list(build.stage_tags.values())[:-1]], busybox)
    assert workshop.base_of(client, [build.tag, busybox]) == {build.tag: busybox}
    layers = workshop.layers(files[files["image"] == build.tag])
    assert layers["from_base"].tolist() == [True] * depth(client, busybox) + [False] * 2
    assert layers.attrs["base"] == busybox
    assert "base" not in workshop.layers(files).attrs, "of several images"


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
def test_a_build_that_adds_no_layer_is_all_base(client, busybox, app, builder):
    if builder == "buildkit":
        need_buildkit(client)
    recipe = 'FROM busybox:1.37 AS plain\nFROM plain\nENV A=1\nCMD ["true"]\n'
    build = workshop.build(client, app, recipe, builder=builder)
    for image in build.stage_tags.values():
        assert split(client, image) == ([True] * depth(client, busybox), busybox)
    assert split(client, busybox)[1] is None, "the base is not built on what was built on it"


def test_a_foreign_image_on_a_known_base(client, busybox, raw, name):
    image = raw("FROM busybox:1.37\nCOPY one /one\nCMD true\n", f"{name}:1")
    assert split(client, image) == ([True] * depth(client, busybox) + [False], busybox)
    image_id = client.api.inspect_image(image)["Id"]
    assert own_paths(workshop.files(client, image_id), image_id) == {"/one"}, "by its id, too"
    idle = raw("FROM busybox:1.37\nENV A=1\n", f"{name}-idle:1")
    assert split(client, idle) == ([True] * depth(client, busybox), busybox)


def test_the_nearest_image_from_outside_is_the_base(client, busybox, raw, name):
    team = raw("FROM busybox:1.37\nCOPY one /one\n", f"{name}/team-base:1")
    image = raw(f"FROM {team}\nCOPY two /two\n", f"{name}/app:1")
    assert split(client, image) == ([True] * (depth(client, busybox) + 1) + [False], team)


def test_an_earlier_build_of_the_same_repository_is_no_base(client, busybox, raw, name):
    raw("FROM busybox:1.37\nCOPY one /one\n", f"{name}:builder")
    image = raw("FROM busybox:1.37\nCOPY one /one\nCOPY two /two\n", f"{name}:1")
    assert split(client, image) == ([True] * depth(client, busybox) + [False] * 2, busybox)


def test_the_same_dockerfile_built_without_the_workshop_is_no_base(client, busybox, app, raw, name):
    lines = "FROM busybox:1.37\nCOPY one /one\n"
    (app / "one").write_bytes(b"1")
    other = raw(lines, f"{name}:1")
    build = workshop.build(client, app, lines, builder="classic")  # whose cache the other was put into
    stacks = [client.api.inspect_image(image)["RootFS"]["Layers"] for image in (other, build.tag)]
    assert stacks[0] == stacks[1], "it came from the cache"
    assert split(client, build.tag) == ([True] * depth(client, busybox) + [False], busybox)


def test_what_the_workshop_built_for_an_app_is_no_base(client, busybox, app, raw, name):
    built = workshop.build(client, app, "FROM busybox:1.37\nRUN echo 1 > /one\n")
    image = raw(f"FROM {built.tag}\nCOPY two /two\n", f"{name}:1")
    assert split(client, image) == ([True] * depth(client, busybox) + [False] * 2, busybox)


def test_nothing_in_an_image_from_scratch_came_with_a_base(client, raw, name):
    image = raw("FROM scratch\nCOPY one /one\nCOPY two /two\n", f"{name}:1")
    assert split(client, image) == ([False, False], None)


def test_an_archive_does_not_say_what_its_base_was(client, busybox, app, tmp_path):
    build = workshop.build(client, app, "FROM busybox:1.37\nRUN echo 1 > /one\n")
    path = tmp_path / "saved.tar"
    path.write_bytes(b"".join(client.api.get_image(build.tag)))
    files = workshop.files(client, [path, build.tag])
    own = len(workshop.files(client, build.tag))
    assert not files["from_base"].iloc[:-own].any() and files["from_base"].iloc[-own:].any(), "of one name, told apart"
    alone = workshop.files(None, path)
    assert not alone["from_base"].any() and alone.attrs["bases"] == {}
    assert not workshop.layers(alone)["from_base"].any()
