"""tidy(): removes what carries the workshop's label, and nothing that anybody else made."""

import docker
import pytest
import workshop
from at_hand import everything, traces_of
from workshop.archives import tar_of
from workshop.engine.tidy import our_containers, our_images
from workshop.labels import tags_of


@pytest.fixture
def foreign(client, busybox, app):
    """Somebody else's image, container, network and volume, and an image that they built on one of ours."""
    name = f"foreign-{app.name}"
    client.api.import_image_from_data(tar_of({"theirs": app.name.encode()}), repository=name, tag="1")
    ours = workshop.build(client, app, f"FROM busybox:1.37\nRUN echo {app.name} > /ours\n")
    (app / "Dockerfile").write_text(f"FROM {ours.tag}\nRUN echo theirs > /theirs\n")
    client.images.build(path=str(app), tag=f"{name}:on-ours", rm=True)
    client.api.tag(ours.tag, name, "their-name-for-ours")
    container = client.containers.create(busybox, "true", name=name)
    of_ours = client.containers.create(ours.tag, "true", name=f"{name}-of-ours")
    others = []
    if workshop.engine.connect.describe(client)["engine"] != "Pocket engine":  # which has neither
        others = [client.networks.create(name), client.volumes.create(name)]
    yield name, ours
    container.remove()
    of_ours.remove()
    for one in others:
        one.remove()
    for tag in ("on-ours", "their-name-for-ours", "1"):
        try:
            client.api.remove_image(f"{name}:{tag}")
        except docker.errors.ImageNotFound:
            pass


def test_nothing_of_anyone_elses_is_touched(client, foreign, app):
    name, ours = foreign
    before = everything(client)
    workshop.build(client, app, "FROM busybox:1.37\nRUN echo more > /more\n", tag=f"factory/{app.name}:more")
    workshop.run(client, ours.tag, "cat /ours")
    workshop.tidy(client, app=app.name)
    after = everything(client)
    for kind in ("containers", "networks", "volumes"):
        assert after[kind] == before[kind]
    theirs = {tag for tag in before["tags"] if not tag.startswith("factory/")}
    assert theirs <= after["tags"]
    assert {f"{name}:1", f"{name}:on-ours", f"{name}:their-name-for-ours"} <= theirs


def test_the_whole_sweep_would_take_only_what_is_labelled_as_ours(client, foreign, app):
    name, ours = foreign
    wanted = our_images(client)
    assert ours.image in {image["Id"] for image in wanted}
    on_ours = client.images.get(f"{name}:on-ours").id
    assert on_ours not in {image["Id"] for image in wanted}, "it inherits the label, but somebody else built it"
    assert not [
        tag for image in wanted for tag in image.get("RepoTags") or [] if tag.startswith(("busybox:", "python:"))
    ]
    assert not [one for one in our_containers(client) if one.name.startswith(name)]


def test_what_the_workshop_made_is_gone_afterwards(client, busybox, app):
    build = workshop.build(
        client, app, f"FROM busybox:1.37 AS a\nRUN echo {app.name} > /a\nFROM busybox:1.37\nCOPY --from=a /a /a\n"
    )
    container = client.containers.create(build.tag, "true", labels={"factory-floor": "container"})
    assert container.id in {one.id for one in our_containers(client)}
    container.remove()
    outcome = workshop.tidy(client, app=app.name)
    assert set(outcome["outcome"]) == {"removed"} and len(outcome) == 2
    assert traces_of(client, app.name) == []


def test_a_registry_called_localhost_is_no_part_of_a_name_of_ours(client, busybox, app):
    if workshop.engine.connect.describe(client)["engine"] == "Podman":
        pytest.skip("Podman calls every image of its own so")
    build = workshop.build(client, app, f"FROM busybox:1.37\nRUN echo {app.name} > /ours\n")
    theirs = f"localhost/{build.tag}"
    client.api.tag(build.tag, *theirs.rsplit(":", 1))
    try:
        assert set(tags_of(client, client.api.inspect_image(build.image))) == {build.tag, theirs}
        assert workshop.tidy(client, app=app.name)["name"].tolist() == [build.tag]
        assert theirs in everything(client)["tags"]
    finally:
        client.api.remove_image(theirs)


def test_tidying_twice_does_no_harm(client, busybox, app):
    workshop.build(client, app, "FROM busybox:1.37\nRUN true\n")
    workshop.tidy(client, app=app.name)
    assert workshop.tidy(client, app=app.name).empty


def test_what_the_engine_will_not_let_go_is_said_and_goes_the_next_time(client, busybox, app):
    """An image that somebody's container stands on stays, with the reason; what is free goes all the same."""
    held = workshop.build(
        client, app, f"FROM busybox:1.37\nRUN echo {app.name} > /held\n", tag=f"factory/{app.name}:held"
    )
    free = workshop.build(
        client, app, f"FROM busybox:1.37\nRUN echo {app.name} > /free\n", tag=f"factory/{app.name}:free"
    )
    theirs = client.containers.create(held.tag, "true")
    try:
        outcome = workshop.tidy(client, app=app.name).set_index("name")["outcome"]
        assert outcome[free.tag] == "removed" and outcome[held.tag].startswith("kept: ")
        assert client.images.list(name=held.tag) and not client.images.list(name=free.tag)
        assert client.containers.list(all=True, filters={"id": theirs.id}), "their container is theirs"
    finally:
        theirs.remove()
    assert workshop.tidy(client, app=app.name).set_index("name")["outcome"].to_dict() == {held.tag: "removed"}
    assert traces_of(client, app.name) == []
