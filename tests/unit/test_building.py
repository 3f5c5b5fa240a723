"""What build() promises before there is an engine."""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest
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
    assert building.default_tag("Hello World", "Dockerfile", "a b") == "factory/hello-world:latest.a-b"


def test_each_stage_has_a_tag_of_its_own_and_the_last_the_images():
    assert stage_tags("factory/app:1", ["maker", "Test Stage", "stage-2"]) == {
        "maker": "factory/app:1.maker",
        "Test Stage": "factory/app:1.Test-Stage",
        "stage-2": "factory/app:1",
    }


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
