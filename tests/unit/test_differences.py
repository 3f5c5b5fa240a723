"""What `diff()` says of two images or two layers, each answer worked out by hand."""

from __future__ import annotations

import io
import tarfile
import time

import pandas as pd
import pytest
import workshop
from dive_itself import RETARGETED, needs_dive, shown_by_dive
from hand import frame_of, link
from workshop.analysis.diff import diff


def both(a: list, b: list) -> pd.DataFrame:
    return pd.concat([frame_of(a, image="a"), frame_of(b, image="b")])


def found(files: pd.DataFrame, a="a", b="b") -> list[list]:
    return diff(files, a, b)[["path", "change", "bytes_a", "bytes_b"]].values.tolist()


def with_metadata(name: str, content: bytes = b"12345", **about) -> bytes:
    """A layer of one file."""
    entry, packed = tarfile.TarInfo(name), io.BytesIO()
    entry.size = len(content)
    for key, value in about.items():
        setattr(entry, key, value)
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as layer:
        layer.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def test_two_images_differ_in_what_can_be_seen():
    files = both(
        [{"same": b"s", "gone": b"123", "text": b"old"}, {"never": b"seen"}, {".wh.never": b""}],
        [{"text": b"older", "same": b"s"}, {"new": b"n" * 7, "text": b"newest"}],
    )
    assert found(files) == [["/gone", "removed", 3, 0], ["/new", "added", 0, 7], ["/text", "changed", 3, 6]]
    assert found(files, "b", "a") == [["/gone", "added", 0, 3], ["/new", "removed", 7, 0], ["/text", "changed", 6, 3]]
    assert diff(files, "a", "a").empty and diff(files, "b", "b").empty
    assert list(diff(files, "a", "b").columns) == ["path", "change", "kind", "bytes_a", "bytes_b", "moved_from", "what"]


def test_a_retargeted_symlink_is_changed():
    to = lambda target: {"current": link(tarfile.SYMTYPE, target)}  # noqa: E731
    row = diff(both([to("v1")], [to("v2")]), "a", "b").iloc[0]
    assert row[["path", "change", "kind", "what"]].tolist() == ["/current", "changed", "symlink", "target v1 → v2"]


@needs_dive
def test_dive_shows_a_retargeted_symlink_as_unmodified_and_we_do_not(tmp_path):
    true = {"/current", "/rewritten"}
    files = frame_of(RETARGETED, image="a")
    assert set(diff(files, ("a", 0), ("a", 1))["path"]) == true
    shown = shown_by_dive(RETARGETED, tmp_path, "rewritten")
    assert {path for path in true if path[1:] in shown} == {"/rewritten"}


def test_a_symlinks_mode_is_no_difference():
    one, other = link(tarfile.SYMTYPE, "x"), link(tarfile.SYMTYPE, "x")
    one.mode, other.mode = 0o777, 0o644
    assert diff(both([{"l": one}], [{"l": other}]), "a", "b").empty


@pytest.mark.parametrize(
    "one, other, what",
    [
        ({"mode": 0o644}, {"mode": 0o755}, "mode 644 → 755"),
        ({"uid": 0}, {"uid": 1000, "gid": 1000}, "owner 0:0 → 1000:1000"),
        ({"mode": 0o755}, {"mode": 0o4755, "uid": 7}, "mode 755 → 4755, owner 0:0 → 7:0"),
        ({}, {"pax_headers": {"SCHILY.xattr.user.x": "\x01"}}, "extended attributes none → user.x=01"),
    ],
)
def test_the_same_content_under_another_mode_or_owner_is_metadata(one, other, what):
    table = diff(both([with_metadata("f", **one)], [with_metadata("f", **other)]), "a", "b")
    assert table[["path", "change", "bytes_a", "bytes_b", "what"]].values.tolist() == [["/f", "metadata", 5, 5, what]]


def test_another_time_or_a_kind_in_the_mode_is_no_difference():
    assert diff(both([with_metadata("f", mtime=1)], [with_metadata("f", mtime=2, mode=0o100644)]), "a", "b").empty


def test_new_content_and_a_new_mode_are_one_change():
    files = both([with_metadata("f", mode=0o600)], [with_metadata("f", b"new", mode=0o640)])
    assert diff(files, "a", "b")[["change", "what"]].values.tolist() == [["changed", "content, mode 600 → 640"]]


def test_a_file_over_a_directory_removes_what_was_below():
    files = both([{"d": None, "d/a": b"1" * 6}], [{"d": None, "d/a": b"1" * 6}, {"d": b"now"}])
    assert found(files) == [["/d", "changed", 0, 3], ["/d/a", "removed", 6, 0]]
    assert diff(files, "a", "b")["what"].tolist() == ["directory → file, mode 755 → 644", ""]


def test_a_moved_file_is_paired_by_the_longest_common_end_of_its_path_and_once():
    files = both(
        [{"p/x/LICENSE": b"mit", "q/x/LICENSE": b"mit", "old/name": b"unique", "third": b"mit"}],
        [{"r/q/x/LICENSE": b"mit", "s/p/x/LICENSE": b"mit", "new": b"unique", "t/LICENSE": b"mit", "u": b"mit"}],
    )
    table = diff(files, "a", "b")
    assert table[table["change"] == "moved"][["path", "moved_from"]].values.tolist() == [
        ["/new", "/old/name"],
        ["/r/q/x/LICENSE", "/q/x/LICENSE"],
        ["/s/p/x/LICENSE", "/p/x/LICENSE"],
        ["/t/LICENSE", "/third"],
    ]
    assert table[table["change"] != "moved"][["path", "change"]].values.tolist() == [["/u", "added"]]
    assert table.set_index("path").loc["/new", ["kind", "bytes_a", "bytes_b"]].tolist() == ["file", 6, 6]


def test_a_moved_file_says_what_else_is_new():
    files = both([with_metadata("a", mode=0o644)], [with_metadata("b", mode=0o600)])
    assert diff(files, "a", "b")[["change", "moved_from", "what"]].values.tolist() == [
        ["moved", "/a", "mode 644 → 600"]
    ]


def test_empty_files_and_directories_do_not_move():
    files = both([{"a": b"", "d": None}], [{"b": b"", "e": None}])
    assert sorted(diff(files, "a", "b")["change"]) == ["added", "added", "removed", "removed"]


def test_which_name_of_a_hard_link_is_the_file_is_no_difference():
    one = [{"x": b"12", "y": link(tarfile.LNKTYPE, "x")}]
    files = both(one, [{"y": b"12", "x": link(tarfile.LNKTYPE, "y")}])
    assert diff(files, "a", "b").empty
    assert diff(both(one, [{"x": b"12", "y": b"12"}]), "a", "b").empty, "two files of the same content"
    assert found(both(one, [{"x": b"34", "y": link(tarfile.LNKTYPE, "x")}])) == [
        ["/x", "changed", 2, 2],
        ["/y", "changed", 0, 0],
    ]


LAYERS = [
    {"keep": b"k", "gone": b"123", "d": None, "d/a": b"1" * 6, "o": None, "o/b": b"22", "text": b"old"},
    {
        ".wh.gone": b"",
        ".wh.d": b"",
        ".wh.deeper": b"",
        "o/.wh..wh..opq": b"",
        "o": None,
        "text": b"new!",
        "added": b"5",
    },
]

BETWEEN = [
    ["/added", "added", 0, 1],
    ["/d", "removed", 0, 0],
    ["/d/a", "removed", 6, 0],
    ["/gone", "removed", 3, 0],
    ["/o/b", "removed", 2, 0],
    ["/text", "changed", 3, 4],
]


def test_an_upper_layer_leaves_alone_what_it_does_not_mention():
    files = frame_of(LAYERS, image="a")
    assert found(files, ("a", 0), ("a", 1)) == BETWEEN
    assert found(files, ("a", 0), "a") == BETWEEN, "two layers are all that the image has"


def test_a_layer_is_compared_whether_it_can_be_seen_or_not():
    files = frame_of([*LAYERS, {".wh.text": b"", ".wh.added": b""}], image="a")
    assert found(files, ("a", 0), ("a", 1)) == BETWEEN
    assert found(files, ("a", 1), ("a", 2)) == [["/added", "removed", 1, 0], ["/text", "removed", 4, 0]]


def test_layers_of_two_images_are_compared_entry_by_entry():
    files = both([{"x": b""}, {"app": b"1", "old": b"22", "z": b"z"}], [{"app": b"2", ".wh.old": b"", "new": b"333"}])
    assert found(files, ("a", 1), ("b", 0)) == [
        ["/app", "changed", 1, 1],
        ["/new", "added", 0, 3],
        ["/old", "removed", 2, 0],
        ["/z", "removed", 1, 0],
    ]
    assert [row[1] for row in found(files, ("b", 0), ("a", 1))] == ["changed", "removed", "added", "added"]


def test_an_image_or_a_layer_that_is_not_there_is_named():
    files = both([{"x": b"1"}, {}, {"y": b"2"}], [{"x": b"1"}])
    with pytest.raises(workshop.WorkshopError, match="not of an image named c.\nThey are of: a, b."):
        diff(files, "a", "c")
    with pytest.raises(workshop.WorkshopError, match="a has no layer 1, or nothing in it.\nLayers .* 0, 2."):
        diff(files, ("a", 1), "b")


def test_many_files_and_many_of_the_same_content_take_no_time():
    # 9,000 files; 6,000 of them moved, 1,800 of those with one and the same content
    content = lambda n: b"same" if n % 10 < 3 else b"%d" % n  # noqa: E731
    files = both(
        [{f"usr/lib/{n % 50}/{n}": content(n) for n in range(9_000)}],
        [{f"usr/lib/{n % 50}/{n}" if n >= 6_000 else f"opt/{n % 50}/{n}": content(n) for n in range(9_000)}],
    )
    began = time.process_time()
    table = diff(files, "a", "b")
    assert time.process_time() - began < 1
    assert len(table) == 6_000 and set(table["change"]) == {"moved"}
    assert (table["path"].str.removeprefix("/opt") == table["moved_from"].str.removeprefix("/usr/lib")).all()
