"""Images out of one store and into another, and archives that are not what they say."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import tarfile
import threading

import pytest
import zstandard
from pocket_engine.errors import BadRequest, Interrupted, NotFound
from pocket_engine.store import Store, save_load_import

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "here")
    yield store
    store.close()


@pytest.fixture
def other(tmp_path):
    store = Store(tmp_path / "there")
    yield store
    store.close()


def packed(files: dict[str, bytes | str]) -> bytes:
    """A tar of these files; a str is the text of a symbolic link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            made.addfile(info, io.BytesIO(content if isinstance(content, bytes) else b""))
    return out.getvalue()


def unpacked(raw: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as read:
        return {member.name: read.extractfile(member).read() for member in read if member.isreg()}


def sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def config(*layers: bytes, **more) -> bytes:
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{sha(layer)}" for layer in layers]}
    return json.dumps({"rootfs": rootfs, **more}).encode()


ONE, TWO = packed({"a": b"one"}), packed({"b": b"two"})


def image(store: Store, *layers: bytes, tags=(), **more):
    for layer in layers:
        store.layers.add(io.BytesIO(layer))
    raw = config(*layers, **more)
    return store.images.add_many([(raw, None, tags)])[0]


def saved(store: Store, *references: str) -> bytes:
    chunks = list(save_load_import.save(store.images, store.layers, references))
    assert max(map(len, chunks)) <= 1 << 20
    return b"".join(chunks)


def load(store: Store, raw: bytes, **options) -> list[str]:
    return [line["stream"] for line in save_load_import.load(store.images, store.layers, io.BytesIO(raw), **options)]


def docker(files: dict[str, bytes | str], *entries: dict) -> bytes:
    return packed({**files, "manifest.json": json.dumps(entries).encode()})


def oci(blobs: list[bytes], *descriptors: dict) -> bytes:
    files = {f"blobs/sha256/{sha(blob)}": blob for blob in blobs}
    index = {"schemaVersion": 2, "manifests": descriptors}
    return packed({"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode(), **files})


def descriptor(blob: bytes, kind: str = MANIFEST, **more) -> dict:
    return {"mediaType": kind, "digest": f"sha256:{sha(blob)}", "size": len(blob), **more}


def manifest(raw: bytes, *layers: bytes) -> bytes:
    return json.dumps({"config": descriptor(raw), "layers": [descriptor(layer) for layer in layers]}).encode()


def is_empty(store: Store) -> bool:
    return not store.images.all() and not store.blobs.all() and not list(store.blobs.temporary.iterdir())


# Saving


def test_an_image_comes_back_as_it_went(store, other):
    made = image(store, ONE, TWO, tags=["app:1"], history=[{"created_by": "x"}])
    assert load(other, saved(store, "app:1")) == ["Loaded image: app:1\n"]
    assert other.images.find("app:1") == made and other.images.tags(made.id) == ["app:1"]
    assert saved(other, "app:1") == saved(store, "app:1")


def test_a_shared_layer_is_saved_once_and_the_archive_is_an_oci_layout_too(store):
    image(store, ONE, TWO, tags=["app:1"])
    image(store, ONE, tags=["localhost:5000/base"])
    with tarfile.open(fileobj=io.BytesIO(saved(store, "app:1", "localhost:5000/base"))) as read:
        names = read.getnames()
    assert len(names) == len(set(names)) and sum(name.endswith(sha(ONE)) for name in names) == 1
    files = unpacked(saved(store, "app:1", "localhost:5000/base"))
    assert [one["RepoTags"] for one in json.loads(files["manifest.json"])] == [
        ["app:1"],
        ["localhost:5000/base:latest"],
    ]
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{sha(content)}"
    index = json.loads(files["index.json"])
    assert [one["annotations"]["io.containerd.image.name"] for one in index["manifests"]] == [
        "docker.io/library/app:1",
        "localhost:5000/base:latest",
    ]
    for one in index["manifests"]:
        inner = json.loads(files[f"blobs/sha256/{one['digest'][7:]}"])
        for part in [inner["config"], *inner["layers"]]:
            assert len(files[f"blobs/sha256/{part['digest'][7:]}"]) == part["size"]


def test_names_are_saved_as_they_are_asked_for(store):
    made = image(store, ONE, tags=["app:1", "app:2", "other"])

    def tags(*references):
        return json.loads(unpacked(saved(store, *references))["manifest.json"])[0]["RepoTags"]

    assert (
        tags("app") == ["app:1", "app:2"]
        and tags("app:2") == ["app:2"]
        and tags("app:2", "other") == ["app:2", "other:latest"]
    )
    assert tags(made.id) is None and tags(made.id[7:19]) is None


def test_an_image_without_layers_can_be_saved_and_loaded(store, other):
    made = image(store, tags=["empty"])
    assert load(other, saved(store, "empty")) == ["Loaded image: empty:latest\n"] and other.images.find("empty") == made


def test_what_is_not_there_cannot_be_saved(store):
    for name in ("none", "none:1", "sha256:" + "0" * 64):
        with pytest.raises(NotFound, match="No such image"):
            next(save_load_import.save(store.images, store.layers, [name]))


# Loading


@pytest.mark.parametrize("outer", [lambda raw: raw, gzip.compress, zstandard.compress])
@pytest.mark.parametrize("inner", [lambda raw: raw, gzip.compress, zstandard.compress])
def test_archives_and_layers_may_be_compressed(store, outer, inner):
    raw = config(ONE)
    files = {"c.json": raw, "x/layer.tar": inner(ONE)}
    entry = {"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["x/layer.tar"]}
    assert load(store, outer(docker(files, entry))) == ["Loaded image: app:1\n"]
    assert store.layers.open(f"sha256:{sha(ONE)}").read() == ONE and not list(store.blobs.temporary.iterdir())


def test_a_file_is_read_where_it_stands(store, other, tmp_path):
    image(store, ONE, tags=["app"])
    (tmp_path / "saved.tar").write_bytes(b"before" + saved(store, "app"))
    with open(tmp_path / "saved.tar", "rb") as file:
        file.seek(6)
        assert [line["stream"] for line in save_load_import.load(other.images, other.layers, file)] == [
            "Loaded image: app:latest\n"
        ]


def test_what_docker_saved_before_version_25_is_loaded(store):
    raw = config(ONE, ONE)
    first, second = "1" * 64, "2" * 64
    files = {
        f"{first}/layer.tar": ONE,
        f"{second}/layer.tar": f"../{first}/layer.tar",
        f"{sha(raw)}.json": raw,
        f"{first}/VERSION": b"1.0",
    }
    entry = {"Config": f"{sha(raw)}.json", "RepoTags": None, "Layers": [f"{first}/layer.tar", f"{second}/layer.tar"]}
    assert load(store, docker(files, entry)) == [f"Loaded image ID: sha256:{sha(raw)}\n"]


def test_an_oci_layout_is_loaded_and_the_image_for_this_machine_chosen(store):
    here = {"os": "linux", "architecture": save_load_import._MACHINES[platform.machine()]}
    mine, foreign, packed_layer = config(ONE), config(TWO), gzip.compress(ONE)
    ours, theirs = manifest(mine, packed_layer), manifest(foreign, TWO)
    proof = b'{"attestation": true}'
    inner = json.dumps(
        {
            "manifests": [
                descriptor(theirs, platform={"os": "linux", "architecture": "s390x"}),
                descriptor(proof, annotations={"vnd.docker.reference.type": "attestation-manifest"}),
                descriptor(ours, platform=here),
            ]
        }
    ).encode()
    named = descriptor(inner, INDEX, annotations={"io.containerd.image.name": "docker.io/library/app:1"})
    assert load(store, oci([mine, foreign, packed_layer, TWO, ours, theirs, proof, inner], named)) == [
        "Loaded image: app:1\n"
    ]
    assert [one.id for one in store.images.all()] == [f"sha256:{sha(mine)}"]


def test_an_image_that_loses_its_name_is_mentioned(store, other):
    old = image(store, ONE, tags=["app"])
    image(other, TWO, tags=["app"])
    told = load(store, saved(other, "app"))
    assert told == [
        f"The image app:latest already exists, renaming the old one with ID {old.id} to empty string\n",
        "Loaded image: app:latest\n",
    ]
    assert store.images.tags(old.id) == []


GOOD = {"Config": "c", "RepoTags": ["app:1"], "Layers": ["l"]}
BAD = manifest(config(ONE), ONE)
DAMAGED = {
    "other content than its digest says": docker({"c": config(ONE), "l": TWO}, GOOD),
    "other content than its digest says ": docker(
        {"0" * 64 + ".json": config(ONE), "l": ONE}, {**GOOD, "Config": "0" * 64 + ".json"}
    ),
    "other content than its digest says  ": packed(
        {**unpacked(oci([config(ONE), ONE, BAD], descriptor(BAD))), f"blobs/sha256/{sha(ONE)}": TWO}
    ),
    "layers length mismatch: expected 1, got 2": docker({"c": config(ONE), "l": ONE}, {**GOOD, "Layers": ["l", "l"]}),
    "no file 'l'": docker({"c": config(ONE)}, GOOD),
    "no file 'l' ": docker({"c": config(ONE), "l": "/etc/passwd"}, GOOD),
    "no file '../../etc/passwd'": docker({"c": config(ONE)}, {**GOOD, "Layers": ["../../etc/passwd"]}),
    "neither a manifest.json nor an index.json": ONE,
    "no image": docker({}),
    "no list of images": packed({"manifest.json": b"{}"}),
    "not as it should be": packed({"manifest.json": b"{"}),
    "not as it should be ": docker({}, {"Config": 5}),
    "not as it should be  ": packed({"index.json": b'{"manifests": 5}'}),
    "not as it should be   ": packed({"index.json": b'{"manifests": [{"digest": 5}]}'}),
    "not as it should be    ": packed({"index.json": b'{"manifests": ["x"]}'}),
    "not as it should be     ": oci([b"[]"], descriptor(b"[]")),
    "not as it should be      ": oci([b"{"], descriptor(b"{")),
    "no sha256 digest": packed({"index.json": b'{"manifests": [{"digest": "sha256:../../index.json"}]}'}),
    "configuration is none": docker({"c": b"[]", "l": ONE}, GOOD),
    "invalid reference format": docker({"c": config(ONE), "l": ONE}, {**GOOD, "RepoTags": ["A b"]}),
    "leads out": packed({"../x": b"xx"}),
    "no end marker": docker({"c": config(ONE), "l": ONE}, GOOD).rstrip(b"\0"),
    "checksum": b"no archive" * 1000,
}


@pytest.mark.parametrize("sentence", DAMAGED)
def test_a_damaged_archive_is_refused_and_leaves_nothing(store, sentence):
    raw = DAMAGED[sentence]
    raw += bytes(-len(raw) % 512)  # "no end marker" was cut inside a block
    with pytest.raises(BadRequest, match=sentence.strip()):
        load(store, raw)
    assert is_empty(store)


def test_of_an_archive_whose_second_image_is_bad_nothing_is_loaded(store):
    files = {"c1": config(ONE), "l1": ONE, "c2": config(TWO), "l2": ONE}
    entries = [{"Config": f"c{n}", "RepoTags": [f"app:{n}"], "Layers": [f"l{n}"]} for n in (1, 2)]
    with pytest.raises(BadRequest, match="other content"):
        load(store, docker(files, *entries))
    assert is_empty(store)


def test_indexes_that_are_nested_without_end_are_refused(store):
    blobs, inner = [], b'{"manifests": []}'
    for _ in range(8):
        blobs.append(inner)
        inner = json.dumps({"manifests": [descriptor(inner, INDEX)]}).encode()
    with pytest.raises(BadRequest, match="nested too deeply"):
        load(store, oci([*blobs, inner], descriptor(inner, INDEX)))


def test_who_hangs_up_stops_the_loading(store):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        load(store, docker({"c": config(ONE), "l": ONE}, GOOD), stop=stop)
    assert is_empty(store)


# Importing


def test_a_filesystem_becomes_an_image(store):
    def apply(made: dict, lines: list[str]) -> dict:
        return {**made, "Cmd": lines}

    made = save_load_import.import_(
        store.images, store.layers, io.BytesIO(gzip.compress(ONE)), "app", "1", ["x"], "from here", apply
    )
    assert store.images.find("app:1") == made and made.config["config"] == {"Cmd": ["x"]}
    assert (
        made.config["rootfs"]["diff_ids"] == [f"sha256:{sha(ONE)}"]
        and made.config["history"][0]["comment"] == "from here"
    )


def test_an_import_needs_no_name_but_a_good_one(store):
    made = save_load_import.import_(store.images, store.layers, io.BytesIO(ONE), "", "", [], "")
    assert store.images.tags(made.id) == []
    with pytest.raises(BadRequest, match="invalid reference format"):
        save_load_import.import_(store.images, store.layers, io.BytesIO(ONE), "A b", "", [], "")
