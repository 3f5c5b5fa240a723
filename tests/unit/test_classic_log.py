"""The classic builder's stream, message by message as Docker and Podman send it: what is made of it, and what is shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from workshop.builders import classic, errors
from workshop.builders.classic_log import ClassicLog
from workshop.dockerfiles import syntax
from workshop.progress import Panel


def stream(text: str, *more: dict) -> Iterator[dict]:
    """The lines as messages, then `more`. A step's line and its line break come apart, as Docker sends them."""
    for line in text.strip("\n").splitlines():
        if line.startswith("Step "):
            yield {"stream": line}
            yield {"stream": "\n"}
        elif line.startswith("aux "):
            yield {"aux": {"ID": line.removeprefix("aux ")}}
        else:
            yield {"stream": f"{line}\n"}
    yield from more


def followed(recipe: str, messages: Iterator[dict]) -> ClassicLog:
    log = ClassicLog(syntax.parse(recipe))
    with Panel("Building it") as panel:
        classic._follow(log, messages, panel)
    return log


BASE, ONE, TWO, THREE = ("0" * 12, "1" * 12, "2" * 12, "3" * 12)

EQUAL = "FROM busybox:1.37\n\nRUN ./work\n# once more\nRUN ./work\n\nRUN ./work\nCMD true\n"  # on lines 3, 5 and 7
UP_TO_THE_THIRD = f"""
Step 1/6 : FROM busybox:1.37
 ---> {BASE}
Step 2/6 : RUN ./work
 ---> Using cache
 ---> {ONE}
Step 3/6 : RUN ./work
 ---> Running in aaaaaaaaaaaa
second
Removing intermediate container aaaaaaaaaaaa
 ---> {TWO}
Step 4/6 : RUN ./work
 ---> Running in bbbbbbbbbbbb
third
"""
BROKE = "The command '/bin/sh -c ./work' returned a non-zero code: 3"


@pytest.mark.parametrize(
    "removed", ["Removing intermediate container bbbbbbbbbbbb", " ---> Removed intermediate container"]
)
def test_of_three_equal_lines_the_one_that_failed_is_named(removed):
    failed = {"errorDetail": {"code": 3, "message": BROKE}, "error": BROKE}
    log = followed(EQUAL, stream(UP_TO_THE_THIRD + removed, failed))
    assert [(step.line, step.status) for step in log.dockerfile_steps()] == [
        (1, "base"),
        (3, "cached"),
        (5, "run"),
        (7, "run"),
    ]
    error = errors.failed(log.failure, log.instruction(), log.output, kept=True)
    assert (error.line, error.command, error.output) == (7, "RUN ./work", ["third"])
    assert "Line 7 of the Dockerfile failed (exit code 3):\n    RUN ./work" in str(error)


def test_an_error_without_its_short_form_counts_too():
    log = followed(EQUAL, stream(UP_TO_THE_THIRD, {"errorDetail": {"message": BROKE}}))
    assert log.failure == BROKE and log.instruction().line == 7


STAGES = "FROM busybox:1.37 AS maker\nRUN make\nFROM busybox:1.37\nCOPY --from=maker /a /a\n"
DOCKER = f"""
Step 1/5 : FROM busybox:1.37 AS maker
 ---> {BASE}
Step 2/5 : RUN make
 ---> Using cache
 ---> {ONE}
aux sha256:{ONE}
Step 3/5 : FROM busybox:1.37
 ---> {BASE}
Step 4/5 : COPY --from=maker /a /a
 ---> {TWO}
Step 5/5 : LABEL factory-floor=image
 ---> Running in cccccccccccc
 ---> Removed intermediate container cccccccccccc
 ---> {THREE}
aux sha256:{THREE}
Successfully built {THREE}
Successfully tagged factory/x:latest
"""
PODMAN = f"""
[1/2] STEP 1/2: FROM busybox:1.37 AS maker
[1/2] STEP 2/2: RUN make
--> Using cache {ONE * 5}0000
--> {ONE}
[2/2] STEP 1/3: FROM busybox:1.37
[2/2] STEP 2/3: COPY --from=maker /a /a
--> {TWO}
[2/2] STEP 3/3: LABEL "factory-floor"="image"
[2/2] COMMIT factory/x:latest
--> {THREE}
Successfully tagged localhost/factory/x:latest
{THREE * 5}0000
aux sha256:{THREE}
"""


@pytest.mark.parametrize("said", [DOCKER, PODMAN], ids=["Docker", "Podman"])
def test_the_log_and_the_panel_say_of_each_step_whether_it_ran_or_came_from_the_cache(said, capsys):
    log = followed(STAGES, stream(said))
    assert [(step.stage, step.line, step.status) for step in log.dockerfile_steps()] == [
        ("maker", 1, "base"),
        ("maker", 2, "cached"),
        ("stage-1", 3, "base"),
        ("stage-1", 4, "run"),
    ]
    shown = capsys.readouterr().out.splitlines()
    ended = [line for line in shown if line[0] in "✓↺"]
    assert ended[1].startswith("↺ [maker] RUN make cached")
    assert ended[3].startswith("✓ [stage-1] COPY --from=maker /a /a") and "cached" not in ended[3]
    assert len(ended) == 4 and "LABEL" not in "".join(shown), "our own label is no line of the Dockerfile"


@pytest.mark.parametrize("said", [DOCKER, PODMAN], ids=["Docker", "Podman"])
def test_only_what_this_build_made_counts_as_new(said):
    log = followed(STAGES, stream(said))
    assert log.new_images == [TWO, THREE] and log.output == []
    assert log.stage_ids["maker"].removeprefix("sha256:") == ONE
    assert log.stage_ids["stage-1"] == f"sha256:{THREE}"


def test_a_steps_own_words_are_not_taken_for_the_builders():
    """A program may print what looks like an image's line, a step's, or nothing at all."""
    said = f"""
Step 1/3 : FROM busybox:1.37
 ---> {BASE}
Step 2/3 : RUN make
 ---> Running in dddddddddddd
\x1b[32mgreen\x1b[0m words

Step by step
---> not an image
Removing intermediate container dddddddddddd
 ---> {ONE}
"""
    log = followed("FROM busybox:1.37\nRUN make\nRUN more\n", stream(said))
    assert [step.line for step in log.steps] == [1, 2]
    assert log.output == ["green words", "Step by step", "---> not an image"]
    assert log.where() == "step 2 of the build"


def test_a_builder_may_pass_over_a_stage():
    """Podman does not build what nothing needs, and says nothing of it."""
    recipe = "FROM busybox:1.37 AS unused\nRUN one\nFROM busybox:1.37 AS maker\nRUN one\nFROM scratch\nCOPY --from=maker / /\n"
    said = f"""
[1/2] STEP 1/2: FROM busybox:1.37 AS maker
[1/2] STEP 2/2: RUN one
--> {ONE}
[2/2] STEP 1/2: FROM scratch
[2/2] STEP 2/2: COPY --from=maker / /
--> {TWO}
"""
    log = followed(recipe, stream(said))
    assert [(step.stage, step.line) for step in log.dockerfile_steps()] == [
        ("maker", 3),
        ("maker", 4),
        ("stage-2", 5),
        ("stage-2", 6),
    ]
