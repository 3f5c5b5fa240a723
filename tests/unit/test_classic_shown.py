"""What is shown of a classic build while it goes on, message by message as Docker and Podman send them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from workshop.builders import classic, steps
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


def test_the_rows_of_a_panel_add_up_to_its_header(monkeypatch, capsys):
    """Ten seconds by the clock: four are one row's, two are of a row that shows no time, and the rest has a row of its own."""
    clock = [100.0]
    monkeypatch.setattr("workshop.progress.time.monotonic", lambda: clock[0])
    panel = Panel("Building it")
    for key, took, state in (("make", 4, "done"), ("kept", 2, "cached")):
        panel.row(key, key, began=clock[0])
        clock[0] += took
        panel.row(key, state=state)
    clock[0] += 4
    panel.rest("the engine, between steps")
    shown = {row.text: row.age() for row in panel.rows.values() if row.state != "cached"}
    assert shown == {"make": 4, "the engine, between steps": 6} and sum(shown.values()) == clock[0] - 100
    assert capsys.readouterr().out.splitlines()[-1] == "✓ the engine, between steps 6.0 s"
    panel.rest("nothing more")
    assert "nothing more" not in panel.rows


def test_bytes_beside_a_step_are_said_to_be_the_engines_count():
    assert steps.added(18_268_160, cached=False) == "+18.3 MB, as the engine counts"
    assert steps.added(18_268_160, cached=True) == "cached, +18.3 MB, as the engine counts"


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
