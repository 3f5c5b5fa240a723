"""on_buildkit(): a build that needs BuildKit; where the engine has none, a recording of the same build, labelled as one.

recordings/<name>.json is written by `tests/record.py`, which runs the lesson's own cells on an engine that has BuildKit.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import docker
import pandas as pd

from ..builders.build import SAMPLE_APPS, Build, build
from ..builders.steps import COLUMNS
from ..dockerfiles import syntax
from ..engine.connect import describe, has_buildkit
from ..errors import WorkshopError
from ..units import wrapped

NONCE = re.compile(r"\b[0-9a-f]{12}\b")  # as `nonce` makes them
FOLDER = Path(__file__).with_name("recordings")


def on_buildkit(
    client: docker.DockerClient,
    app: str | Path,
    dockerfile: str,
    *,
    recording: str,
    tag: str | None = None,
    buildargs: dict[str, str] | None = None,
) -> Build:
    """Build with BuildKit. Where the engine has none: the recording of that name, and a line that says so.

    app, dockerfile, tag, buildargs: as for `build`. A recorded Build has steps, what they printed, and `.recorded`; its image
    is on no engine. Raises WorkshopError where there is neither BuildKit nor a recording of this very Dockerfile.
    """
    if has_buildkit(client):
        return build(client, app, dockerfile, tag=tag, buildargs=buildargs, builder="buildkit")
    text = syntax.read(syntax.locate(app, SAMPLE_APPS), dockerfile)
    found = load(recording)
    if found is None or not _alike(found.dockerfile, text):
        engine = describe(client)["engine"]
        why = (
            f"there is no recording {recording!r}"
            if found is None
            else f"the recording {recording!r} is of another Dockerfile"
        )
        raise WorkshopError(
            f"This engine ({engine}) has no BuildKit, and {why}.",
            "Put the lesson's own Dockerfile back, or connect to Docker Engine 20.10 or newer.",
            "Nothing was built.",
        )
    print(
        wrapped(f"This engine has no BuildKit. What you see was {found.recorded}: the same build, made by this cell.")
    )
    return found


def load(name: str) -> Build | None:
    """The recording of that name; None if there is none."""
    path = FOLDER / f"{Path(name).name}.json"
    if not path.is_file():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    steps = pd.DataFrame(kept["steps"], columns=COLUMNS).astype({"began": float, "ended": float})
    return Build(
        "",
        kept["tag"],
        kept["seconds"],
        dict.fromkeys(kept["stages"], ""),
        {},
        steps,
        kept["dockerfile"],
        printed={int(step): lines for step, lines in kept["printed"].items()},
        recorded=kept["recorded"],
    )


def _alike(a: str, b: str) -> bool:
    """True if two Dockerfiles are the same but for their nonces."""
    return NONCE.sub("", a) == NONCE.sub("", b)


def as_json(made: Build, recorded: str) -> str:
    """What `load` reads. recorded: "recorded on <engine> on <day>"."""
    steps = made.steps.assign(image="").astype(object)
    rows = steps.where(steps.notna(), None).to_dict("records")
    kept = {
        "recorded": recorded,
        "tag": made.tag,
        "seconds": round(made.seconds, 3),
        "stages": list(made.stages),
        "dockerfile": made.dockerfile,
        "steps": rows,
        "printed": made.printed,
    }
    return json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
