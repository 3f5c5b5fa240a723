"""What somebody built on an image of ours inherits our label, and is theirs: on every path that changes, renames or removes."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import uuid

import docker
import pytest
import workshop
from at_hand import address, forget
from workshop import labels
from workshop.archives import tar_of
from workshop.bases import certificates, kit, standins
from workshop.bases.known import in_engine, is_ours
from workshop.engine import tidy
from workshop.progress import Panel

# What adds no layer, and a label that comes with the request. BuildKit leaves no line of the last two in the history.
SETTINGS = {"classic": ("ENV THEIRS=1", "ONBUILD RUN true"), "buildkit": ("USER 1", "ONBUILD RUN true", "")}


def build(client, text: str, tag: str | None, own: dict[str, str] | None = None) -> str:
    """An image that the classic builder makes; its id."""
    image, _ = client.images.build(fileobj=io.BytesIO(text.encode()), tag=tag, labels=own or {}, rm=True, forcerm=True)
    return image.id


def by_buildkit(client, text: str, tag: str, own: dict[str, str]) -> str:
    """The same by `docker build`; its id."""
    command = ["docker", "build", "-q", "-t", tag, *(f"--label={key}={value}" for key, value in own.items()), "-"]
    environment = os.environ | {"DOCKER_HOST": address(client), "DOCKER_BUILDKIT": "1"}
    subprocess.run(command, env=environment, input=text, text=True, check=True, capture_output=True)
    return client.images.get(tag).id


@pytest.fixture(scope="module")
def builders(client):
    """{name: how it builds} of the builders that people have here."""
    has_buildkit = workshop.engine.connect.describe(client)["engine"] == "Docker Engine" and shutil.which("docker")
    return {"classic": build, **({"buildkit": by_buildkit} if has_buildkit else {})}


@pytest.fixture(scope="module")
def repository(client):
    """A name that nobody else has."""
    name = f"ours-{uuid.uuid4().hex[:8]}"
    yield name
    for image in client.api.images(filters={"reference": name}):
        for tag in labels.tags_of(client, image):
            client.api.remove_image(tag)


def stand_in(client, busybox, name: str) -> str:
    """A stand-in of an older recipe, without certificates; its name."""
    own = {
        labels.LABEL: labels.STAND_IN,
        f"{labels.LABEL}.stand-in-for": name,
        f"{labels.LABEL}.recipe": "an older one",
    }
    build(client, f"FROM {busybox}\nENV OURS={name}\n", name, own)
    return name


@pytest.fixture(scope="module")
def ours(client, busybox, repository):
    return stand_in(client, busybox, f"{repository}:1")


@pytest.fixture(scope="module")
def theirs(client, ours, repository, builders):
    """{name: id} of what somebody built on it, with settings alone."""
    made = {}
    for which, make in builders.items():
        for number, line in enumerate(SETTINGS[which]):
            name = f"{repository}:theirs-{which}-{number}"
            made[name] = make(client, f"FROM {ours}\n{line}\n", name, {} if line else {"theirs": "2"})
    return made


@pytest.fixture
def as_it_was(client, ours, theirs):
    """Whatever a test did to them, they are what they were."""
    before = client.images.get(ours).id
    yield
    assert {name: client.images.get(name).id for name in theirs} == theirs
    client.api.tag(before, *ours.split(":"))


@pytest.fixture
def intercepted(fresh_resolver, monkeypatch, tmp_path):
    """A network that intercepts TLS."""
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n")
    monkeypatch.setenv(certificates.CA_FILE, str(tmp_path / "ca.pem"))
    certificates.bundle.cache_clear()


def test_it_is_theirs_whichever_name_it_has(client, ours, theirs):
    for name, image in theirs.items():
        found = client.api.inspect_image(image)
        assert not is_ours(client, name, found) and not is_ours(client, ours, found), name
    assert is_ours(client, ours, in_engine(client, ours)), "the same check lets ours through"


def test_a_build_on_it_and_renewing_give_it_no_certificates(client, ours, theirs, as_it_was, intercepted):
    workshop.bases.ensure(client, list(theirs))
    assert workshop.bases.renew(client, list(theirs)) == []
    assert workshop.bases.renew(client, [ours]) == [ours], "the same check lets ours through"


def test_under_our_own_name_it_is_neither_made_again_nor_changed(
    client, ours, theirs, as_it_was, intercepted, monkeypatch
):
    """They gave it the very name of the stand-in: an outdated one of ours would be made anew."""
    monkeypatch.setattr(standins, "NAMES", (*standins.NAMES, ours))
    monkeypatch.setitem(standins._RECIPES, ours, standins._RECIPES["busybox:1.37"])
    monkeypatch.setattr(standins, "can_build", lambda name: None)
    for image in theirs.values():
        client.api.tag(image, *ours.split(":"))
        workshop.bases.ensure(client, [ours])
        assert workshop.bases.renew(client, [ours]) == []
        with pytest.raises(standins.StandInError, match="not a stand-in"):
            standins.build(client, ours)
        assert client.images.get(ours).id == image


def test_loading_a_class_kit_gives_the_name_back(client, ours, theirs, as_it_was, tmp_path):
    kit_file = tmp_path / "kit.tar"
    workshop.bases.save_kit(client, kit_file, (ours,))
    for image in theirs.values():
        client.api.tag(image, *ours.split(":"))
        with Panel("Loading") as panel:
            kit.load_kit(client, kit_file, panel, "kit")
        assert client.images.get(ours).id == image


def test_tidying_up_bases_leaves_it_alone(client, ours, theirs):
    listed = {one["Id"] for one in tidy.our_images(client, bases=True)}
    assert not listed & set(theirs.values()) and client.images.get(ours).id in listed


def test_a_name_of_theirs_on_an_image_of_ours_is_theirs(client, busybox, repository, intercepted):
    """`docker tag`, or a Dockerfile with nothing but FROM: the name goes on meaning that image."""
    ours, name = stand_in(client, busybox, f"{repository}:named"), f"{repository}:their-name"
    client.api.tag(ours, *name.split(":"))
    before = client.images.get(name).id
    workshop.bases.ensure(client, [name])
    assert workshop.bases.renew(client, [name]) == [] and client.images.get(name).id == before
    assert workshop.bases.renew(client, [ours]) == [ours]
    assert client.images.get(name).id == before != client.images.get(ours).id


def test_a_base_with_our_certificates_is_renewed_under_the_name_that_it_was_made_for(client, repository, intercepted):
    """An official image with the layer on top: which base it is stands on it."""
    name = f"{repository}:official"
    client.api.import_image_from_data(tar_of({"theirs": b"1"}), *name.split(":"))
    assert not is_ours(client, name, in_engine(client, name))
    assert certificates.add_layer(client, name, "Docker Hub", lambda text: None)
    made = in_engine(client, name)
    assert is_ours(client, name, made) and not is_ours(client, f"{repository}:another", made)


def test_an_app_and_its_stages_stay_ours_on_a_base_that_has_labels_without_a_line(
    client, ours, repository, builders, app
):
    """As a base that BuildKit made has them: they were there before."""
    labelled = f"{repository}:labelled"
    [*_, make] = builders.values()
    make(client, f"FROM {ours}\nONBUILD ENV LATER=1\n", labelled, {"vendor": "somebody"})
    text = f"FROM {labelled} AS one\nRUN echo {app.name} > /one\nFROM {labelled}\nCOPY --from=one /one /two\n"
    for which in builders:
        made = workshop.build(client, app, text, tag=f"factory/{app.name}:{which}", builder=which)
        for tag, kind in ((made.tag, labels.IMAGE), (made.stage_tags["one"], labels.STAGE)):
            assert labels.made_here(client, tag, kind), (which, tag)
    assert set(workshop.tidy(client, app.name)["outcome"]) == {"removed"}


def test_an_app_of_ours_with_triggers_is_ours_and_so_is_what_we_build_on_it(client, busybox, builders, app):
    for which in builders:
        own = {"builder": which, "tag": f"factory/{app.name}:{which}"}
        made = workshop.build(client, app, f"FROM {busybox}\nONBUILD ENV LATER=1\n", **own)
        on_it = workshop.build(client, app, f"FROM {made.tag}\nENV X=1\n", **own | {"tag": f"{made.tag}-on"})
        assert labels.made_here(client, made.tag, labels.IMAGE) and labels.made_here(client, on_it.tag, labels.IMAGE)


def test_what_somebody_builds_on_an_app_of_ours_is_not_tidied_away(client, busybox, app, builders):
    made = workshop.build(client, app, f"FROM {busybox}\nRUN echo {app.name} > /x\n")
    theirs = []
    for which, make in builders.items():
        for number, line in enumerate(SETTINGS[which]):
            tag = f"factory/{app.name}:theirs-{which}-{number}"
            theirs.append(make(client, f"FROM {made.tag}\n{line}\n", tag, {} if line else {"theirs": "2"}))
    try:
        workshop.tidy(client, app.name)
        assert [one for one in theirs if in_engine(client, one) is None] == []
    finally:
        forget(client, app.name)


def test_a_nameless_image_that_a_build_of_ours_stands_on_stays(client, busybox, app):
    theirs = build(client, f"FROM {busybox}\nRUN echo {app.name} > /theirs\n", None)
    text = f"FROM {theirs} AS one\nRUN echo 1 > /one\nFROM {theirs}\nCOPY --from=one /one /two\n"
    try:
        workshop.build(client, app, text, builder="classic")  # BuildKit looks for a nameless base in a registry
        assert set(workshop.tidy(client, app.name)["outcome"]) == {"removed"}
        assert in_engine(client, theirs), "it was there before, and is somebody's"
    finally:
        with contextlib.suppress(docker.errors.ImageNotFound):
            labels.remove_untagged(client, theirs)


def test_a_container_of_what_was_committed_from_one_of_ours_is_theirs(client, busybox, app):
    """`docker commit` takes the container's label along, and a container inherits its image's."""
    if workshop.engine.connect.describe(client)["engine"] == "Pocket engine":
        pytest.skip("the pocket engine has no commit")
    name = f"committed-{app.name}"
    ours = client.containers.create(busybox, "true", labels={labels.LABEL: labels.CONTAINER})
    image = ours.commit(name)
    theirs = client.containers.create(name, "true", name=name)
    try:
        listed = {one.id for one in tidy.our_containers(client)}
        assert ours.id in listed and theirs.id not in listed
    finally:
        theirs.remove()
        ours.remove()
        client.api.remove_image(image.id, force=True)
