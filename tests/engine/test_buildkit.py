"""build(builder="buildkit"): the same promises as for the classic builder, and what only BuildKit does. With a real engine."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import workshop
from at_hand import everything, need_buildkit, refuse, traces_of
from recipes import TWO_STAGES
from workshop.builders import buildkit, context
from workshop.builders.errors import BuildError
from workshop.builders.steps import COLUMNS
from workshop.engine import connect, tidy
from workshop.labels import IMAGE, STAGE, made_here

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
    assert list(made.stages) == ["maker"] and made.tag.endswith(":mine-to-maker") and len(made.steps) == 6
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


def test_an_interruption_while_the_context_is_sent_leaves_nothing(client, app, monkeypatch):
    (app / "large").write_bytes(os.urandom(1 << 24))
    opened = context.Entry.open

    def interrupt(entry):
        if entry.path == "large":
            os.kill(os.getpid(), signal.SIGINT)
        return opened(entry)

    monkeypatch.setattr(context.Entry, "open", interrupt)
    with pytest.raises(KeyboardInterrupt, match="was stopped"):
        build(client, app, f"FROM scratch\nCOPY large /{app.name}\n")
    assert traces_of(client, app.name) == []
    assert not [one.name for one in threading.enumerate() if "BuildKit" in one.name]
    monkeypatch.undo()
    assert build(client, app, f"FROM scratch\nCOPY large /{app.name}\n").context_bytes == 1 << 24


def test_a_step_may_take_longer_than_the_engine_waits_for_a_sign_of_life(client, busybox, app):
    """BuildKit asks a session every few seconds whether it is well, and gives it up if it does not answer."""
    made = build(client, app, f"FROM busybox:1.37\nRUN sleep 12; echo {app.name} > /a\nCOPY . /b\n")
    assert list(made.steps["status"]) == ["base", "run", "run"]


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


def test_it_is_the_default_where_the_engine_has_it(client, material):
    made = workshop.build(client, material, RECIPE)
    assert made.stages.keys() == build(client, material).stages.keys() == {"maker", "stage-2"}  # `unused` was skipped
    assert "unused" in workshop.build(client, material, RECIPE, builder="classic").stages


def test_an_engine_without_buildkit_and_an_unknown_builder_are_said_in_words(monkeypatch, client, busybox, app):
    with pytest.raises(workshop.WorkshopError, match="classic, buildkit"):
        workshop.build(client, app, RECIPE, builder="buildah")
    monkeypatch.setattr(connect, "describe", lambda client: {"engine": "Podman"})
    monkeypatch.setattr(buildkit, "describe", connect.describe)
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


SHOW = "FROM busybox:1.37\nCOPY . /c\nCMD find /c | sort\n"


def test_files_of_the_context_are_roots(client, busybox, app):
    (app / "f").write_text("1")
    if os.getuid() == 0:
        os.chown(app / "f", 1000, 1000)
    made = build(client, app, "FROM busybox:1.37\nCOPY f /f\nCMD stat -c %u:%g /f\n")
    assert workshop.run(client, made.tag) == "0:0"


def test_onbuild_copies_the_context_and_nothing_of_ours(client, busybox, app):
    (app / "f").write_text("1")
    recipe = (
        "FROM busybox:1.37 AS base\nONBUILD COPY . /app\nONBUILD RUN ls -A /app > /list\nFROM base\nCMD cat /list\n"
    )
    made = build(client, app, recipe)
    assert workshop.run(client, made.tag) == "f"
    assert {made.image} <= {image["Id"] for image in tidy.our_images(client, app.name)}


def test_a_heredoc_may_stand_beside_a_file(client, busybox, app):
    if not newer_frontend(client):
        pytest.skip("this engine's BuildKit does not know heredocs")
    (app / "f").write_text("1")
    made = build(client, app, "FROM busybox:1.37\nCOPY f <<E /d/\nx\nE\nCMD ls /d\n")
    assert workshop.run(client, made.tag).split() == ["E", "f"]


def test_a_dockerignore_of_the_dockerfiles_own_counts_instead(client, busybox, app):
    for name in (".env", "a.md", "b.txt"):
        (app / name).write_text("secret")
    (app / "Dockerfile.own").write_text(SHOW)
    (app / "Dockerfile.own.dockerignore").write_text(".env\nDockerfile*\n.dockerignore\n")
    (app / ".dockerignore").write_text("*.md\nDockerfile*\n.dockerignore\n")
    assert workshop.run(client, build(client, app, "Dockerfile.own").tag).split() == ["/c", "/c/a.md", "/c/b.txt"]
    assert workshop.run(client, build(client, app, SHOW).tag).split() == ["/c", "/c/.env", "/c/b.txt"]


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
@pytest.mark.parametrize("ignore", [b"\xef\xbb\xbf.env\nx\n", b"# caf\xe9\n.env\n", b"*\n!sub/**/*.md\n", b".env\r\n"])
def test_dockerignore_is_read_as_its_bytes_say_and_copied_as_it_is(client, busybox, app, builder, ignore):
    (app / "sub" / "deep").mkdir(parents=True)
    for name in (".env", "sub/b.md", "sub/deep/c.md"):
        (app / name).write_text("1")
    (app / ".dockerignore").write_bytes(ignore)
    (app / "Dockerfile.a").write_text(SHOW)
    made = workshop.build(client, app, "Dockerfile.a", builder=builder)
    found = set(workshop.run(client, made.tag).split())
    assert "/c/.env" not in found and {"/c/sub/b.md", "/c/sub/deep/c.md"} <= found
    if not ignore.startswith(b"*"):
        copied = workshop.run(client, made.tag, "cat /c/.dockerignore").strip()
        assert copied == ignore.decode(errors="replace").strip()


def test_a_secret_is_there_for_its_step_and_in_no_layer(client, busybox, app, tmp_path):
    word = f"password-{app.name}"
    (tmp_path / "netrc").write_text(word)
    recipe = (
        "FROM busybox:1.37\n"
        f"RUN : {app.name}\n"  # a secret's content is no part of what the cache goes by
        "RUN --mount=type=secret,id=token,required=true cat /run/secrets/token | wc -c > /length\n"
        "RUN --mount=type=secret,id=netrc,target=/root/.netrc sha256sum < /root/.netrc > /sum\n"
        "CMD cat /length /sum\n"
    )
    made = build(client, app, recipe, secrets={"token": word, "netrc": tmp_path / "netrc"})
    assert workshop.run(client, made.tag).split() == [str(len(word)), hashlib.sha256(word.encode()).hexdigest(), "-"]
    files = workshop.files(client, [made.tag])
    assert word not in workshop.run(client, made.tag, "cat /length /sum /root/.netrc /run/secrets/token 2>&1 || true")
    assert word not in str(client.api.history(made.tag)) and len(files)
    with pytest.raises(BuildError, match="given no such secret"):
        build(client, app, recipe.replace("wc -c", "wc  -c"), secrets={"netrc": word})
    with pytest.raises(workshop.WorkshopError, match="'token' cannot be read from"):
        build(client, app, recipe, secrets={"token": tmp_path / "nowhere"})
    with pytest.raises(workshop.WorkshopError, match=r"classic builder passes no secrets to a build \(token\)"):
        workshop.build(client, app, "FROM busybox:1.37\n\n", secrets={"token": word}, builder="classic")


def test_what_cannot_be_read_is_said_in_words_and_only_if_the_build_needs_it(client, busybox, app, monkeypatch):
    (app / "f").write_text("1")
    (app / "private").mkdir()
    refuse(monkeypatch, "private")
    for builder in ("classic", "buildkit"):
        with pytest.raises(workshop.WorkshopError, match="because of private: Permission denied"):
            workshop.build(client, app, SHOW, builder=builder)
    assert traces_of(client, app.name) == []
    assert build(client, app, "FROM busybox:1.37\nCOPY f /f\n").stages
    (app / ".dockerignore").write_text("private\n")
    assert workshop.run(client, build(client, app, SHOW).tag).split() == ["/c", "/c/.dockerignore", "/c/f"]


def test_many_files_and_much_content_arrive_whole(client, app):
    """5,000 small files and one of 300 MB: more than any window of HTTP/2. Again, unchanged, nothing is sent."""
    for number in range(5000):
        (app / f"{number % 50}").mkdir(exist_ok=True)
        (app / f"{number % 50}" / f"{number}").write_text(f"{number} {app.name}")
    piece = os.urandom(1 << 20)
    with open(app / "large", "wb") as large:
        for _ in range(300):
            large.write(piece)
    made = build(client, app, "FROM scratch\nCOPY . /c\n")
    files = workshop.files(client, [made.tag]).query("kind == 'file'").set_index("path")
    assert len(files) == 5001 and files["bytes"]["/c/large"] == 300 << 20
    assert files["digest"]["/c/large"].endswith(hashlib.sha256(piece * 300).hexdigest())
    told = sum(len(f"{number} {app.name}") for number in range(5000)) + (300 << 20)
    assert made.context_bytes == told
    assert build(client, app, "FROM scratch\nCOPY . /d\n").context_bytes == 0


def test_a_stage_without_a_name_can_be_the_target(client, material):
    recipe = "FROM busybox:1.37\nCOPY material.txt /m\nFROM busybox:1.37\nCOPY --from=0 /m /n\n"
    made = build(client, material, recipe)
    assert list(made.stages) == ["stage-0", "stage-1"]
    alone = build(client, material, recipe, target=0)
    assert list(alone.stages) == ["stage-0"] and len(alone.steps) == 2
    assert workshop.run(client, alone.tag, "cat /m") == material.name


def test_warnings_are_sentences_with_their_lines(client, busybox, app):
    if not newer_frontend(client):
        pytest.skip("this engine's BuildKit gives no warnings")
    made = build(client, app, "FROM busybox:1.37 as one\nCMD ls\n")
    assert len(made.warnings) == 2 and all(one.startswith(("Line 1: ", "Line 2: ")) for one in made.warnings)
    assert build(client, app, 'FROM busybox:1.37 AS one\nCMD ["ls"]\n').warnings == []


def test_an_image_is_ours_by_the_length_of_its_history_and_what_is_built_on_it_is_not(client, material):
    made = build(client, material)
    child = f"{material.name}:not-ours"
    for name in ("classic", "buildkit"):
        workshop.build(
            client, material, f"FROM {made.tag}\nCMD sh\n", tag=f"factory/{material.name}:{name}", builder=name
        )
    ours = {image["Id"] for image in tidy.our_images(client, material.name)}
    for tag in (made.tag, f"factory/{material.name}:classic", f"factory/{material.name}:buildkit"):
        assert client.api.inspect_image(tag)["Id"] in ours
    stream = client.api.build(
        fileobj=io.BytesIO(f"FROM {made.tag}\nUSER 1\n".encode()), tag=child, rm=True, decode=True
    )
    assert not [message for message in stream if "error" in message]
    try:
        assert not made_here(client, child, IMAGE) and made_here(client, made.tag, IMAGE)
        assert not made_here(client, made.tag, STAGE) and made_here(client, made.stage_tags["maker"], STAGE)
    finally:
        client.api.remove_image(child)


def test_no_thread_and_no_connection_is_left_behind(client, material):
    for recipe in (RECIPE, RECIPE.replace("echo hello", "false")):
        with contextlib.suppress(BuildError):
            build(client, material, recipe)
    assert not [one.name for one in threading.enumerate() if "BuildKit" in one.name]


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
