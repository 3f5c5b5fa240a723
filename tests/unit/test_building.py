"""What build() promises before there is an engine."""

from __future__ import annotations

import hashlib

from workshop.builders import build as building
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
