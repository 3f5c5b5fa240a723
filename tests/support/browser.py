"""A real browser, and a notebook's cells in it. Imported where Playwright is installed: `python3 tests` does that."""

from __future__ import annotations

import re
import shutil

from at_hand import PATIENCE
from playwright import sync_api

expect = sync_api.expect
WAIT = 1000 * PATIENCE  # milliseconds
READY = "Python 3 (ipykernel) | Idle"  # what is run before JupyterLab says so, it drops
BEGUN = re.compile(r"^\[(\*|\d+)\]:$")
DONE = re.compile(r"^\[\d+\]:$")  # the prompt of a cell that has run; before, it is [ ]: and meanwhile [*]:
ERROR = '[data-mime-type="application/vnd.jupyter.stderr"]'  # tracebacks, and what goes to stderr
PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def ready(page):
    """Waits until the notebook's kernel takes cells."""
    page.get_by_text(READY).wait_for()


def start(cell):
    """Runs the cell as a learner does, and waits until it is at work or done."""
    editor = cell.locator(".cm-content")
    editor.click()
    expect(editor).to_be_focused()
    cell.page.keyboard.press("Shift+Enter")
    expect(prompts(cell)).to_have_text(BEGUN)


def run(cell):
    """Runs the cell and waits for its end."""
    start(cell)
    expect(prompts(cell)).to_have_text(DONE)


def prompts(cells):
    return cells.locator(".jp-InputPrompt")
