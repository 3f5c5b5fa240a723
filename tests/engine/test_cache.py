"""What an edit makes run again, on each builder that the engine has: the cut-off, .dockerignore, the clock, cache mounts."""

from __future__ import annotations

import importlib.util

import pytest
import workshop
from at_hand import ROOT, forget, need_buildkit
from workshop.builders.steps import COLUMNS
from workshop.lesson import check, recordings

BUILDERS = ["classic", "buildkit"]

# The "compiler" drops comments: its product is the same after an edit of one.
RECIPE = """FROM busybox:1.37 AS floor
COPY source.txt .
RUN mkdir /out && echo compiled && grep -v '^#' source.txt > /out/product
FROM busybox:1.37
COPY --from=floor /out/product /product
CMD ["cat", "/product"]
"""


@pytest.fixture(params=BUILDERS)
def builder(request, client):
    if request.param not in workshop.builders_of(client):
        need_buildkit(client)
    return request.param


@pytest.fixture
def source(client, busybox, app):
    """A workbench of an app of one source; what is built from it is removed afterwards."""
    (app / "source.txt").write_text(f"# a comment\n{app.name}\n")
    bench = workshop.workbench(app)
    yield bench
    forget(client, bench.name)


def build(client, source, builder, recipe=RECIPE, **more):
    return workshop.build(client, source, recipe, builder=builder, **more)


def test_a_comment_is_cut_off_at_the_gate_and_new_code_is_not(client, source, builder):
    before = build(client, source, builder)
    assert workshop.ran(before) == [2, 3, 5, 6] and workshop.printed(before) == ["compiled"]
    workshop.edit(source, "source.txt", "a comment", f"another {workshop.nonce()}")
    comment = build(client, source, builder)
    assert workshop.ran(comment) == [2, 3] and comment.image == before.image
    workshop.edit(source, "source.txt", "", f"{workshop.nonce()}\n")
    code = build(client, source, builder)
    assert workshop.ran(code) == [2, 3, 5, 6] and code.image != before.image


def test_what_a_step_ran_and_when_is_on_one_clock(client, source, builder):
    recipe = RECIPE.replace("echo compiled", f"sleep 1 && echo {workshop.nonce()}")
    steps = build(client, source, builder, recipe).steps
    assert list(steps.columns) == COLUMNS and steps["began"].min() == 0
    compiler, gate = (steps[steps["step"] == step].iloc[0] for step in (3, 5))
    assert 1 <= compiler["ended"] - compiler["began"] < 60 and gate["began"] >= compiler["ended"] - 0.01
    again = build(client, source, builder, recipe).steps
    hits = again[again["status"] == "cached"].dropna(subset=["began"])
    assert len(hits) and (hits["ended"] - hits["began"]).max() < 1, "a hit does not wait"


def test_dockerignore_keeps_a_note_out_of_the_context_and_not_out_of_another_stage(client, source, builder):
    recipe = (
        "FROM busybox:1.37 AS floor\nRUN mkdir /out && echo here > /out/note.md\n"
        "FROM busybox:1.37\nCOPY . /context\nCOPY --from=floor /out /out\n"
    )
    first = build(client, source, builder, recipe)
    workshop.edit(source, "note.md", "", f"{workshop.nonce()}\n")
    noted = build(client, source, builder, recipe)
    assert 4 in workshop.ran(noted)
    (source / ".dockerignore").write_text("*.md\n.dockerignore\n")
    ignored = build(client, source, builder, recipe)
    assert workshop.ran(ignored) == [] and ignored.image == first.image
    found = workshop.find(workshop.files(client, ignored), "**/note.md")
    assert list(found["path"]) == ["/out/note.md"]


def test_the_layer_that_brings_a_file_is_the_same_after_a_comment(client, source, builder):
    tag = f"factory/{source.name}"
    build(client, source, builder, tag=f"{tag}:first")
    workshop.edit(source, "source.txt", "a comment", f"another {workshop.nonce()}")
    build(client, source, builder, tag=f"{tag}:second")
    passed = check.that(client, f"{tag}:second", check.same_layer(f"{tag}:first", "/prod*"))
    assert passed and "/product is in a layer" in passed.words
    workshop.edit(source, "source.txt", "", f"{workshop.nonce()}\n")
    build(client, source, builder, tag=f"{tag}:third")
    failed = check.that(client, f"{tag}:third", check.same_layer(f"{tag}:first", "/product"))
    assert failed.state == "not yet" and "in it, /product has other bytes" in failed.words
    missing = check.that(client, f"{tag}:third", check.same_layer(f"{tag}:first", "/produce"))
    assert missing.state == "not yet" and missing.words.startswith("no /produce in ")


def test_a_file_that_was_made_again_and_is_the_same_is_called_newer(client, source, builder):
    tag, recipe = f"factory/{source.name}", "FROM busybox:1.37\nRUN sleep 1.1 && echo same > /product # {}\n"
    for name in ("first", "second"):
        build(client, source, builder, recipe.format(workshop.nonce()), tag=f"{tag}:{name}")
    failed = check.that(client, f"{tag}:second", check.same_layer(f"{tag}:first", "/product"))
    assert failed.state == "not yet" and "byte for byte, but newer" in failed.words


def test_independent_stages_are_side_by_side_on_buildkit_alone_and_one_after_the_other_on_classic(
    client, source, builder
):
    recipe = "".join(
        f"FROM busybox:1.37 AS {name}\nRUN sleep 2 && echo {workshop.nonce()} > /{name}\n"
        for name in ("a", "b", "idle")
    )
    made = build(client, source, builder, recipe + "FROM busybox:1.37\nCOPY --from=a /a /\nCOPY --from=b /b /\n")
    at_once = workshop.side_by_side(made)  # the last stage may begin with what there is
    assert ("a", "b") in at_once if builder == "buildkit" else at_once == []
    if builder == "buildkit":
        assert list(made.stages) == ["a", "b", "stage-3"]


def test_what_a_cache_mount_holds_is_kept_for_the_next_build_and_is_in_no_layer(client, source):
    need_buildkit(client)
    mount = f"--mount=type=cache,id=test-{workshop.nonce()},target=/kept"
    recipe = f"FROM busybox:1.37\nCOPY source.txt .\nRUN {mount} ls /kept | wc -l && touch /kept/one\n"
    assert workshop.printed(build(client, source, "buildkit", recipe)) == ["0"]
    workshop.edit(source, "source.txt", "", f"{workshop.nonce()}\n")
    again = build(client, source, "buildkit", recipe)
    assert workshop.printed(again) == ["1"]
    assert workshop.find(workshop.files(client, again), "**/one").empty


def shape(name: str) -> list:
    """What two recordings of one build have in common, whatever the day and the machine."""
    made = recordings.load(name)
    steps = [
        (step, stage, status, recordings.NONCE.sub("", text))
        for step, stage, status, text in zip(*(made.steps[name] for name in ("step", "stage", "status", "instruction")))
    ]
    return [steps, list(made.stages), sorted(made.printed), workshop.printed(made, "in the")]


def test_what_is_recorded_is_what_the_lessons_cells_still_make(client, busybox, tmp_path, monkeypatch):
    need_buildkit(client)
    spec = importlib.util.spec_from_file_location("record", ROOT / "tests/record.py")
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    monkeypatch.chdir(ROOT / "notebooks")
    names = program.record(client, tmp_path, sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")))
    assert sorted(names) == sorted(path.stem for path in recordings.FOLDER.glob("*.json"))
    stored = [shape(name) for name in names]
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    assert [shape(name) for name in names] == stored
    assert ("wheels", "assets") in workshop.side_by_side(recordings.load("06-side-by-side"))
