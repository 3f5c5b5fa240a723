"""Stacks of layers that nobody would think of: `workshop.files()` against the naive merge in oracle.py.

Few and the same every time by default; HYPOTHESIS_PROFILE=weekly tries 200 new ones, and HYPOTHESIS_PROFILE=long 20,000.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tarfile
from collections import Counter

import oracle
import pytest
import workshop
import zstandard
from hand import archive_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from oracle import Entry, is_below, joined, marker, split

settings.register_profile("short", max_examples=20, deadline=None, derandomize=True, database=None)
settings.register_profile("weekly", max_examples=200, deadline=None, database=None, print_blob=True)
settings.register_profile("long", max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))

KINDS = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
}
PACKS = {"plain": bytes, "gzip": lambda tar: gzip.compress(tar, 1), "zstd": zstandard.ZstdCompressor().compress}
LONG_NAME = "n" * 120  # more than the 100 bytes that a plain tar header holds
NAMES = ["a", "b", "c", "é", "\udcff", LONG_NAME]  # \udcff: the byte ff, which is no UTF-8
NAME = st.sampled_from(NAMES[:3] * 3 + NAMES)
MARKERS = [".wh.", ".wh..wh..opq", ".wh..wh.plnk", ".wh..wh."]


@st.composite
def entries(draw) -> Entry:
    """One entry; every collision is likely, and not every entry makes sense in its layer."""
    folder = "/" + "/".join(draw(st.lists(NAME, max_size=3)))
    kind = draw(
        st.sampled_from(["file", "file", "directory", "directory", "symlink", "hard link", "whiteout", "opaque"])
    )
    if kind == "whiteout":
        return Entry(joined(folder, f".wh.{draw(NAME)}"))
    if kind == "opaque":
        return Entry(joined(folder, draw(st.sampled_from(MARKERS))))
    if kind == "file":
        return Entry(joined(folder, draw(NAME)), content=draw(st.sampled_from([b"", b"1", b"22", b"3" * 600])))
    if kind == "directory":
        return Entry(draw(st.sampled_from([folder, joined(folder, draw(NAME))])), "directory")
    target = draw(st.sampled_from(["a", "/b", "../../c", "\udcfe"])) if kind == "symlink" else ""
    return Entry(joined(folder, draw(NAME)), kind, target=target)


def conflict(one: Entry, other: Entry) -> bool:
    """Something below what is no directory: two entries that no tar program could extract one after the other."""
    return (one.kind != "directory" and is_below(other.path, one.path)) or (
        other.kind != "directory" and is_below(one.path, other.path)
    )


def extractable(layers: list[list[Entry]], choose, below: list[list[Entry]] = ()) -> list[list[Entry]]:
    """The layers without the entries that make no sense where they stand; a hard link gets one of the layer's earlier
    files as its target. choose: picks one of a list; below: layers that they come on top of, and that are fine."""
    kept: list[list[Entry]] = list(below)
    for layer in layers:
        lower, now = oracle.merged(kept), []
        for entry in layer:
            if any(conflict(entry, other) for other in now):
                continue
            if entry.kind == "hard link":
                last = {other.path: other for other in now if not marker(other.path)}
                targets = [
                    path for path, other in last.items() if other.kind in ("file", "hard link") and path != entry.path
                ]
                if not targets:
                    continue
                entry = entry._replace(target=choose(targets))
            now.append(entry)
        kept.append([entry for entry in now if not marker(entry.path) or has_folder(entry, now, lower)])
    return kept


def has_folder(entry: Entry, layer: list[Entry], lower: dict) -> bool:
    """Can the marker's folder be a directory? Of a marker inside a lower layer's file the specification says nothing."""
    ordinary = [other.path for other in layer if not marker(other.path)]
    in_the_way = [path for path, seen in lower.items() if seen.kind != "directory" and is_below(entry.path, path)]
    return all(any(other == path or is_below(other, path) for other in ordinary) for path in in_the_way)


@st.composite
def stacks(draw) -> list[list[Entry]]:
    layers = draw(st.lists(st.lists(entries(), max_size=10), min_size=1, max_size=6))
    return extractable(layers, lambda paths: draw(st.sampled_from(paths)))


def tar_of_entries(layer: list[Entry], form: int = tarfile.GNU_FORMAT, prefix: str = "") -> bytes:
    """The layer's tar, names given twice included. prefix: what stands before each name: "", "./" or "/"."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        for entry in layer:
            info = tarfile.TarInfo(prefix + entry.path.lstrip("/") or "./")
            info.type, info.size = KINDS[entry.kind], len(entry.content)
            info.linkname = prefix + entry.target.lstrip("/") if entry.kind == "hard link" else entry.target
            archive.addfile(info, io.BytesIO(entry.content))
    return packed.getvalue()


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """Where the archives and the cache go."""
    folder = tmp_path_factory.mktemp("stacks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACTORY_FLOOR_CACHE", str(folder / "cache"))
        yield folder


def read(folder, layers, layout="docker", pack="plain", form=tarfile.GNU_FORMAT, prefix=""):
    """The frame of the stack."""
    tars = [tar_of_entries(layer, form, prefix) for layer in layers]
    path = folder / "stack.tar"
    path.write_bytes(archive_of(tars, kind=layout, pack=PACKS[pack]))
    with contextlib.redirect_stdout(io.StringIO()):  # its progress lines
        return workshop.files(None, path)


COLUMNS = ["path", "layer", "kind", "bytes", "digest", "linkname"]


def rows(frame, *more) -> Counter:
    """How often each combination of values occurs."""
    return Counter(frame[[*COLUMNS, *more]].astype(object).itertuples(index=False, name=None))


def check(layers: list[list[Entry]], frame) -> None:
    """Every promise of the frame about the stack that it was read from."""
    tree = oracle.merged(layers)
    visible, hidden = frame[frame["visible"]], frame[~frame["visible"]]
    ordinary = [
        (n, p, entry) for n, layer in enumerate(layers) for p, entry in enumerate(layer) if not marker(entry.path)
    ]
    marks = [
        (hidden_path, number, marker(entry.path))
        for number, layer in enumerate(layers)
        for entry in layer
        if marker(entry.path) in ("whiteout", "opaque")
        for hidden_path in [oracle.hides(entry.path)]
    ]
    expected = Counter((path, s.layer, s.kind, s.size, s.digest, s.linkname) for path, s in tree.items())
    assert rows(visible) == expected
    assert visible["path"].is_unique
    assert (visible["hidden_by"] == "").all() and (visible["hidden_by_layer"] == -1).all()

    assert len(frame) == len(ordinary) + len(marks)
    is_marker = hidden["kind"].isin(["whiteout", "opaque"])
    found = hidden[is_marker][["path", "layer", "kind"]].astype(object)
    assert Counter(found.itertuples(index=False, name=None)) == Counter(marks)
    assert (hidden[is_marker]["hidden_by"] == "").all()

    gone = hidden[~is_marker]
    assert gone["hidden_by"].isin(["deleted", "opaque", "overwritten"]).all()
    assert (gone["hidden_by_layer"] >= gone["layer"]).all()
    since = oracle.hidden_since(layers)
    expected = Counter(
        (entry.path, number, entry.kind, len(entry.content), since[number, position])
        for number, position, entry in ordinary
        if since[number, position] >= 0
    )
    found = gone[["path", "layer", "kind", "bytes", "hidden_by_layer"]].astype(object)
    assert Counter(found.itertuples(index=False, name=None)) == expected
    for row in gone.itertuples():
        assert row.hidden_by in oracle.causes(layers, row.layer, row.path, row.kind, row.hidden_by_layer), row

    other = set(visible.loc[visible["kind"] != "directory", "path"])
    for path in visible["path"]:
        while path != "/":
            path = split(path)[0]
            assert path not in other


@PROFILE
@given(
    stacks(),
    st.sampled_from(["docker", "legacy", "oci"]),
    st.sampled_from(list(PACKS)),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.sampled_from(["", "./", "/"]),
)
@example([[Entry("/a/b", content=b"1")], [Entry("/a/b"), Entry("/a/.wh.b")]], "docker", "plain", tarfile.GNU_FORMAT, "")
@example([[Entry("/a", "symlink", target="/b")], [Entry("/a/c")]], "docker", "plain", tarfile.GNU_FORMAT, "")
@example([[Entry("/a/b/c")], [Entry("/a")], [Entry("/a", "directory")]], "docker", "plain", tarfile.GNU_FORMAT, "")
@example([[Entry("/a/b")], [Entry("/a"), Entry("/a", "directory")]], "docker", "plain", tarfile.GNU_FORMAT, "")
def test_the_merged_filesystem_is_what_the_specification_says(folder, layers, layout, pack, form, prefix):
    frame = read(folder, layers, layout, pack, form, prefix)
    check(layers, frame)
    again = read(folder, layers, layout, pack, form, prefix)  # this time from the cache
    assert again.equals(frame)


@settings(PROFILE, max_examples=PROFILE.max_examples // 2)
@given(stacks())
def test_neither_layout_nor_compression_nor_tar_dialect_changes_the_frame(folder, layers):
    frames = [
        read(folder, layers, layout, pack, form, prefix).drop(columns="diff_id")
        for layout, pack, form, prefix in [
            ("docker", "plain", tarfile.GNU_FORMAT, ""),
            ("oci", "zstd", tarfile.PAX_FORMAT, "./"),
            ("legacy", "gzip", tarfile.GNU_FORMAT, "/"),
        ]
    ]
    for frame in frames[1:]:
        assert frame.to_dict("list") == frames[0].to_dict("list")


@settings(PROFILE, max_examples=PROFILE.max_examples // 2)
@given(stacks(), st.lists(st.lists(entries(), max_size=5), min_size=1, max_size=2))
def test_layers_on_top_only_ever_hide(folder, layers, more):
    """The rows of the lower layers are the same rows; one that was hidden stays so, for the same reason."""
    below = read(folder, layers)
    above = read(folder, extractable(more, lambda paths: paths[0], layers))
    above = above[above["layer"] < len(layers)].reset_index(drop=True)
    own = [*COLUMNS, "mode", "uid", "gid"]
    assert above[own].astype(object).equals(below[own].astype(object))
    gone = ~below["visible"]
    why = ["hidden_by", "hidden_by_layer"]
    assert not above[gone]["visible"].any()
    assert above.loc[gone, why].astype(object).equals(below.loc[gone, why].astype(object))


@settings(PROFILE, max_examples=PROFILE.max_examples // 2)
@given(stacks(), st.randoms(use_true_random=False))
def test_where_markers_stand_in_the_tar_makes_no_difference(folder, layers, random):
    """ "… applied first, … regardless of the ordering in which the whiteout file was encountered." (layer.md)"""
    moved = []
    for layer in layers:
        layer = list(layer)
        for entry in [entry for entry in layer if marker(entry.path)]:
            layer.remove(entry)
            layer.insert(random.randint(0, len(layer)), entry)
        moved.append(layer)
    fate = ["visible", "hidden_by", "hidden_by_layer"]
    assert rows(read(folder, moved), *fate) == rows(read(folder, layers), *fate)
