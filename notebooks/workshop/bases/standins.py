"""Stand-ins for official base images, made from Debian's packages where no registry can be reached.

One Debian root filesystem is made on the host with mmdebstrap and imported into the engine; every stand-in is an
ordinary multi-stage Dockerfile in recipes/ that starts from it. Labels say what an image stands in for and by which
recipe it was made, so the engine itself is the cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import queue
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import docker
from docker.types import CancellableStream

from ..archives import tar_of
from ..errors import WorkshopError
from ..labels import LABEL, STAND_IN, STAND_IN_ROOT, STAND_IN_STAGE, labels, remove_untagged

RECIPES = Path(__file__).parent / "recipes"
ROOT = "factory-floor/debian:bookworm"
MAIN, SECURITY = "http://deb.debian.org/debian", "http://deb.debian.org/debian-security"
KEYRING = "usr/share/keyrings/debian-archive-keyring.gpg"

Report = Callable[[str], None]


class Recipe(NamedTuple):
    dockerfile: str
    seconds: int  # roughly, on 2 cores, without the Debian root
    note: str  # what differs from the original


_DEBIAN_PYTHON = "CPython 3.11.2 is Debian's program, moved to /usr/local and not compiled for the image; pip is 22.3."
_RECIPES = {
    "python:3.11": Recipe("python-full.Dockerfile", 60, _DEBIAN_PYTHON),
    "python:3.11-slim": Recipe("python-slim.Dockerfile", 15, _DEBIAN_PYTHON),
    "python:3.11-alpine": Recipe(
        "python-alpine.Dockerfile",
        220,
        "musl and BusyBox are Debian's and CPython 3.11.2 is compiled from Debian's source: there is no apk in it.",
    ),
    "busybox:1.37": Recipe(
        "busybox.Dockerfile", 5, "BusyBox 1.37.0 is Debian 13's static program, with symbolic links for its commands."
    ),
    "gcr.io/distroless/python3-debian12:latest": Recipe(
        "distroless-python.Dockerfile",
        15,
        "The same packages of Debian 12, Python 3.11.2 among them, in one layer, without signatures or an SBOM.",
    ),
}
NAMES = tuple(_RECIPES)
ROOT_SECONDS = 20

_ROOT_CONFIG = ("ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 'CMD ["bash"]')


class StandInError(WorkshopError):
    """A stand-in could not be made."""


def can_build(name: str) -> str | None:
    """None if the stand-in can be made on this host; otherwise a sentence that says why not and what to do."""
    if name not in _RECIPES:
        return f"There is no stand-in for {name}; there is one for {', '.join(NAMES)}."
    if not shutil.which("mmdebstrap") and not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return f"A stand-in for {name} needs Debian's tools: use a Debian or Ubuntu host, or a network with a registry."
    fakechroot = shutil.which("fakeroot") and shutil.which("fakechroot")
    if os.getuid() != 0 and not fakechroot and not (shutil.which("newuidmap") and _user_namespaces()):
        return (
            f"A stand-in for {name} needs a root filesystem, which this user may not make: "
            "`sudo apt-get install fakeroot fakechroot`, and try again."
        )
    return None


def note(name: str) -> str:
    """One sentence: what differs from the original."""
    return _RECIPES[name].note


def expected_seconds(name: str) -> int:
    """Roughly how many seconds `build` takes from nothing on 2 cores."""
    return ROOT_SECONDS + _RECIPES[name].seconds


def recipe(name: str) -> str:
    """sha256 (hex) of what goes into it: the Dockerfile, the files that it copies in, the root's recipe."""
    return _sha256(_root_recipe(), *_context(name).values())


def is_current(client: docker.DockerClient, name: str) -> bool:
    """True if the engine's image of that name is a stand-in made with this recipe (a CA layer on top may be there)."""
    found, _ = _inspect(client, name)
    return _made(name).items() <= found.items()


def build(client: docker.DockerClient, name: str, report: Report = lambda text: None) -> None:
    """Make the stand-in in the engine, unless it is there and current; report(text) is called about every second.

    Raises StandInError where it cannot be made, where the build fails, and where the engine's image of that name is
    not a stand-in: that one is never overwritten. Failed or interrupted, it leaves nothing half-made behind.
    """
    if problem := can_build(name):
        raise StandInError(problem)
    with _alone_with(_RECIPES[name].dockerfile, report):
        found, old = _inspect(client, name)
        if old and found.get(f"{LABEL}.stand-in-for") != name:
            raise StandInError(
                f"The engine already has an image {name} that is not a stand-in.",
                f"Use it, or remove it (`docker image rm {name}`) and run this again.",
                "It was not touched.",
            )
        if is_current(client, name):
            return
        old_root = _ensure_root(client, report)
        patience = 3.0  # seconds: after a build that was cut off, the engine may be busy with its last step
        try:
            _run_dockerfile(client, name, report)
            patience = 0.2
        finally:
            _sweep(client, name, patience)
        for image in (old, old_root):
            remove_untagged(client, image)


def _made(name: str) -> dict[str, str]:
    """The labels that say by which recipe it was made; a layer on top may change the plain one, so it is not here."""
    return {f"{LABEL}.stand-in-for": name, f"{LABEL}.recipe": recipe(name), f"{LABEL}.note": note(name)}


def _root_recipe() -> str:
    return _sha256((RECIPES / "debian-root.sh").read_text(encoding="utf-8"), *_ROOT_CONFIG)


def _inspect(client: docker.DockerClient, name: str) -> tuple[dict[str, str], str | None]:
    """Labels and id of the engine's image of that name; ({}, None) if it has none."""
    try:
        image = client.images.get(name)
    except docker.errors.ImageNotFound:
        return {}, None
    return image.labels, image.id


@contextlib.contextmanager
def _alone_with(file: str, report: Report) -> Iterator[None]:
    """Two notebooks may need the same stand-in at once: the second waits here, and finds it made."""
    import fcntl  # not on Windows, where no stand-in is made

    with (RECIPES / file).open("rb") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                report("another notebook is making the same: waiting for it")
                time.sleep(1)
        yield


def _ensure_root(client: docker.DockerClient, report: Report) -> str | None:
    """Make the Debian root, unless it is there and current; returns the id of the one that it replaces, if any."""
    with _alone_with("debian-root.sh", report):
        found, old = _inspect(client, ROOT)
        if found.get(f"{LABEL}.recipe") == _root_recipe():
            return None
        _make_root(client, report)
        return old


def _make_root(client: docker.DockerClient, report: Report) -> None:
    """The Debian root filesystem that the recipes start from: made on the host, imported through the API."""
    with tempfile.TemporaryDirectory(prefix="factory-floor-", ignore_cleanup_errors=True) as folder:
        archive = _bootstrapped(folder, report)
        report("Debian root: importing it into the engine")
        made = labels(STAND_IN_ROOT, recipe=_root_recipe())
        changes = [*_ROOT_CONFIG, "LABEL " + " ".join(f"{key}={value}" for key, value in made.items())]
        repository, tag = ROOT.split(":")
        answer = client.api.import_image_from_file(archive, repository=repository, tag=tag, changes=changes)
    if '"error"' in answer:
        raise StandInError(f"The engine did not import the Debian root: {answer.strip().splitlines()[-1]}")


def _bootstrapped(folder: str, report: Report) -> str:
    """The path of the Debian root's tar archive, made in the folder. Raises StandInError."""
    os.chmod(folder, 0o755)  # without root, mmdebstrap works as a user of its own, who must get in here
    archive = f"{folder}/root.tar"
    program = subprocess.Popen(
        ["sh", RECIPES / "debian-root.sh", archive, *_mirrors(), *_mmdebstrap(Path(folder))],
        # The tools that come with mmdebstrap are beside it, where one had to be unpacked.
        env={**os.environ, "TMPDIR": folder, "PATH": f"{os.environ.get('PATH', os.defpath)}:{folder}/usr/bin"},
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        tail = _follow(program.stderr, "Debian root", report)
    except BaseException:
        os.killpg(program.pid, signal.SIGTERM)  # mmdebstrap removes what it unpacked
        raise
    finally:
        program.wait()
    if program.returncode:
        raise StandInError(
            "mmdebstrap could not make the Debian root: " + " / ".join(tail),
            f"It needs {' and '.join(_mirrors())}, and the right to mount.",
        )
    return archive


def _mmdebstrap(folder: Path) -> list[str]:
    """How to call mmdebstrap here: the host's, or one unpacked into folder; with Debian's keys, also on Ubuntu."""
    missing = [] if shutil.which("mmdebstrap") else ["mmdebstrap"]
    if not Path("/", KEYRING).exists():
        missing.append("debian-archive-keyring")
    try:
        if missing:
            subprocess.run(["apt-get", "download", "-q", *missing], cwd=folder, check=True, capture_output=True)
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package.name, "."], cwd=folder, check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        raise StandInError(
            f"apt-get could not download {' and '.join(missing)}: {error.stderr.decode().strip()}",
            "`sudo apt-get update`, and try again.",
        ) from None
    program = f"{folder}/usr/bin/mmdebstrap" if "mmdebstrap" in missing else "mmdebstrap"
    return [program, f"--keyring={folder}/{KEYRING}"] if "debian-archive-keyring" in missing else [program]


def _mirrors() -> tuple[str, str]:
    """Where the host's apt gets Debian's packages and its security updates, if a container can get them there, too."""
    if not shutil.which("apt-get"):
        return MAIN, SECURITY
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    addresses = re.findall(r"^Debian (http://(?!localhost|127\.)\S+?)/?$", listed, re.MULTILINE)
    main = [address for address in addresses if address.endswith("/debian")]
    security = [address for address in addresses if address.endswith("security")]
    return (main or [MAIN])[0], (security or [SECURITY])[0]


def _user_namespaces() -> bool:
    return subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False).returncode == 0


def _context(name: str, mirrors: tuple[str, str] = (MAIN, SECURITY)) -> dict[str, bytes]:
    """The build context of a recipe: "Dockerfile", and the files that it copies in. apt-get uses the mirrors."""
    dockerfile = (RECIPES / _RECIPES[name].dockerfile).read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    scripts = {path: (RECIPES / path).read_text(encoding="utf-8").encode() for line in copied for path in line.split()}
    for official, mirror in zip((MAIN, SECURITY), mirrors, strict=True):
        if mirror != official:  # only while it is built: the image's own sources stay Debian's
            change = "sed -i 's|{} |{} |' /etc/apt/sources.list && "
            there, back = change.format(official, mirror), change.format(mirror, official)
            dockerfile = dockerfile.replace("apt-get update", f"{there}apt-get update")
            dockerfile = dockerfile.replace("rm -rf /var/lib/apt", f"{back}rm -rf /var/lib/apt")
    return {"Dockerfile": dockerfile.encode(), **scripts}


def _run_dockerfile(client: docker.DockerClient, name: str, report: Report) -> None:
    context = io.BytesIO(tar_of(_context(name, _mirrors())))
    made = {LABEL: STAND_IN, **_made(name)}
    responses, problems = [], []
    hooks = client.api.hooks["response"]
    hooks.append(lambda response, *_, **__: responses.append(response))
    try:
        stream = client.api.build(
            fileobj=context, custom_context=True, tag=name, labels=made, decode=True, rm=True, forcerm=True
        )
    finally:
        hooks.pop()

    def lines():
        for item in stream:
            if item.get("error"):
                problems.append(item["error"].strip())
            yield from re.sub(r"\x1b\[\d*m", "", item.get("stream") or "").splitlines()  # stderr comes in red

    try:
        tail = _follow(lines(), name, report)
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


def _follow(lines: Iterable[str], title: str, report: Report) -> list[str]:
    """Report each step and, every second, the seconds so far and the last line; returns the last 15 lines."""
    items: queue.Queue = queue.Queue()

    def read():
        try:
            for line in lines:
                items.put(line)
        except Exception as error:  # raised again below, where somebody can handle it
            items.put(error)
        items.put(None)

    threading.Thread(target=read, daemon=True).start()
    tail, step, said, started = [], title, 0.0, time.monotonic()
    while True:
        try:
            line = items.get(timeout=1)
        except queue.Empty:
            line = ""
        if line is None:
            return tail
        if isinstance(line, Exception):
            raise line
        if line.strip():
            tail = [*tail[-14:], line.strip()]
        new_step = re.match(r"step \d+/\d+", line, re.IGNORECASE)
        if new_step:
            step = f"{title}, {new_step[0].lower()}"
        now = time.monotonic()
        if tail and (new_step or now - said >= 1):
            said = now
            report(f"{step} ({now - started:.0f} s): {tail[-1][:100]}")


def _sweep(client: docker.DockerClient, name: str, patience: float) -> None:
    """Remove the stages of name's recipe, until none has turned up for so many seconds."""
    ours = {"label": [f"{LABEL}={STAND_IN_STAGE}", f"{LABEL}.stand-in-for={name}"]}
    started = seen = time.monotonic()
    while (now := time.monotonic()) - seen < patience and now - started < 30:
        containers = client.api.containers(all=True, filters=ours)
        stages = client.api.images(filters={**ours, "dangling": True})
        seen = now if containers or stages else seen
        with contextlib.suppress(docker.errors.APIError):  # the engine was quicker, or is not done with it
            for container in containers if now - started > 10 else ():  # mostly it removes those by itself
                client.api.remove_container(container["Id"], force=True)
            for stage in stages:
                client.api.remove_image(stage["Id"])
        time.sleep(0.1)


def _sha256(*parts: str | bytes) -> str:
    encoded = (part.encode() if isinstance(part, str) else part for part in parts)
    return hashlib.sha256(b"\0".join(encoded)).hexdigest()
