"""Stand-ins for official base images, made from Debian's packages where no registry can be reached.

Every stand-in is an ordinary multi-stage Dockerfile in recipes/ that starts from a Debian root (debian_root.py). Labels
say what an image stands in for, from which Debian and by which recipe it was made, so the engine itself is the cache.
"""

from __future__ import annotations

import contextlib
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import docker
import requests
from docker.types import CancellableStream

from ..archives import tar_of
from ..labels import LABEL, STAND_IN, STAND_IN_STAGE, remove_untagged
from . import debian_root
from .debian_root import MAIN, SECURITY, StandInError, mirrors, sha256
from .known import DEBIAN, in_engine, is_ours, is_stand_in, labels_of, stand_in_from
from .long_work import Estimate, Part, Report, alone_with, follow

RECIPES = Path(__file__).parent / "recipes"


class Recipe(NamedTuple):
    dockerfile: str
    parts: tuple[Part, ...]  # what takes time, without the Debian root
    note: str  # what differs from the original


def _step(number: int, seconds: float, words: str) -> Part:
    return Part(rf"step {number}/", seconds, words)


_SLIM = (
    _step(4, 8, "Debian's Python, and pip"),
    _step(8, 5, "libraries that Python uses"),
    _step(9, 2, "Python goes into the image"),
)
_DEBIAN_PYTHON = "CPython 3.11.2 is Debian's program, moved to /usr/local and not compiled for the image; pip is 22.3."
_RECIPES = {
    "python:3.11": Recipe(
        "python-full.Dockerfile",
        (
            _step(4, 8, "Debian's Python, and pip"),
            _step(8, 6, "tools that fetch"),
            _step(9, 6, "version control"),
            _step(10, 30, "compilers and libraries"),
            _step(12, 6, "libraries that Python uses"),
            _step(13, 4, "Python goes into the image"),
        ),
        _DEBIAN_PYTHON,
    ),
    "python:3.11-slim": Recipe(
        "python-slim.Dockerfile",
        _SLIM,
        _DEBIAN_PYTHON,
    ),
    "python:3.11-alpine": Recipe(
        "python-alpine.Dockerfile",
        (
            _step(3, 10, "compilers"),
            _step(6, 60, "compiling OpenSSL and other libraries for musl"),
            Part("configuring CPython", 35, "configuring CPython for musl"),
            Part("compiling CPython", 110, "compiling CPython for musl"),
            _step(13, 5, "Python goes into the image"),
        ),
        "musl and BusyBox are Debian's and CPython 3.11.2 is compiled from Debian's source: there is no apk in it.",
    ),
    "python:3.13-slim": Recipe(
        "python-3.13-slim.Dockerfile",
        _SLIM,
        "CPython 3.13.5 is Debian's program, moved to /usr/local and not compiled for the image; pip is 25.1.",
    ),
    "busybox:1.37": Recipe(
        "busybox.Dockerfile",
        (_step(3, 4, "BusyBox, from Debian"), _step(7, 1, "BusyBox goes into the image")),
        "BusyBox 1.37.0 is Debian's static program, with symbolic links for its commands.",
    ),
    "gcr.io/distroless/python3-debian13:latest": Recipe(
        "distroless-python.Dockerfile",
        (_step(3, 12, "Debian's packages, unpacked"), _step(8, 3, "they go into the image")),
        "The same packages of Debian, Python 3.13.5 among them, in one layer, without signatures or an SBOM.",
    ),
}
NAMES = tuple(_RECIPES)


def can_build(name: str) -> str | None:
    """None if the stand-in can be made on this host; otherwise a sentence that says why not and what to do."""
    if name not in _RECIPES:
        return f"There is no stand-in for {name}; there is one for {', '.join(NAMES)}."
    lacking = debian_root.lacks()
    return f"A stand-in for {name} needs {lacking}" if lacking else None


def note(name: str) -> str:
    """One sentence: what differs from the original."""
    return _RECIPES[name].note


def estimate(name: str) -> Estimate:
    """How long `build` takes from nothing, for it to correct as it goes on."""
    return Estimate((*debian_root.PARTS, *_RECIPES[name].parts))


def recipe(name: str) -> str:
    """sha256 (hex) of what goes into it: the Dockerfile, the files that it copies in, the root's recipe."""
    return sha256(debian_root.recipe(release(name)), *_context(name).values())


def release(name: str) -> str:
    """The Debian whose packages it is made from: a key of `debian_root.RELEASES`, as the recipe's first stage has it."""
    text = _dockerfile(name)
    return next(one for one in debian_root.RELEASES if f"FROM {debian_root.root(one)} AS " in text)


def origin(name: str) -> str:
    """Where it comes from, in the words that a stand-in in the engine has for itself."""
    return stand_in_from(debian_root.RELEASES[release(name)])


def is_current(client: docker.DockerClient, name: str) -> bool:
    """True if the engine's image of that name is a stand-in made with this recipe (a CA layer on top may be there)."""
    return _recipe_labels(name).items() <= labels_of(in_engine(client, name)).items()


def build(
    client: docker.DockerClient,
    name: str,
    report: Report = lambda text: None,
    left: Estimate | None = None,
) -> None:
    """Make the stand-in in the engine, unless it is there and current; report(text) is called about every second.

    left: the `estimate` of it, which is told how far the work is.

    Raises StandInError where it cannot be made, where the build fails, and where the engine's image of that name is
    not a stand-in: that one is never overwritten. Failed or interrupted, it leaves nothing half-made behind.
    """
    if problem := can_build(name):
        raise StandInError(problem)
    left = left or estimate(name)
    with alone_with(RECIPES / _RECIPES[name].dockerfile, report):
        old = in_engine(client, name)
        if old and not (is_stand_in(old) and is_ours(client, name, old)):
            raise StandInError(
                f"The engine already has an image {name} that is not a stand-in.",
                f"Use it, or remove it (`docker image rm {name}`) and run this again.",
                "It was not touched.",
            )
        if is_current(client, name):
            return
        old_root = debian_root.ensure(client, release(name), report, left)
        patience = 3.0  # seconds: after a build that was cut off, the engine may be busy with its last step
        try:
            _run_dockerfile(client, name, report, left)
            left.finish()
            patience = 0.2
        finally:
            _remove_stages(client, name, patience)
        remove_untagged(client, old["Id"] if old else None)
        remove_untagged(client, old_root)


def _recipe_labels(name: str) -> dict[str, str]:
    """The labels that say by which recipe it was made; a layer on top may change the plain one, so it is not here."""
    own = {f"{LABEL}.stand-in-for": name, f"{LABEL}.recipe": recipe(name), f"{LABEL}.note": note(name)}
    return {**own, DEBIAN: debian_root.RELEASES[release(name)]}


def _dockerfile(name: str) -> str:
    return (RECIPES / _RECIPES[name].dockerfile).read_text(encoding="utf-8")


def _context(name: str, near: tuple[str, str] = (MAIN, SECURITY)) -> dict[str, bytes]:
    """The build context of a recipe: "Dockerfile", and the files that it copies in. apt-get uses the near mirrors."""
    dockerfile = _dockerfile(name)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    scripts = {path: (RECIPES / path).read_text(encoding="utf-8").encode() for line in copied for path in line.split()}
    for official, mirror in zip((MAIN, SECURITY), near, strict=True):
        if mirror != official:  # only while it is built: the image's own sources stay Debian's
            change = "sed -i 's|{} |{} |' /etc/apt/sources.list && "
            there, back = change.format(official, mirror), change.format(mirror, official)
            dockerfile = dockerfile.replace("apt-get update", f"{there}apt-get update")
            dockerfile = dockerfile.replace("rm -rf /var/lib/apt", f"{back}rm -rf /var/lib/apt")
    return {"Dockerfile": dockerfile.encode(), **scripts}


def _run_dockerfile(client: docker.DockerClient, name: str, report: Report, left: Estimate) -> None:
    context = io.BytesIO(tar_of(_context(name, mirrors())))
    own_labels = {LABEL: STAND_IN, **_recipe_labels(name)}
    responses: list[requests.Response] = []
    problems: list[str] = []
    hooks = client.api.hooks["response"]
    hooks.append(lambda response, *_, **__: responses.append(response))
    try:
        stream = client.api.build(
            fileobj=context, custom_context=True, tag=name, labels=own_labels, decode=True, rm=True, forcerm=True
        )
    finally:
        hooks.pop()

    def lines() -> Iterator[str]:
        for item in stream:
            if item.get("error"):
                problems.append(item["error"].strip())
            yield from re.sub(r"\x1b\[\d*m", "", item.get("stream") or "").splitlines()  # stderr comes in red

    try:
        tail = follow(lines(), "the first step", report, left)
    except BaseException:
        with contextlib.suppress(Exception):
            CancellableStream(stream, responses[-1]).close()  # the engine ends a build that nobody listens to
        raise
    if problems:
        raise StandInError(
            f"The stand-in for {name} could not be built: {problems[0]}",
            "\n".join(["The last lines were:", *tail, "Can the engine reach Debian's packages?"]),
            "Nothing half-made was left behind.",
        )


def _remove_stages(client: docker.DockerClient, name: str, patience: float) -> None:
    """Remove the stages of name's recipe, until none has turned up for so many seconds."""
    ours = {"label": [f"{LABEL}={STAND_IN_STAGE}", f"{LABEL}.stand-in-for={name}"]}
    started = seen = time.monotonic()
    while (now := time.monotonic()) - seen < patience and now - started < 30:
        containers = client.api.containers(all=True, filters=ours)
        stages = client.api.images(filters={**ours, "dangling": True})
        seen = now if containers or stages else seen
        with contextlib.suppress(docker.errors.APIError):  # the engine was quicker, or is not done with it
            for container in containers if now - started > 10 else ():  # mostly it removes those by itself
                client.api.remove_container(container["Id"], force=True, v=True)
            for stage in stages:
                client.api.remove_image(stage["Id"])
        time.sleep(0.1)
