"""Reading layers: archives of every format, the merged view, and real images."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile

import pytest
import workshop
import zstandard
from conftest import tar_of
from workshop import archive, merge, shelf
from workshop.history import instruction, made_layers


def link(kind, target, name="x"):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def layout(layers: list[bytes], history: list[dict], legacy: bool, pack=lambda layer: layer) -> bytes:
    """An archive as `save` would send it, Docker 20.10's layout or the OCI one."""
    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": history}).encode()
    packed = [pack(layer) for layer in layers]
    blob = lambda content: f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"  # noqa: E731
    names = [f"{number}/layer.tar" if legacy else blob(one) for number, one in enumerate(packed)]
    config_name = "config.json" if legacy else blob(config)
    entries = dict(zip(names, packed)) | {config_name: config}
    if not legacy:
        entries |= {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": b'{"manifests": []}'}
    entries["manifest.json"] = json.dumps([{"Config": config_name, "RepoTags": None, "Layers": names}]).encode()
    return tar_of(entries)


LOWER = tar_of({"etc": None, "etc/a": b"one", "etc/b": b"two", "old": None, "old/deep": None, "old/deep/c": b"3"})
UPPER = tar_of({"etc/a": b"changed", ".wh.old": b"", "etc/.wh.b": b"", "new": b"n"})
HISTORY = [
    {"created_by": "/bin/sh -c #(nop) COPY dir:1 in / "},
    {"created_by": '/bin/sh -c #(nop)  CMD ["sh"]', "empty_layer": True},
    {"created_by": "/bin/sh -c rm -rf /old"},
]


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
def test_every_layout_and_compression_gives_the_same_layers(legacy, pack):
    packed = layout([LOWER, UPPER], HISTORY, legacy, pack)
    pieces = [packed[start : start + 1000] for start in range(0, len(packed), 1000)]
    layers, configs = archive.read_archive(pieces, "test")
    first, second = (f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in (LOWER, UPPER))
    assert set(layers) == {first, second}
    assert [entry[:3] for entry in layers[first] if entry[1] == "file"] == [
        ("/etc/a", "file", 3), ("/etc/b", "file", 3), ("/old/deep/c", "file", 1),
    ]  # fmt: skip
    assert [entry[:2] for entry in layers[second]] == [
        ("/etc/a", "file"), ("/old", "whiteout"), ("/etc/b", "whiteout"), ("/new", "file"),
    ]  # fmt: skip
    assert made_layers(configs[0], 2) == [HISTORY[0]["created_by"], HISTORY[2]["created_by"]]


def test_a_files_digest_is_that_of_its_content():
    _, entries = archive.read_layer(archive._Joined(LOWER[:512], io.BytesIO(LOWER[512:])))
    digests = {entry[0]: entry[7] for entry in entries}
    assert digests["/etc/a"] == f"sha256:{hashlib.sha256(b'one').hexdigest()}" and digests["/etc"] == ""


@pytest.mark.parametrize("length", [100, 600, 5000])
def test_a_truncated_archive_is_refused_in_words(length):
    with pytest.raises(workshop.WorkshopError, match="The archive broken cannot be read"):
        archive.read_archive([layout([LOWER, UPPER], HISTORY, False)[:length]], "broken")


def entries(names: dict) -> list[tuple]:
    content = tar_of(names)
    return archive.read_layer(archive._Joined(content[:512], io.BytesIO(content[512:])))[1]


def visible(*layers: list[tuple]) -> set[str]:
    gone = merge.hidden(list(layers))
    return {
        entry[0]
        for number, layer in enumerate(layers)
        for index, entry in enumerate(layer)
        if (number, index) not in gone and entry[1] not in ("whiteout", "opaque")
    }


def test_a_deleted_directory_hides_everything_below_it():
    assert visible(entries({"d": None, "d/a": b"", "d/e": None, "d/e/b": b""}), entries({".wh.d": b""})) == set()


def test_a_whiteout_hides_lower_layers_only_whatever_its_place():
    lower = entries({"a": b"1"})
    assert visible(lower, entries({"a": b"2", ".wh.a": b""})) == {"/a"}
    assert merge.hidden([lower, entries({"a": b"2", ".wh.a": b""})]) == {(0, 0): ("deleted", 1)}


def test_an_opaque_directory_hides_what_is_below_and_keeps_its_own():
    lower = entries({"d": None, "d/a": b"", "d/s": None, "d/s/b": b""})
    upper = entries({"d": None, "d/n": b"", "d/.wh..wh..opq": b""})
    assert visible(lower, upper) == {"/d", "/d/n"}


def test_a_bare_whiteout_prefix_is_a_file_like_any_other():
    assert visible(entries({"a": b""}), entries({".wh.": b""})) == {"/a", "/.wh."}


def test_a_file_over_a_directory_hides_its_content():
    assert visible(entries({"d": None, "d/a": b""}), entries({"d": b"now a file"})) == {"/d"}


def test_a_symlink_over_a_directory_hides_its_content():
    assert visible(entries({"d": None, "d/a": b""}), entries({"d": link(tarfile.SYMTYPE, "/e", "d")})) == {"/d"}


def test_a_directory_again_keeps_its_content():
    assert visible(entries({"d": None, "d/a": b""}), entries({"d": None, "d/b": b""})) == {"/d", "/d/a", "/d/b"}


def test_the_inventory_of_a_real_image(client, busybox, app):
    (app / "data.txt").write_text("12345")
    recipe = 'FROM busybox:1.37\nCOPY data.txt /d/one\nRUN rm /d/one && ln -s /nowhere /d/two && echo 123 > /d/three\nCMD ["true"]\n'
    build = workshop.build(client, app, recipe)
    files = workshop.files(client, build.tag)
    base = len(client.api.inspect_image(busybox)["RootFS"]["Layers"])
    own = files[(files["layer"] >= base)].set_index("path")
    assert own.loc["/d/three", ["kind", "size", "visible"]].tolist() == ["file", 4, True]
    assert own.loc["/d/two", ["kind", "linkname"]].tolist() == ["symlink", "/nowhere"]
    one = own[own.index == "/d/one"].set_index("kind")
    assert one.loc["file", ["visible", "hidden_by", "hidden_by_layer"]].tolist() == [False, "deleted", base + 1]
    assert own.loc["/d/three", "created_by"].startswith("RUN rm /d/one")
    table = workshop.layers(files)
    assert table["bytes"].iloc[base] == 5 and table["bytes"].iloc[base + 1] == 4
    listed = workshop.run(
        client,
        build.tag,
        "find / -xdev -type f -not -path '/etc/host*' -not -path '/etc/resolv*' -not -path '/.dockerenv'",
    )
    seen = set(files[files["visible"] & files["kind"].isin(["file", "hard link"])]["path"])
    assert {
        path for path in listed.splitlines() if not path.startswith(("/proc", "/sys", "/dev", "/run/.container"))
    } == {path for path in seen if not path.startswith(("/etc/host", "/etc/resolv", "/dev"))}


def test_sizes_come_from_the_layers_and_the_engines_figure_stands_beside(client, busybox, app):
    build = workshop.build(client, app, "FROM busybox:1.37\nRUN dd if=/dev/zero of=/z bs=1000 count=50\nRUN rm /z\n")
    sizes = workshop.sizes(client, [busybox, build.tag]).set_index("image")
    assert sizes.loc[build.tag, "bytes"] - sizes.loc[busybox, "bytes"] == 50_000, "a deleted file is still shipped"
    assert sizes.loc[build.tag, "engine"] == client.api.inspect_image(build.tag)["Size"]


def test_a_layer_that_was_read_is_not_exported_again(client, busybox, tmp_path, monkeypatch):
    monkeypatch.setenv(shelf.HERE, str(tmp_path))
    first = workshop.files(client, busybox)
    monkeypatch.setattr("workshop.inventory._export", lambda *_: pytest.fail("it was exported again"))
    assert workshop.files(client, busybox).equals(first)


def test_a_damaged_cache_file_is_read_anew(client, busybox, tmp_path, monkeypatch):
    monkeypatch.setenv(shelf.HERE, str(tmp_path))
    first = workshop.files(client, busybox)
    for path in tmp_path.rglob("*.json.gz"):
        path.write_bytes(path.read_bytes()[:50])
    shelf._read.cache_clear()
    assert workshop.files(client, busybox).equals(first)


def test_a_cache_that_cannot_be_written_does_no_harm(client, busybox, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(shelf.HERE, str(tmp_path / "file"))
    assert len(workshop.files(client, busybox)) > 0


def test_an_image_that_is_not_there_is_named(client):
    with pytest.raises(workshop.WorkshopError, match="no image factory/nothing"):
        workshop.files(client, "factory/nothing")


@pytest.mark.parametrize(
    "created_by, plain",
    [
        ("/bin/sh -c #(nop) COPY file:abc in /x ", "COPY to /x"),
        ('/bin/sh -c #(nop)  CMD ["sh"]', 'CMD ["sh"]'),
        ("/bin/sh -c apt-get update", "RUN apt-get update"),
        ("|1 V=2 /bin/sh -c make", "RUN make"),
        ("RUN /bin/sh -c make # buildkit", "RUN make"),
        ("COPY a b # buildkit", "COPY a b"),
        ("", "(no instruction recorded)"),
    ],
)
def test_history_is_shown_as_the_dockerfile_would_say_it(created_by, plain):
    assert instruction(created_by) == plain
