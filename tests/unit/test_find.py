"""Picking from frames by path, line and image: what is found, what is left out, and the words where a frame does not fit."""

import tarfile

import pandas as pd
import plotly.graph_objects as go
import pytest
import workshop
from hand import frame_of, link
from workshop.analysis.find import visible_at
from workshop.engine import containers
from workshop.lesson import check


@pytest.fixture
def files():
    rows = [
        ("app:1", 0, "COPY to /", "/usr/bin/gcc", "file", 900_000, True),
        ("app:1", 0, "COPY to /", "/usr/lib/gcc/12/cc1", "file", 5_000_000, False),
        ("app:1", 1, "RUN pip install flask", "/site/flask/app.py", "file", 300, True),
        ("app:1", 1, "RUN pip install flask", "/site/pip/main.py", "file", 700, True),
        ("app:2", 0, "COPY to /", "/usr/bin/gcc", "hard link", 0, True),
        ("app:2", 0, "COPY to /", "/usr/bin", "directory", 0, True),
    ]
    return pd.DataFrame(rows, columns=["image", "layer", "created_by", "path", "kind", "bytes", "visible"])


@pytest.mark.parametrize(
    "wanted, options, rows",
    [
        (["/usr/bin/gcc"], {}, [0, 4]),
        (["**/gcc"], {}, [0, 4]),
        (["/usr/lib/gcc/**"], {}, [1]),
        (["/usr/lib/gcc/*"], {}, []),  # a star stays in its folder
        (["**/*.py", "**/cc1"], {}, [1, 2, 3]),
        ([], {"line": "RUN pip install"}, [2, 3]),
        (["/site/**"], {"line": "RUN pip install", "but": "/site/pip/**"}, [2]),
        ([], {"but": ["/site/**", "/usr/**"]}, []),
        ([], {}, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_rows_are_found_by_path_and_line_in_the_frames_order(files, wanted, options, rows):
    assert list(workshop.find(files, *wanted, **options).index) == rows


def test_a_frame_without_the_column_is_told(files):
    with pytest.raises(workshop.WorkshopError, match="no column 'created_by'"):
        workshop.find(files.drop(columns="created_by"), line="RUN")
    with pytest.raises(workshop.WorkshopError, match="no column 'wasted'"):
        workshop.by_image(files, "wasted")


def test_what_can_be_seen_is_files_and_their_other_names(files):
    assert list(workshop.visible(files).index) == [0, 2, 3, 4]


def test_a_column_is_added_up_by_image(files):
    assert workshop.by_image(files) == {"app:1": 5_901_000, "app:2": 0}
    assert list(workshop.by_image(files[::-1])) == ["app:2", "app:1"]
    of_categories = files.assign(image=files["image"].astype("category"))
    assert workshop.by_image(of_categories[files["image"] == "app:2"]) == {"app:2": 0}


def test_every_meaning_that_fits_a_claim_is_named():
    sizes = pd.DataFrame(
        {
            "image": ["big", "small"],
            "bytes": [900_000_000, 130_000_000],
            "tar": [1_000_000_001, 140_000_000],
            "shared": [1, 2],
        }
    )
    fits = workshop.sizes_between(sizes, 130, 1000)
    assert fits.values.tolist() == [
        ["big", "bytes", 900_000_000],
        ["small", "bytes", 130_000_000],
        ["small", "tar", 140_000_000],
    ]
    assert workshop.sizes_between(sizes, 1, 2).empty


def test_changes_are_counted_with_the_larger_side_of_each():
    changes = pd.DataFrame(
        {
            "path": ["/a", "/b", "/c"],
            "change": ["removed", "changed", "changed"],
            "bytes_a": [10, 5, 100],
            "bytes_b": [0, 8, 90],
        }
    )
    assert workshop.diff_summary(changes).values.tolist() == [["changed", 2, 108], ["removed", 1, 10]]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda files: workshop.find(files, ["/usr/bin/*", "/site/*"]),
        lambda files: workshop.find("factory/hello", "/usr/bin/*"),
        lambda files: workshop.visible(files[["image", "path", "bytes"]]),
        lambda files: workshop.by_image(files, "path"),
        lambda files: workshop.sizes_between(files[["bytes"]], 0, 1),
        lambda files: workshop.diff_summary(files),
        lambda files: workshop.show(files),
        lambda files: workshop.show(go.Figure()),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(files, wrong):
    with pytest.raises(workshop.WorkshopError):
        wrong(files)


def test_both_ends_of_a_claim_are_in_it():
    sizes = pd.DataFrame({"image": ["a", "b", "c"], "bytes": [900_000, 1_000_000, 2_000_001]})
    assert list(workshop.sizes_between(sizes, 0.9, 1)["image"]) == ["a", "b"]


@pytest.mark.parametrize(
    "depth, directories",
    [(1, {"/usr": 900_000, "/site": 1_000}), (2, {"/usr/bin": 900_000, "/site/flask": 300, "/site/pip": 700})],
)
def test_a_folder_holds_what_can_be_seen_below_it(files, depth, directories):
    found = workshop.directories(files, depth)
    assert dict(zip(found["directory"], found["bytes"])) == directories
    assert list(found["bytes"]) == sorted(directories.values(), reverse=True)


def test_a_file_is_no_folder_however_deep_one_looks():
    rows = pd.DataFrame({"path": ["/top", "/a/b"], "kind": "file", "bytes": [1, 2], "visible": True})
    assert list(workshop.directories(rows, 2)["directory"]) == ["/a", "/"]


def test_every_size_in_a_table_is_shown_as_one():
    names = ["bytes", "tar", "compressed", "engine", "shared", "wasted"]
    shown = workshop.table(
        pd.DataFrame([["a", 3, *[10_000_000] * len(names)]], columns=["image", "layers", *names])
    ).frame
    assert shown.iloc[0].tolist() == ["a", 3, *["10.0 MB"] * len(names)]


def test_digests_are_shown_short_and_no_two_look_alike_that_differ():
    a, b, c = "0123456789abcdef" + "0" * 48, "0123456789abcdee" + "0" * 48, "f" * 64
    frame = pd.DataFrame({"path": ["/a", "/b", "/c", "/d"], "digest": [a, c, a, None], "diff_id": [f"sha256:{a}"] * 4})
    assert workshop.table(frame).frame["digest"].tolist() == [a[:12], c[:12], a[:12], ""]
    assert set(workshop.table(frame).frame["diff_id"]) == {a[:12]}
    assert workshop.table(pd.DataFrame({"digest": [a, b]})).frame["digest"].tolist() == [a[:16], b[:16]]
    assert frame["digest"][0] == a


def test_the_first_difference_of_two_images_is_what_one_has_and_the_other_lacks():
    same = {"/a": ("file", "x"), "/b": ("file", "y")}
    assert check.first_difference(same, dict(same)) is None
    assert check.first_difference({**same, "/z": ("file", "n")}, {**same, "/b": ("file", "other")}) == "/z"
    assert check.first_difference(same, {**same, "/c": ("file", "z")}) == "/c"
    assert check.first_difference({**same, "/b": ("symlink", "y")}, same) == "/b"


def test_a_program_without_its_loader_is_told_from_one_that_is_not_there():
    assert "the loader" in containers.no_loader(
        "exec /usr/local/bin/widget: no such file or directory\n(exit code 255)"
    )
    assert containers.no_loader("cat: /nothing: No such file or directory") == ""


def test_what_a_history_says_was_run_and_where():
    lines = ["WORKDIR /app", "RUN pip check", "python -B -c import flask", "COPY app.py .", "RUN true"]
    assert check.ran(lines) == ["pip check", "python -B -c import flask", "true"]
    assert check.settings({"Env": ["PATH=/a", "SAID=it's"], "WorkingDir": "/my app"}) == (
        "export 'SAID=it'\"'\"'s'\nmkdir -p '/my app' && cd '/my app'"
    )
    assert check.settings({}) == "mkdir -p / && cd /"


def test_what_is_at_a_path_is_found_behind_links_and_a_hard_link_weighs_what_its_file_does():
    layers = [
        {"usr": None, "usr/bin": None, "usr/bin/tool": b"12345", "usr/bin/also": link(tarfile.LNKTYPE, "usr/bin/tool")},
        {"bin": link(tarfile.SYMTYPE, "usr/bin"), "old": b"1", "round": link(tarfile.SYMTYPE, "round")},
        {".wh.old": b""},
    ]
    files = frame_of(layers)
    found = {path: visible_at(files, path) for path in ("/bin/tool", "/bin/also", "/bin", "/old", "/round/x", "/usr")}
    assert found["/bin/tool"] == ("file", 5) and found["/bin/also"] == ("hard link", 5)
    assert found["/bin"] == ("symlink", 0) and found["/usr"] == ("directory", 0)
    assert found["/old"] is found["/round/x"] is None
