"""Which instruction made which layer."""

from __future__ import annotations

import pandas as pd
from workshop.dockerfiles.history import Entry, layer_instructions
from workshop.dockerfiles.syntax import parse


def test_of_equal_lines_each_made_a_layer_of_its_own():
    lines = parse("FROM a\nRUN work\nENV A=1\nRUN work\nRUN work\n").instructions[1:]
    entries = [(Entry(line.text), line) for line in lines]
    layers = pd.DataFrame({"layer": [4, 5, 6, 7], "created_by": ["RUN work", "RUN work", "RUN work", "RUN other"]})
    made = layer_instructions(entries, layers)
    assert {layer: line and line.line for layer, line in made.items()} == {4: 2, 5: 4, 6: 5, 7: None}
