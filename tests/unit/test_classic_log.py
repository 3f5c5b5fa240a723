"""The classic builder's log, read without an engine: hand-written messages in the engine's format, and recordings."""

from __future__ import annotations

import json
from pathlib import Path

from workshop.builders import errors
from workshop.builders.classic_log import ClassicLog
from workshop.dockerfiles import syntax

RECORDINGS = Path(__file__).parent / "recordings"


def read(dockerfile: str, messages: list[dict]) -> ClassicLog:
    log = ClassicLog(syntax.parse(dockerfile))
    for message in messages:
        log.feed(message)
    log.end()
    return log


def replay(name: str) -> ClassicLog:
    recording = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))
    return read(recording["dockerfile"], recording["messages"])


def step(number: int, of: int, text: str, *lines: str) -> list[dict]:
    """The messages of one step, as Docker's builder sends them: title and newline apart, then a message a line."""
    return [{"stream": f"Step {number}/{of} : {text}"}, {"stream": "\n"}, *({"stream": f"{line}\n"} for line in lines)]


def ran(image: str, *output: str, container: str = "0123456789ab") -> list[str]:
    """What a RUN that was not in the cache says."""
    return [f" ---> Running in {container}", *output, f"Removing intermediate container {container}", f" ---> {image}"]


THREE = "FROM busybox\nRUN make\nRUN make\nRUN make\n"


def test_of_three_equal_lines_the_third_is_named_when_it_fails():
    reason = "The command '/bin/sh -c make' returned a non-zero code: 2"
    log = read(
        THREE,
        [
            *step(1, 4, "FROM busybox", " ---> aaaaaaaaaaaa"),
            *step(2, 4, "RUN make", *ran("bbbbbbbbbbbb", "first")),
            *step(3, 4, "RUN make", *ran("cccccccccccc", "second")),
            *step(4, 4, "RUN make", " ---> Running in 0123456789ab", "third", "make: *** no rule"),
            {"stream": "Removing intermediate container 0123456789ab\n"},
            {"errorDetail": {"code": 2, "message": reason}, "error": reason},
        ],
    )
    assert log.failure == reason and log.where() == "step 4 of the build"
    error = errors.failed(log.failure, log.instruction(), log.output, kept=True)
    assert (error.line, error.command, error.output) == (4, "RUN make", ["third", "make: *** no rule"])
    assert "Line 4 of the Dockerfile failed (exit code 2)" in str(error)


def test_each_step_says_its_line_and_whether_the_cache_had_it():
    dockerfile = "# a comment\nFROM busybox\n\nRUN make \\\n  all\nCOPY a /a\nCMD sh\n"
    log = read(
        dockerfile,
        [
            *step(1, 5, "FROM busybox", " ---> aaaaaaaaaaaa"),
            *step(2, 5, "RUN make   all", " ---> Using cache", " ---> bbbbbbbbbbbb"),
            *step(3, 5, "COPY a /a", " ---> cccccccccccc"),
            *step(4, 5, "CMD sh", *ran("dddddddddddd")),
            *step(5, 5, "LABEL factory-floor=image", *ran("eeeeeeeeeeee")),
            {"aux": {"ID": "sha256:" + "e" * 64}},
            {"stream": "Successfully built eeeeeeeeeeee\n"},
        ],
    )
    steps = log.dockerfile_steps()
    assert [(one.line, one.status, one.image[:1]) for one in steps] == [
        (2, "base", "a"),
        (4, "cached", "b"),
        (6, "run", "c"),
        (7, "run", "d"),
    ]
    assert log.new_images == ["c" * 12, "d" * 12, "e" * 12], "the cached one and the base are not of this build"


def test_each_stage_has_its_id_also_one_without_a_name():
    dockerfile = "FROM busybox AS maker\nRUN make\nFROM maker\nRUN make\nFROM busybox\nCOPY --from=maker /a /a\n"
    ids = {letter: f"sha256:{letter * 64}" for letter in "bcd"}
    log = read(
        dockerfile,
        [
            *step(1, 7, "FROM busybox AS maker", " ---> aaaaaaaaaaaa"),
            *step(2, 7, "RUN make", *ran("b" * 12)),
            {"aux": {"ID": ids["b"]}},
            *step(3, 7, "FROM maker", " ---> bbbbbbbbbbbb"),
            *step(4, 7, "RUN make", *ran("c" * 12)),
            {"aux": {"ID": ids["c"]}},
            *step(5, 7, "FROM busybox", " ---> aaaaaaaaaaaa"),
            *step(6, 7, "COPY --from=maker /a /a", " ---> dddddddddddd"),
            {"aux": {"ID": ids["d"]}},
        ],
    )
    assert log.stage_ids == {"maker": ids["b"], "stage-1": ids["c"], "stage-2": ids["d"]}
    assert [one.stage for one in log.dockerfile_steps()] == ["maker"] * 2 + ["stage-1"] * 2 + ["stage-2"] * 2


def test_what_a_step_printed_last_is_its_own_words_without_colours_and_the_builders_remarks():
    lines = step(2, 4, "RUN make", " ---> Running in 0123456789ab", "\x1b[91mwarning: old\x1b[0m", "", "done")
    log = read(THREE, [*step(1, 4, "FROM busybox", " ---> aaaaaaaaaaaa"), *lines])
    assert log.output == ["warning: old", "done"] and log.containers == ["0123456789ab"]
    for line in (" ---> bbbbbbbbbbbb", "Step 3/4 : RUN make"):
        log.feed({"stream": line})
    assert log.output == [], "another step's words are not kept"


def test_a_program_that_prints_like_the_builder_begins_no_step_and_names_no_stage():
    lies = ["Step 3/5 : FROM busybox", " ---> ffffffffffff", " ---> Running in eeeeeeeeeeee"]
    log = read(
        "FROM busybox AS maker\nRUN make\nFROM busybox\nCOPY --from=maker /a /a\n",
        [
            *step(1, 5, "FROM busybox AS maker", " ---> aaaaaaaaaaaa"),
            *step(2, 5, "RUN make", *ran("bbbbbbbbbbbb", *lies)),
            {"aux": {"ID": "sha256:" + "b" * 64}},
            *step(3, 5, "FROM busybox", " ---> aaaaaaaaaaaa"),
            *step(4, 5, "COPY --from=maker /a /a", " ---> cccccccccccc"),
            *step(5, 5, "LABEL factory-floor=image", *ran("dddddddddddd")),
            {"aux": {"ID": "sha256:" + "d" * 64}},
        ],
    )
    assert [(one.line, one.image[:1]) for one in log.dockerfile_steps()] == [(1, "a"), (2, "b"), (3, "a"), (4, "c")]
    assert log.stages_until(1) == {"maker": "sha256:" + "b" * 64, "stage-1": "sha256:" + "d" * 64}


def test_podmans_builder_is_read_too():
    dockerfile = "FROM busybox AS maker\nRUN make\nFROM busybox\nCOPY --from=maker /a /a\n"
    log = read(
        dockerfile,
        [
            {"stream": "[1/2] STEP 1/2: FROM busybox AS maker\n"},
            {"stream": "[1/2] STEP 2/2: RUN make\n"},
            {"stream": "made\n"},
            {"stream": f"--> {'b' * 12}\n"},
            {"stream": "[2/2] STEP 1/3: FROM busybox\n"},
            {"stream": "[2/2] STEP 2/3: COPY --from=maker /a /a\n"},
            {"stream": f"--> Using cache {'c' * 64}\n"},
            {"stream": f"--> {'c' * 12}\n"},
            {"stream": '[2/2] STEP 3/3: LABEL "factory-floor"="image"\n'},
            {"stream": "[2/2] COMMIT factory/test:mine\n"},
            {"stream": f"--> {'d' * 12}\n"},
            {"aux": {"ID": "sha256:" + "d" * 64}},
        ],
    )
    assert [(one.line, one.status) for one in log.dockerfile_steps()] == [
        (1, "base"),
        (2, "run"),
        (3, "base"),
        (4, "cached"),
    ]
    assert log.stage_ids == {"maker": "b" * 12, "stage-1": "sha256:" + "d" * 64}


def test_podmans_builder_counts_no_stages_where_there_is_one():
    said = [
        "STEP 1/3: FROM busybox",
        "STEP 2/3: RUN make",
        f"--> {'b' * 12}",
        'STEP 3/3: LABEL "factory-floor"="image"',
    ]
    log = read("FROM busybox\nRUN make\n", [{"stream": f"{line}\n"} for line in [*said, f"--> {'c' * 12}"]])
    assert [(one.line, one.image[:1]) for one in log.dockerfile_steps()] == [(1, ""), (2, "b")]


def test_an_error_before_the_first_step_names_no_line():
    log = read(THREE, [{"errorDetail": {"message": "no such image"}}])
    assert log.failure == "no such image" and log.instruction() is None and log.where() == "the build"


def test_a_recorded_build_after_an_edit():
    log = replay("classic-edited")
    status = [(one.line, one.status) for one in log.dockerfile_steps()]
    assert status[:4] == [(1, "base"), (2, "cached"), (3, "run"), (4, "run")]
    assert status[4:] == [(5, "base"), (6, "cached"), (7, "base"), (8, "run"), (9, "run")]
    assert list(log.stage_ids) == ["maker", "unused", "stage-2"]
    assert all(image.startswith("sha256:") for image in log.stage_ids.values()) and log.failure == ""


def test_a_recorded_failure_of_the_third_of_three_equal_lines():
    log = replay("classic-failing")
    assert log.instruction().line == 4 and len(log.output) == 3 and log.failure.endswith("returned a non-zero code: 1")
