"""Record the builds that need BuildKit, for engines without: `.venv/bin/python tests/record.py [folder]`.

Runs the cells of the lessons that are tagged "recorded", on an engine that has BuildKit, and writes each build that they ask
`workshop.on_buildkit` for as <recording>.json: into the workshop, or into the folder that is named. Such a cell needs nothing
but other cells with that tag.
"""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))

import workshop  # noqa: E402
from workshop.engine.connect import describe, has_buildkit  # noqa: E402
from workshop.lesson import recordings  # noqa: E402


def record(client, folder: Path, notebooks: list[Path]) -> list[str]:
    """Write the recordings of these notebooks into the folder; their names, in order. Raises what `on_buildkit` does."""
    engine, day = describe(client), datetime.date.today().isoformat()
    where = f"recorded on {engine['engine']} {engine['version']} on {day}"
    names: list[str] = []
    build = workshop.on_buildkit

    def recording(*arguments, recording: str, **more):
        made = build(*arguments, recording=recording, **more)
        (folder / f"{recording}.json").write_text(recordings.as_json(made, where), encoding="utf-8")
        names.append(recording)
        return made

    workshop.on_buildkit = recording
    try:
        for path in notebooks:
            learner = {"workshop": workshop, "client": client}
            for cell in nbformat.read(path, as_version=4).cells:
                if "recorded" in cell.metadata.get("tags", []):
                    exec(cell.source, learner)
    finally:
        workshop.on_buildkit = build
    return names


def main(arguments: list[str]) -> int:
    os.environ.setdefault("FACTORY_FLOOR_PROGRESS", "plain")
    client = workshop.connect()
    if not has_buildkit(client):
        print("This engine has no BuildKit: nothing can be recorded on it, and the recordings are as they were.")
        return 1
    folder = Path(arguments[0]) if arguments else recordings.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    print(*record(client, folder, sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
