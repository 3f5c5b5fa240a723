"""The meanings of "size", against what a real registry and a real container hold."""

import json
import urllib.request

import pytest
import workshop
from test_bases import needs_registry, registry  # noqa: F401

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


def pushed_bytes(client, image: str, host: str) -> int:
    """Push an image, and ask the registry how large its layers are: that is what a pull transfers."""
    there = f"{host}/pushed"
    client.api.tag(image, there, "1")
    try:
        told = "".join(client.api.push(there, "1"))
        assert '"error"' not in told, told[-300:]
        request = urllib.request.Request(f"http://{host}/v2/pushed/manifests/1", headers={"Accept": MANIFEST})
        manifest = json.load(urllib.request.urlopen(request))
        if "manifests" in manifest:  # an index, as the containerd store pushes it
            request.full_url = f"http://{host}/v2/pushed/manifests/{manifest['manifests'][0]['digest']}"
            manifest = json.load(urllib.request.urlopen(request))
        return sum(layer["size"] for layer in manifest["layers"])
    finally:
        client.api.remove_image(f"{there}:1")


@needs_registry
def test_the_compressed_size_is_what_a_registry_stores(client, registry, busybox, app):  # noqa: F811
    (app / "words").write_bytes(b"".join(str(number).encode() for number in range(1_000_000)))
    build = workshop.build(client, app, "FROM busybox:1.37\nCOPY words /words\n")
    ours = workshop.sizes(client, build.tag, compressed=True)["compressed"][0]
    assert ours == pytest.approx(pushed_bytes(client, build.tag, registry), rel=0.03)


def test_content_is_what_a_container_holds_plus_what_it_cannot_show(client, busybox, app):
    build = workshop.build(client, app, "FROM busybox:1.37\nRUN printf 12345 > /a && printf 1 > /b\nRUN rm /a\n")
    files = workshop.files(client, build.tag)
    sizes = workshop.sizes(client, build.tag).iloc[0]
    seen = files[files["visible"] & (files["kind"] == "file")]["size"].sum()
    assert sizes["bytes"] - seen == 5 and sizes["tar"] > sizes["bytes"]
    assert sizes["layers"] == len(client.api.inspect_image(build.tag)["RootFS"]["Layers"])
