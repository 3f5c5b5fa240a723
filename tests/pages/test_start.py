"""`python3 notebooks` opens JupyterLab on the series, from anywhere, quietly, and stops cleanly."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from at_hand import PATIENCE, ROOT
from jupyter import started
from workshop import opening

pytestmark = pytest.mark.usefixtures("ready")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home folder of its own, in which the user has a broken kernel named python3."""
    home = tmp_path_factory.mktemp("home")
    kernel = home / ".local" / "share" / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text('{"argv": ["no-such-python"], "display_name": "Broken", "language": "python"}')
    return home


@pytest.fixture(scope="module")
def lab(home):
    with started(home) as lab:
        yield lab


def wait_until_ready(client):
    """Waits for the kernel to answer. On a busy machine a heartbeat comes late, and the client takes the kernel for dead."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return client.wait_for_ready(timeout=PATIENCE)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def run(home, kernel, code):
    """What `code` prints in the kernel with that id."""
    from jupyter_client import BlockingKernelClient

    client = BlockingKernelClient(connection_file=str(home / "runtime" / f"kernel-{kernel}.json"))
    client.load_connection_file()
    client.start_channels(hb=False)  # a busy machine misses beats
    said = []
    try:
        wait_until_ready(client)
        client.execute_interactive(
            code,
            timeout=PATIENCE,
            output_hook=lambda message: said.append(
                message["content"].get("text") or str(message["content"].get("traceback", ""))
            ),
        )
    finally:
        client.stop_channels()
    return "".join(said).strip()


def test_a_second_start_serves_jupyterlab_at_the_first_lesson(lab):
    assert urllib.parse.urlsplit(lab.url).path == "/lab/tree/00_start_here.ipynb"
    assert urllib.parse.urlsplit(lab.url).hostname == "127.0.0.1"
    with urllib.request.urlopen(lab.url, timeout=PATIENCE) as page:
        text = page.read().decode()
    assert "<title>JupyterLab</title>" in text
    assert lab.seconds < PATIENCE
    assert json.loads(re.search(r'"news": (\{.*?\})', text).group(1)) == {"disabled": True}
    assert json.loads(re.search(r'"extensionManager": (\{.*?\})', text).group(1))["can_install"] is False


def test_the_lessons_are_listed_and_nothing_that_a_learner_does_not_open(lab):
    names = {entry["name"] for entry in lab.get("/api/contents/")["content"]}
    assert {path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")} <= names
    assert not {"__main__.py", "environment.py", "workshop", "notebooks", "README.md", ".copied.json"} & names


@pytest.mark.parametrize("notebook", ["00_start_here.ipynb", "a_learners_own.ipynb"])
def test_the_kernel_is_the_environments_and_finds_workshop(lab, home, notebook):
    session = lab.get("/api/sessions", path=notebook, type="notebook", name="", kernel={"name": "python3"})
    said = run(home, session["kernel"]["id"], "import sys, workshop; print(sys.prefix, workshop.__path__[0], sep='|')")
    first, _, paths = said.partition("\n")
    assert first == opening.WORDS
    assert [Path(path) for path in paths.split("|")] == [ROOT / ".venv", ROOT / "notebooks" / "workshop"]


def test_a_kernel_that_was_restarted_says_which_cells_to_run_first(lab, home):
    name = "05_layers.ipynb"
    session = lab.get("/api/sessions", path=name, type="notebook", name="05_layers.ipynb", kernel={"name": "python3"})
    assert "Run All Above Selected Cell" in run(home, session["kernel"]["id"], "workshop.tidy(client)")


def test_a_terminal_has_the_environments_programs_first(lab):
    if not Path("/proc/self/environ").exists():
        pytest.skip("this system has no /proc, where the variables of a terminal's shell are read")
    assert lab.get("/api/terminals", cwd="")["name"]
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(lab.process.pid)], capture_output=True, text=True)
    variables = [
        Path(f"/proc/{pid}/environ").read_text().split("\0")
        for pid in children.stdout.split()
        if Path(f"/proc/{pid}").exists()
    ]
    assert variables
    assert all(f"VIRTUAL_ENV={ROOT / '.venv'}" in each for each in variables)
    assert all(any(entry.startswith(f"PATH={ROOT / '.venv'}") for entry in each) for each in variables)


def test_ctrl_c_stops_a_second_one_on_another_port_with_its_kernels_and_no_question(lab, home):
    port = urllib.parse.urlsplit(lab.url).port
    with started(home, "--port", str(port)) as second:
        assert urllib.parse.urlsplit(second.url).port != port
        kernel = second.get("/api/kernels", name="python3")["id"]
        pid = int(run(home, kernel, "import os; print(os.getpid())"))
        code, said, seconds = second.stop(signal.SIGINT)
    assert code == 0 and seconds < PATIENCE
    assert said.strip().splitlines()[-1].endswith("Goodbye!") and "y/[n]" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_sigterm_stops_cleanly_and_arguments_win_over_what_is_preset(home):
    with started(home, "--ip=0.0.0.0", "--ServerApp.base_url=/floor/", "--IdentityProvider.token=mine") as lab:
        expected = r"http://127\.0\.0\.1:\d+/floor/lab/tree/00_start_here\.ipynb\?token=mine"
        assert re.fullmatch(expected, lab.url)
        code, said, _ = lab.stop(signal.SIGTERM)
    assert code == 0 and said.strip().endswith("Goodbye!")


def test_the_terminal_is_quiet_while_a_lesson_is_opened_and_run_and_still_tells_what_goes_wrong(home):
    with started(home) as lab:
        lesson = lab.get("/api/contents/00_start_here.ipynb")  # nobody has signed it
        session = lab.get("/api/sessions", path=lesson["path"], type="notebook", name="", kernel={"name": "python3"})
        assert run(home, session["kernel"]["id"], "print(1)") == "1"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            lab.get("/api/contents/gone.ipynb")
        said = lab.stop(signal.SIGINT)[1]
    warnings = [line for line in said.splitlines() if re.search(r"\[[WE] |WARNING|ERROR", line)]
    assert warnings and all("404" in line or "gone.ipynb" in line for line in warnings), said
    assert "without encryption" not in said and "not trusted" not in said


def test_the_page_opens_the_first_lesson_with_no_pop_up_and_asks_no_other_host(lab, home, page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(lab.url)
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
    page.wait_for_timeout(3000)  # what pops up does so a little later
    popped = page.locator(".jp-Dialog, .Toastify__toast, .jp-toast-button").all_inner_texts()
    assert popped == []
    assert asked and {urllib.parse.urlsplit(url).hostname for url in asked if url.startswith("http")} == {"127.0.0.1"}
    assert not [url for url in asked if "/lab/api/news" in url or "/lab/api/update" in url or "query=" in url]
    assert not (home / ".jupyter" / "lab").exists()  # neither settings nor tabs go to the user's own JupyterLab
