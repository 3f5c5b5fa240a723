"""Fixtures: JupyterLab's environment, and a real browser."""

from __future__ import annotations

import environment
import pytest
from at_hand import ROOT

pytest.importorskip("playwright.sync_api", reason="these tests need Playwright: `python3 tests` installs it")

from browser import FLAGS, PROGRAM, WAIT, expect, sync_api  # noqa: E402


@pytest.fixture(scope="session")
def ready():
    """The environment is there: what is tested here is a second start."""
    if environment.state(ROOT / ".venv", [ROOT / "requirements.txt"]) != "ready":
        pytest.skip("these tests need .venv, which `python3 tests` sets up; this pytest was started in another way")


@pytest.fixture(scope="module")  # not longer: while Playwright is there, nothing else in this process can use asyncio
def browser():
    if not PROGRAM:
        pytest.skip("no browser on this machine: none of chromium, chromium-browser, google-chrome is installed")
    expect.set_options(timeout=WAIT)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        yield browser.new_context(viewport={"width": 1400, "height": 1000})  # one: its cache serves all pages
        browser.close()


@pytest.fixture
def page(browser):
    page = browser.new_page()
    page.set_default_timeout(WAIT)
    yield page
    page.close()
