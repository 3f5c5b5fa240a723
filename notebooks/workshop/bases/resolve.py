"""Where a base image comes from: the engine → a class kit or registry → Docker Hub → its mirrors → a stand-in."""

from __future__ import annotations

import difflib
import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker

from ..errors import WorkshopError, translate_engine_loss
from ..labels import STAND_IN, familiar, full_tag
from ..progress import Panel
from ..units import seconds
from . import certificates, kit, standins
from .known import BASES, MIRRORS, has_certificates, in_engine, is_ours, is_stand_in, source
from .pull import PullFailed, pull

KIT = "FACTORY_FLOOR_KIT"  # path of an archive that `save_kit` wrote
KIT_FILE = Path(__file__).resolve().parents[3] / "class-kit.tar"  # used without being named
REGISTRY = "FACTORY_FLOOR_REGISTRY"  # host:port[/prefix] of a registry in the classroom
OTHER_MIRRORS = "FACTORY_FLOOR_MIRRORS"  # prefixes, separated by spaces, instead of the built-in ones
STAND_IN_SOURCE = "a stand-in"
CAME_ALONG = "came with the one before"  # a class kit holds several

# Brings a base image into the engine from one source: (client, its name, where to show progress).
Fetch = Callable[[docker.DockerClient, str, Panel], None]

# {source: reason} for those that did not answer at all: asking again for each image would only cost time.
_unreachable: dict[str, str] = {}


class Unavailable(WorkshopError):
    """No source delivers a base image. name: as it was asked for."""

    def __init__(self, name: str, asked_for: str, reasons: list[str]):
        listed = "\n".join(f"  - {reason}" for reason in reasons)
        bare = name.removesuffix(":latest")
        close = difflib.get_close_matches(bare, [*BASES, "scratch"], n=1, cutoff=0.8)
        meant = f" No lesson uses it; did you mean {close[0]}?" if close and name not in BASES else ""
        super().__init__(
            f"The base image {name} cannot be had here.{meant}\n{listed}",
            f"With a class kit, set {KIT} to its path; otherwise check the name, or mend one of these, and run the cell again.",
        )
        self.name = asked_for


@dataclass(frozen=True)
class Outcome:
    """What was done for one base image. reasons: why each better source did not deliver, in order."""

    name: str
    source: str
    reasons: tuple[str, ...] = ()
    seconds: float = 0.0
    certificates: bool = False


@translate_engine_loss("the fetching of base images")
def ensure(client: docker.DockerClient, names: Iterable[str]) -> list[Outcome]:
    """Make base images available in the engine, each from the best place that has it, with live progress.

    names: as in a Dockerfile's FROM. Returns one Outcome an image. An image that is there already costs one look.
    Raises Unavailable when no source delivers, with every source's reason; images that were made available stay.
    """
    asked = {full_tag(familiar(name)): name for name in names}
    names = list(asked)
    present = {
        name: image for name in names if (image := in_engine(client, name)) and not _outdated(client, name, image)
    }
    missing = [name for name in names if name not in present]
    outcomes = {name: Outcome(name, source(image)) for name, image in present.items()}
    _add_missing_certificates(client, present)
    if missing:
        with Panel("Fetching base images" if len(missing) > 1 else f"Fetching {missing[0]}") as panel:
            for name in missing:
                outcomes[name] = _fetch(client, name, asked[name], panel)
            panel.summary = "; ".join(_sentence(outcomes[name]) for name in missing)
    return [outcomes[name] for name in names]


@translate_engine_loss("the renewal of base images")
def renew(client: docker.DockerClient, names: Iterable[str] | None = None) -> list[str]:
    """Put this network's certificates into the base images that the workshop prepared; returns their names.

    Base images that somebody else brought are left alone: remove them (`docker image rm`) to have them prepared here.
    """
    renewed = []
    with Panel("Putting this network's certificates into base images") as panel:
        for name in map(full_tag, BASES if names is None else names):
            image = in_engine(client, name)
            if image and is_ours(client, name, image):
                panel.row(name, name)
                origin = source(image)
                if certificates.add_layer(client, name, origin, functools.partial(_report, panel, name)):
                    renewed.append(name)
                panel.row(name, state="done")
        panel.summary = f"This network's certificates are in {', '.join(renewed) or 'no base image: none needs them'}."
    return renewed


def _add_missing_certificates(client: docker.DockerClient, present: dict[str, dict]) -> None:
    """A base image of ours that came from elsewhere, in a kit say, may lack this network's certificates."""
    lacking = [name for name, image in present.items() if not has_certificates(image) and is_ours(client, name, image)]
    if any(certificates.needed_for(name) for name in lacking):
        renew(client, lacking)


def _outdated(client: docker.DockerClient, name: str, image: dict) -> bool:
    """A stand-in whose recipe has changed since is made again; not what somebody built on one and gave its name."""
    stand_in = is_stand_in(image) and name in standins.NAMES and not standins.is_current(client, name)
    return stand_in and is_ours(client, name, image)


def _fetch(client: docker.DockerClient, name: str, asked_for: str, panel: Panel) -> Outcome:
    began, reasons = time.monotonic(), []
    panel.row(name, name)
    if (image := in_engine(client, name)) and not _outdated(client, name, image):
        panel.row(name, state="done", detail=CAME_ALONG)
        return Outcome(name, source(image))
    for where, fetch in _sources(name):
        if where in _unreachable:
            reasons.append(_unreachable[where])
            continue
        panel.row(name, detail=f"trying {where}")
        try:
            fetch(client, name, panel)
        except PullFailed as failed:
            reasons.append(failed.reason)
            if failed.registry_unreachable:
                _unreachable[where] = failed.reason
            continue
        except WorkshopError as failed:
            reasons.append(f"{where}: {failed.what}{f' {failed.remedy}' if failed.remedy else ''}")
            continue
        origin = standins.origin(name) if where == STAND_IN_SOURCE else where
        added = certificates.add_layer(client, name, origin, functools.partial(_report, panel, name))
        outcome = Outcome(name, origin, tuple(reasons), time.monotonic() - began, added)
        panel.row(name, state="done", detail=_sentence(outcome).removeprefix(f"{name}: "), fraction=None)
        return outcome
    raise Unavailable(name, asked_for, reasons)


def _sources(name: str) -> Iterator[tuple[str, Fetch]]:
    """(source, function that fetches from it), best first. What the teacher named comes before Docker Hub's limit."""
    if path := _kit():
        yield "the class kit", functools.partial(_from_kit, path)
    if (registry := os.environ.get(REGISTRY)) and "@" not in name:  # what has a digest for a name can be given no tag
        yield f"the class registry {registry}", functools.partial(_from_registry, registry)
    yield "Docker Hub" if _official(name) else name.split("/")[0], _from_own_registry
    if _official(name) and "@" not in name:
        for prefix in os.environ.get(OTHER_MIRRORS, " ".join(MIRRORS)).split():
            yield f"the mirror {prefix.split('/')[0]}", functools.partial(_from_registry, prefix)
    if name in standins.NAMES:
        yield STAND_IN_SOURCE, _stand_in


def _kit() -> Path | None:
    """The class kit that was named, or the one that lies beside README.md."""
    if os.environ.get(KIT):
        path = Path(os.environ[KIT]).expanduser()
        if path.is_file():
            return path
        raise WorkshopError(
            f"{KIT} names {os.environ[KIT]}, which is not there.",
            "Correct it, restart the kernel, and run the cell again.",
        )
    return KIT_FILE if KIT_FILE.is_file() else None


def _report(panel: Panel, row: str, text: str) -> None:
    panel.row(row, detail=text)


def _official(name: str) -> bool:
    return "/" not in name


def _from_own_registry(client: docker.DockerClient, name: str, panel: Panel) -> None:
    pull(client, name, panel, name)


def _from_registry(prefix: str, client: docker.DockerClient, name: str, panel: Panel) -> None:
    """Pull prefix/name, and give it the name that the Dockerfile says."""
    there = f"{prefix.rstrip('/')}/{name}"
    was_there = in_engine(client, there)
    pull(client, there, panel, name)
    client.api.tag(there, *name.rsplit(":", 1))
    if not was_there:
        client.api.remove_image(there, noprune=True)


def _from_kit(path: Path, client: docker.DockerClient, name: str, panel: Panel) -> None:
    kit.load_kit(client, path, panel, name)
    image = in_engine(client, name)
    if not image:
        raise WorkshopError(f"{path.name} does not hold {name}")
    engine = client.version()["Arch"]
    if image["Architecture"] != engine:
        client.api.remove_image(name)
        raise WorkshopError(f"{path.name} is for {image['Architecture']}, and this engine runs on {engine}")


def _stand_in(client: docker.DockerClient, name: str, panel: Panel) -> None:
    if reason := standins.can_build(name):
        raise WorkshopError(reason)
    left = standins.estimate(name)

    def report(text: str) -> None:
        panel.row(name, detail=f"building a stand-in, {left}: {text}", fraction=left.fraction())

    report("beginning")
    standins.build(client, name, report, left)


def _sentence(outcome: Outcome) -> str:
    if not outcome.seconds:
        return f"{outcome.name}: {CAME_ALONG}"
    made = outcome.source.startswith(STAND_IN)
    origin = f"{outcome.source}, built here" if made else f"from {outcome.source}"
    why = f" (because {'; '.join(outcome.reasons)})" if outcome.reasons else ""
    extra = ", with your network's certificates" if outcome.certificates else ""
    return f"{outcome.name}: {origin} in {seconds(outcome.seconds)}{extra}{why}"
