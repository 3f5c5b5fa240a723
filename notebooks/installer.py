"""What fills an environment: uv, found or fetched once; pip where there is no uv for this machine, or where uv fails.

uv is told what pip is told, so that whoever has set up pip for a network need not set up uv as well. Its cache is the
user's, so that an environment that is made again fetches nothing. Standard library only, because this runs before anything
is installed.
"""

import ast
import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

BASE = getattr(sys, "_base_executable", None) or sys.executable  # never the Python of an environment that is replaced
OLDEST_UV = (0, 4, 23)  # the first that takes its indexes from UV_DEFAULT_INDEX and UV_INDEX
UV = "uv.exe" if os.name == "nt" else "uv"
AS_UV = {  # an option of pip: the variable that tells uv the same, and what stands between several (None: it is one)
    "index-url": ("UV_DEFAULT_INDEX", None),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "timeout": ("UV_HTTP_TIMEOUT", None),
    "retries": ("UV_HTTP_RETRIES", None),
    "cert": ("SSL_CERT_FILE", None),
    "client-cert": ("SSL_CLIENT_CERT", None),
}
PATHS = ("find-links", "cert", "client-cert")
OLDER = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}  # names that uv still goes by


STOP_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
STEPS = (  # what pip or uv prints, and what that is to the person who waits
    (r"Collecting ([\w.-]+)", "fetching %s"),
    (r"Downloading ([\w.-]+ \(.+\))", "fetching %s"),
    (r"Building(?: wheel for)? ([\w.-]+)", "building %s"),
    (r"(?:Resolved|Prepared) (\d+ packages?)", "installing %s"),
    (r"Installing collected (packages)", "installing the %s"),
    (r".*(Retrying)", "no answer from the package index yet, trying again"),
)


class Failed(Exception):
    """A program failed; `args[0]` is its output."""


class Stopped(BaseException):
    """A stop signal arrived; `args[0]` is its number."""


def fill(venv, python, words, run, undo):
    """Makes the environment `venv`, whose Python will be `python`, unless it is there; installs what `words` ask for.

    words: arguments that `pip install` and `uv pip install` both know. run(doing, line, **variables): runs a program and
    returns its output. undo(): takes away what a try has left. Raises Failed, as `run` does: with pip's words.
    """
    try:
        _fill_by_uv(venv, python, words, run)
    except Failed as failure:
        lines = failure.args[0].strip().splitlines() or ["no output"]
        why = next((line for line in lines if "rror" in line), lines[-1])
        print("Going on with pip, which takes longer, because uv cannot be used here (%s)." % why.strip(), flush=True)
        undo()
        pip = _own_pip(venv, python, run)
        line = pip + ["--no-color", "--no-input", "install", "--no-user", "--progress-bar", "off"]
        run("asking the package index", line + words)


def cache_folder():
    """Where a uv that was fetched is kept: beside the layers that were read, see workshop.layer.cache."""
    if os.environ.get("FACTORY_FLOOR_CACHE"):
        return Path(os.environ["FACTORY_FLOOR_CACHE"])
    try:
        home = Path.home()
    except RuntimeError:  # a user whom the system does not know, as in some containers
        raise Failed("error: there is no home folder") from None
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData/Local")) / "factory-floor"
    if sys.platform == "darwin":
        return home / "Library/Caches/factory-floor"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "factory-floor"


def at_least():
    """OLDEST_UV as a requirement has it."""
    return ".".join(map(str, OLDEST_UV))


def uv_at_hand():
    """Path of the uv that is installed, else of the one fetched before; None when there is none that is recent enough."""
    for path in (shutil.which("uv"), str(cache_folder() / UV)):
        if path and _version(path) >= OLDEST_UV:
            return path
    return None


def _fill_by_uv(venv, python, words, run):
    if not python.exists():
        run("creating the environment", [BASE, "-m", "venv", "--without-pip", str(venv)])
    pip = [BASE, "-m", "pip"] if _has_pip(BASE) else _own_pip(venv, python, run)
    uv = uv_at_hand() or _fetched_uv(pip, venv / "tmp" / "uv", run)
    options, variables = as_pip_is_told(run("reading pip's settings", pip + ["config", "list"]))
    line = [uv, "--directory", str(venv.parent), "pip", "install", "--python", str(python)] + options
    run("asking the package index", line + words, **variables)
    if not _has_pip(python):  # a person's `pip install` must not find that of another Python
        with contextlib.suppress(Failed):  # an index that lacks it: nothing of ours needs it
            run("adding pip", line + ["pip"], **variables)


def _fetched_uv(pip, folder, run):
    """Path of a uv that `pip` brings into `folder`; kept for the next time, if the user's cache folder can be written."""
    options = ["--no-user", "--no-deps", "--only-binary", ":all:", "--retries", "1", "--progress-bar", "off"]
    run(
        "fetching uv",
        pip + ["install", *options, "--target", str(folder), "uv>=" + at_least()],
        PIP_REQUIRE_VIRTUALENV="0",
    )
    fetched = next(folder.glob("*/" + UV), None)
    if not fetched or _version(fetched) < OLDEST_UV:
        raise Failed("error: the uv that was fetched does not run")
    kept = cache_folder() / UV
    partial = kept.with_name("%s.%d.partial" % (UV, os.getpid()))
    try:  # there whole or not at all, and no matter how many do this at once
        kept.parent.mkdir(parents=True, exist_ok=True)
        _sweep(kept.parent)
        shutil.copy(fetched, partial)
        os.replace(partial, kept)
    except OSError:
        pass  # it is fetched again the next time
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return str(fetched)


def _sweep(folder):
    """Removes what a fetch left that was killed or lost its power; one that is still under way takes seconds."""
    for path in folder.glob(UV + ".*.partial"):
        with contextlib.suppress(OSError):  # it has been removed, or has become the uv, meanwhile
            if path.stat().st_mtime < time.time() - 3600:
                path.unlink()


def as_pip_is_told(listing):
    """(options, variables) that let uv go by pip's settings. What a person told uv itself wins.

    listing: what `pip config list` prints, a line `section.option='value'` for each setting.
    """
    told: dict[str, str] = {}
    for section in ("global", "install", ":env:"):  # the later wins
        for name, value in re.findall(r"^%s\.(?:default-)?([\w-]+)=(.+)$" % section, listing, re.MULTILINE):
            told[name] = ast.literal_eval(value) or told.get(name, "")  # what is empty says nothing
    told["cert"] = told.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""
    variables = {
        "UV_SYSTEM_CERTS": "1",
        "UV_NATIVE_TLS": "1",
    }  # the system's, as pip has them; the same by its older name
    for name, (variable, between) in AS_UV.items():
        values = told.get(name, "").split() if between else [told.get(name, "").strip()]
        if name in PATHS:
            values = [_absolute(value) for value in values if value]
        if any(values):
            variables[variable] = (between or "").join(values)
    if told.get("extra-index-url"):
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip takes the best of all indexes
    if sys.dont_write_bytecode:  # else each module is compiled when it is first needed, which takes less time in all
        variables["UV_COMPILE_BYTECODE"] = "1"
    own = [name for name in variables if name[:3] == "UV_" and {name, OLDER.get(name)} & set(os.environ)]
    for name in own:  # what a person told uv itself wins
        del variables[name]
    found = urllib.request.getproxies()  # on Windows and macOS also the system's setting
    for name in ("http_proxy", "https_proxy"):
        proxy = told.get("proxy") or found.get(name.split("_")[0])
        if proxy:
            variables[name] = variables[name.upper()] = proxy
    options = ["--color", "never"]
    for name, words in (
        ("no-index", ["--no-index"]),
        ("require-hashes", ["--require-hashes"]),
        ("pre", ["--prerelease", "allow"]),
    ):
        if told.get(name, "").lower() in ("1", "true", "yes", "on", "t", "y"):
            options += words
    for path in told.get("constraint", "").split():
        options += ["-c", _absolute(path)]
    for name in ("only-binary", "no-binary"):
        for value in told.get(name, "").replace(",", " ").split():
            options += ["--" + name, value]
    return options, variables


def _absolute(place):
    """A path that is relative is so to where pip is started; an address stays."""
    return place if re.match(r"[a-z+]+:/", place) else os.path.abspath(place)


def _own_pip(venv, python, run):
    """The command of the environment's own pip, which is put there if there is none."""
    if not _has_pip(python):
        if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
            raise Failed("ensurepip is not available")
        run("creating the environment", [BASE, "-m", "venv", str(venv)])
    return [str(python), "-m", "pip"]


def _has_pip(python):
    return _runs(python, "-c", "import pip") is not None


def _version(uv):
    """Its version, as a tuple; () of what is no uv that runs."""
    found = re.match(r"uv (\d+)\.(\d+)\.(\d+)", _runs(uv, "--version") or "")
    return tuple(map(int, found.groups())) if found else ()


def _runs(program, *arguments):
    """What the program prints; None when it fails or is not there."""
    try:
        done = subprocess.run(
            [str(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout


# ---- running it ------------------------------------------------------------------------------------------------------


def run(line, progress, lock, **variables):
    """Runs the command `line`, tells its output through `progress` and returns it; raises Failed.

    Ends it when stopped.
    """
    elsewhere = ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON")
    variables.update((name, value) for name, value in os.environ.items() if name not in {*elsewhere, *variables})
    held: dict[str, Any] = (
        {} if os.name == "nt" else {"pass_fds": [lock], "start_new_session": True}
    )  # an orphan keeps the lock
    output: list[str] = []
    process = subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=variables,
        text=True,
        errors="replace",
        **held,
    )
    try:
        reader = threading.Thread(target=lambda: output.extend(map(progress.heard, process.stdout or ())), daemon=True)
        reader.start()
        while reader.is_alive():
            reader.join(0.2)
            progress.tick()
        if process.wait():
            raise Failed("".join(output))
        return "".join(output)
    finally:
        with deaf():
            _end(process)
            progress.close()


def _end(process):
    """Ends `process` and what it started; at once when it has ended already."""
    if process.poll() is None:
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(3)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def _handling(handler):
    before = [(number, signal.signal(number, handler)) for number in STOP_SIGNALS]
    try:
        yield
    finally:
        for number, previous in before:
            signal.signal(number, previous)


def stoppable():
    """While this lasts, a stop signal raises Stopped."""

    def stop(number, frame):
        raise Stopped(number)

    return _handling(stop)


def deaf():
    """Tidying up is short and must not be cut short."""
    return _handling(signal.SIG_IGN)


class Progress:
    """Tells at least every 2 s what goes on: one rewritten line on a terminal, plain lines elsewhere."""

    def __init__(self, text=""):
        self.text = text
        self.started = self.told = time.monotonic()
        self.terminal = sys.stdout.isatty()

    def heard(self, line):
        """Takes in one line of pip's or uv's output, and returns it."""
        for pattern, text in STEPS:
            step = re.match(r"\s*" + pattern, line)
            if step:
                self.text = text % step.group(1) if "%" in text else text
        return line

    def tick(self):
        """Prints where things stand, when it is time to."""
        now = time.monotonic()
        if now - self.told < (0.2 if self.terminal else 1.6):
            return
        self.told = now
        text = "[%d s] %s" % (now - self.started, self.text)
        width = shutil.get_terminal_size().columns - 1
        if self.terminal:
            print("\r" + text[:width].ljust(width), end="", flush=True)
        else:
            print(text, flush=True)

    def close(self):
        """Leaves the terminal's line clean."""
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + " " * width + "\r", end="", flush=True)
