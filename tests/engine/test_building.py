"""build() on the classic builder: progress, stages, errors, interruption, with a real engine."""

from __future__ import annotations

import functools
import io
import os
import signal
import threading
import time
import uuid

import pytest
import workshop
from at_hand import need_buildkit, traces_of
from recipes import TWO_STAGES
from workshop.builders import classic, classic_leftovers
from workshop.builders.classic_log import ClassicLog
from workshop.builders.errors import BuildError
from workshop.dockerfiles import stages, syntax
from workshop.engine import connect

classic_build = functools.partial(workshop.build, builder="classic")


@pytest.fixture
def two_stages(client, busybox, app):
    (app / "material.txt").write_text("steel\n")
    (app / "Dockerfile").write_text(TWO_STAGES)
    return app


def test_every_stage_gets_an_id_and_a_tag_of_its_own(client, two_stages):
    build = classic_build(client, two_stages)
    assert list(build.stages) == ["maker", "stage-1"]
    assert build.stage_tags == {"maker": f"{build.tag}.maker", "stage-1": build.tag}
    assert workshop.run(client, build.stage_tags["maker"], "cat /out/product") == "steel\nsteel"
    assert workshop.run(client, build.tag) == "steel\nsteel"
    layers = [
        client.api.inspect_image(name)["RootFS"]["Layers"]
        for name in (build.stages["maker"], build.stage_tags["maker"])
    ]
    assert layers[0] == layers[1]
    assert client.api.inspect_image(build.tag)["Id"] == build.image


def test_each_of_several_stages_is_kept_under_its_own_tag(client, busybox, app):
    """The tag is the stage's own image, with the label on top: its layers, and nobody else's."""
    recipe = """FROM busybox:1.37 AS one
RUN echo 1 > /one
FROM one AS two
RUN echo 2 > /two
FROM busybox:1.37
COPY --from=two /two /two
"""
    build = classic_build(client, app, recipe)
    assert list(build.stages) == list(build.stage_tags) == ["one", "two", "stage-2"]
    layers = lambda name: tuple(client.api.inspect_image(name)["RootFS"]["Layers"])  # noqa: E731
    kept = {name: layers(tag) for name, tag in build.stage_tags.items()}
    assert kept == {name: layers(image) for name, image in build.stages.items()}
    assert len(set(kept.values())) == 3 and kept["two"][: len(kept["one"])] == kept["one"]


def test_steps_say_stage_line_and_whether_the_cache_had_them(client, two_stages):
    first = classic_build(client, two_stages).steps
    assert list(first["line"]) == [1, 2, 3, 4, 5, 6, 7]
    assert list(first["stage"]) == ["maker"] * 4 + ["stage-1"] * 3
    assert first["instruction"].iloc[3].startswith("RUN mkdir /out")
    assert first.loc[3, "status"] == "run" and first.loc[0, "status"] == "base"
    again = classic_build(client, two_stages).steps
    assert set(again["status"]) == {"base", "cached"}
    assert first["bytes"].iloc[3] >= 12


def test_an_edited_file_runs_only_the_steps_after_it(client, two_stages):
    classic_build(client, two_stages)
    (two_stages / "material.txt").write_text("brass\n")
    steps = classic_build(client, two_stages).steps
    assert list(steps["status"]) == ["base", "cached", "run", "run", "base", "run", "run"]


def test_a_target_stops_there(client, two_stages):
    build = classic_build(client, two_stages, target="maker")
    assert list(build.stages) == ["maker"] and build.tag.endswith(":latest-to-maker")
    assert workshop.run(client, build.tag, "cat /out/product") == "steel\nsteel"


def test_a_stage_that_is_gone_loses_its_tag(client, two_stages):
    old = classic_build(client, two_stages).stage_tags["maker"]
    classic_build(client, two_stages, TWO_STAGES.replace("maker", "press"), tag=old.removesuffix(".maker"))
    assert not client.images.list(name=old)


def test_the_dockerfile_and_what_dockerignore_names_stay_out_of_the_image(client, busybox, app):
    for name in ("keep.txt", "secret.env", "Dockerfile.multi"):
        (app / name).write_text("x")
    (app / ".dockerignore").write_text("# a comment\nDockerfile*\n.dockerignore\n*.env\n!keep.txt\n")
    build = classic_build(client, app, "FROM busybox:1.37\nWORKDIR /all\nCOPY . .\nCMD ls -A\n")
    assert workshop.run(client, build.tag) == "keep.txt"


@pytest.mark.parametrize(
    "line, says, hints",
    [
        ("RUN echo one; echo two; exit 3", "exit code 3", ""),
        ("COPY nothing.txt /", "nothing.txt", "not in the build context"),
        ("RUN no-such-command", "exit code 127", "not in this image"),
        ("RUN --mount=type=cache,target=/x true", "--mount", "needs BuildKit"),
        ("RUN echo 'No space left on device' && exit 1", "exit code 1", "disk is full"),
        ("RUN echo 'ERROR: No matching distribution found for flaskk'; exit 1", "exit code 1", "Check the spelling"),
        ("RUN wget -T 3 http://no-such-host.invalid/ || exit 1", "exit code 1", "no network"),
    ],
)
def test_a_failed_step_names_line_command_output_and_hint(client, busybox, app, line, says, hints):
    if "--mount" in line and connect.describe(client)["engine"] == "Podman":
        pytest.skip("Podman's builder can do RUN --mount")
    with pytest.raises(BuildError) as caught:
        classic_build(client, app, f"FROM busybox:1.37\nWORKDIR /w\n{line}\n")
    text = str(caught.value)
    assert "Line 3 of the Dockerfile failed" in text and line in text and says in text
    assert caught.value.line == 3
    assert hints in caught.value.hint if hints else caught.value.hint == ""
    assert "Traceback" not in text and "\x1b" not in text


def test_a_failed_step_shows_its_last_15_lines(client, busybox, app):
    with pytest.raises(BuildError) as caught:
        classic_build(client, app, "FROM busybox:1.37\nRUN seq 1 40; false\n")
    assert caught.value.output == [str(number) for number in range(26, 41)]


def test_a_failed_build_keeps_its_good_steps_as_ours(client, busybox, app):
    recipe = f"FROM busybox:1.37\nRUN echo {app.name} > /a\nRUN false\n"
    with pytest.raises(BuildError, match="cached"):
        classic_build(client, app, recipe)
    steps = classic_build(client, app, recipe.replace("false", "true")).steps
    assert list(steps["status"]) == ["base", "cached", "run"]
    unfinished = client.api.images(filters={"label": "factory-floor=unfinished"}, all=True)
    assert unfinished, "what the failed build made carries the label, so that tidy() finds it"


@pytest.mark.parametrize(
    "recipe, says",
    [
        ("FRM busybox:1.37\n\n", "line 1: unknown instruction: FRM"),
        ("RUN true\n\n", "no FROM line"),
        ("FROM busybox:1.37 AS\n\n", "FROM image AS name"),
        ("FROM busybox:1.37\nCOPY --from=nobody /a /a\n", "neither an earlier stage"),
        ("FROM busybox:1.37\nRUN <<EOF\ntrue\nEOF\n", "BuildKit"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused_in_words(client, busybox, app, recipe, says):
    with pytest.raises(workshop.WorkshopError) as caught:
        classic_build(client, app, recipe)
    assert says in str(caught.value) and "Traceback" not in str(caught.value)


def test_names_that_do_not_exist_are_answered_with_those_that_do(client, two_stages):
    with pytest.raises(workshop.WorkshopError, match="flask_hello"):
        classic_build(client, "flask_helo")
    with pytest.raises(workshop.WorkshopError, match="Dockerfile.multi, Dockerfile.scratch, Dockerfile.single"):
        classic_build(client, "flask_hello", "Dockerfile.mulit")
    with pytest.raises(workshop.WorkshopError, match="maker, stage-1"):
        classic_build(client, two_stages, target="makr")


@pytest.mark.parametrize("after", [0.7, 1.5, 2.5])
def test_interrupting_a_build_leaves_nothing_half_made(client, busybox, app, after):
    steps = ["> /a", "&& sleep 0.3", "&& sleep 60"]
    recipe = "FROM busybox:1.37 AS one\n" + "FROM one\n".join(f"RUN echo {app.name} {step}\n" for step in steps)
    timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT))
    began = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        classic_build(client, app, recipe)
    assert time.monotonic() - began < after + 20
    assert traces_of(client, app.name) == []


def test_a_step_that_the_engine_finishes_after_the_interruption_is_removed_too(client, busybox, app):
    """The last that was heard is the step's container; the engine has made its image meanwhile."""
    recipe = f"FROM busybox:1.37\nRUN echo {app.name} > /a\n"
    log = ClassicLog(syntax.parse(recipe))
    log.began = classic_leftovers.engine_time(client)
    for message in client.api.build(fileobj=io.BytesIO(recipe.encode()), rm=True, decode=True):
        log.feed(message)
    assert log.new_images == [log.images.pop()]  # the last word, not heard
    log.new_images.clear()
    assert traces_of(client, app.name)
    classic.remove_unfinished(client, log)
    assert traces_of(client, app.name) == []


def test_a_steps_container_goes_with_its_own_volumes_and_leaves_the_others(client, busybox, app):
    """An engine gives a container a volume for each VOLUME of its image, and keeps it when the container goes."""
    tag = workshop.build(client, app, "FROM busybox:1.37\nVOLUME /v\n", builder="classic").tag
    theirs = client.volumes.create(f"theirs-{uuid.uuid4().hex}")
    try:
        made = client.containers.create(tag, ["true"], volumes={theirs.name: {"bind": "/theirs", "mode": "rw"}})
        own = {mount["Name"] for mount in client.api.inspect_container(made.id)["Mounts"]} - {theirs.name}
        assert len(own) == 1
        classic_leftovers._wait_until_removed(client, made.id, patience=0.1)
        after = {volume.name for volume in client.volumes.list()}
        assert not own & after and theirs.name in after
    finally:
        theirs.remove()


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
def test_a_build_looks_at_its_bases_once(client, two_stages, monkeypatch, builder):
    if builder == "buildkit":
        need_buildkit(client)
    looked: list[str] = []
    real = stages.look_at
    monkeypatch.setattr(stages, "look_at", lambda client, image: looked.append(image) or real(client, image))
    build = workshop.build(client, two_stages, builder=builder)
    assert looked.count("busybox:1.37") == 1 and build.bases["busybox:1.37"].layers
    assert build.steps["bytes"].sum() > 0


@pytest.fixture
def bystander(client, busybox):
    """Somebody else's: a named image, a nameless one, and a container of it that runs. (the images' ids, the container)."""
    name, ids = f"theirs-{uuid.uuid4().hex}:1", []
    for _ in range(2):
        context = f"FROM busybox:1.37\nENV THEIRS={uuid.uuid4().hex}\nCMD sleep 300\n".encode()
        stream = client.api.build(fileobj=io.BytesIO(context), tag=name, rm=True, decode=True)
        assert not [message for message in stream if "error" in message]
        ids.append(client.api.inspect_image(name)["Id"])
    container = client.containers.run(ids[0], detach=True)
    yield ids, container
    container.remove(force=True)
    client.api.remove_image(name)
    client.api.remove_image(ids[0])


def lies(ids, container) -> str:
    """What a program says to pass for the builder: every form of its words that holds an id."""
    words = [f" ---> Running in {container.id[:12]}", f"--> {ids[0].split(':')[1]}"]
    words += [f" ---> {image.split(':')[1][:12]}" for image in ids]
    return "; ".join(f"echo '{line}'" for line in [*words, "Step 3/3 : LABEL factory-floor=image", *words])


def still_there(client, ids, container) -> bool:
    container.reload()
    return container.status == "running" and all(client.api.inspect_image(image) for image in ids)


def test_a_stopped_build_removes_nothing_that_a_program_named(client, app, bystander):
    recipe = f"FROM busybox:1.37\nRUN echo {app.name}; {lies(*bystander)}; sleep 60\n"
    timer = threading.Timer(2.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        classic_build(client, app, recipe)
    assert still_there(client, *bystander) and traces_of(client, app.name) == []


def test_a_failed_build_labels_nothing_that_a_program_named(client, app, bystander):
    recipe = f"FROM busybox:1.37\nRUN echo {app.name} > /a\nRUN {lies(*bystander)}; exit 1\n"
    with pytest.raises(BuildError):
        classic_build(client, app, recipe)
    on_theirs = [image for image in client.api.images(all=True) if image.get("ParentId") in bystander[0]]
    assert on_theirs == [] and still_there(client, *bystander)


def test_no_stage_is_what_a_program_named(client, app, bystander):
    recipe = f"FROM busybox:1.37 AS maker\nRUN echo {app.name} > /a; {lies(*bystander)}\nFROM maker\nRUN {lies(*bystander)}\n"
    made = classic_build(client, app, recipe)
    assert workshop.run(client, made.stage_tags["maker"], "cat /a") == app.name
    assert workshop.run(client, made.tag, "cat /a") == app.name
    assert made.steps["bytes"].sum() > 0 and not set(bystander[0]) & set(made.stages.values())


def test_what_somebody_built_on_a_stage_and_named_alike_stays(client, app):
    made = classic_build(client, app, f"FROM busybox:1.37 AS maker\nRUN echo {app.name} > /a\nFROM maker\n")
    theirs = f"{made.tag}.debug"
    client.images.build(
        fileobj=io.BytesIO(f"FROM {made.stage_tags['maker']}\nENV DEBUG=1\n".encode()), tag=theirs, rm=True
    )
    classic_build(client, app, f"FROM busybox:1.37 AS other\nRUN echo {app.name} > /b\nFROM other\n")
    assert client.api.inspect_image(theirs) and not client.api.images(name=made.stage_tags["maker"])


def test_an_interrupted_build_can_be_run_again(client, busybox, app):
    recipe = "FROM busybox:1.37\nRUN test -e /never || sleep {}\n"
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        classic_build(client, app, recipe.format(60))
    assert classic_build(client, app, recipe.format(0)).image


def test_a_stage_without_a_name_is_no_target_unless_it_is_the_last(client, two_stages):
    assert list(classic_build(client, two_stages, target="stage-1").stages) == ["maker", "stage-1"]
    assert list(classic_build(client, two_stages, target=0).stages) == ["maker"]
    recipe = "FROM busybox:1.37\nRUN true\nFROM busybox:1.37\n"
    with pytest.raises(workshop.WorkshopError, match="has no name of its own"):
        classic_build(client, two_stages, recipe, target=0)


def test_the_plain_log_says_stage_instruction_and_seconds(client, two_stages, capsys):
    classic_build(client, two_stages)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("✓ [maker] RUN mkdir /out") and line.endswith(" s") for line in lines)
    assert lines[-1].startswith(f"Built factory/{two_stages.name}:latest in ")
