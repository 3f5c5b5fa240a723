"""build(builder="buildkit"): the same promises as for the classic builder, and what only BuildKit does. With a real engine."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import workshop
from at_hand import everything, need_buildkit, traces_of
from recipes import TWO_STAGES
from workshop.builders import buildkit
from workshop.builders.errors import BuildError
from workshop.builders.steps import COLUMNS
from workshop.engine import tidy

RECIPE = """ARG TAG=1.37
FROM busybox:$TAG AS maker
WORKDIR /work
ENV A=1
COPY material.txt .
RUN echo hello && cat material.txt material.txt > product
FROM busybox:1.37 AS unused
RUN echo nobody needs this
FROM busybox:1.37
COPY --from=maker /work/product /product
CMD ["cat", "/product"]
"""


@pytest.fixture(autouse=True)
def has_buildkit(request):
    if "client" in request.fixturenames:
        need_buildkit(request.getfixturevalue("client"))


@pytest.fixture
def material(client, busybox, app):
    (app / "material.txt").write_text(f"{app.name}\n")
    return app


def build(client, app, recipe=RECIPE, **more):
    return workshop.build(client, app, recipe, builder="buildkit", **more)


def newer_frontend(client):
    return int(client.version()["Version"].split(".")[0]) >= 23


def test_needed_stages_have_ids_and_tags_and_the_others_are_left_out(client, material):
    made = build(client, material)
    assert list(made.stages) == ["maker", "stage-2"]
    assert made.stage_tags == {"maker": f"{made.tag}.maker", "stage-2": made.tag}
    for name, tag in made.stage_tags.items():
        assert client.api.inspect_image(tag)["Id"] == made.stages[name]
    assert made.image == made.stages["stage-2"]
    twice = f"{material.name}\n{material.name}"
    assert workshop.run(client, made.tag) == twice
    assert workshop.run(client, made.stage_tags["maker"], "cat /work/product") == twice
    assert not client.images.list(name=f"{made.tag}.unused")


def test_steps_say_stage_line_and_what_became_of_them(client, material):
    steps = build(client, material).steps
    assert list(steps["line"]) == list(range(1, 12)) and list(steps["step"]) == list(range(1, 12))
    assert list(steps["stage"]) == [""] + ["maker"] * 5 + ["unused"] * 2 + ["stage-2"] * 3
    status = steps.set_index("line")["status"].to_dict()
    assert [status[line] for line in (2, 7, 8, 9)] == ["base", "skipped", "skipped", "base"]
    assert [status[line] for line in (5, 6, 10, 11)] == ["run"] * 4
    seconds = steps.set_index("line")["seconds"]
    assert 0 < seconds[6] < 60 and seconds[4] == seconds[8] == 0
    added = steps.set_index("line")["bytes"]
    assert added[10] >= 2 * len(f"{material.name}\n") and added[11] == 0
    assert list(steps.columns) == COLUMNS and set(steps["image"]) == {""}


def test_a_second_build_finds_everything_in_the_cache_and_is_the_same_image(client, material):
    first, again = build(client, material), build(client, material)
    assert set(again.steps["status"]) == {"base", "cached", "skipped"}
    assert again.image == first.image and again.stages == first.stages


def test_an_edited_file_runs_only_the_steps_after_it(client, material):
    build(client, material)
    (material / "material.txt").write_text("brass\n" + material.name)
    status = build(client, material).steps.set_index("line")["status"].to_dict()
    assert status[3] == "cached" and [status[line] for line in (5, 6, 10)] == ["run"] * 3


def test_stages_and_final_image_come_from_one_run_also_without_the_cache(client, busybox, app):
    recipe = (
        "FROM busybox:1.37 AS a\n"
        f"RUN echo {app.name} > /x; head -c 9 /dev/urandom >> /x\n"
        "FROM busybox:1.37\n"
        "COPY --from=a /x /x\n"
    )
    build(client, app, recipe)
    made = build(client, app, recipe, nocache=True)
    assert list(made.steps["status"]) == ["base", "run", "base", "run"]
    gate = workshop.gate(client, made)
    assert gate[gate["fate"] == "shipped"][["path", "landed"]].values.tolist() == [["/x", "/x"]]


def test_stages_with_equal_lines_share_the_work(client, busybox, app):
    line = f"RUN echo {app.name} > /shared"
    made = build(
        client, app, f"FROM busybox:1.37 AS a\n{line}\nFROM busybox:1.37 AS b\n{line}\nCOPY --from=a /shared /s\n"
    )
    assert sorted(made.steps["status"]) == ["base", "base", "cached", "run", "run"]
    assert list(made.stages) == ["a", "b"]


def test_a_target_stops_there(client, material):
    made = build(client, material, target="maker")
    assert list(made.stages) == ["maker"] and made.tag.endswith(":mine.maker") and len(made.steps) == 6
    assert set(build(client, material, target="unused").stages) == {"unused"}
    assert build(client, material, target=0).stages == made.stages


def test_build_arguments_reach_the_build(client, busybox, app):
    recipe = "FROM busybox:1.37\nARG WHO=nobody\nRUN echo $WHO > /who\n"
    made = build(client, app, recipe, buildargs={"WHO": app.name})
    assert workshop.run(client, made.tag, "cat /who") == app.name


def test_a_stage_that_is_gone_loses_its_tag(client, material):
    old = build(client, material).stage_tags["maker"]
    build(client, material, RECIPE.replace("maker", "press"))
    assert not client.images.list(name=old)


def test_either_builder_can_have_the_tag(client, material):
    tags = [
        workshop.build(client, material, TWO_STAGES, builder=name).stage_tags
        for name in ("classic", "buildkit", "classic")
    ]
    assert tags[0] == tags[1] == tags[2]


def test_the_dockerfile_and_what_dockerignore_names_stay_out_of_the_image(client, busybox, app):
    for name in ("keep.txt", "secret.env", "Dockerfile.multi"):
        (app / name).write_text("x")
    (app / ".dockerignore").write_text("# a comment\nDockerfile*\n.dockerignore\n*.env\n!keep.txt\n")
    made = build(client, app, "FROM busybox:1.37\nWORKDIR /all\nCOPY . .\nCMD ls -A\n")
    assert workshop.run(client, made.tag) == "keep.txt"


def test_tidy_knows_stages_and_images_as_its_own(client, material):
    made = build(client, material)
    child = f"{material.name}:not-ours"
    stream = client.api.build(
        fileobj=io.BytesIO(f"FROM {made.tag}\nCMD sh\n".encode()), tag=child, rm=True, decode=True
    )
    assert not [message for message in stream if "error" in message]
    try:
        ours = {image["Id"] for image in tidy.our_images(client)}
        assert set(made.stages.values()) <= ours and client.api.inspect_image(child)["Id"] not in ours
    finally:
        client.api.remove_image(child)
    gone = workshop.tidy(client, app=material.name)
    assert set(made.stage_tags.values()) <= set(gone[gone["outcome"] == "removed"]["name"])


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
def test_tidying_one_app_leaves_another_apps_tags_on_the_same_image(client, material, builder):
    first = workshop.build(client, material, TWO_STAGES, builder=builder)
    other = workshop.build(client, material, TWO_STAGES, tag=f"factory/{material.name}-too:1", builder=builder)
    try:
        assert first.image == other.image
        workshop.tidy(client, app=material.name)
        assert client.api.inspect_image(other.tag)["Id"] == other.image
        assert client.api.inspect_image(other.stage_tags["maker"]) and not client.images.list(name=first.tag)
    finally:
        workshop.tidy(client, app=f"{material.name}-too")
    assert traces_of(client, material.name) == []


@pytest.mark.parametrize(
    "line, says, hints",
    [
        ("RUN echo one; echo two >&2; exit 3", "exit code 3", ""),
        ("COPY nothing.txt /", "nothing.txt", "not in the build context"),
        ("COPY --from=one /nothing /", "nothing", "no such file"),
        ("RUN no-such-command", "exit code 127", "not in this image"),
        ("RUN echo 'No space left on device' && exit 1", "exit code 1", "disk is full"),
        ("RUN wget -T 3 http://no-such-host.invalid/ || exit 1", "exit code 1", "no network"),
    ],
)
def test_a_failed_step_names_line_command_output_and_hint(client, busybox, app, line, says, hints):
    with pytest.raises(BuildError) as caught:
        build(client, app, f"FROM busybox:1.37 AS one\nRUN echo {app.name}\nFROM busybox:1.37\nWORKDIR /w\n{line}\n")
    text = str(caught.value)
    assert "Line 5 of the Dockerfile failed" in text and line in text and says in text
    assert caught.value.line == 5 and "cached" in text
    assert hints in caught.value.hint if hints else caught.value.hint == ""
    assert "Traceback" not in text and "\x1b" not in text and "sha256" not in text and "of ref" not in text
    if "two" in line:
        assert sorted(caught.value.output) == ["one", "two"]


def test_a_failed_step_shows_its_last_15_lines(client, busybox, app):
    with pytest.raises(BuildError) as caught:
        build(client, app, f"FROM busybox:1.37\nRUN seq 1 40; echo; false {app.name}\n")
    assert caught.value.output == [str(number) for number in range(26, 41)]


def test_a_failed_build_keeps_its_good_steps_and_leaves_no_image(client, busybox, app):
    recipe = f"FROM busybox:1.37\nRUN echo {app.name} > /a\nRUN false\n"
    with pytest.raises(BuildError, match="cached"):
        build(client, app, recipe)
    assert traces_of(client, app.name) == []
    steps = build(client, app, recipe.replace("false", "true")).steps
    assert list(steps["status"]) == ["base", "cached", "run"]


@pytest.mark.parametrize(
    "recipe, says",
    [
        ("FRM busybox:1.37\n\n", "unknown instruction: FRM"),
        ("FROM busybox:1.37\nCOPY --from=nobody /a /a\n", "neither an earlier stage"),
        ("FROM busybox:1.37\nCOPY --frm=nobody /a /a\n", "nknown flag"),
        ("FROM busybox:1.37\nFOO bar\n", "unknown instruction: FOO"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused_in_words(client, busybox, app, recipe, says):
    with pytest.raises(workshop.WorkshopError) as caught:
        build(client, app, recipe)
    assert says in str(caught.value) and "Traceback" not in str(caught.value) and "LLB" not in str(caught.value)


def test_a_heredoc_is_built_or_refused_in_words(client, busybox, app):
    recipe = "FROM busybox:1.37\nRUN <<EOF\necho here > /hi\nEOF\nCOPY <<END /there\ncopied\nEND\n"
    if newer_frontend(client):
        made = build(client, app, recipe)
        assert workshop.run(client, made.tag, "cat /hi /there") == "here\ncopied"
        assert list(made.steps["line"]) == [1, 2, 5] and set(made.steps["status"]) <= {"base", "run", "cached"}
    else:
        with pytest.raises(BuildError, match="does not know heredocs, as line 2") as caught:
            build(client, app, recipe)
        assert caught.value.line == 2


def test_mounts_are_understood(client, busybox, app):
    recipe = (
        "FROM busybox:1.37 AS one\n"
        "RUN printf 1 > /one\n"
        "FROM scratch AS none\n"
        "FROM busybox:1.37\n"
        "RUN --mount=from=one,target=/m --mount=type=cache,target=/c cp /m/one /copied\n"
    )
    made = build(client, app, recipe)
    assert list(made.stages) == ["one", "stage-2"] and workshop.run(client, made.tag, "cat /copied") == "1"


@pytest.mark.parametrize("after", [0.3, 1.5, 4.0])
def test_interrupting_a_build_stops_it_and_leaves_nothing(client, busybox, app, after):
    unlikely = 60 + int(app.name[-4:], 16) / 1e6
    recipe = f"FROM busybox:1.37 AS one\nRUN echo {app.name} > /a\nFROM one\nRUN sleep {unlikely}\n"
    timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT))
    began = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt, match="was stopped"):
        build(client, app, recipe)
    assert time.monotonic() - began < after + 20
    assert traces_of(client, app.name) == []
    deadline = time.monotonic() + 15
    while running(str(unlikely)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not running(str(unlikely))


def running(word: str) -> list[str]:
    """Command lines of this machine's processes in which a word occurs; none where the engine is elsewhere."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [text for text in [path.read_bytes().replace(b"\0", b" ").decode()] if word in text]
        except OSError:
            continue
    return found


def test_an_interruption_while_stages_are_kept_leaves_the_earlier_image(client, material, monkeypatch):
    before = build(client, material)
    held = everything(client)["tags"]
    (material / "material.txt").write_text(f"{material.name} again\n")

    def interrupted(client, request, index, trace):
        raise KeyboardInterrupt

    monkeypatch.setattr(buildkit, "_build_stage", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(client, material)
    assert client.api.inspect_image(before.tag)["Id"] == before.image
    assert {tag for tag in held if material.name in tag} == {
        tag for tag in everything(client)["tags"] if material.name in tag
    }
    names = [one["RepoTags"] for one in tidy.our_images(client, material.name)]
    assert all(names)


def test_the_plain_log_says_stage_instruction_and_seconds(client, material, capsys):
    build(client, material)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("✓ [maker] RUN echo hello") and line.endswith(" s") for line in lines)
    assert any("[unused]" in line and "skipped" in line for line in lines)
    assert lines[-1].startswith(f"Built factory/{material.name}:mine in ")


def test_an_engine_without_buildkit_and_an_unknown_builder_are_said_in_words(monkeypatch, client, busybox, app):
    with pytest.raises(workshop.WorkshopError, match="classic, buildkit"):
        workshop.build(client, app, RECIPE, builder="buildah")
    monkeypatch.setattr(buildkit, "describe", lambda client: {"engine": "Podman"})
    with pytest.raises(workshop.WorkshopError, match=r"This engine \(Podman\) has no BuildKit"):
        build(client, app)


def test_an_edit_elsewhere_and_another_dockerfile_cost_no_cache(client, material):
    """`COPY . .` takes neither the Dockerfile nor anything of ours, in no stage."""
    recipe = (
        "FROM busybox:1.37 AS a\n"
        "WORKDIR /a\n"
        "COPY . .\n"
        "RUN ls -A > /list\n"
        "FROM busybox:1.37\n"
        "COPY material.txt /m\n"
        f"COPY --from=a /list /a{material.name}\n"
    )
    made = build(client, material, recipe)
    assert workshop.run(client, made.tag, f"cat /a{material.name}") == "material.txt"
    assert set(build(client, material, recipe + "CMD ls\n").steps["status"][:-1]) == {"base", "cached"}
    (material / "other.txt").write_text("other")
    status = build(client, material, recipe).steps.set_index("line")["status"].to_dict()
    assert status[6] == "cached" and status[3] == status[4] == "run"
    gate = workshop.gate(client, build(client, material, recipe))
    assert gate[gate["fate"] == "shipped"]["path"].tolist() == ["/list"]


def test_the_context_arrives_as_it_is(client, busybox, app):
    (app / "run").write_text("#!/bin/sh\n")
    (app / "run").chmod(0o750)
    (app / "deep").mkdir()
    (app / "deep" / "päth").write_text("1")
    (app / "short").symlink_to("deep")
    recipe = 'FROM busybox:1.37\nWORKDIR /all\nCOPY . .\nADD ["deep", "/added/"]\nRUN --mount=target=/m ls /m > /seen\n'
    made = build(client, app, recipe)
    said = workshop.run(
        client, made.tag, ["sh", "-c", "stat -c %a run; readlink short; cat deep/* /added/*; cat /seen"]
    )
    assert said.split() == ["750", "deep", "11deep", "run", "short"]
    created_by = [one["CreatedBy"] for one in client.api.history(made.tag)]
    assert "COPY . . # buildkit" in created_by
