"""Waste, efficiency and counterfactuals: figures worked out by hand, and dive's own figures from the program itself."""

from __future__ import annotations

import io
import random
import tarfile
import time
from pathlib import Path

import pandas as pd
import pytest
import workshop
from dive_itself import agrees, dive, needs_dive
from hand import archive_of, frame_of, link
from workshop.analysis.dive import efficiency
from workshop.analysis.waste import as_one, waste, waste_by_line


def figures(layers: list, folder: Path) -> tuple:
    """(our wasted bytes, dive's, our row); dive's is the real program's where it runs, and always what we computed."""
    row = efficiency(frame_of(layers)).iloc[0]
    if not needs_dive.args[0]:
        (folder / "hand.tar").write_bytes(archive_of(layers, tag="hand:1"))
        agrees(row, dive(folder / "hand.tar"))
    return row["wasted"], row["dive_wasted"], row


def test_a_deleted_directory_counts_as_waste(tmp_path):
    layers = [{"d": None, "d/a": b"a" * 300, "d/s": None, "d/s/b": b"b" * 70, "kept": b"k" * 30}, {".wh.d": b""}]
    true = 300 + 70
    ours, dives, row = figures(layers, tmp_path)
    assert ours == true and dives == 0
    assert row["efficiency"] == 30 / 400 and row["dive_efficiency"] == 1.0
    assert row["why"] == "dive does not count 370 bytes below folders that were deleted, emptied or replaced whole."
    files = frame_of(layers, ["COPY . .", "RUN rm -rf /d"])
    assert waste(files).drop(columns=["image", "from_base"]).values.tolist() == [
        ["/d/a", 300, "deleted", 0, "COPY . .", 1, "RUN rm -rf /d"],
        ["/d/s/b", 70, "deleted", 0, "COPY . .", 1, "RUN rm -rf /d"],
    ]
    assert waste_by_line(files).drop(columns="image").values.tolist() == [[0, "COPY . .", "deleted", 2, 370]]


def test_an_opaque_directory_counts_as_waste(tmp_path):
    layers = [{"d": None, "d/a": b"a" * 500}, {"d": None, "d/.wh..wh..opq": b"", "d/n": b"n" * 20}]
    true = 500
    ours, dives, row = figures(layers, tmp_path)
    assert ours == true and dives == 0 and row["efficiency"] == 20 / 520
    assert waste(frame_of(layers))["cause"].tolist() == ["opaque"]


def test_an_opaque_marker_at_the_root_hides_all_that_is_below(tmp_path):
    files = frame_of([{"a": b"a" * 500, "d": None, "d/b": b"b" * 30}, {".wh..wh..opq": b"", "n": b"n" * 20}])
    assert waste(files)[["path", "bytes", "cause"]].values.tolist() == [["/a", 500, "opaque"], ["/d/b", 30, "opaque"]]


def test_a_file_that_one_layer_holds_twice_was_overwritten_not_stored_again_for_its_metadata():
    name_twice = io.BytesIO()
    with tarfile.open(fileobj=name_twice, mode="w") as tar:
        for _ in range(2):
            entry = tarfile.TarInfo("a")
            entry.size = 40
            tar.addfile(entry, io.BytesIO(b"a" * 40))
    found = waste(frame_of([name_twice.getvalue()]))
    assert found[["path", "bytes", "cause"]].values.tolist() == [["/a", 40, "overwritten"]]


def test_a_rewritten_file_counts_without_the_copy_that_can_be_seen(tmp_path):
    layers = [{"a": b"1" * 100}, {"a": b"2" * 110}, {"a": b"3" * 120}]
    true = 100 + 110
    ours, dives, row = figures(layers, tmp_path)
    assert ours == true and dives == 100 + 110 + 120
    assert row["efficiency"] == pytest.approx(120 / 330) and row["dive_efficiency"] == pytest.approx(100 / 330)
    assert row["why"] == "dive counts 120 bytes of the copies that can still be seen of rewritten files."
    lost = waste(frame_of(layers))
    assert lost[["bytes", "cause", "layer", "hidden_by_layer"]].values.tolist() == [
        [110, "overwritten", 1, 2],
        [100, "overwritten", 0, 1],
    ]


def test_a_retargeted_symlink_wastes_nothing_and_one_over_a_directory_all_below_it(tmp_path):
    to = lambda target: link(tarfile.SYMTYPE, target)  # noqa: E731
    releases = {"v1": None, "v1/app": b"1" * 200, "v2": None, "v2/app": b"2" * 210}
    ours, dives, row = figures([releases | {"current": to("v1")}, {"current": to("v2")}], tmp_path)
    assert (ours, dives, row["why"]) == (0, 0, "Both count the same."), "both releases can still be seen"
    layers = [{"v2": None, "v2/app": b"2" * 210, "current": None, "current/app": b"1" * 200}, {"current": to("v2")}]
    true = 200
    ours, dives, row = figures(layers, tmp_path)
    assert ours == true and dives == 0 and row["efficiency"] == 210 / 410 and row["dive_efficiency"] == 1.0
    assert waste(frame_of(layers))[["path", "cause"]].values.tolist() == [["/current/app", "overwritten"]]


def test_a_changed_mode_stores_the_file_again(tmp_path):
    again = tarfile.TarInfo("a")
    again.size, again.mode = 80, 0o755
    second = io.BytesIO()
    with tarfile.open(fileobj=second, mode="w") as layer:
        layer.addfile(again, io.BytesIO(b"1" * 80))
    layers = [{"a": b"1" * 80}, second.getvalue()]
    ours, dives, _ = figures(layers, tmp_path)
    assert ours == 80 and dives == 160
    assert waste(frame_of(layers))["cause"].tolist() == ["metadata"]


def test_a_deleted_and_restored_file_is_counted_once(tmp_path):
    layers = [{"a": b"1" * 80}, {".wh.a": b""}, {"a": b"1" * 80}]
    ours, dives, _ = figures(layers, tmp_path)
    assert ours == 80 and dives == 160
    assert waste(frame_of(layers))["cause"].tolist() == ["deleted"], "the second copy did not hide the first"


def test_a_file_over_a_directory_wastes_what_was_below(tmp_path):
    layers = [{"d": None, "d/a": b"1" * 60, "d/b": b"2" * 4}, {"d": b"now a file"}]
    ours, dives, _ = figures(layers, tmp_path)
    assert ours == 64 and dives == 0
    assert waste(frame_of(layers))["cause"].tolist() == ["overwritten"] * 2


def test_a_moved_file_wastes_its_first_copy(tmp_path):
    layers = [{"a": b"1" * 60}, {".wh.a": b"", "b": b"1" * 60}]
    ours, dives, row = figures(layers, tmp_path)
    assert ours == dives == 60 and row["why"] == "Both count the same."


def test_a_hard_link_keeps_the_content_of_a_hidden_name(tmp_path):
    first = {"a": b"1" * 50, "b": link(tarfile.LNKTYPE, "a"), "c": link(tarfile.LNKTYPE, "b")}
    gone = lambda *names: {f".wh.{name}": b"" for name in names}  # noqa: E731
    assert waste(frame_of([dict(first), gone("a")])).empty, "the content is still there as b and c"
    assert waste(frame_of([dict(first), gone("a", "b")])).empty, "c is a name of the same file, if by way of b"
    assert waste(frame_of([dict(first), gone("a", "b", "c")]))["bytes"].tolist() == [50]
    assert waste(frame_of([dict(first), gone("b", "c")])).empty
    ours, dives, row = figures([dict(first), gone("a")], tmp_path)
    assert ours == 0 and dives == 50 and row["efficiency"] == 1.0


def test_a_hard_link_in_another_layer_keeps_nothing():
    layers = [{"a": b"1" * 50}, {"b": b"1" * 50, "a": link(tarfile.LNKTYPE, "b")}]
    lost = waste(frame_of(layers))
    assert lost[["path", "bytes", "layer", "cause"]].values.tolist() == [["/a", 50, 0, "metadata"]], "what `ln` does"


@pytest.mark.parametrize("layers", [[{"a": b"1"}], [{"a": b""}, {".wh.a": b""}], [{"d": None}], [{".wh.a": b""}]])
def test_an_image_without_waste_or_without_bytes_is_wholly_efficient(layers, tmp_path):
    ours, dives, row = figures(layers, tmp_path)
    assert ours == dives == 0 and row["efficiency"] == 1.0 and row["why"] == "Both count the same."


def test_no_files_at_all_are_no_waste():
    none = frame_of([{"a": b"1"}]).iloc[:0]
    assert [len(table(none)) for table in (waste, waste_by_line, efficiency, as_one)] == [0] * 4
    assert list(as_one(none).columns) == ["image", "first", "last", "lines", "saved", "words"]


def test_several_images_are_kept_apart():
    one = frame_of([{"a": b"1" * 9}, {".wh.a": b""}], image="one")
    files = pd.concat([one, frame_of([{"a": b"1" * 9}, {"b": b""}], image="two")])
    assert waste(files)[["image", "path"]].values.tolist() == [["one", "/a"]]
    assert efficiency(files)[["image", "bytes", "wasted"]].values.tolist() == [["one", 9, 9], ["two", 9, 0]]


def test_two_run_lines_as_one():
    files = frame_of(
        [
            {"base": b"b" * 1000},
            {"cache": b"c" * 5000, "tool": b"t" * 70},
            {".wh.cache": b"", "tool": b"u" * 71},
            {".wh.base": b"", "x": b"x"},
            {".wh.x": b""},
            {".wh.tool": b""},
        ],
        ["COPY to /", "RUN make", "RUN rm cache", "COPY . .", "RUN rm x", "RUN rm tool"],
    )
    found = as_one(files)
    assert found[["first", "last", "lines", "saved"]].values.tolist() == [[1, 2, 2, 5000 + 70]]
    assert found["words"].tolist() == ["These two RUN lines as one would ship 5.1 kB less."]
    assert as_one(files, "hand").equals(found)
    with pytest.raises(workshop.WorkshopError, match="not of an image named hnad.\nThey are of: hand"):
        as_one(files, "hnad")


def test_a_layer_that_nobody_knows_the_line_of_ends_a_run():
    layers = [{"a": b"1" * 10}, {}, {".wh.a": b""}]
    assert as_one(frame_of(layers, ["RUN one", "RUN true", "RUN rm /a"])).empty
    assert as_one(frame_of([layers[0], layers[2]], ["RUNNER one", "RUN rm /a"])).empty


NAMES = ["a", "b", "c"], ["a", "-x", "b b", "é"]


def some_layer(dice: random.Random, names: list[str]) -> bytes:
    """A tar that an engine would hardly write: names twice, whiteouts of nothing, folders without an entry."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as layer:
        for _ in range(dice.randint(0, 6)):
            parts = [dice.choice(names) for _ in range(dice.randint(1, 3))]
            path, content, chance = "/".join(parts), b"", dice.random()
            if chance < 0.25:
                path = "/".join([*parts[:-1], f".wh.{parts[-1]}"])
            elif chance < 0.3:
                path += "/.wh..wh..opq"
            elif chance < 0.75:
                content = bytes(dice.randint(0, 9))
            entry = tarfile.TarInfo(path)
            if chance > 0.9:
                entry = link(dice.choice([tarfile.SYMTYPE, tarfile.LNKTYPE]), "a/b", path)
            entry.size = len(content)
            if 0.75 <= chance <= 0.9:
                entry.type = tarfile.DIRTYPE
            layer.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@needs_dive
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_our_account_of_dive_is_what_dive_says_of_anything(seed, tmp_path):
    dice = random.Random(seed)
    for _ in range(25):
        names = dice.choice(NAMES)
        layers = [some_layer(dice, names) for _ in range(dice.randint(1, 5))]
        if len(frame_of(layers)):
            figures(layers, tmp_path)


@pytest.mark.slow
def test_a_large_image_takes_no_time():
    folders = {f".wh.d{number}": b"" for number in range(0, 300, 2)}
    files = frame_of([{f"d{number % 300}/{number}": b"%d" % number for number in range(30_000)}, folders])
    began = time.process_time()
    assert len(waste(files)) == 15_000 and len(as_one(files)) == 0
    assert time.process_time() - began < 2
    began = time.process_time()
    assert efficiency(files)["dive_wasted"].tolist() == [0]
    assert time.process_time() - began < 4


def test_lines_of_a_base_image_are_not_ours_to_join():
    """As the official slim image has them: four layers, each by a RUN line that rewrites the list of packages."""
    base = [
        "RUN # debian.sh --arch 'amd64' out/ 'trixie' '@1755475200'",
        "RUN apt-get install",
        "RUN make",
        "RUN ln -s",
    ]
    layers = [{"status": bytes([number]) * 700} for number in range(4)]
    layers += [{"made": b"m" * 50}, {"made": b"n" * 50, "status": b"s"}]
    files = frame_of(layers, [*base, "RUN make it", "RUN sort it"])
    assert as_one(files)[["first", "last", "saved"]].values.tolist() == [[0, 5, 4 * 700 + 50]], (
        "of an image without a base"
    )
    files["from_base"] = files["layer"] < 4
    assert as_one(files)[["first", "last", "saved"]].values.tolist() == [[4, 5, 50]]
    assert waste(files)["bytes"].sum() == 4 * 700 + 50, "they are shipped all the same"
