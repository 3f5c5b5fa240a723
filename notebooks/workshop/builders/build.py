"""build(): one Dockerfile through the engine's builder, step by step, every stage kept so that it can be opened."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pandas as pd

from ..bases import resolve
from ..dockerfiles import syntax
from ..dockerfiles.stages import BaseImage, look_at_bases
from ..engine.connect import describe, has_buildkit
from ..errors import CONNECTION_ERRORS, WorkshopError, engine_lost, translate_engine_loss
from ..labels import PREFIX
from ..progress import Panel
from ..units import plural, seconds
from . import buildkit, classic, errors
from .request import Builder, BuildRequest, read_secrets
from .stage_tags import tag_word
from .steps import steps_frame

SAMPLE_APPS = Path(__file__).resolve().parents[3] / "sample_apps"

BUILDERS: dict[str, Builder] = {"classic": classic, "buildkit": buildkit}

# Tags whose last build failed or was stopped: what the engine has under them is from an earlier attempt.
outdated: set[str] = set()

# An image's name and tag, without a digest (distribution/reference, "Grammar").
NAME = re.compile(
    r"[a-z0-9][a-z0-9.:-]*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*([._-]*[a-z0-9])*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
)


@dataclass(frozen=True)
class Build:
    """What a build left behind.

    image: the image's id. tag: its name. seconds: the whole build, wall clock. stages: {stage name: image id}, in
    Dockerfile order; a stage without a name goes by its number; on BuildKit, a stage that nothing needed is not there.
    stage_tags: {stage name: tag} under which each stage is kept. steps: a DataFrame, one row per instruction, with columns
    step (from 1), stage, line (of the Dockerfile), instruction, status ("base" for FROM, else "cached" or "run"; on BuildKit
    "skipped" for a stage that nothing needed), began and ended (seconds since the first step began; not a number for a line
    that was no work of its own), seconds, bytes (what the engine's history says the step added), image
    (short id after the step; "" on BuildKit, which makes images of stages only). context_bytes: what the engine was sent of
    the app's folder. warnings: on BuildKit, what it has to say about the Dockerfile, each a sentence with its line.
    bases: {image that a stage is built FROM: what it was then}. printed: {step: the lines that its program printed}, of those
    that ran. recorded: "" for a build that was made here and now, else which engine it was recorded on, and when.
    """

    image: str
    tag: str
    seconds: float
    stages: dict[str, str]
    stage_tags: dict[str, str]
    steps: pd.DataFrame = field(repr=False)
    dockerfile: str = field(repr=False)
    context_bytes: int = 0
    buildargs: dict[str, str] = field(default_factory=dict, repr=False)
    warnings: list[str] = field(default_factory=list, repr=False)
    bases: dict[str, BaseImage] = field(default_factory=dict, repr=False)
    printed: dict[int, list[str]] = field(default_factory=dict, repr=False)
    recorded: str = ""

    def __repr__(self) -> str:
        cached = int((self.steps["status"] == "cached").sum())
        stages, steps = plural(len(self.stages), "stage"), plural(len(self.steps), "step")
        where = f" ({self.recorded})" if self.recorded else ""
        return f"{self.tag}: {stages}, {steps} ({cached} cached), {seconds(self.seconds)}{where}"


def build(
    client: docker.DockerClient,
    app: str | Path,
    dockerfile: str = "Dockerfile",
    target: str | int | None = None,
    tag: str | None = None,
    *,
    buildargs: dict[str, str] | None = None,
    nocache: bool = False,
    builder: str | None = None,
    secrets: Mapping[str, str | Path] | None = None,
) -> Build:
    """Build an app's image with live progress, and keep each of its stages under a tag of its own.

    app: a folder in sample_apps/, or a path. dockerfile: a file's name in it (Dockerfile.multi) or its path, or a
    Dockerfile's text. target: the stage to stop after. tag: by default factory/<app>:<the part after "Dockerfile.">. builder:
    "buildkit", which builds what the target needs, side by side, or "classic", which builds every stage up to the target, one
    after the other; by default BuildKit where the engine has it, as `docker build` does. secrets: {id: text, or the path of
    a file} for `RUN --mount=type=secret,id=…` on BuildKit, which no layer keeps. Base images that the engine lacks are made
    available first (`workshop.bases`).

    Raises WorkshopError for an app, Dockerfile or stage that is not there, BuildError for a step that failed, EngineLost
    when the engine goes away. Interrupted, it stops the build and removes what the build had made so far.
    """
    if builder is None:
        builder = builders_of(client)[0]
    if builder not in BUILDERS:
        raise WorkshopError(f"There is no builder called {builder!r}.", f"There are: {', '.join(BUILDERS)}.")
    # What the model of the Dockerfile goes by. The classic builder does not know the platform's: it is told.
    known = syntax.platform_arguments(_platform(client)) | (buildargs or {})
    chosen, request = BUILDERS[builder], _request(app, dockerfile, target, tag, buildargs, nocache, secrets, known)
    tag, parsed = request.tag, request.parsed
    chosen.check(client, request)
    stages = chosen.stages(request)
    errors.refuse_no_names(parsed, stages)
    _fetch_images(client, parsed, stages)
    log = chosen.start_log(request)
    began = time.monotonic()
    with Panel(f"Building {tag}") as panel:
        try:
            found = look_at_bases(client, parsed, stages)
            result = chosen.build(client, dataclasses.replace(request, bases=found), log, panel)
        except KeyboardInterrupt:
            chosen.remove_unfinished(client, log)
            podman = describe(client)["engine"] == "Podman"
            goes_on = " Podman lets the step that was running go on to its end, for nothing." if podman else ""
            raise KeyboardInterrupt(
                f"The build of {tag} was stopped, and what it had made was removed; an earlier image of it is as it was.{goes_on}"
            ) from None
        except CONNECTION_ERRORS:
            state = f"{tag} was not built; images that were finished before are untouched."
            raise engine_lost(log.where(), state) from None
        except docker.errors.APIError as error:
            raise errors.refused(error, parsed) from None
        took = time.monotonic() - began
        steps = steps_frame(log.dockerfile_steps())
        cached = (steps["status"] == "cached").sum()
        panel.summary = (
            f"Built {tag} in {seconds(took)}: {plural(len(steps), 'step')}, {cached} of them from the cache."
        )
        if result.warnings:
            panel.summary += (
                f" BuildKit has {len(result.warnings)} to say about the Dockerfile: see the build's `.warnings`."
            )
    outdated.discard(tag)
    image = list(result.stages.values())[-1]
    return Build(
        image,
        tag,
        took,
        result.stages,
        result.stage_tags,
        steps,
        parsed.text,
        result.context_bytes,
        known,
        result.warnings,
        found,
        log.printed(),
    )


@translate_engine_loss("the look at the engine")
def _platform(client: docker.DockerClient) -> str:
    return describe(client)["platform"]


def _request(
    app: str | Path,
    dockerfile: str,
    target: str | int | None,
    tag: str | None,
    buildargs: dict[str, str] | None,
    nocache: bool,
    secrets: Mapping[str, str | Path] | None = None,
    known: Mapping[str, str] | None = None,
) -> BuildRequest:
    """What is to be built, checked as far as that goes without the engine."""
    folder = syntax.locate(app, SAMPLE_APPS)
    tag = tag or default_tag(folder.name, dockerfile, target)
    if not NAME.fullmatch(tag):
        raise WorkshopError(
            f"{tag!r} is no image name: lower case, no spaces, and one colon before the version, as in factory/hello:mine.",
            state="Nothing was built.",
        )
    outdated.add(tag)
    parsed = syntax.parse(syntax.read(folder, dockerfile), known or buildargs)
    errors.refuse_same_names(parsed, parsed.stage_index(target))
    name = "" if "\n" in dockerfile else os.path.relpath(syntax.path_of(folder, dockerfile), folder)
    contents = read_secrets(secrets or {})
    platform = {key: value for key, value in (known or {}).items() if key not in (buildargs or {})}
    return BuildRequest(
        folder, parsed, parsed.stage_index(target), tag, buildargs, nocache, name, contents, platform=platform
    )


def builders_of(client: docker.DockerClient) -> list[str]:
    """The builders that the engine has, by the names that `build` takes; the one that it takes by default comes first."""
    return ["buildkit", "classic"] if has_buildkit(client) else ["classic"]


class Recipe(str):
    """A Dockerfile's text, which a notebook shows as such."""

    def _repr_markdown_(self) -> str:
        return f"```dockerfile\n{self.rstrip()}\n```"


def dockerfile(app: str | Path, name: str = "Dockerfile") -> Recipe:
    """An app's Dockerfile, to be looked at in a notebook, drawn (`charts.floor`), or changed and built."""
    return Recipe(syntax.read(syntax.locate(app, SAMPLE_APPS), name))


def default_tag(app: str, dockerfile: str, target: str | int | None = None) -> str:
    """factory/flask_hello:multi for Dockerfile.multi, :latest for Dockerfile, :mine for a text; with a target, :multi-to-test.

    Behind a dot stands the name of a stage that is kept (stage_tags.py): such a tag is never an image's own.
    """
    version = "mine" if "\n" in dockerfile else Path(dockerfile).name.removeprefix("Dockerfile").strip(".") or "latest"
    version = tag_word(version)
    name = re.sub(r"[^a-z0-9._-]+", "-", app.lower()).strip("._-") or "app"
    return f"{PREFIX}{name}:{version}" + ("" if target is None else f"-to-{tag_word(str(target))}")


def _fetch_images(client: docker.DockerClient, parsed: syntax.Dockerfile, stages: Collection[int]) -> None:
    try:
        resolve.ensure(client, parsed.images(stages))
    except resolve.Unavailable as error:
        if error.name in parsed.copied_images():
            raise errors.no_such_source(error.name, parsed, error) from None
        raise
