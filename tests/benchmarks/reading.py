"""Measure the reading of images beside dive and a bare `save`: `.venv/bin/python tests/benchmarks/reading.py [name …]`.

one_image     `files()` of a 1.1 GB image, empty cache: against draining the same `save`, and against `dive --ci`
six_variants  `files()` of six variants of one app on a 1 GB base, at once, empty cache: against six runs of dive; then
              once more with what is in the cache, in the same process and in a fresh one
rebuilt       `files()` of the 1.1 GB image whose app was rebuilt with another CMD, and with one small layer more: with what the
              cache has of the build before, against reading all of it
one_path      a check that asks for one path of the 1.1 GB image, empty cache: in a container of it, against `files()`
memory        peak memory of a process that reads the 1.1 GB image, and images of twice its size
whiteouts     an archive of 20,000 files and 1,600 whiteouts, against the same with none; dive beside it

What is compared runs in turn, in fresh processes, and a ratio is the median of the rounds' own ratios, so that what
else the machine does meanwhile matters little. The clock runs inside the process, after the imports. Images made here are
removed at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "notebooks"), str(ROOT / "tests" / "support")]

import workshop  # noqa: E402

ROUNDS = 3
BASE = "python:3.11"
MB = 10**6

READ = "workshop.files(client, given)"
CHECK = "assert workshop.check.that(client, given, workshop.check.has('/usr/local/bin/python3.11'))"
DRAIN = "for chunk in client.api.get_image(given, chunk_size=1 << 18): pass"
AGAIN = "workshop.files(client, given); began = time.monotonic(); workshop.files(client, given)"

# What a fresh process does: `given` comes as JSON, and so does the answer, in the last line.
PROCESS = """
import json, pathlib, sys, time
import workshop
given = json.loads(sys.argv[1])
given = pathlib.Path(given["path"]) if isinstance(given, dict) else given
client = None if isinstance(given, pathlib.Path) else workshop.connect(quiet=True)
began = time.monotonic()
{work}
took = time.monotonic() - began
try:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
except ImportError:
    peak = 0
print()
print(json.dumps([took, peak]))
"""


def one_image(client) -> None:
    with images(client, {"large": large()}) as (tag,):
        measured(DRAIN, tag)  # from here on, what the engine has to read from disk is in the machine's memory
        rounds = [(measured(DRAIN, tag)[0], fresh(READ, tag)[0], dive(tag)) for _ in range(ROUNDS)]
        told("bare save", [drain for drain, *_ in rounds])
        told("files()", [ours for _, ours, _ in rounds])
        told("dive", [theirs for *_, theirs in rounds])
        judged("files() / bare save", ratio(ours / drain for drain, ours, _ in rounds), 1.15)
        judged("files() / dive", ratio(ours / theirs for _, ours, theirs in rounds), 1.0)


def six_variants(client) -> None:
    recipe = f"FROM {BASE}\nCOPY app.py /app/\nRUN echo {{}} > /app/variant\n"
    recipes = {f"v{number}": recipe.format(number) for number in range(6)}
    with images(client, recipes) as tags:
        measured(DRAIN, tags[0])
        rounds, same, other = [], [], []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as cache:
                ours = measured(READ, tags, cache)[0]
                same.append(measured(AGAIN, tags, cache)[0])
                other.append(measured(READ, tags, cache)[0])
            rounds.append((ours, sum(dive(tag) for tag in tags)))
        told("files() of six", [ours for ours, _ in rounds])
        told("dive, six times", [theirs for _, theirs in rounds])
        judged("dive / files()", ratio(theirs / ours for ours, theirs in rounds), 4, least=True)
        judged("again, same process", statistics.median(same), 1, " s")
        judged("again, fresh process", statistics.median(other), 1, " s")


def rebuilt(client) -> None:
    recipes = {"first": large(), "cmd": large() + 'CMD ["true"]\n', "layer": large() + "RUN echo more > /more\n"}
    with images(client, recipes) as (first, *others):
        for what, tag in zip(("another CMD", "one layer more"), others):
            rounds = []
            for _ in range(ROUNDS):
                with tempfile.TemporaryDirectory() as cache:
                    whole = fresh(READ, tag)[0]
                    measured(READ, first, cache)
                    rounds.append((whole, measured(READ, tag, cache)[0]))
            told(f"{what}: all of it", [whole for whole, _ in rounds])
            told(f"{what}: what is new", [new for _, new in rounds])
            judged(f"{what}: new / all", ratio(new / whole for whole, new in rounds), 0.5)


def one_path(client) -> None:
    with images(client, {"large": large()}) as (tag,):
        rounds = [(fresh(READ, tag)[0], fresh(CHECK, tag)[0]) for _ in range(ROUNDS)]
        told("files()", [whole for whole, _ in rounds])
        told("check.has(path)", [one for _, one in rounds])
        judged("check.has(path)", statistics.median(one for _, one in rounds), 2, " s")


def memory(client) -> None:
    recipes = {
        "large": large(),
        "twice-bytes": large() + "RUN mkdir /big && cd /big && head -c 1100000000 /dev/urandom | split -b 20000000\n",
        "twice-files": large() + "RUN mkdir /again && cp -a /usr /data /again\n",
    }
    with images(client, recipes) as (tag, more_bytes, more_files):
        rounds = [[fresh(READ, one)[1] / MB for one in (tag, more_bytes, more_files)] for _ in range(ROUNDS)]
        for name, peaks in zip(("1.1 GB", "twice the bytes", "twice the files"), zip(*rounds)):
            told(f"peak, {name}", peaks, " MB")
        judged("peak of the 1.1 GB image", statistics.median(peaks[0] for peaks in rounds), 250, " MB")
        judged("twice the bytes / 1.1 GB", ratio(peaks[1] / peaks[0] for peaks in rounds), 1.1)
        judged("twice the files / 1.1 GB", ratio(peaks[2] / peaks[0] for peaks in rounds), 1.1)


def whiteouts(client) -> None:
    from hand import archive_of

    names = [f"d{number // 100:03}/f{number:05}" for number in range(20_000)]
    lower = {name: name.encode() * 10 for name in names}
    gone = {name.replace("/", "/.wh."): b"" for name in names[:: len(names) // 1600][:1600]}
    with tempfile.TemporaryDirectory() as folder:
        plain, holed = Path(folder) / "plain.tar", Path(folder) / "holed.tar"
        plain.write_bytes(archive_of([lower, {"more": b""}], kind="legacy", tag="hand:plain"))
        holed.write_bytes(archive_of([lower, gone], kind="legacy", tag="hand:holed"))
        rounds = [[fresh(READ, {"path": str(path)})[0] for path in (plain, holed)] for _ in range(ROUNDS + 2)]
        told("files(), none", [one for one, _ in rounds])
        told("files(), 1,600", [one for _, one in rounds])
        told("dive, none", [dive(f"docker-archive://{plain}")])
        told("dive, 1,600", [dive(f"docker-archive://{holed}")])
        judged("1,600 whiteouts / none", ratio(holed / plain for plain, holed in rounds), 1.5)


def large() -> str:
    """The recipe of the 1.1 GB image: the full Python image and 150 MB in 1,500 files."""
    return f"FROM {BASE}\nCOPY data /data/\n"


@contextlib.contextmanager
def images(client, recipes: dict[str, str]):
    """The tags of images that were built for the occasion; removed afterwards."""
    with tempfile.TemporaryDirectory() as parent:
        app = Path(parent) / f"reading-{os.getpid()}"
        (app / "data").mkdir(parents=True)
        (app / "app.py").write_text("print('hello')\n")
        if any("data" in text for text in recipes.values()):
            for number in range(1500):
                (app / "data" / f"{number:04}").write_bytes(os.urandom(100_000))
        try:
            tags = {f"factory/{app.name}:{name}": text for name, text in recipes.items()}
            yield [workshop.build(client, app, text, tag=tag).tag for tag, text in tags.items()]
        finally:
            workshop.tidy(client, app=app.name)


def fresh(work: str, given) -> tuple[float, float]:
    """`measured` with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        return measured(work, given, cache)


def measured(work: str, given, cache: str = "") -> tuple[float, float]:
    """(seconds, peak bytes) of some work in a process of its own."""
    environment = os.environ | {"FACTORY_FLOOR_CACHE": cache, "PYTHONPATH": str(ROOT / "notebooks")}
    command = [sys.executable, "-c", PROCESS.format(work=work), json.dumps(given)]
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return tuple(json.loads(run.stdout.splitlines()[-1]))


def dive(image: str) -> float:
    """Seconds that dive takes for an image, start of the process included: milliseconds."""
    program = shutil.which("dive", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if not program:
        sys.exit("dive is not installed: `python3 tests --collect-only` installs what the tests need")
    began = time.monotonic()
    run = subprocess.run([program, "--ci", image], env=os.environ | {"CI": "true"}, capture_output=True, text=True)
    took = time.monotonic() - began
    if "efficiency:" not in run.stdout:
        sys.exit(f"dive did not read {image}:\n{run.stdout[-500:]}{run.stderr[-500:]}")
    return took


def ratio(rounds) -> float:
    return statistics.median(rounds)


def told(what: str, runs, unit: str = " s") -> None:
    each = ", ".join(f"{one:.2f}" for one in runs)
    print(f"  {what}: median {statistics.median(runs):.2f}{unit} of {each}", flush=True)


def judged(what: str, value: float, target: float, unit: str = "", least: bool = False) -> None:
    met = value >= target if least else value <= target
    bound, verdict = "≥" if least else "≤", "met" if met else "NOT MET"
    print(f"  {what}: {value:.2f}{unit}, target {bound} {target}{unit}: {verdict}", flush=True)


def main(names: list[str]) -> None:
    client = workshop.connect()
    workshop.bases.ensure(client, [BASE])
    for name in names or ["one_image", "six_variants", "rebuilt", "one_path", "memory", "whiteouts"]:
        print(f"{name} (load {os.getloadavg()[0]:.1f})", flush=True)
        globals()[name](client)


if __name__ == "__main__":
    main(sys.argv[1:])
