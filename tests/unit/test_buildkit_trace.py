"""BuildKit's trace, read without an engine from recordings (recordings/record.py)."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path

import pytest
from workshop.builders import errors
from workshop.builders.buildkit_trace import BuildkitTrace, Vertex
from workshop.builders.protobuf import Message
from workshop.dockerfiles import syntax

RECORDINGS = Path(__file__).parent / "recordings"


def recorded(name: str) -> dict:
    return json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))


def replay(name: str) -> BuildkitTrace:
    recording = recorded(name)
    parsed = syntax.parse(recording["dockerfile"])
    trace = BuildkitTrace(parsed, len(parsed.stages) - 1)
    for message in recording["messages"]:
        trace.feed(message)
    return trace


def test_each_recording_says_what_made_it():
    for path in RECORDINGS.glob("*.json"):
        assert recorded(path.stem)["recorded from"].startswith("Docker Engine ")


def test_an_edit_runs_the_steps_after_it_and_what_nothing_needs_is_skipped():
    steps = replay("buildkit-edited").dockerfile_steps()
    assert [one.line for one in steps] == list(range(1, 10))
    assert [one.stage for one in steps] == ["maker"] * 4 + ["unused"] * 2 + ["stage-2"] * 3
    assert [one.status for one in steps] == [
        *("base", "cached", "run", "run"),
        *("skipped", "skipped"),
        *("base", "run", "run"),
    ]
    assert steps[3].seconds > 0 and steps[8].seconds == 0, "CMD writes metadata only"


def test_the_image_is_the_one_that_was_written():
    trace = replay("buildkit-edited")
    assert trace.new_images == [trace.image] and trace.image.startswith("sha256:") and trace.failure == ""


def test_what_a_step_printed_is_its_own():
    trace = replay("buildkit-edited")
    printed = {vertex.text: trace.output(digest) for digest, vertex in trace.vertices.items() if trace.output(digest)}
    assert printed == {"RUN cat material.txt > /product && echo last words": ["last words"]}


def test_of_three_equal_lines_the_third_is_named_when_it_fails():
    trace = replay("buildkit-failing")
    assert [one.status for one in trace.dockerfile_steps()][:4] == ["base", "run", "run", "run"]
    instruction, output = trace.failed()
    assert instruction.line == 4 and len(output) == 3 and trace.where() == "step 4 of the build"
    error = errors.buildkit_failed(trace.failure, instruction, output, trace.parsed)
    assert error.line == 4 and "Line 4 of the Dockerfile failed (exit code 1)" in str(error)


def test_a_message_of_a_recording_is_cut_short_and_refused():
    first = next(one for one in recorded("buildkit-edited")["messages"] if one.get("id") == "moby.buildkit.trace")
    data = base64.b64decode(first["aux"])
    assert [number for number, _ in Message(data).messages()] == [1] * len(Message(data).fields)
    with pytest.raises(ValueError):
        Message(data[:-1])


def test_a_line_of_two_pieces_of_work_is_cached_if_both_were():
    trace = replay("buildkit-edited")
    number, digests = next((number, digests) for number, digests in trace.digests.items() if number == 1)
    assert trace.dockerfile_steps()[number].status == "cached" and trace.vertices[digests[0]].cached
    extra = dataclasses.replace(trace.vertices[digests[0]], digest="sha256:extra", cached=False)
    trace.vertices[extra.digest] = extra
    digests.append(extra.digest)
    assert trace.dockerfile_steps()[number].status == "run"


@pytest.mark.parametrize("second", ["RUN two", "RUN one"])
def test_a_stage_without_a_name_is_told_from_one_that_has_its_name(second):
    """BuildKit calls both "stage-1"; the words of a line tell them apart and, where they are the same, that one is taken."""
    parsed = syntax.parse(
        f"FROM a AS stage-1\nRUN one\nFROM a\n{second}\nFROM a\nCOPY --from=stage-1 /x /\nCOPY --from=1 /y /\n"
    )
    assert [stage.name for stage in parsed.stages] == ["stage-1", "stage-1-unnamed", "stage-2"]
    assert [line.source for line in parsed.instructions[-2:]] == [0, 1]
    trace = BuildkitTrace(parsed, 2)
    for digest, text in (("first", "RUN one"), ("second", second)):
        vertex = Vertex(digest, f"[stage-1 2/2] {text}", False, 1.0, 2.0, "")
        trace.vertices[digest] = vertex
        trace._assign(vertex)
    assert trace.digests == {1: ["first"], 3: ["second"]}
