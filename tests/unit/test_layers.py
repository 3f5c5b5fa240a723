"""Reading layers: archives of every format, and the merged view."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pandas as pd
import pytest
import workshop
import zstandard
from hand import archive_of, frame_of, link
from workshop.archives import tar_of
from workshop.dockerfiles.history import instruction
from workshop.layer import archive, base_layers, files
from workshop.layer import layer as layer_tar

LOWER = tar_of({"etc": None, "etc/a": b"one", "etc/b": b"two", "old": None, "old/deep": None, "old/deep/c": b"3"})

UPPER = tar_of({"etc/a": b"changed", ".wh.old": b"", "etc/.wh.b": b"", "new": b"n"})

HISTORY = [
    {"created_by": "/bin/sh -c #(nop) COPY dir:1 in / "},
    {"created_by": '/bin/sh -c #(nop)  CMD ["sh"]', "empty_layer": True},
    {"created_by": "/bin/sh -c rm -rf /old"},
]


@pytest.mark.parametrize("kind", ["legacy", "docker", "oci"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
def test_every_layout_and_compression_gives_the_same_layers(kind, pack):
    packed = archive_of([LOWER, UPPER], HISTORY, kind, pack)
    pieces = [packed[start : start + 1000] for start in range(0, len(packed), 1000)]
    read = archive.read_archive(pieces, "test")
    first, second = (f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in (LOWER, UPPER))
    assert set(read.layers) == {first, second} and read.images[0].diff_ids == [first, second]
    assert rows(read.layers[first], "file") == [("/etc/a", 3), ("/etc/b", 3), ("/old/deep/c", 1)]
    assert rows(read.layers[second], "file") == [("/etc/a", 7), ("/new", 1)]
    assert rows(read.layers[second], "whiteout") == [("/old", 0), ("/etc/b", 0)]
    assert read.images[0].instructions == [HISTORY[0]["created_by"], HISTORY[2]["created_by"]]
    assert read.layers[first].tar_bytes == len(LOWER)
    assert read.layers[first].stored_bytes == (None if pack is bytes else len(pack(LOWER)))


def rows(layer, kind: str) -> list[tuple]:
    columns = layer.columns
    return [
        (path, size)
        for path, number, size in zip(columns["path"], columns["kind"], columns["bytes"])
        if layer_tar.KINDS[number] == kind
    ]


def test_one_archive_may_mix_compressions():
    tars = [tar_of({f"f{number}": b"x" * 100}) for number in range(3)]
    packers = iter([bytes, gzip.compress, zstandard.ZstdCompressor().compress])
    read = archive.read_archive([archive_of(tars, None, "docker", lambda tar: next(packers)(tar))], "test")
    assert [read.layers[one].stored_bytes is None for one in read.images[0].diff_ids] == [True, False, False]


def test_a_link_to_a_layer_may_come_before_the_layer():
    whole = archive_of([LOWER], HISTORY[:1], "legacy")
    with tarfile.open(fileobj=io.BytesIO(whole)) as archived:
        members = {member.name: archived.extractfile(member).read() for member in archived}
    members["manifest.json"] = members["manifest.json"].replace(b"0/layer.tar", b"1/layer.tar")
    linked = tar_of({"1/layer.tar": link(tarfile.SYMTYPE, "../0/layer.tar", "1/layer.tar")} | members)
    assert archive.read_archive([linked], "test").images[0].instructions == [HISTORY[0]["created_by"]]


def test_a_nested_index_is_followed_and_attestations_are_not(tmp_path):
    with tarfile.open(fileobj=io.BytesIO(archive_of([LOWER], None, "oci", tag="factory/x:1"))) as archived:
        archived.extractall(tmp_path, filter="data")
    inner = json.loads((tmp_path / "index.json").read_bytes())
    noise = dict(inner["manifests"][0], annotations={"vnd.docker.reference.type": "attestation-manifest"})
    inner["manifests"] += [noise, dict(noise, annotations={}, platform={"os": "unknown", "architecture": "unknown"})]
    packed = json.dumps(inner).encode()
    name = hashlib.sha256(packed).hexdigest()
    (tmp_path / "blobs/sha256" / name).write_bytes(packed)
    outer = {"schemaVersion": 2, "manifests": [{"digest": f"sha256:{name}", "size": len(packed)}]}
    (tmp_path / "index.json").write_text(json.dumps(outer))
    assert set(workshop.files(None, tmp_path)["image"]) == {"factory/x:1"}


@pytest.mark.parametrize("length", [100, 600, 5000])
def test_a_truncated_archive_is_refused_in_words(length):
    with pytest.raises(workshop.WorkshopError, match="The archive broken cannot be read"):
        archive.read_archive([archive_of([LOWER, UPPER], HISTORY)[:length]], "broken")


def test_a_files_digest_is_that_of_its_content_and_a_hard_link_has_its_files():
    files = frame_of([{"b": b"one", "a": link(tarfile.LNKTYPE, "b"), "c": link(tarfile.LNKTYPE, "./a"), "d": None}])
    digests = files.set_index("path")["digest"].to_dict()
    one = f"sha256:{hashlib.sha256(b'one').hexdigest()}"
    assert digests == {"/b": one, "/a": one, "/c": one, "/d": ""}
    assert files["bytes"].sum() == 3 and files.set_index("path")["linkname"].to_dict()["/c"] == "/a"


def test_devices_long_names_odd_names_and_extended_attributes_are_read():
    device, capable = tarfile.TarInfo("null"), tarfile.TarInfo("ping")
    device.type, device.devmajor, device.devminor = tarfile.CHRTYPE, 1, 3
    capable.pax_headers = {"SCHILY.xattr.security.capability": "\x01\x02"}
    long = "d/" * 120 + "end"
    packed = io.BytesIO()
    with tarfile.open(
        fileobj=packed, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
    ) as tar:
        for entry in (device, capable, tarfile.TarInfo(long), tarfile.TarInfo("caf\udce9")):
            tar.addfile(entry)
    files = frame_of([packed.getvalue()]).set_index("path")
    assert files.loc["/null", ["kind", "linkname"]].tolist() == ["device", "1:3"]
    assert files.loc["/ping", "xattrs"] == "security.capability=0102"
    assert f"/{long}" in files.index and "/caf\udce9" in files.index


def test_a_sparse_files_size_is_its_expanded_size(tmp_path):
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(10_000_000)
        file.seek(5_000_000)
        file.write(b"data")
    subprocess.run(["tar", "--sparse", "-C", tmp_path, "-cf", tmp_path / "layer.tar", "sparse"], check=True)
    layer = (tmp_path / "layer.tar").read_bytes()
    files = frame_of([layer])
    assert len(layer) < 100_000 and files["bytes"].tolist() == [10_000_000]
    assert files["digest"][0] == f"sha256:{hashlib.sha256((tmp_path / 'sparse').read_bytes()).hexdigest()}"


def test_a_frame_without_rows_has_the_columns_types_all_the_same():
    nothing, something = frame_of([{}]), frame_of([{"a": b"1"}])
    plain = [name for name in nothing if not isinstance(nothing[name].dtype, pd.CategoricalDtype)]
    assert nothing.empty and nothing[plain].dtypes.equals(something[plain].dtypes)


def test_hard_links_in_a_circle_are_refused():
    with pytest.raises(workshop.WorkshopError, match="hard links lead in a circle"):
        frame_of([{"a": link(tarfile.LNKTYPE, "b"), "b": link(tarfile.LNKTYPE, "a")}])


def test_where_one_layer_deletes_and_replaces_the_cause_does_not_hang_on_the_order():
    for upper in ({".wh.a": b"", ".wh..wh..opq": b""}, {".wh..wh..opq": b"", ".wh.a": b""}):
        assert frame_of([{"a": b"1"}, upper]).loc[0, "hidden_by"] == "deleted"


def test_a_path_that_leads_out_of_the_image_is_refused_in_words(tmp_path):
    (tmp_path / "x.tar").write_bytes(archive_of([LOWER]))
    with pytest.raises(workshop.WorkshopError, match="leads out of the image"):
        workshop.read(None, tmp_path / "x.tar", "../etc/a")


def visible(*layers: dict) -> set[str]:
    files = frame_of(list(layers))
    return set(files[files["visible"]]["path"])


def test_a_deleted_directory_hides_everything_below_it():
    assert visible({"d": None, "d/a": b"", "d/e": None, "d/e/b": b""}, {".wh.d": b""}) == set()


def test_a_whiteout_hides_lower_layers_only_whatever_its_place():
    for upper in ({"a": b"2", ".wh.a": b""}, {".wh.a": b"", "a": b"2"}):
        files = frame_of([{"a": b"1"}, upper])
        assert files[files["visible"]]["path"].tolist() == ["/a"] and files[files["visible"]]["layer"].tolist() == [1]
        assert files.loc[0, ["hidden_by", "hidden_by_layer"]].tolist() == ["deleted", 1]


def test_an_opaque_directory_hides_what_is_below_and_keeps_its_own():
    lower = {"d": None, "d/a": b"", "d/s": None, "d/s/b": b""}
    assert visible(lower, {"d": None, "d/n": b"", "d/.wh..wh..opq": b""}) == {"/d", "/d/n"}


def test_a_bare_whiteout_prefix_is_a_file_like_any_other():
    assert visible({"a": b""}, {".wh.": b""}) == {"/a", "/.wh."}


def test_a_file_over_a_directory_hides_its_content():
    assert visible({"d": None, "d/a": b""}, {"d": b"now a file"}) == {"/d"}


def test_a_symlink_over_a_directory_hides_its_content():
    assert visible({"d": None, "d/a": b""}, {"d": link(tarfile.SYMTYPE, "/e")}) == {"/d"}


def test_a_directory_again_keeps_its_content():
    assert visible({"d": None, "d/a": b""}, {"d": None, "d/b": b""}) == {"/d", "/d/a", "/d/b"}


def test_a_layer_of_no_entries_still_counts():
    files = frame_of([{"a": b"1"}, {}, {"b": b"2"}], ["one", "two", "three"])
    assert files[["path", "layer", "created_by"]].values.tolist() == [["/a", 0, "one"], ["/b", 2, "three"]]


def test_a_layer_is_shared_if_another_image_has_it_and_not_for_being_there_twice():
    stacks = {"one": ["base", "own", "own"], "two": ["base", "other"], "three": ["alone"]}
    assert {image: files.shared(image, stacks) for image in stacks} == {"one": ["base"], "two": ["base"], "three": []}


def test_of_several_bases_the_highest_counts_and_of_its_names_the_shortest():
    known = {
        "low": ("a",),
        "high-too": ("a", "b"),
        "high": ("a", "b"),
        "other": ("b",),
        "app:0": ("a", "b"),
        "none": (),
    }
    assert base_layers.candidates(("a", "b", "c"), ["app:1"], known) == ["high", "high-too", "low"]


def test_a_history_that_does_not_fit_is_not_guessed_at():
    assert set(frame_of([{"a": b"1"}, {"b": b"2"}], ["one"])["created_by"]) == {"(no instruction recorded)"}
    assert set(frame_of([{"a": b"1"}])["created_by"]) == {"(no instruction recorded)"}


def test_packages_are_those_of_the_visible_databases_with_the_layer_that_brought_them():
    dpkg = lambda *names: "".join(  # noqa: E731
        f"Package: {name}\nStatus: install ok installed\nInstalled-Size: 2\nVersion: 1\n\n" for name in names
    ).encode()
    about = "/usr/lib/python3/x/flask-3.dist-info"
    layers = [
        {
            "var/lib/dpkg/status": dpkg("libc6", "gone"),
            "lib/apk/db/installed": b"P:musl\nV:1.2\nI:600\n\nP:zlib\nV:1\n",
        },
        {"var/lib/dpkg/status": dpkg("libc6", "gcc"), f"{about}/METADATA": b"Name: Flask\nVersion: 3\n\nName: no\n"},
        {f"{about}/RECORD": b"", "var/lib/dpkg/status.d/tz": dpkg("tzdata"), "lib/apk/db/.wh.installed": b""},
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.tar"
        path.write_bytes(archive_of(layers, [{"created_by": line} for line in ("A", "B", "C")]))
        found = workshop.packages(None, path)
    assert found[["manager", "name", "version", "bytes", "layer", "created_by"]].values.tolist() == [
        ["dpkg", "gcc", "1", 2048, 1, "B"],
        ["dpkg", "libc6", "1", 2048, 0, "A"],
        ["dpkg", "tzdata", "1", 2048, 2, "C"],
        ["python", "Flask", "3", 0, 1, "B"],
    ]


@pytest.mark.parametrize(
    "created_by, plain",
    [
        ("/bin/sh -c #(nop) COPY file:abc0 in /x ", "COPY to /x"),
        ("/bin/sh -c #(nop) COPY --chown=1000:1000file:4ff8e4 in . ", "COPY --chown=1000:1000 to ."),
        ("/bin/ash -e -c #(nop) WORKDIR /x", "WORKDIR /x"),
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


def test_a_name_that_begins_like_a_folders_is_not_in_it():
    """/a-b sorts between /a and /a/b: what happens to the folder is no business of its neighbour's."""
    lower = {"a": None, "a-b": b"1", "a/b": b"22", "a.c": b"333"}
    assert visible(lower) == {"/a", "/a-b", "/a/b", "/a.c"}
    assert visible(lower, {".wh.a": b""}) == {"/a-b", "/a.c"}
    assert visible(lower, {"a/.wh..wh..opq": b"", "a": None}) == {"/a", "/a-b", "/a.c"}
    assert visible(lower, {"a": b"a file"}) == {"/a", "/a-b", "/a.c"}
    assert visible(lower, {".wh.a-b": b""}) == {"/a", "/a/b", "/a.c"}
    turned = {name: lower[name] for name in ("a/b", "a-b", "a.c", "a")}
    assert visible(turned, {".wh.a": b""}) == {"/a-b", "/a.c"}
