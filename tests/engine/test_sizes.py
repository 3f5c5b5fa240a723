"""The meanings of "size", against what a real registry and a real container hold."""

import json
import urllib.request

import pytest
import workshop
from at_hand import needs_registry

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


def pushed_bytes(client, image: str, host: str) -> list[int]:
    """Push an image, and ask the registry how large each of its layers is: that is what a pull transfers."""
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
        return [layer["size"] for layer in manifest["layers"]]
    finally:
        client.api.remove_image(f"{there}:1")


@needs_registry
def test_the_compressed_size_is_what_a_registry_stores(client, registry, busybox, app):
    """Of a layer that the engine compressed, that is. One that `docker load` handed to a containerd store uncompressed is
    pushed as it is: then the registry has the bytes of its tar. Go's gzip, which engines use, makes 3 % more of machine
    code than zlib."""
    (app / "words").write_bytes(b"".join(str(number).encode() for number in range(1_000_000)))
    build = workshop.build(client, app, "FROM busybox:1.37\nCOPY words /words\n")
    base, whole = workshop.sizes(client, [busybox, build.tag], compressed=True).to_dict("records")
    *below, own = pushed_bytes(client, build.tag, registry)
    assert own == pytest.approx(whole["compressed"] - base["compressed"], rel=0.05)
    assert sum(below) == pytest.approx(base["compressed"], rel=0.05) or sum(below) == base["tar"]


def test_content_is_what_a_container_holds_plus_what_it_cannot_show(client, busybox, app):
    build = workshop.build(client, app, "FROM busybox:1.37\nRUN printf 12345 > /a && printf 1 > /b\nRUN rm /a\n")
    files = workshop.files(client, build.tag)
    sizes = workshop.sizes(client, build.tag).iloc[0]
    seen = files[files["visible"] & (files["kind"] == "file")]["bytes"].sum()
    assert sizes["bytes"] - seen == 5 and sizes["tar"] > sizes["bytes"]
    assert sizes["layers"] == len(client.api.inspect_image(build.tag)["RootFS"]["Layers"])
