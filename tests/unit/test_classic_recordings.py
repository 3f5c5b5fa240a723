"""The classic builder's log, read from recordings of real builds; how they were made stands in recordings/."""

from __future__ import annotations

import json
from pathlib import Path

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
