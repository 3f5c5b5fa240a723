"""The lessons in a real JupyterLab in a real browser: what a learner sees there, and what the buttons do."""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from pathlib import Path

import nbformat
import pytest
import workshop
from conftest import ROOT, traces_of
from test_start import ready, started  # noqa: F401: ready skips in words where .venv is missing

pytestmark = pytest.mark.page

WAIT = 20_000  # milliseconds for what takes a few seconds: the machine may be busy
CONNECT = "import workshop\nclient = workshop.connect(quiet=True)"
DONE = re.compile(r"^\[\d+\]:$")  # a cell's prompt; [*]: while it runs, [ ]: before
ERROR = '[data-mime-type="application/vnd.jupyter.stderr"], [data-mime-type="application/vnd.jupyter.error"]'


@pytest.fixture(scope="module")
def context():
    """A browser, in which every test has a page of its own."""
    from playwright.sync_api import expect, sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not program:
        pytest.skip("no browser on this machine: none of chromium, chromium-browser, google-chrome is installed")
    expect.set_options(timeout=WAIT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[
            "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"])  # fmt: skip
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        context.set_default_timeout(WAIT)
        yield context
        browser.close()


@pytest.fixture(scope="module")
def lab(context, busybox, tmp_path_factory):
    """JupyterLab in a home of its own, on a copy of the lessons that holds no outputs: what is seen was run here."""
    copy, home = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("home")
    for folder in ("notebooks", "sample_apps"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__"))
    for path in (copy / "notebooks").glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FACTORY_FLOOR_PROGRESS", raising=False)  # `python3 tests` asks for the plain log
        patch.setenv("DOCKER_CONFIG", os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker"))
        with started(home, f"--ServerApp.root_dir={copy}", f"--LabApp.workspaces_dir={home / 'workspaces'}") as lab:
            lab.notebooks = copy / "notebooks"
            yield lab


@pytest.fixture
def page(context):
    page = context.new_page()
    yield page
    page.close()


@pytest.fixture
def word(client):
    """A word that occurs nowhere else; what was built under factory/hello:<word> is removed afterwards."""
    word = f"page-{uuid.uuid4().hex[:8]}"
    yield word
    if client.images.list(f"factory/hello:{word}"):
        client.images.remove(f"factory/hello:{word}")


def opened(page, lab, name, *sources):
    """The code cells of a notebook, opened and with its kernel ready; with sources, of a new one that has these."""
    if sources:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
        nbformat.write(notebook, lab.notebooks / name)
    tabs = f"/lab/workspaces/{uuid.uuid4().hex[:8]}/tree/notebooks/{name}"  # no other test's tabs
    page.goto(lab.url.replace("/lab/tree/notebooks/00_start_here.ipynb", tabs))
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    return page.locator(".jp-NotebookPanel .jp-CodeCell")


def run(cell, ends=True):
    """Runs the cell as a learner does, and waits for its end."""
    cell.locator(".cm-content").click()
    cell.page.keyboard.press("Shift+Enter")
    if ends:
        expect(cell.locator(".jp-InputPrompt")).to_have_text(DONE)


def choose(page, *path):
    """Chooses from the menu, one word a level."""
    page.get_by_role("menuitem", name=path[0], exact=True).first.click()
    for i in range(6):
        print(i, page.locator(".lm-Menu").count(), [t[:300] for t in page.locator(".lm-Menu").all_inner_texts()])
        page.screenshot(path=f"/tmp/menu{i}.png")
    for name in path[1:]:
        page.locator(".lm-Menu").get_by_role("menuitem", name=name, exact=True).click()


def expect(*what):
    from playwright.sync_api import expect

    return expect(*what)


def test_lesson_00_runs_in_the_browser(lab, page):
    cells = opened(page, lab, "00_start_here.ipynb")
    choose(page, "Run", "Run All Cells")
    try:
        expect(cells.last.locator(".jp-InputPrompt")).to_have_text(DONE)
    finally:
        page.screenshot(path="/tmp/00.png")
        print(cells.locator(".jp-InputPrompt").all_text_contents(), page.locator(ERROR).all_text_contents())
    prompts = cells.locator(".jp-InputPrompt").all_text_contents()
    assert prompts == [f"[{n}]:" for n in range(1, 16)]
    assert page.locator(ERROR).all_text_contents() == []
    for seen in (page.get_by_text("Built factory/hello:latest in"), page.locator(".js-plotly-plot .main-svg").first,
                 *page.get_by_text("not attempted: factory/hello:").all()):  # fmt: skip
        seen.scroll_into_view_if_needed()
        expect(seen).to_be_visible()
    assert page.get_by_text("not attempted: factory/hello:").count() == 2


def test_the_factory_picture_is_interactive(lab, page):
    cells = opened(page, lab, "01_the_factory_floor.ipynb")
    run(cells.filter(has_text="import workshop"))
    cell = cells.filter(has_text="workshop.charts.floor(recipe)")
    run(cell)
    figure = cell.locator(".js-plotly-plot")
    time.sleep(3)
    page.screenshot(path="/tmp/01.png")
    open("/tmp/01.html","w").write(cell.inner_html())
    card = figure.locator(".textpoint").filter(has_text="line 1")
    expect(card).to_contain_text("FROM python:3.11 AS floor")


def test_progress_is_live(lab, page, word):
    recipe = f'FROM busybox:1.37\nRUN echo {word} && sleep 3\n'
    cells = opened(page, lab, "live.ipynb", CONNECT, f"workshop.build(client, 'hello', {recipe!r}, tag='factory/hello:{word}')")
    run(cells.nth(0))
    run(cells.nth(1), ends=False)
    row = cells.nth(1).locator("tr").filter(has_text=f"RUN echo {word}")
    expect(row).to_contain_text("▶")
    clock = row.locator("td").last
    first = clock.text_content()
    expect(clock).not_to_have_text(first)
    print(first, clock.text_content(), row.text_content())
    expect(row).to_contain_text("✓")
    print(row.text_content())
    print(cells.nth(1).inner_html())


def test_the_stop_button_stops_a_build_and_leaves_nothing(lab, page, word, client):
    recipe = f'FROM busybox:1.37\nRUN echo {word} && sleep 120\n'
    cells = opened(page, lab, "stopped.ipynb", CONNECT, f"workshop.build(client, 'hello', {recipe!r}, tag='factory/hello:{word}')", "1 + 1")
    run(cells.nth(0))
    run(cells.nth(1), ends=False)
    expect(cells.nth(1).locator("tr").filter(has_text=f"RUN echo {word}").locator("td").nth(3)).to_have_text(word)
    assert traces_of(client, word)
    began = time.monotonic()
    page.locator('[data-command="notebook:interrupt-kernel"]').click()
    expect(cells.nth(1).locator(".jp-InputPrompt")).to_have_text(DONE)
    print(time.monotonic() - began)
    print(cells.nth(1).inner_html())
    assert traces_of(client, word) == []
    run(cells.nth(2))
    print(cells.nth(2).inner_html())


def test_an_error_is_shown_as_sentences(lab, page):
    cells = opened(page, lab, "error.ipynb", CONNECT, "workshop.build(client, 'no-such-app')")
    run(cells.nth(0))
    run(cells.nth(1))
    print(cells.nth(1).inner_html())


def test_figures_are_readable_in_the_dark_theme(lab, page):
    cells = opened(page, lab, "dark.ipynb", "import workshop\nworkshop.charts.floor('FROM busybox:1.37\\nCMD date\\n', footer='the small print')")
    choose(page, "Settings", "Theme", "JupyterLab Dark")
    page.wait_for_selector('body[data-jp-theme-light="false"]')
    run(cells.nth(0))
    page.wait_for_selector(".js-plotly-plot .gtitle")
    print(cells.nth(0).locator(".jp-OutputArea").inner_html()[:6000])
    page.screenshot(path="/tmp/dark.png")
