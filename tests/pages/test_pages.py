"""The lessons in a real JupyterLab in a real browser: what a learner sees there, and what the buttons do."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from pathlib import Path

import course
import nbformat
import pytest
from at_hand import ROOT, traces_of
from browser import DONE, ERROR, expect, prompts, ready, run, start
from contrast import contrast
from jupyter import started
from workshop import opening

CONNECT = "import workshop\nclient = workshop.connect(quiet=True)"


@pytest.fixture(scope="module")
def lab(ready, browser, busybox, tmp_path_factory):
    """JupyterLab in a home of its own, on a learner's copy of the lessons: what is seen was run here."""
    place, home = tmp_path_factory.mktemp("place"), tmp_path_factory.mktemp("home")
    shutil.copytree(ROOT / "sample_apps", place / "sample_apps")
    copy = place / "my_course"  # `workshop` is the repository's
    course.update(copy)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FACTORY_FLOOR_PROGRESS", raising=False)  # `python3 tests` asks for the plain log
        patch.setenv("DOCKER_CONFIG", os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker"))  # same context
        with started(home, f"--ServerApp.root_dir={copy}", f"--LabApp.workspaces_dir={home / 'workspaces'}") as lab:
            lab.notebooks = copy
            yield lab


@pytest.fixture
def word(client):
    """A word that occurs nowhere else; the image that was built under factory/hello:<word> is removed afterwards."""
    word = f"page-{uuid.uuid4().hex[:8]}"
    yield word
    if client.images.list(f"factory/hello:{word}"):
        client.images.remove(f"factory/hello:{word}")


def opened(page, lab, name, *sources):
    """The code cells of a notebook, open and with a kernel that is ready; with sources, of a new one that has these."""
    if sources:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
        nbformat.write(notebook, lab.notebooks / name)
    workspace = uuid.uuid4().hex[:8]  # without the tabs of another test
    page.goto(lab.url.replace("/lab/tree/", f"/lab/workspaces/{workspace}/tree/").replace("00_start_here.ipynb", name))
    ready(page)
    return page.locator(".jp-NotebookPanel .jp-CodeCell")


def choose(page, menu, *names):
    """Chooses from the menu bar, one name a level."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    for name in names:
        item = page.locator(".lm-Menu-item").filter(has=page.get_by_text(name, exact=True))
        item.hover()
        expect(item).to_have_class(re.compile("lm-mod-active"))  # before that, a click would do nothing
        item.click()


def build_of(word, seconds):
    """A cell that builds an image: a short step, then one that says the word and nothing more for so many seconds."""
    recipe = f"FROM busybox:1.37\nRUN touch /{word}\nRUN echo {word} && sleep {seconds}\n"
    return f"workshop.build(client, 'hello', {recipe!r}, tag='factory/hello:{word}')"


# Keeps what a row with these words shows: [its sign, its clock], each as often as it changes. What is there for a moment only
# is seen so, however late somebody looks.
WATCH = """words => {
    window.seen = []
    const look = () => {
        const row = [...document.querySelectorAll("tr")].find(row => row.textContent.includes(words))
        const now = row && [row.cells[0].textContent, row.cells[row.cells.length - 1].textContent]
        if (now && String(now) !== String(window.seen.at(-1))) window.seen.push(now)
    }
    new MutationObserver(look).observe(document.body, {childList: true, subtree: true, characterData: true})
}"""


def seconds_of(clock):
    """Seconds of `3.4 s`, `12 s` or `1 min 05 s`."""
    minutes, seconds = re.fullmatch(r"(?:(\d+) min )?([\d.]+) s", clock).groups()
    return 60 * int(minutes or 0) + float(seconds)


def parts(colour):
    """(red, green, blue) of a colour such as `rgb(255, 0, 0)`."""
    return [int(part) for part in re.findall(r"\d+", colour)[:3]]


def test_the_first_page_shows_the_lessons_alone_by_their_whole_names(lab, page):
    """In a copy without results, whose first cell runs."""
    cells = opened(page, lab, "02_one_stage.ipynb")
    listed = page.locator(".jp-DirListing-item")
    lessons = sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
    expect(listed.locator(".jp-DirListing-itemText")).to_have_text(lessons)
    cut = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent)"
    assert listed.locator(".jp-DirListing-itemText").evaluate_all(cut) == []
    assert page.locator(".jp-NotebookPanel .jp-OutputArea-output").count() == 0
    run(cells.first)
    said = cells.first.locator(".jp-OutputArea-output").first
    expect(said).to_contain_text(opening.WORDS)
    expect(said).to_contain_text("image store")
    expect(page.locator(ERROR)).to_have_count(0)


def test_the_way_to_the_next_lesson_opens_it(lab, page):
    opened(page, lab, "00_start_here.ipynb")
    page.locator(".jp-NotebookPanel").get_by_role("link", name="1 · The factory floor").click()
    expect(page.get_by_role("heading", name="1 · The factory floor")).to_be_visible()


def test_lesson_00_runs_in_the_browser(lab, page):
    cells = opened(page, lab, "00_start_here.ipynb")
    choose(page, "Run", "Run All Cells")
    expect(prompts(cells).first).to_have_text(DONE)
    expect(prompts(cells).filter(has_text="*")).to_have_count(0)
    assert page.locator(ERROR).all_text_contents() == []
    written = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4).cells
    count = sum(cell.cell_type == "code" for cell in written)
    assert prompts(cells).all_text_contents() == [f"[{number}]:" for number in range(1, count + 1)]
    checks = page.get_by_text("not attempted: factory/hello:")
    expect(checks).to_have_count(2)
    figure = page.locator(".js-plotly-plot .main-svg").first
    summary = page.get_by_text("Built factory/hello:latest in").first
    for seen in (summary, figure, *checks.all()):
        seen.scroll_into_view_if_needed()
        expect(seen).to_be_visible()


def test_the_factory_picture_is_interactive(lab, page):
    cells = opened(page, lab, "01_the_factory_floor.ipynb")
    run(cells.filter(has_text="import workshop"))
    run(cells.filter(has_text='= workshop.dockerfile("widget", "Dockerfile.multi")'))
    cell = cells.filter(has_text="workshop.show(workshop.charts.floor(")
    run(cell)
    figure = cell.locator(".js-plotly-plot")
    card = figure.locator(".textpoint").filter(has_text=re.compile(r"^\s*(line \d|the end of)"))
    expect(card).to_contain_text("line 2  FROM python:3.11 AS floor")

    station = figure.locator(".scatterlayer .trace").last.locator(".point").nth(1)
    station.hover(force=True)  # force: Plotly's own layer for the pointer lies on top
    expect(figure.locator(".hovertext")).to_contain_text("line 4")

    before = figure.bounding_box()
    rail = figure.locator(".slider-rail-touch-rect").bounding_box()
    for end, text in ((1, "the end of the line"), (0, "line 2")):
        figure.locator(".slider-grip-rect").hover()
        page.mouse.down()
        page.mouse.move(rail["x"] + rail["width"] * end, rail["y"] + 5, steps=3)
        page.mouse.up()
        expect(card).to_contain_text(text)
        assert figure.bounding_box() == before

    figure.get_by_text("walk the line").click()
    expect(card).to_contain_text("line 4  WORKDIR /bench")


def test_the_factory_picture_takes_keys_and_tells_where_it_stands(lab, page):
    recipe = "FROM python:3.11 AS floor\nRUN make /x\nFROM busybox:1.37\nCOPY --from=floor /x /x\n"
    cell = opened(page, lab, "keys.ipynb", f"import workshop\nworkshop.show(workshop.charts.floor({recipe!r}))").first
    run(cell)
    slider = cell.get_by_role("slider", name="Walk along the lines")
    card = cell.locator(".textpoint").filter(has_text=re.compile(r"^\s*(line \d|the end of)"))
    slider.focus()
    for key, stop, words in (
        ("ArrowRight", "2", "line 2  RUN make /x"),
        ("End", "6", "the end of the line"),
        ("ArrowRight", "6", "the end of the line"),
        ("ArrowLeft", "5", "line 4  COPY --from=floor"),
        ("Home", "1", "line 1  FROM python:3.11"),
    ):
        page.keyboard.press(key)
        expect(slider).to_have_attribute("aria-valuenow", stop)
        expect(card).to_contain_text(words)
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^Line 1, FROM: Rent the building"))
    expect(slider).to_have_attribute("aria-valuemax", "6")
    cell.get_by_role("button", name="walk the line").focus()
    page.keyboard.press("Enter")
    expect(slider).to_have_attribute("aria-valuenow", "2")


def test_progress_is_live(lab, page, word):
    cells = opened(page, lab, "live.ipynb", CONNECT, build_of(word, 5))
    run(cells.nth(0))
    page.evaluate(WATCH, f"RUN echo {word}")
    start(cells.nth(1))
    expect(cells.nth(1).locator("tr").filter(has_text=f"RUN echo {word}")).to_contain_text("✓")
    seen = [(glyph, seconds_of(clock)) for glyph, clock in page.evaluate("window.seen")]
    running = [clock for glyph, clock in seen if glyph == "▶"]
    assert len(set(running)) >= 2 and running == sorted(running), "its clock goes on"
    assert seen[-1][0] == "✓" and seen[-1][1] >= 5


def test_the_stop_button_stops_a_build_and_leaves_nothing(lab, page, word, client):
    cells = opened(page, lab, "stopped.ipynb", CONNECT, build_of(word, 3600), "1 + 1")
    build, after = cells.nth(1), cells.nth(2)
    run(cells.nth(0))
    start(build)
    expect(build.locator("td").get_by_text(word, exact=True)).to_be_visible()  # the step has said it: it is at work
    assert traces_of(client, word)
    page.locator('[data-command="notebook:interrupt-kernel"]').click()
    expect(prompts(build)).to_have_text(DONE)
    expect(build.locator(ERROR)).to_contain_text("Interrupted, as you asked.")
    expect(build).not_to_contain_text("Traceback")
    assert traces_of(client, word) == []
    run(after)
    expect(after.locator(".jp-OutputArea-output")).to_have_text("2")


def test_an_error_is_shown_as_sentences(lab, page):
    cells = opened(page, lab, "error.ipynb", CONNECT, "workshop.build(client, 'no-such-app')")
    run(cells.nth(0))
    run(cells.nth(1))
    expect(cells.nth(1).locator(ERROR)).to_contain_text("There is no app called")
    expect(cells.nth(1)).not_to_contain_text("Traceback")


def test_a_figure_stays_a_light_card_with_dark_words_in_the_dark_theme(lab, page):
    draw = "import workshop\nworkshop.charts.floor('FROM busybox:1.37\\nCMD date\\n', footer='the small print')"
    cells = opened(page, lab, "dark.ipynb", draw)
    choose(page, "Settings", "Theme", "JupyterLab Dark")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    run(cells.nth(0))
    figure = cells.nth(0).locator(".js-plotly-plot")
    expect(figure.locator(".gtitle")).to_be_visible()
    card = figure.locator(".main-svg").first.evaluate("""element => {
        while (getComputedStyle(element).backgroundColor === "rgba(0, 0, 0, 0)") element = element.parentElement
        return getComputedStyle(element).backgroundColor
    }""")  # what is seen there: its own colour or, where it has none, that of what it lies on
    words = figure.locator("text").evaluate_all("all => all.map(one => [one.textContent, getComputedStyle(one).fill])")
    assert contrast(parts(card), (0, 0, 0)) > 15
    assert {"the small print", "walk the line"} <= {text for text, _ in words}
    assert {text: fill for text, fill in words if contrast(parts(card), parts(fill)) < 4.5} == {}


@pytest.mark.parametrize(
    "theme, card", [("JupyterLab Light", "none"), ("JupyterLab Dark", "invert(0.93) hue-rotate(180deg)")]
)
def test_a_figure_below_its_sentence_follows_the_theme_and_fits_its_cell(lab, page, theme, card):
    draw = "import workshop\nworkshop.show(workshop.charts.floor('FROM busybox:1.37\\nCMD date\\n'))"
    cell = opened(page, lab, "shown.ipynb", draw).first
    choose(page, "Settings", "Theme", theme)
    run(cell)
    figure, sentence = cell.locator(".jp-RenderedPlotly"), cell.get_by_role("img", name="One hall, no gate")
    expect(figure).to_have_css("filter", card)
    expect(figure.locator(".gtitle")).to_have_count(0)
    expect(sentence).to_be_visible()
    expect(cell.locator("details")).not_to_have_attribute("open", "")
    words, behind = (
        sentence.evaluate("one => getComputedStyle(one).color"),
        page.locator(".jp-NotebookPanel-notebook").evaluate("one => getComputedStyle(one).backgroundColor"),
    )
    assert contrast(parts(words), parts(behind)) >= 4.5
    assert figure.evaluate("one => one.scrollWidth <= one.clientWidth")


MAP = """\
import pandas, workshop
rows = [("/usr/lib/gcc/cc1", 60_000_000), ("/usr/bin/perl", 30_000_000), ("/etc/passwd", 10_000_000)]
figure = workshop.charts.contents(pandas.DataFrame(rows, columns=["path", "bytes"]), footer="the small print")
"""


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize("draw, title", [("workshop.show(figure)", ".jp-RenderedHTML p"), ("figure", ".gtitle")])
def test_the_way_back_out_of_a_box_covers_nothing_and_goes(lab, page, theme, draw, title):
    page.set_viewport_size({"width": 760, "height": 1000})
    cell = opened(page, lab, "map.ipynb", MAP + draw).first
    choose(page, "Settings", "Theme", theme)
    run(cell)
    plot, back = cell.locator(".js-plotly-plot"), cell.locator(".js-plotly-plot g.pathbar")
    box = plot.locator("g.slice").filter(has_text=re.compile("^gcc"))
    expect(box).to_be_visible()
    expect(back).to_have_count(0)
    box.click(force=True)  # force: Plotly's own layer for the pointer lies on top
    expect(back).to_have_count(3)  # of /, /usr and lib
    root = back.filter(has_text=re.compile("^/ "))
    way = root.bounding_box()
    others = [cell.locator(title).first, plot.locator(".modebar"), plot.get_by_text("the small print")]
    for other in [one.bounding_box() for one in others]:
        assert way["y"] + way["height"] <= other["y"] or other["y"] + other["height"] <= way["y"]
    root.click(force=True)
    expect(back).to_have_count(0)
    assert plot.evaluate("one => one.parentElement.scrollWidth <= one.parentElement.clientWidth")


def test_the_price_table_follows_the_slider(page, lab):
    sizes = {"image": ["a"], "compressed": [300_000_000]}
    source = (
        f"import pandas\nfrom workshop.lesson import costs\ncosts.price_panel(pandas.DataFrame({sizes}), pulls=100)"
    )
    cell = opened(page, lab, "prices.ipynb", source).first
    run(cell)
    table, sliders = cell.locator("table"), cell.get_by_role("slider")
    table.get_by_text("$2.70", exact=True).first.wait_for()
    sliders.nth(3).focus()
    page.keyboard.press("ArrowRight")
    table.get_by_text("$5.40", exact=True).first.wait_for()
    assert table.count() == 1 and sliders.count() == 4
