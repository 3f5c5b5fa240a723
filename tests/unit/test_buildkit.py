"""What BuildKit is sent and says, read to the letter."""

from __future__ import annotations

import base64

import pytest
from workshop.builders import buildkit, buildkit_trace, errors, protobuf
from workshop.dockerfiles import history, syntax


def field(number, value):
    """One field of a protocol buffer, of less than 128 bytes."""
    return bytes([number << 3 | 2, len(value)]) + value if isinstance(value, bytes) else bytes([number << 3, value])


def message(*vertices, log=()):
    body = b"".join(field(1, b"".join(field(*one) for one in vertex)) for vertex in vertices)
    body += b"".join(field(3, field(1, digest) + field(3, 1) + field(4, text)) for digest, text in log)
    return {"id": "moby.buildkit.trace", "aux": base64.b64encode(body).decode()}


def test_protocol_buffers_are_read_to_the_letter():
    told = b"\x08\x96\x01" + b"\x12\x07testing" + b"\x19" + bytes(8) + b"\x25" + bytes(4)  # 150 as in the documentation
    assert list(protobuf.fields(told)) == [(1, 150), (2, b"testing"), (3, bytes(8)), (4, bytes(4))]
    for broken in (b"\x08", b"\x08\x96", b"\x12\x07test", b"\x0b"):
        with pytest.raises(ValueError):
            list(protobuf.fields(broken))


def test_a_trace_places_vertices_by_words_and_by_number():
    recipe = "FROM a AS x\nENV D=/d\nRUN true\nCOPY f $D/\nRUN <<EOF\nls\nEOF\nFROM a\nRUN true\nCOPY --link --from=x /f /f\n"
    trace = buildkit_trace.BuildkitTrace(syntax.parse(recipe), 1)
    begun = lambda second: (5, field(1, second))  # noqa: E731
    done = lambda second: (6, field(1, second) + field(2, 0))  # noqa: E731
    trace.feed(message([(1, b"v1"), (3, b"[x 1/4] FROM docker.io/library/a@sha256:00"), (4, 1), begun(1), done(1)]))
    trace.feed(
        message([(1, b"v2"), (3, b"[x 2/4] RUN true"), begun(1)], log=[(b"v2", b"half a "), (b"v2", b"line\n\nmore\n")])
    )
    trace.feed(message([(1, b"v2"), (3, b"[x 2/4] RUN true"), begun(1), done(4)]))
    trace.feed(message([(1, b"v3"), (3, b"[linux/amd64 x  3/4] COPY f /d/"), (4, 1), begun(1), done(1)]))
    trace.feed(message([(1, b"v4"), (3, b"[x 4/4] RUN <<EOF (ls)"), begun(4)]))
    linked = b"COPY --link --from=x /f /f"
    trace.feed(
        message([(1, b"v5"), (3, b"[stage-1 3/3] LINK " + linked)], [(1, b"v6"), (3, b"[stage-1 3/3] " + linked)])
    )
    trace.feed(message([(1, b"v7"), (3, b"[internal] load metadata")]))
    assert trace.digests == {0: ["v1"], 2: ["v2"], 3: ["v3"], 4: ["v4"], 7: ["v5", "v6"]}
    assert [step.status for step in trace.dockerfile_steps()] == [
        "base",
        "cached",
        "run",
        "cached",
        "run",
        "base",
        "cached",
        "run",
    ]
    assert trace.dockerfile_steps()[2].seconds == 3 and trace.output("v2") == ["half a line", "more"]
    assert trace.where() == "step 5 of the build"


def test_protocol_buffers_are_written_to_the_letter():
    written = protobuf.encode((1, 150), (2, "testing"), (3, 0), (4, b""), (5, -1), (16, 1))
    assert written == b"\x08\x96\x01" + b"\x12\x07testing" + b"\x28" + b"\xff" * 9 + b"\x01" + b"\x80\x01\x01"
    assert list(protobuf.fields(written)) == [(1, 150), (2, b"testing"), (5, 2**64 - 1), (16, 1)]


def test_the_dockerfile_is_sent_as_it_is_and_a_stage_is_a_target_by_its_name():
    """One that has no name for itself is made the last: no builder knows it by its number."""
    recipe = "FROM i AS One\nRUN <<EOF\nFROM b\nEOF\n\n# about the next\nFROM i\nRUN a \\\n  b\n"
    recipe += "FROM i AS two\nFROM i AS two\nFROM i\n"
    parsed = syntax.parse(recipe)
    assert buildkit._as_far_as(parsed, 4) == (recipe, "")
    assert buildkit._as_far_as(parsed, 0) == (recipe, "One")
    assert buildkit._as_far_as(parsed, 1) == (recipe[: recipe.index("FROM i AS two")], "")
    assert buildkit._as_far_as(parsed, 2) == (recipe[: recipe.index("FROM i AS two\nFROM i\n")], "")


def test_a_warning_is_a_sentence_with_its_line_and_comes_once():
    trace = buildkit_trace.BuildkitTrace(syntax.parse("FROM a\nCMD b\n"), 0)
    at_line_2 = field(7, field(1, field(1, 2)))
    for text in (b"JSONArgsRecommended: JSON arguments recommended (line 2)", b"Something else"):
        body = base64.b64encode(field(4, field(1, b"v1") + field(2, 1) + field(3, text) + at_line_2)).decode()
        for _ in range(2):
            trace.feed({"id": "moby.buildkit.trace", "aux": body})
    assert trace.warnings == ["Line 2: JSON arguments recommended (JSONArgsRecommended)", "Line 2: Something else"]


def test_needed_stages_follow_from_copy_and_mount():
    recipe = (
        "FROM i AS a\n"
        "FROM a AS b\n"
        "FROM i AS c\n"
        "FROM i AS d\n"
        "RUN --mount=type=bind,target=/x,from=b true\n"
        "FROM i AS e\n"
        "COPY --from=3 /x /x\n"
        "FROM i\n"
    )
    parsed = syntax.parse(recipe)
    assert parsed.needed(4) == [0, 1, 3, 4] and parsed.needed(5) == [5]
    assert parsed.lineage(1) == [1, 0]


def test_history_and_dockerfile_are_aligned_by_their_words():
    parsed = syntax.parse('FROM a\nONBUILD RUN x\nRUN one\nCOPY f /\nSHELL ["bash"]\nRUN two\nLABEL mine=1\n')
    texts = [
        "RUN of the base's ONBUILD",
        "RUN one",
        "COPY to /",
        "bash #(nop) SHELL [bash]",
        "|1 A=b bash two",
        "bash #(nop) LABEL mine=1",
    ]
    entries = [history.Entry(history.instruction(text)) for text in texts]
    found = history.align(entries, list(parsed.instructions[1:]))
    assert [one and one.line for one in found] == [None, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "ref", ["v3xvhzuyrvsz4bbfc9oy5dvz3::k1nmrfeh2u2tk2y9ccfkyzbwu", "85475a23-cb7b-4972-aa2e-940f4fe11928::6g8p"]
)
def test_how_a_store_names_its_parts_is_not_told(ref):
    said = f'failed to solve: failed to compute cache key: failed to calculate checksum of ref {ref}: "/x": not found'
    parsed = syntax.parse("FROM scratch\nCOPY x /\n")
    error = errors.buildkit_failed(said, parsed.instructions[1], [], parsed)
    assert error.what == 'Line 2 of the Dockerfile failed ("/x": not found):\n    COPY x /'
