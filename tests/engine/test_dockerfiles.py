"""What the sample apps promise, of the images that they build."""

import pytest
import workshop
from workshop.builders import build as building

SHELL_OR_MANAGER = r"(/usr)?(/local)?/s?bin/(sh|bash|dash|ash|busybox|apk|apt|apt-get|dpkg|pip|pip3)"


@pytest.mark.parametrize("box", ["alpine", "distroless", "scratch"])
def test_the_flask_app_answers_from_every_box(client, app, box):
    build = workshop.build(client, "flask_hello", f"Dockerfile.{box}", tag=f"factory/{app.name}:{box}")
    assert workshop.answer(client, build.tag).text.startswith("Hello")
    files = workshop.files(client, build.tag)
    tools = files.loc[files["visible"] & files["path"].str.fullmatch(SHELL_OR_MANAGER), "path"]
    assert (len(tools) == 0) is (box != "alpine")


@pytest.fixture
def leaky(client, app):
    """leaky(kind): the build of sample_apps/leaky, under a name of the test's own."""
    return lambda kind: workshop.build(client, "leaky", f"Dockerfile.{kind}", tag=f"factory/{app.name}:{kind}")


def own_waste(files):
    """waste() without what the base image brought along."""
    waste = workshop.waste(files)
    return waste[~waste["from_base"]]


def netrc() -> bytes:
    return (building.SAMPLE_APPS / "leaky" / "netrc").read_bytes()


def test_the_leaky_image_wastes_bytes_in_three_ways_and_keeps_the_password(client, leaky):
    build = leaky("single")
    files = workshop.files(client, build.tag)
    waste = own_waste(files)
    assert {"deleted", "overwritten", "metadata"} == set(waste.loc[waste["bytes"] > 1e6, "cause"])
    assert 40e6 < waste["bytes"].sum() < 100e6
    row = files[(files["path"] == "/root/.netrc") & (files["kind"] == "file")].iloc[0]
    assert row["hidden_by"] == "deleted"
    assert workshop.read(client, build.tag, "/root/.netrc", int(row["layer"])) == netrc()


def test_the_mended_image_says_the_same_without_password_or_waste(client, leaky):
    one, two = leaky("single"), leaky("multi")
    files = workshop.files(client, [one.tag, two.tag])
    secret = files.loc[(files["path"] == "/root/.netrc") & (files["kind"] == "file"), "digest"].iloc[0]
    assert set(files.loc[files["digest"] == secret, "image"]) == {one.tag}
    assert own_waste(files[files["image"] == two.tag])["bytes"].sum() < 1e6
    assert workshop.run(client, one.tag) == workshop.run(client, two.tag) == "400,000 parts in the catalogue."
    told = " ".join(entry["CreatedBy"] for entry in client.api.history(two.tag))
    assert netrc().split()[-1].decode() not in told
