"""The pocket engine beside Docker, on the same bases: `.venv/bin/python tests/benchmarks/pocket_engine.py`.

first       flask_hello's Dockerfile.multi, nothing in the cache
unchanged   the same again
edited      the same after a change of app.py
save        the image of Dockerfile.single, drained to nowhere

Docker is what DOCKER_HOST names; the pocket engine is started here, on a store of its own in a temporary folder, with the
options that are given (`--runner proot`: as for somebody who is not root). The two take turns, and a ratio is the median
of the rounds' own ratios. The package index has a part in `first`: the stages
install from it.
"""

from __future__ import annotations

import io
import statistics
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "notebooks"), str(ROOT / "tests" / "support"), str(ROOT / "tests" / "pocket")]

import workshop  # noqa: E402
from engines import Pocket  # noqa: E402

ROUNDS = 3
APP = ROOT / "sample_apps" / "flask_hello"
BASES = ("python:3.11", "python:3.11-slim", "python:3.11-alpine")
TARGETS = {"first": 3.0, "unchanged": 2.0, "save": 1.5}
LIMITS = {"unchanged": 1.0, "edited": 2.0}  # seconds


def context(edit: str = "") -> bytes:
    """The app as a build context; `edit` is a line put at the end of app.py."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(APP.iterdir()):
            data = path.read_bytes() + (f"\n# {edit}\n".encode() if edit and path.name == "app.py" else b"")
            member = tarfile.TarInfo(path.name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def build(client, tag: str, dockerfile: str = "Dockerfile.multi", edit: str = "", nocache: bool = False) -> float:
    """Seconds that one build takes, on the engine's side of the line and back."""
    body, began = io.BytesIO(context(edit)), time.monotonic()
    client.images.build(
        fileobj=body,
        custom_context=True,
        dockerfile=dockerfile,
        tag=tag,
        nocache=nocache,
        rm=True,
        labels={"factory-floor": "image"},
    )
    return time.monotonic() - began


def drain(client, tag: str) -> float:
    began = time.monotonic()
    for _ in client.api.get_image(tag, chunk_size=1 << 18):
        pass
    return time.monotonic() - began


def measure(client, number: int) -> dict[str, float]:
    """One round on one engine."""
    tag = "factory/benchmark:multi"
    return {
        "first": build(client, tag, nocache=True),
        "unchanged": build(client, tag),
        "edited": build(client, tag, edit=f"round {number}"),
        "save": drain(client, "factory/benchmark:single"),
    }


def main() -> None:
    docker = workshop.connect()
    workshop.bases.ensure(docker, BASES)
    with tempfile.TemporaryDirectory() as folder:
        engine = Pocket(Path(folder), *sys.argv[1:])
        pocket = engine.start()
        try:
            for base in BASES:
                pocket.images.load(docker.api.get_image(base, chunk_size=1 << 18))
            for client in (docker, pocket):
                build(client, "factory/benchmark:single", "Dockerfile.single")
            rounds = [{"docker": measure(docker, n), "pocket": measure(pocket, n)} for n in range(ROUNDS)]
        finally:
            engine.stop()
            workshop.tidy(docker, app="benchmark")
    for name in ("first", "unchanged", "edited", "save"):
        theirs, ours = ([one[who][name] for one in rounds] for who in ("docker", "pocket"))
        ratio = statistics.median(our / their for our, their in zip(ours, theirs))
        print(
            f"{name}: Docker {statistics.median(theirs):.2f} s, pocket {statistics.median(ours):.2f} s, ratio {ratio:.2f}"
        )
        if name in TARGETS:
            print(f"  ratio at most {TARGETS[name]}: {'met' if ratio <= TARGETS[name] else 'NOT MET'}")
        if name in LIMITS:
            met = statistics.median(ours) < LIMITS[name]
            print(f"  pocket under {LIMITS[name]} s: {'met' if met else 'NOT MET'}")


if __name__ == "__main__":
    main()
