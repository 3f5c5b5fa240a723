"""Which instruction made which layer."""

from __future__ import annotations

import pandas as pd
from workshop.dockerfiles import history
from workshop.dockerfiles.history import Entry, layer_instructions
from workshop.dockerfiles.syntax import parse


def test_of_equal_lines_each_made_a_layer_of_its_own():
    lines = parse("FROM a\nRUN work\nENV A=1\nRUN work\nRUN work\n").instructions[1:]
    entries = [(Entry(line.text), line) for line in lines]
    layers = pd.DataFrame({"layer": [4, 5, 6, 7], "created_by": ["RUN work", "RUN work", "RUN work", "RUN other"]})
    made = layer_instructions(entries, layers)
    assert {layer: line and line.line for layer, line in made.items()} == {4: 2, 5: 4, 6: 5, 7: None}


def test_a_digest_is_read_as_the_line_that_a_build_of_this_session_had_there(monkeypatch):
    """Classic builders record no sources: two COPY lines to one place would be told alike."""
    monkeypatch.setattr(history, "_as_built", {})
    lines = parse("FROM a\nCOPY --chown=1 r.txt .\nCOPY . .\nRUN b\n").instructions[1:]
    recorded = [f"/bin/sh -c #(nop) COPY {what} in . " for what in ("--chown=1file:0a1b", "dir:2c3d")] + [
        "/bin/sh -c b"
    ]
    assert [history.instruction(text) for text in recorded] == ["COPY --chown=1 to .", "COPY to .", "RUN b"]
    for text, line in zip(recorded, lines):
        history.remember(Entry(history.instruction(text), 0, text), line)
    assert [history.instruction(text) for text in recorded] == ["COPY --chown=1 r.txt .", "COPY . .", "RUN b"]
    assert history.instruction("/bin/sh -c #(nop) COPY file:ffff in . ") == "COPY to ."
    assert len(history._as_built) == 2, "a RUN says itself what it is"
