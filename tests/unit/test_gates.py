"""What a COPY --from names, and what lies below it."""

import ast
from pathlib import Path

import pandas as pd
import pytest
import workshop
from hand import frame_of
from workshop.analysis import gate as gate_words
from workshop.analysis.gate import StageFacts, crossed_the_gate
from workshop.dockerfiles.copy_from import copy_from, is_below
from workshop.dockerfiles.history import Entry
from workshop.dockerfiles.syntax import parse


def test_copy_from_reads_names_numbers_and_several_sources():
    lines = [
        "COPY --chown=1 --from=one /x y/ /z",
        "COPY --from=0 /x /z",
        "COPY --from=busybox /x /z",
        "COPY x /z",
        'COPY --from=one ["/a b", "/c", "/z"]',
        "RUN cp --from=one /x",
    ]
    parsed = parse("FROM a AS One\nFROM b\n" + "\n".join(lines))
    named, number, image, context, listed, run = parsed.instructions[2:]
    assert copy_from(named, parsed) == ("One", ["/x", "/y"])
    assert copy_from(number, parsed) == ("One", ["/x"])
    assert copy_from(image, parsed) == (None, ["/x"])
    assert copy_from(context, parsed) == (None, []) == copy_from(run, parsed)
    assert copy_from(listed, parsed) == ("One", ["/a b", "/c"])


@pytest.mark.parametrize(
    "path, top, below",
    [
        ("/a/b", "/", True),
        ("/a/b", "/a", True),
        ("/ab", "/a", False),
        ("/a", "/a/b", False),
        ("/w/x.whl", "/w/*.whl", True),
        ("/w/d/x.whl", "/w/*.whl", False),
        ("/w/d/x", "/w/*", True),
        ("/p/one/x", "/p/*/x", True),
        ("/p/one/y", "/p/*/x", False),
        ("/w/b", "/w/[^a]", True),
        ("/w/a", "/w/[^a]", False),
    ],
)
def test_a_wildcard_stays_within_its_folder(path, top, below):
    assert is_below(path, top) is below


def test_what_crossed_and_what_stayed_of_two_stages_written_by_hand():
    parsed = parse("FROM a AS builder\nRUN make\nFROM b\nCOPY --from=builder /out /srv\n")
    builder = frame_of(
        [{"os": b"o" * 9}, {"out/p": b"p" * 5, "tool": b"t" * 70}], ["base", "RUN make"], "factory/x:builder"
    )
    final = frame_of([{"lib": b"l" * 3}, {"srv/p": b"p" * 5}], ["base", "COPY to /srv"], "factory/x:final")
    copied = [(Entry("COPY to /srv"), parsed.instructions[-1])]
    stages = [
        StageFacts("builder", "factory/x:builder", None, 1),
        StageFacts("stage-1", "factory/x:final", None, 1, copied),
    ]
    gate = crossed_the_gate(pd.concat([builder, final], ignore_index=True), parsed, stages, ["stage-1"])
    assert gate[["stage", "path", "bytes", "fate", "landed", "from_base"]].values.tolist() == [
        ["builder", "/os", 9, "left behind", None, True],
        ["builder", "/out/p", 5, "shipped", "/srv/p", False],
        ["builder", "/tool", 70, "left behind", None, False],
        ["stage-1", "/lib", 3, "from the base", "/lib", True],
    ]


def test_a_file_that_is_copied_to_several_places_has_a_row_for_each():
    parsed = parse("FROM a AS one\nRUN make\nFROM one\nCOPY --from=one /p /q\nCOPY --from=one /p /r\n")
    lines, copied = ["base", "RUN make"], ["COPY to /q", "COPY to /r"]
    layers = [{"os": b"o"}, {"p": b"p" * 5}]
    one = frame_of(layers, lines, "factory/x:one")
    last = frame_of([*layers, {"q": b"p" * 5}, {"r": b"p" * 5}], [*lines, *copied], "factory/x:last")
    stages = [
        StageFacts("one", "factory/x:one", None, 1, [(Entry("RUN make"), parsed.instructions[1])]),
        StageFacts("stage-1", "factory/x:last", "one", 2, list(zip(map(Entry, copied), parsed.instructions[3:]))),
    ]
    gate = crossed_the_gate(pd.concat([one, last], ignore_index=True), parsed, stages, ["stage-1", "one"])
    assert gate[["stage", "path", "fate", "landed"]].values.tolist() == [
        ["one", "/os", "shipped", "/os"],
        ["one", "/p", "shipped", "/p"],
        ["one", "/p", "shipped", "/q"],
        ["one", "/p", "shipped", "/r"],
    ]
    figure = workshop.charts.gate(gate)
    assert list(figure.data[0].link.value) == [16] and figure.data[0].node.customdata[0] == "stage one: 6 bytes"
    assert (
        "16 bytes in 4 files crossed into the final image, some of them to several places"
        in figure.layout.meta["words"]
    )


def test_the_words_for_what_became_of_a_file_stand_in_one_place():
    """A chart that spelt them anew would draw nothing of a fate that is called otherwise one day."""
    fates = {
        getattr(gate_words, name) for name in ("SHIPPED", "LEFT", "FROM_BASE", "FROM_CONTEXT", "FROM_IMAGE", "MADE")
    }
    assert len(fates) == 6
    charts = Path(workshop.charts.__file__).parent.rglob("*.py")
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in charts]
    assert not fates & {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
