"""Run notebooks from a clean kernel and store their outputs: `.venv/bin/python tests/refresh.py [notebook …]`.

What is committed is what this writes. Each figure also gets a static picture, drawn by plotly.js in headless Chromium,
because GitHub shows no Plotly figure by itself. The cells of a lesson's exercises are written anew from where they stand
(tests/lessons/exercises). A notebook that fails is not written.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
# for exercises, browser, workshop
sys.path += [str(NOTEBOOKS), *(str(NOTEBOOKS.parent / "tests" / folder) for folder in ("lessons", "support"))]
README_PICTURE = ("03_two_stages.ipynb", NOTEBOOKS.parent / ".github" / "the-factory-floor.png")
WIDTH = 860  # pixels of a static picture: JupyterLab shows it as wide as it is, and so it fits a cell
FIGURE = "application/vnd.plotly.v1+json"


def main(names: list[str]) -> int:
    import exercises

    paths = [Path(name) for name in names] or sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
    os.environ.pop("FACTORY_FLOOR_PROGRESS", None)
    for path in paths:
        began = time.monotonic()
        notebook = nbformat.read(path, as_version=4)
        exercises.put_into(notebook, exercises.of_lesson(path))
        try:
            run(notebook, path.parent)
        except CellExecutionError as error:
            print(f"{path.name} failed and was left as it was:\n{error}", file=sys.stderr)
            return 1
        picture(notebook)
        if path.name == README_PICTURE[0]:
            README_PICTURE[1].write_bytes(*draw([factory()], scale=1.5))
        nbformat.write(notebook, path)
        print(f"{path.name}: {time.monotonic() - began:.1f} s", flush=True)
    return 0


def run(notebook, folder: Path) -> None:
    """Execute in order in a fresh kernel, and drop what would only make diffs noisy."""
    NotebookClient(
        notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def picture(notebook) -> None:
    """Add a PNG beside every Plotly figure."""
    drawn = figures(notebook)
    for output, image in zip(drawn, draw([output["data"][FIGURE] for output in drawn]) if drawn else []):
        output["data"]["image/png"] = base64.b64encode(image).decode()


def figures(notebook) -> list[dict]:
    """The output of each Plotly figure, in order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output for output in outputs if FIGURE in output.get("data", {})]


def factory() -> dict:
    """The factory of the README, as Plotly JSON: in a lesson its title stands above it, here in the picture."""
    import workshop

    return json.loads(workshop.charts.floor(workshop.dockerfile("flask_hello", "Dockerfile.multi")).to_json())


def draw(figures: list[dict], width: int = WIDTH, scale: float = 1) -> list[bytes]:
    """PNG bytes of figures given as Plotly JSON; scale: pixels of the picture to one of the figure."""
    import plotly
    from browser import FLAGS, PROGRAM, sync_api

    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        page = browser.new_page()
        page.set_content("<p>")
        page.add_script_tag(path=str(script))
        to_image = "([figure, size]) => Plotly.toImage(figure, {format: 'png', ...size})"
        images = []
        for figure in figures:
            size = {"width": width, "height": figure["layout"].get("height", 450), "scale": scale}
            address = page.evaluate(to_image, [{key: figure[key] for key in ("data", "layout")}, size])
            images.append(base64.b64decode(address.partition(",")[2]))
        browser.close()
    return images


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
