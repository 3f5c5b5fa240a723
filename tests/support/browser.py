"""A real browser, and a notebook's cells in it. Imported where Playwright is installed: `python3 tests` does that."""

from __future__ import annotations

import re
import shutil

from playwright import sync_api

expect = sync_api.expect
WAIT = 30_000  # milliseconds, for anything; far more than it takes
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


def start(cell):
    """Runs the cell as a learner does."""
    cell.locator(".cm-content").click()
    cell.page.keyboard.press("Shift+Enter")


def run(cell):
    """Runs the cell and waits for its end."""
    start(cell)
    expect(prompts(cell)).to_have_text(DONE)


def prompts(cells):
    return cells.locator(".jp-InputPrompt")
