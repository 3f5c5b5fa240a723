"""connect(): find the container engine of this machine, and say in one line which it is."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import docker
import requests
from docker.context import ContextAPI
from docker.utils import kwargs_from_env

from ..bases import known
from ..charts import style
from ..errors import WorkshopError, speak_plainly, translate_engine_loss, when_lost
from ..units import wrapped
from . import pocket_launcher

PROBE_TIMEOUT = 5  # seconds; a local engine answers in milliseconds
OTHERS = {"Podman Engine": "Podman", "Pocket Engine": "Pocket engine"}  # as a component of /version, and for people
TIMEOUT = 600  # seconds; a `save` is silent while a graph-driver engine stages the whole image


@dataclass(frozen=True)
class Candidate:
    """A place where an engine may answer. `name` is for people; `chosen`: the learner named it, so nothing else will do."""

    name: str
    url: str
    chosen: bool = False
    tls: object = False


def connect(*, quiet: bool = False) -> docker.DockerClient:
    """Connect to this machine's container engine, and print one line that says which it is.

    Looks at DOCKER_HOST, then the Docker context, then the usual sockets of Docker, Docker Desktop, Colima, Rancher
    Desktop, OrbStack and Podman. Where none answers, starts the pocket engine (Linux; FACTORY_FLOOR_ENGINE=pocket
    prefers it to all but DOCKER_HOST). Raises WorkshopError with the remedy where that cannot run, either.
    """
    speak_plainly()
    client = _pocket_engine(quiet) if pocket_launcher.chosen() else _first_that_answers(quiet)
    line = banner(client)
    style.set_footer(lambda: _banner_now(client, line))
    if not quiet:
        print(wrapped(line, 90), flush=True)
    return client


def _first_that_answers(quiet: bool) -> docker.DockerClient:
    tried: list[tuple[Candidate, WorkshopError]] = []
    for candidate in candidates():
        if client := _open(candidate, tried):
            when_lost()
            return client
        if candidate.chosen:
            raise tried[-1][1]
    return _nothing_answers(tried, quiet)


def candidates(environment: dict[str, str] | None = None, home: Path | None = None) -> list[Candidate]:
    """The places to look, best first. Only sockets that exist are listed, but for the default one."""
    environment = dict(os.environ) if environment is None else environment
    home = home or Path.home()
    if environment.get("DOCKER_HOST"):
        options = kwargs_from_env(environment=environment)
        return [Candidate("DOCKER_HOST", environment["DOCKER_HOST"], True, options.get("tls", False))]
    listed = [*_context(environment), *_usual_sockets(environment, home)]
    return list({candidate.url: candidate for candidate in reversed(listed)}.values())[::-1]


def _context(environment: dict[str, str]) -> list[Candidate]:
    try:
        context = ContextAPI.get_context(environment.get("DOCKER_CONTEXT") or ContextAPI.get_current_context().name)
    except (docker.errors.DockerException, OSError, ValueError, KeyError, AttributeError):
        return []
    if context is None or context.name == "default" or not context.Host:
        return []
    chosen = bool(environment.get("DOCKER_CONTEXT"))
    return [Candidate(f"the Docker context {context.name}", context.Host, chosen, context.TLSConfig or False)]


def _usual_sockets(environment: dict[str, str], home: Path) -> list[Candidate]:
    if sys.platform == "win32":
        pipes = {"Docker Desktop": "docker_engine", "Podman": "podman-machine-default"}
        return [Candidate(name, f"npipe:////./pipe/{pipe}") for name, pipe in pipes.items()]
    runtime = Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    sockets = (
        ("Docker", Path("/var/run/docker.sock")),
        ("rootless Docker", runtime / "docker.sock"),
        ("Docker Desktop", home / ".docker/run/docker.sock"),
        ("Docker Desktop", home / ".docker/desktop/docker.sock"),
        ("Colima", home / ".colima/default/docker.sock"),
        ("Colima", home / ".config/colima/default/docker.sock"),
        ("Rancher Desktop", home / ".rd/docker.sock"),
        ("OrbStack", home / ".orbstack/run/docker.sock"),
        ("Podman", runtime / "podman/podman.sock"),
        ("Podman", Path("/run/podman/podman.sock")),
        ("Podman", home / ".local/share/containers/podman/machine/podman.sock"),
    )
    return [Candidate(name, f"unix://{path}") for name, path in sockets if _exists(path)]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True  # in a folder that we may not look into: let the connection say so


def _open(candidate: Candidate, tried: list) -> docker.DockerClient | None:
    """A client for this place, or None, with the reason appended to `tried`."""
    options = dict(base_url=candidate.url, tls=candidate.tls, use_ssh_client=candidate.url.startswith("ssh://"))
    try:
        probe = docker.DockerClient(version="auto", timeout=PROBE_TIMEOUT, **options)
        version = probe.api.api_version
        probe.close()
        return docker.DockerClient(version=version, timeout=TIMEOUT, **options)
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError, ValueError) as error:
        tried.append((candidate, why_not(candidate, error)))
        return None


def why_not(candidate: Candidate, error: Exception) -> WorkshopError:
    """Why this place does not answer, as a sentence with the remedy."""
    text = str(error)
    where = f"{candidate.name} ({candidate.url})"
    if isinstance(error, docker.errors.InvalidVersion) or "is too old" in text or "minimum supported API" in text:
        return WorkshopError(
            f"{where} answers, but its API is too old for the Docker SDK: {text}",
            "Docker Engine 20.10 or newer is needed: update it, then run this cell again.",
        )
    if "Permission denied" in text or "PermissionError" in text:
        return WorkshopError(
            f"{where} is there, but this user may not use it: permission denied on the socket.",
            "On Linux: `sudo usermod -aG docker $USER`, log out and in again, then run this cell again.",
        )
    if "Desktop" in candidate.name or "desktop" in candidate.url or sys.platform in ("darwin", "win32"):
        return WorkshopError(
            f"{where} is installed but does not answer: it is stopped, or still starting.",
            "Start it, wait until it says that it is running, then run this cell again.",
        )
    if candidate.name == "DOCKER_HOST":
        return WorkshopError(
            f"Nothing answers at {where}: {_short(text)}",
            "Start that engine, or unset DOCKER_HOST and restart the kernel, so that the usual places are tried.",
        )
    return WorkshopError(
        f"{where} does not answer: {_short(text)}",
        "Start it (on Linux: `sudo systemctl start docker`), then run this cell again.",
    )


def _short(text: str) -> str:
    for sign, words in (
        ("No such file", "there is no such socket."),
        ("Connection refused", "the socket is there, but no engine listens on it."),
        ("timed out", "no answer in time."),
        ("Name or service not known", "there is no such host."),
    ):
        if sign in text:
            return words
    return text.rstrip(".") + "."


def _nothing_answers(tried: list[tuple[Candidate, WorkshopError]], quiet: bool = False) -> docker.DockerClient:
    """The last resort, and the one place for it: the pocket engine, or else every engine's reason why not."""
    if sys.platform != "linux":
        raise no_engine([reason for _, reason in tried])
    try:
        client = _pocket_engine(quiet)
    except WorkshopError as error:
        raise no_engine([*(reason for _, reason in tried), error]) from None
    for _, reason in [] if quiet else tried:
        print(f"{reason.what} So the pocket engine is used.", flush=True)
    return client


def _pocket_engine(quiet: bool) -> docker.DockerClient:
    tried: list[tuple[Candidate, WorkshopError]] = []
    client = _open(Candidate("The pocket engine", pocket_launcher.start(quiet=quiet), True), tried)
    if client is None:
        raise tried[0][1]
    when_lost(pocket_launcher.WHEN_LOST)
    return client


def no_engine(reasons: list[WorkshopError]) -> WorkshopError:
    """What to raise when none answers, from why each one that was found does not."""
    if not reasons:
        return WorkshopError(
            "No container engine is installed here, or none where one usually is.",
            "Install Docker (https://docs.docker.com/get-docker/) or Podman, start it, then run this cell again; "
            "an engine elsewhere is found through DOCKER_HOST.",
        )
    if len(reasons) == 1:
        return reasons[0]
    every = "\n".join(f"  {reason.what} {reason.remedy}" for reason in reasons)
    return WorkshopError(f"No container engine answers.\n{every}", "Then run this cell again.")


def describe(client: docker.DockerClient) -> dict[str, str]:
    """What answers: keys engine, version, store ("overlay2", "containerd", "pocket", …), platform."""
    version, info = client.version(), client.info()
    parts = {part["Name"]: part.get("Version", "") for part in version.get("Components") or []}
    other = next((name for name in OTHERS if name in parts), "")
    status = dict(pair for pair in info.get("DriverStatus") or [] if len(pair) == 2)
    containerd = status.get("driver-type", "").startswith("io.containerd")
    return {
        "engine": OTHERS.get(other, "Docker Engine"),
        "version": (parts.get(other) or version["Version"]).split("+")[0],
        "store": "containerd" if containerd else info.get("Driver", "unknown"),
        "platform": f"{version['Os']}/{version['Arch']}",
    }


@translate_engine_loss("the look at the engine")
def has_buildkit(client: docker.DockerClient) -> bool:
    """True on Docker Engine, which has BuildKit inside in every version that the workshop works with."""
    return describe(client)["engine"] == "Docker Engine"


def banner(client: docker.DockerClient) -> str:
    """One line: engine, version, image store, platform, and where the base images come from."""
    engine = describe(client)
    return (
        f"{engine['engine']} {engine['version']} · {engine['store']} image store · {engine['platform']} · "
        f"base images: {known.summary(client)}"
    )


def _banner_now(client: docker.DockerClient, before: str) -> str:
    """The banner, as it was before if the engine does not answer: a figure is drawn from a frame, and needs no engine."""
    try:
        return banner(client)
    except (docker.errors.DockerException, requests.exceptions.RequestException, WorkshopError):
        return before
