"""What build() promises before there is an engine."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import docker
import pandas as pd
import pytest
import workshop
from workshop.builders import build as building
from workshop.builders import errors
from workshop.builders.stage_tags import stage_tags
from workshop.dockerfiles import syntax


def test_the_dockerfile_of_the_series_is_verbatim():
    """The text that the series grew from has it so; a change of one character is a change of what is taught."""
    text = (building.SAMPLE_APPS / "flask_hello" / "Dockerfile.multi").read_bytes()
    assert hashlib.sha256(text).hexdigest() == "47e0e2c2bb476ce8d980d949e6467617c17e0b91c30b80c6e7a386cffec75673"
    assert [stage.name for stage in syntax.parse(text.decode()).stages] == ["builder", "stage-1"]


def test_default_tags():
    assert building.default_tag("flask_hello", "Dockerfile.multi") == "factory/flask_hello:multi"
    assert building.default_tag("hello", "Dockerfile") == "factory/hello:latest"
    assert building.default_tag("hello", "FROM scratch\nCOPY . .\n") == "factory/hello:mine"
    assert building.default_tag("Hello World", "Dockerfile", "a b") == "factory/hello-world:latest-to-a-b"
    assert building.default_tag("hello", "My Dockerfile") == "factory/hello:My-Dockerfile"


def test_each_stage_has_a_tag_of_its_own_and_the_last_the_images():
    assert stage_tags("factory/app:1", ["maker", "Test Stage", "stage-2"]) == {
        "maker": "factory/app:1.maker",
        "Test Stage": "factory/app:1.Test-Stage",
        "stage-2": "factory/app:1",
    }


def test_a_target_has_another_tag_than_the_stage_that_is_kept_of_the_whole():
    whole = building.default_tag("app", "Dockerfile.multi")
    kept = stage_tags(whole, ["maker", "maker-", "stage-2"])
    until = building.default_tag("app", "Dockerfile.multi", "maker")
    assert until not in kept.values() and len(set(kept.values())) == 3
    assert not any(tag.startswith(f"{whole}.") for tag in [until, *stage_tags(until, ["one", "maker"]).values()])


@pytest.mark.parametrize(
    "recipe, target, told",
    [
        ("FROM a AS x\nFROM b AS y\nFROM c AS X\n", None, "called X, on line 1 and on line 3 of the Dockerfile.\n"),
        ("FROM a AS x\nFROM b AS y\nFROM c AS X\n", "y", None),
        ("FROM a AS stage-1\nFROM b\n", None, None),  # builders call the second one so, and no line can mean it by that
    ],
)
def test_two_stages_of_one_name_cannot_both_be_kept(recipe, target, told):
    parsed = syntax.parse(recipe)
    if told is None:
        errors.refuse_same_names(parsed, parsed.stage_index(target))
        return
    with pytest.raises(workshop.WorkshopError, match=told):
        errors.refuse_same_names(parsed, parsed.stage_index(target))


@pytest.fixture
def kitchen(tmp_path, monkeypatch):
    """A home with a folder "soup" in it, which has Dockerfiles; the current folder is "soup"."""
    folder = tmp_path / "soup"
    (folder / "Dockerfile.kept").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "Dockerfile.thin").write_text("FROM busybox\n")
    (tmp_path / "Dockerfile").write_text("FROM alpine\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(folder)
    return folder


def test_the_current_folder_the_home_and_paths_of_either_kind_are_apps(kitchen):
    for app in (".", "./", "../soup", "~/soup", str(kitchen), Path("."), Path("~/soup"), kitchen):
        assert workshop.dockerfile(app) == "FROM scratch\n", app
    assert workshop.dockerfile("~") == workshop.dockerfile("..") == "FROM alpine\n"
    (kitchen / "hello").mkdir()
    (kitchen / "hello" / "Dockerfile").write_text("FROM alpine\n")
    assert workshop.dockerfile("hello").startswith("FROM busybox")  # a sample app's name comes first …
    assert workshop.dockerfile("./hello") == "FROM alpine\n"  # … and a path is one


def test_a_dockerfile_is_named_as_its_folder_has_it_or_by_a_path_into_that(kitchen, monkeypatch):
    for name in ("Dockerfile.thin", "./Dockerfile.thin", Path("Dockerfile.thin"), kitchen / "Dockerfile.thin"):
        assert workshop.dockerfile(".", name) == "FROM busybox\n"
    monkeypatch.chdir(kitchen.parent)
    assert workshop.dockerfile("soup", "soup/Dockerfile.thin") == "FROM busybox\n"
    assert workshop.dockerfile("./soup", "~/soup/Dockerfile.thin") == "FROM busybox\n"
    (kitchen / "Dockerfile").unlink()
    with pytest.raises(workshop.WorkshopError, match="soup has no file 'Dockerfile'"):
        workshop.dockerfile("soup")  # and not the one that lies beside that folder


@pytest.mark.parametrize(
    "app, name, what",
    [
        (".", "Dockerfile.kept", "'Dockerfile.kept' in soup is a folder, .*\nIts Dockerfiles are: Dockerfile, Dockerfile.latin"),
        (".", "FROM busybox", "no file 'FROM busybox'.\n.* text is taken for one if a line ends in it"),
        ("Dockerfile", "Dockerfile", "'Dockerfile' is a file, .*\nName its folder, and 'Dockerfile' after it"),
        ("~no-such-user", "Dockerfile", "No folder can be found as '~no-such-user'"),
        ("y" * 300, "Dockerfile", "No folder can be found as 'yyy.*: File name too long"),
        (".", "y" * 300, "cannot be read: File name too long"),
        (".", "Dockerfile.latin", "cannot be read: byte 8 is not UTF-8.\nIt has to be a text in UTF-8"),
    ],
)  # fmt: skip
def test_what_is_no_app_or_no_dockerfile_is_told(kitchen, app, name, what):
    (kitchen / "Dockerfile.latin").write_bytes("# Hell für alle\n".encode("latin-1"))
    with pytest.raises(workshop.WorkshopError, match=what):
        workshop.dockerfile(app, name)


SHA = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    "message",
    [
        f'failed to export layer: snapshot "{SHA}-parent-view": already exists',
        'failed to solve: image "docker.io/factory/hello:mine": already exists',
        "rpc error: code = AlreadyExists desc = hello",
        f"No such image: {SHA}",
        f"parent snapshot {SHA} does not exist: not found",
        f"failed to get digest {SHA}: open /var/lib/docker/image/overlay2/imagedb/{SHA}: no such file or directory",
        "checking if cached image exists from a previous build: getting top layer info: layer not known",
    ],
)
def test_who_meets_another_build_or_a_prune_is_told_so_and_no_line_is_blamed(message):
    parsed = syntax.parse("FROM a\nRUN make\n")
    for error in (
        errors.failed(message, None, [], kept=False, begun=True),
        errors.failed(message, parsed.instructions[1], [], kept=True),
        errors.buildkit_failed(message, None, [], parsed),
        errors.refused(docker.errors.APIError("500", explanation=message), parsed),
    ):
        assert "Something else got in the way of this build" in str(error) and message in str(error)
        assert "or a prune" in str(error) and "Mend" not in str(error) and "first step" not in str(error)


@pytest.mark.parametrize(
    "message",
    [
        "The command '/bin/sh -c echo image already exists; false' returned a non-zero code: 1",
        'process "/bin/sh -c grep snapshot: already exists" did not complete successfully: exit code: 1',
        f"COPY failed: stat /var/lib/docker/overlay2/{SHA}/x: file does not exist",
        f'failed to calculate checksum of ref {SHA}::1: "/x": not found',
        "pull access denied for nope, repository does not exist or may require 'docker login'",
        f"docker.io/library/a@{SHA}: not found",
        "dockerfile parse error on line 2: unknown instruction: RNU",
    ],
)
def test_what_a_dockerfile_is_at_fault_for_is_no_collision(message):
    assert not errors.is_collision(message)


def test_a_build_that_fails_behind_its_last_line_is_not_said_to_fail_before_its_first():
    said = str(errors.failed("no more leases", None, [], kept=False, begun=True))
    assert said.startswith("The build failed, at none of its steps: no more leases\n") and "Mend" not in said
    assert str(errors.failed("no builder", None, [], kept=False)).startswith("The build failed before its first step")


def test_one_step_is_one_step():
    steps = pd.DataFrame({"status": ["base"]})
    made = building.Build("id", "factory/x:1", 4.3, {"stage-0": "id"}, {}, steps, "FROM a\n")
    assert repr(made) == "factory/x:1: 1 stage, 1 step (0 cached), 4.3 s"


@pytest.mark.parametrize(
    "line, advice",
    [
        ("RUN <<E\nmake\nE", "Write it with && and \\ instead"),
        ("COPY <<E /note\nhello\nE", "Put the text into a file of the app's folder instead and COPY that"),
        ("ADD <<E /note\nhello\nE", "Put the text into a file of the app's folder instead and ADD that"),
    ],
)
def test_a_heredoc_is_refused_with_advice_for_its_word(line, advice):
    with pytest.raises(errors.BuildError) as caught:
        errors.refuse_heredocs(syntax.parse(f"FROM a\n{line}\n"))
    assert caught.value.remedy == f"{advice}, and run the cell again."


def test_a_flag_that_the_classic_builder_would_pass_over_is_refused():
    parsed = syntax.parse(
        "FROM a AS b\nCOPY --link --chown=1 x /\nRUN --exclude=y x\nFROM b\nCOPY --exclude=*.key . /\n"
    )
    assert errors.unheeded(parsed, [0]) is None
    told = str(errors.unheeded(parsed, [0, 1]))
    assert re.match(r"(?s)Line 5 .*COPY --exclude.*Hint: This needs BuildKit.*Leave --exclude out", told)


@pytest.mark.parametrize("said", ["secret token: not found", "secret token not found: not found"])  # 28.5, 20.10
def test_a_secret_that_was_not_given_is_no_missing_command(said):
    assert errors.hint(said).startswith("The build was given no such secret")


@pytest.mark.parametrize("builder", [None, "classic", "buildkit"])
def test_an_engine_that_is_gone_is_told_before_a_build_begins(tmp_path, builder):
    gone = docker.DockerClient(base_url=f"unix://{tmp_path}/no.sock", version="1.41")
    with pytest.raises(workshop.EngineLost):
        workshop.build(gone, "hello", builder=builder)
