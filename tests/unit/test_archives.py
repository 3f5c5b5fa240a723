"""Archives as other tools write them, and as `docker load` takes them: what is an image in them, and what it is called."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import os
import struct

import pytest
import workshop
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from workshop.archives import tar_of
from workshop.layer.archive import read_archive

INDEX, MANIFEST = "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"
CONFIG, LAYER = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"
ONE, OTHER = tar_of({"a": b"1" * 1000}), tar_of({"b": b"2" * 700})


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FACTORY_FLOOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def sha(content: bytes, kind: str = "sha256") -> str:
    return f"{kind}:{hashlib.new(kind, content).hexdigest()}"


class Layout:
    """An OCI image layout under construction."""

    def __init__(self):
        self.members = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def put(self, content: bytes, media: str, kind: str = "sha256", **more) -> dict:
        digest = sha(content, kind)
        self.members["blobs/" + digest.replace(":", "/")] = content
        return {"mediaType": media, "digest": digest, "size": len(content), **more}

    def image(self, *layers: bytes, pack=bytes, media=LAYER, hashed="sha256", lines=None, arch="amd64", tag="", **more):
        config = {"os": "linux", "architecture": arch}
        config["rootfs"] = {"type": "layers", "diff_ids": [sha(layer, hashed) for layer in layers]}
        if lines:
            config["history"] = [{"created_by": line} for line in lines]
        manifest = {
            "schemaVersion": 2,
            "config": self.put(json.dumps(config).encode(), CONFIG, hashed),
            "layers": [self.put(pack(layer), media) for layer in layers],
        }
        notes = {"annotations": {"org.opencontainers.image.ref.name": tag}} if tag else {}
        return self.put(json.dumps(manifest).encode(), MANIFEST, hashed, **notes, **more)

    def packed(self, *entries: dict) -> bytes:
        return tar_of(self.members | {"index.json": json.dumps({"schemaVersion": 2, "manifests": entries}).encode()})


def saved(*images: tuple) -> bytes:
    """What `docker save` wrote before version 25. images: (tags or None, layers, their lines)."""
    members, listing = {}, []
    for tags, layers, lines in images:
        config = {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [sha(layer) for layer in layers]}}
        config["history"] = [{"created_by": line} for line in lines]
        text = json.dumps(config).encode()
        names = [f"{sha(layer)[7:]}/layer.tar" for layer in layers]
        members |= {f"{sha(text)[7:]}.json": text} | dict(zip(names, layers))
        listing.append({"Config": f"{sha(text)[7:]}.json", "RepoTags": tags, "Layers": names})
    return tar_of(members | {"manifest.json": json.dumps(listing).encode()})


def bytes_of(packed: bytes, name: str = "some.tar") -> dict[str, int]:
    """{image: bytes} of an archive."""
    with open(name, "wb") as file:
        file.write(packed)
    return workshop.by_image(workshop.files(None, f"./{name}"))


# ---- what each image is called -----------------------------------------------------------------------------------------


def test_two_images_without_a_tag_are_two():
    found = bytes_of(saved((None, [ONE], []), (None, [OTHER], [])))
    assert sorted(found.values()) == [700, 1000] and all(len(name) == 12 for name in found)


def test_one_image_without_a_tag_goes_by_the_archives_name():
    assert bytes_of(saved((None, [ONE], []))) == {"some.tar": 1000}


def test_two_platforms_of_one_tag_are_told_apart():
    layout = Layout()
    both = [layout.image(ONE, arch="amd64", tag="app:1"), layout.image(OTHER, arch="arm64", tag="app:1")]
    assert bytes_of(layout.packed(*both)) == {"app:1 (linux/amd64)": 1000, "app:1 (linux/arm64)": 700}


def test_an_index_of_platforms_under_one_tag_is_as_many_images():
    layout = Layout()
    inner = {"schemaVersion": 2, "manifests": [layout.image(ONE, arch="amd64"), layout.image(OTHER, arch="s390x")]}
    entry = layout.put(json.dumps(inner).encode(), INDEX)
    entry["annotations"] = {"io.containerd.image.name": "app:1"}
    assert bytes_of(layout.packed(entry)) == {"app:1 (linux/amd64)": 1000, "app:1 (linux/s390x)": 700}


def test_every_tag_of_an_image_means_it():
    with open("tags.tar", "wb") as file:
        file.write(saved((["app:1", "app:latest"], [ONE], []), (["other:1"], [OTHER], [])))
    files = workshop.files(None, "./tags.tar")
    assert list(files["image"].unique()) == ["app:1", "other:1"]
    assert workshop.diff(files, "app:1", "app:latest").empty
    assert list(workshop.diff(files, "app:latest", "other:1")["change"]) == ["removed", "added"]


def test_one_tag_in_two_archives_is_two_images():
    for name, layer in (("old.tar", ONE), ("new.tar", OTHER)):
        with open(name, "wb") as file:
            file.write(saved((["app:1"], [layer], [])))
    found = workshop.by_image(workshop.files(None, ["./old.tar", "./new.tar"]))
    assert list(found.values()) == [1000, 700] and list(found)[0] == "app:1" and "app:1@" in list(found)[1]


def test_of_an_archive_of_several_images_no_file_is_read_blindly():
    with open("two.tar", "wb") as file:
        file.write(saved((["app:1"], [ONE], []), (["other:1"], [OTHER], [])))
    with pytest.raises(workshop.WorkshopError, match="There are 2 images in ./two.tar: app:1, other:1"):
        workshop.read(None, "./two.tar", "/a")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(["a:1", "a:2", "b:1"]), max_size=2, unique=True),
            st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True),
            st.sampled_from(["RUN make", "COPY . /"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_no_two_images_are_ever_added_up(images):
    """Beside an oracle that knows nothing of names: distinct (layers, lines), each with its own sum."""
    tars = [tar_of({f"f{number}": b"x" * 10**number}) for number in range(4)]
    packed = saved(*[(tags, [tars[one] for one in stack], [line] * len(stack)) for tags, stack, line in images])
    distinct = {(tuple(stack), line) for _, stack, line in images}
    called = read_archive([packed], "test").called()
    sums = [
        sum(10 ** int(path[2:]) for layer in image.diff_ids for path in _paths(packed, layer))
        for image in called.values()
    ]
    assert sorted(sums) == sorted(sum(10**one for one in stack) for stack, _ in distinct)


def _paths(packed: bytes, diff_id: str) -> list[str]:
    return read_archive([packed], "test").layers[diff_id].columns["path"]


# ---- which instruction made a layer --------------------------------------------------------------------------------------


def test_equal_layers_keep_the_instructions_of_their_own_image():
    for name, line in (("a.tar", "COPY x / # buildkit"), ("b.tar", "RUN /bin/sh -c make # buildkit")):
        with open(name, "wb") as file:
            file.write(saved(([f"{name[0]}:1"], [ONE], [line])))
    for _ in range(2):  # the second time from the cache
        files = workshop.files(None, ["./a.tar", "./b.tar"])
        assert files.set_index("image")["created_by"].to_dict() == {"a:1": "COPY x /", "b:1": "RUN make"}


# ---- what else may be in an archive ----------------------------------------------------------------------------------------


def signature(layout: Layout) -> dict:
    """As cosign keeps one: a manifest whose layer is a text."""
    return layout.image(b'{"critical":{}}', media="application/vnd.dev.cosign.simplesigning.v1+json")


def bill_of_materials(layout: Layout) -> dict:
    layer = layout.put(gzip.compress(b'{"spdx":1}'), "application/spdx+json+gzip")
    config = layout.put(b"{}", "application/vnd.oci.empty.v1+json")
    manifest = {"schemaVersion": 2, "artifactType": "application/spdx+json", "config": config, "layers": [layer]}
    return layout.put(json.dumps(manifest).encode(), MANIFEST)


def not_fetched(layout: Layout) -> dict:
    return {"mediaType": MANIFEST, "digest": "sha256:" + "a" * 64, "size": 3}


@pytest.mark.parametrize("other", [signature, bill_of_materials, not_fetched])
@pytest.mark.parametrize("first", [True, False])
def test_what_is_no_image_or_not_here_is_passed_over(other, first):
    layout = Layout()
    entries = [layout.image(ONE, tag="app:1"), other(layout)]
    assert bytes_of(layout.packed(*(entries if first else entries[::-1]))) == {"app:1": 1000}


@pytest.mark.parametrize("other", [signature, bill_of_materials, not_fetched])
def test_an_archive_of_nothing_else_says_so(other):
    layout = Layout()
    entry = other(layout)
    with pytest.raises(workshop.WorkshopError, match="holds no image|a{64} is missing"):
        bytes_of(layout.packed(entry))


def test_a_layer_of_no_bytes_is_one_without_files():
    assert bytes_of(saved((["app:1"], [ONE, b""], []))) == {"app:1": 1000}


def test_a_tar_from_before_posix_is_one():
    old = bytearray(ONE)
    old[257:512], old[148:156] = bytes(255), b" " * 8
    old[148:156] = b"%06o\0 " % sum(old[:512])
    assert bytes_of(saved((["app:1"], [bytes(old)], []))) == {"app:1": 1000}


def test_sha512_names_are_digests_too():
    layout = Layout()
    entry = layout.image(ONE, tag="app:1", hashed="sha512")
    assert bytes_of(layout.packed(entry)) == {"app:1": 1000}
    layout.members |= {name: text + b" " for name, text in layout.members.items() if "sha512" in name}
    with pytest.raises(workshop.WorkshopError, match="not what its digest says"):
        bytes_of(layout.packed(entry))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_an_archive_may_be_compressed_as_a_whole_and_its_layers_too(pack):
    layout = Layout()
    assert bytes_of(pack(layout.packed(layout.image(ONE, OTHER, tag="app:1", pack=pack)))) == {"app:1": 1700}


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_streams_one_after_the_other_are_one_and_a_cut_one_is_refused(pack):
    halves = [ONE[:1000], ONE[1000:]]
    layout = Layout()
    entry = layout.image(ONE, tag="app:1", pack=lambda layer: b"".join(map(pack, halves)))
    assert bytes_of(layout.packed(entry)) == {"app:1": 1000}
    layout = Layout()
    entry = layout.image(ONE, tag="app:1", pack=lambda layer: pack(layer)[:-20])
    with pytest.raises(workshop.WorkshopError, match="breaks off before its end"):
        bytes_of(layout.packed(entry))


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_rubbish_that_begins_like_it_is_refused_in_words(pack):
    layout = Layout()
    entry = layout.image(ONE, tag="app:1", pack=lambda layer: pack(layer)[:20] + os.urandom(500))
    with pytest.raises(workshop.WorkshopError, match="cannot be read"):
        bytes_of(layout.packed(entry))


def test_padding_between_streams_may_be_longer_than_a_read():
    def padded(layer: bytes) -> bytes:
        return lzma.compress(layer[:1000]) + bytes(3 << 20) + lzma.compress(layer[1000:]) + bytes(400)

    layout = Layout()
    assert bytes_of(layout.packed(layout.image(ONE, tag="app:1", pack=padded))) == {"app:1": 1000}


def test_zstd_may_begin_with_a_note():
    note = struct.pack("<II", 0x184D2A50, 8) + b"x" * 8
    layout = Layout()
    entry = layout.image(ONE, tag="app:1", pack=lambda layer: note + zstandard.compress(layer))
    assert bytes_of(layout.packed(entry)) == {"app:1": 1000}


@pytest.mark.parametrize(
    "media, says",
    [
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "layer 0 is encrypted"),
        ("application/vnd.oci.image.layer.nydus.blob.v1", "layer 0 is in the format of nydus"),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "it is a foreign layer"),
        (LAYER, "is missing"),
    ],
)
def test_what_cannot_be_read_is_named(media, says):
    layout = Layout()
    entry = layout.image(ONE, tag="app:1", media=media, pack=lambda layer: os.urandom(900))
    with pytest.raises(workshop.WorkshopError, match=says):
        bytes_of(layout.packed(entry))
