"""diff(): image against image, layer against layer, on layers written by hand."""

from __future__ import annotations

import io
import tarfile

import pandas as pd
import pytest
import workshop
from hand import frame_of, link


def tar_with(*entries: tuple) -> bytes:
    """A layer whose entries have modes and owners: (name, content or None, mode, uid)."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content, mode, uid in entries:
            entry = tarfile.TarInfo(name)
            entry.mode, entry.uid, entry.size = mode, uid, len(content or b"")
            entry.type = tarfile.REGTYPE if content is not None else tarfile.DIRTYPE
            tar.addfile(entry, io.BytesIO(content or b""))
    return packed.getvalue()


def two(one: list, other: list) -> pd.DataFrame:
    return pd.concat([frame_of(one, image="one"), frame_of(other, image="other")], ignore_index=True)


def changes(frame: pd.DataFrame) -> list[tuple]:
    return [(row.path, row.change) for row in frame.itertuples()]


def test_added_removed_changed():
    found = workshop.diff(two([{"a": b"1", "b": b"22"}], [{"b": b"333", "c": b"4444"}]), "one", "other")
    rows = found[["path", "change", "bytes_a", "bytes_b"]].values.tolist()
    assert rows == [["/a", "removed", 1, 0], ["/b", "changed", 2, 3], ["/c", "added", 0, 4]]
    assert found.set_index("path").loc["/b", "what"] == "content"


def test_the_same_is_no_difference_however_it_is_layered():
    found = workshop.diff(two([{"a": b"0"}, {"a": b"1", "d": None}], [{"d": None, "a": b"1"}]), "one", "other")
    assert found.empty


def test_only_what_can_be_seen_is_compared():
    found = workshop.diff(two([{"a": b"1", "b": b"2"}, {".wh.b": b""}], [{"a": b"1"}]), "one", "other")
    assert found.empty


def test_a_file_under_another_path_has_moved_and_the_most_alike_path_is_its_source():
    one = {"p/x/init": b"same", "q/y/init": b"same", "gone": b"x"}
    other = {"r/y/init": b"same", "r/x/init": b"same", "new": b"y"}
    found = workshop.diff(two([one], [other]), "one", "other")
    moved = found[found["change"] == "moved"].set_index("path")["moved_from"].to_dict()
    assert moved == {"/r/y/init": "/q/y/init", "/r/x/init": "/p/x/init"}
    assert changes(found[found["change"] != "moved"]) == [("/gone", "removed"), ("/new", "added")]


def test_empty_files_do_not_move():
    assert changes(workshop.diff(two([{"a": b""}], [{"b": b""}]), "one", "other")) == [
        ("/a", "removed"),
        ("/b", "added"),
    ]


def test_metadata_only_says_what():
    one = tar_with(("a", b"1", 0o644, 0), ("d", None, 0o755, 0))
    other = tar_with(("a", b"1", 0o755, 1000), ("d", None, 0o755, 0))
    found = workshop.diff(two([one], [other]), "one", "other")
    assert found[["path", "change", "what"]].values.tolist() == [
        ["/a", "metadata", "mode 644 → 755, owner 0:0 → 1000:0"]
    ]


def test_another_kind_and_another_link_target_are_changes():
    one = {"a": b"1", "l": link(tarfile.SYMTYPE, "/x")}
    other = {"a": link(tarfile.SYMTYPE, "/y"), "l": link(tarfile.SYMTYPE, "/z")}
    found = workshop.diff(two([one], [other]), "one", "other").set_index("path")
    assert found["change"].tolist() == ["changed", "changed"]
    assert found.loc["/a", "what"] == "file → symlink" and found.loc["/l", "what"] == "→ /x now → /z"


def test_which_of_two_hard_links_is_stored_as_the_file_makes_no_difference():
    one = {"a": b"12", "b": link(tarfile.LNKTYPE, "a")}
    other = {"b": b"12", "a": link(tarfile.LNKTYPE, "b")}
    assert workshop.diff(two([one], [other]), "one", "other").empty


def test_layer_against_layer_counts_what_the_later_one_whites_out_as_removed():
    files = frame_of([{"d": None, "d/a": b"1", "k": b"kept", "c": b"old"}, {".wh.d": b"", "c": b"new", "n": b"n"}])
    found = workshop.diff(files, ("hand", 0), ("hand", 1))
    assert changes(found) == [("/c", "changed"), ("/d", "removed"), ("/d/a", "removed"), ("/n", "added")]


def test_stages_are_compared_under_their_tags(client, busybox, app):
    recipe = "FROM busybox:1.37 AS a\nRUN printf 1 > /one && printf 22 > /two\nFROM busybox:1.37\nCOPY --from=a /two /landed\n"
    build = workshop.build(client, app, recipe)
    tags = list(build.stage_tags.values())
    found = workshop.diff(workshop.files(client, tags), *tags)
    assert changes(found) == [("/landed", "moved"), ("/one", "removed")] and found["moved_from"][0] == "/two"


def test_an_image_or_a_layer_that_the_frame_does_not_hold_is_named():
    files = frame_of([{"a": b"1"}])
    with pytest.raises(workshop.WorkshopError, match="no image other; it holds hand"):
        workshop.diff(files, "hand", "other")
    with pytest.raises(workshop.WorkshopError, match="no layer 7"):
        workshop.diff(files, ("hand", 0), ("hand", 7))
