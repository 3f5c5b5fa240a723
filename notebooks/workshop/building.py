"""build(): one Dockerfile through the engine's builder, step by step, every stage kept so that it can be opened."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pandas as pd
from docker.utils.build import tar as context_tar

from . import bases, build_errors, dockerfiles
from .errors import CONNECTION_ERRORS, WorkshopError, engine_lost
from .labels import IMAGE, LABEL, PREFIX, STAGE, UNFINISHED, labels, tags_of
from .panel import Panel
from .transcript import Step, Transcript
from .units import seconds, size

SAMPLE_APPS = Path(__file__).resolve().parents[2] / "sample_apps"

# The Dockerfile travels in the context under this name and is excluded from it again, so that `COPY . .` never
# picks it up, whatever the file on disk is called.
IN_CONTEXT = ".factory-floor.Dockerfile"

# Tags whose last build failed or was stopped: what the engine has under them is from an earlier attempt.
outdated: set[str] = set()

# An image's name and tag, without a digest (distribution/reference, "Grammar").
NAME = re.compile(r"[a-z0-9][a-z0-9.:-]*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*([._-]*[a-z0-9])*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?")

SHOWN_FROM = 100_000  # bytes; below that some engines count disk blocks instead of content

COLUMNS = ["step", "stage", "line", "instruction", "status", "seconds", "bytes", "image"]


@dataclass(frozen=True)
class Build:
    """What a build left behind.

    image: the image's id. tag: its name. seconds: the whole build, wall clock. stages: {stage name: image id}, from
    the builder's own stream, in Dockerfile order; a stage without a name goes by its number. stage_tags: {stage name:
    tag} under which each stage is kept. steps: a DataFrame, one row per instruction, with columns step (from 1), stage,
    line (of the Dockerfile), instruction, status ("base" for FROM, else "cached" or "run"), seconds, bytes (what the
    engine's history says the step added), image (short id after the step).
    """

    image: str
    tag: str
    seconds: float
    stages: dict[str, str]
    stage_tags: dict[str, str]
    steps: pd.DataFrame = field(repr=False)
    dockerfile: str = field(repr=False)
    context_bytes: int = 0

    def __repr__(self) -> str:
        cached = int((self.steps["status"] == "cached").sum())
        many = "stage" if len(self.stages) == 1 else "stages"
        return (
            f"{self.tag}: {len(self.stages)} {many}, {len(self.steps)} steps ({cached} cached), {seconds(self.seconds)}"
        )


def build(
    client: docker.DockerClient,
    app: str | Path,
    dockerfile: str = "Dockerfile",
    target: str | int | None = None,
    tag: str | None = None,
    *,
    buildargs: dict[str, str] | None = None,
    nocache: bool = False,
) -> Build:
    """Build an app's image with live progress, and keep each of its stages under a tag of its own.

    app: a folder in sample_apps/, or a path. dockerfile: a file's name in it (Dockerfile.multi), or a Dockerfile's
    text. target: the stage to stop after. tag: by default factory/<app>:<the part after "Dockerfile.">.
    Base images that the engine lacks are made available first (`workshop.bases`).

    Raises WorkshopError for an app, Dockerfile or stage that is not there, BuildError for a step that failed, EngineLost
    when the engine goes away. Interrupted, it stops the build and removes what the build had made so far.
    """
    folder = dockerfiles.locate(app, SAMPLE_APPS)
    tag = tag or default_tag(folder.name, dockerfile, target)
    if not NAME.fullmatch(tag):
        raise WorkshopError(
            f"{tag!r} is no image name: lower case, no spaces, and one colon before the version, as in factory/hello:mine.",
            state="Nothing was built.",
        )
    outdated.add(tag)
    parsed = dockerfiles.parse(dockerfiles.read(folder, dockerfile))
    build_errors.refuse_heredocs(parsed)
    engine_target = parsed.target(target)
    _fetch_images(client, parsed)
    context, context_bytes = pack_context(folder, parsed.text)
    told = Transcript(parsed)
    request = dict(
        fileobj=context, custom_context=True, dockerfile=IN_CONTEXT, tag=tag, target=engine_target, nocache=nocache,
        buildargs=buildargs, labels=labels(IMAGE), rm=True, forcerm=True, decode=True,
    )  # fmt: skip
    began = time.monotonic()
    with Panel(f"Building {tag}") as panel:
        try:
            _follow(told, client.api.build(**request), panel)
            if told.failure:
                kept = _keep_cache(client, told)
                raise build_errors.failed(told.failure, told.instruction(), told.output, kept)
            _read_sizes(client, told, panel)
            stages = {name: client.api.inspect_image(image)["Id"] for name, image in told.stage_ids.items() if name}
            stage_tags = _keep_stages(client, tag, stages, panel)
        except KeyboardInterrupt:
            sweep(client, told)
            raise KeyboardInterrupt(
                f"The build of {tag} was stopped, and what it had made was removed; an earlier {tag} is untouched."
            ) from None
        except CONNECTION_ERRORS:
            state = f"{tag} was not built; images that were finished before are untouched."
            raise engine_lost(told.where(), state) from None
        except docker.errors.APIError as error:
            raise build_errors.refused(error, parsed) from None
        took = time.monotonic() - began
        steps = steps_frame(told)
        cached = (steps["status"] == "cached").sum()
        panel.summary = f"Built {tag} in {seconds(took)}: {len(steps)} steps, {cached} of them from the cache."
    outdated.discard(tag)
    image = list(stages.values())[-1]
    return Build(image, tag, took, stages, stage_tags, steps, parsed.text, context_bytes)


def dockerfile(app: str | Path, name: str = "Dockerfile"):
    """An app's Dockerfile, to be looked at in a notebook."""
    from IPython.display import Markdown

    text = dockerfiles.read(dockerfiles.locate(app, SAMPLE_APPS), name)
    return Markdown(f"```dockerfile\n{text.rstrip()}\n```")


def default_tag(app: str, dockerfile: str, target: str | int | None = None) -> str:
    """factory/flask_hello:multi for Dockerfile.multi, :latest for Dockerfile, :mine for a text; a target is appended."""
    version = "mine" if "\n" in dockerfile else Path(dockerfile).name.removeprefix("Dockerfile").strip(".") or "latest"
    name = re.sub(r"[^a-z0-9._-]+", "-", app.lower()).strip("._-") or "app"
    return f"{PREFIX}{name}:{version}" + ("" if target is None else f".{_word(str(target))}")


def pack_context(folder: Path, dockerfile: str) -> tuple[io.BufferedIOBase, int]:
    """The build context as an open tar file, and its size in bytes; .dockerignore is honoured as moby does."""
    ignore = folder / ".dockerignore"
    lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.is_file() else []
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    packed = context_tar(str(folder), exclude=patterns, dockerfile=(IN_CONTEXT, dockerfile), gzip=False)
    count = packed.seek(0, io.SEEK_END)
    packed.seek(0)
    return packed, count


def _fetch_images(client: docker.DockerClient, parsed: dockerfiles.Dockerfile) -> None:
    try:
        bases.ensure(client, parsed.images())
    except bases.NotToBeHad as error:
        if error.name in [name for name in parsed.copied_from() if name in parsed.images()]:
            raise build_errors.no_such_source(error.name, parsed, error) from None
        raise


def _word(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("._-") or "stage"


def steps_frame(told: Transcript) -> pd.DataFrame:
    """The steps as `Build.steps` has them."""
    rows = [
        (step.number, step.stage, step.line, step.instruction, step.status, step.seconds, step.bytes, step.image)
        for step in told.lines()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _follow(told: Transcript, stream: Iterator[dict], panel: Panel) -> None:
    try:
        for message in stream:
            before = told.current
            told.feed(message)
            if before and before is not told.current:
                _show(before, panel, done=True)
            if told.current:
                detail = told.output[-1].strip()[-80:] if told.output else message.get("status", "")
                _show(told.current, panel, detail)
    finally:
        stream.close()  # the engine stops a build whose client has gone
    told.end()
    if told.current and not told.failure:
        _show(told.current, panel, done=True)


def _show(step: Step, panel: Panel, detail: str = "", done: bool = False) -> None:
    if step.line and not done:
        panel.row(step.number, _first_line(step.instruction), group=step.stage, detail=detail)
    elif step.line:
        state = "cached" if step.status == "cached" else "done"
        panel.row(step.number, state=state, detail="cached" if state == "cached" else "")


def _read_sizes(client: docker.DockerClient, told: Transcript, panel: Panel) -> None:
    """Read from each stage's history what its steps added."""
    added = {}
    for image in told.stage_ids.values():
        added |= {entry["Id"].split(":")[-1][:12]: entry["Size"] for entry in client.api.history(image)}
    for step in told.lines():
        step.bytes = added.get(step.image[:12], 0) if step.status != "base" else 0
        if step.bytes >= SHOWN_FROM:
            panel.row(step.number, detail=f"{'cached, ' if step.status == 'cached' else ''}+{size(step.bytes)}")


def _keep_cache(client: docker.DockerClient, told: Transcript) -> bool:
    """Label the last good steps of a failed build, so that its cache is ours to tidy away; False if there are none."""
    try:
        for image in dict.fromkeys([*told.stage_ids.values(), *told.made[-1:]] if told.made else []):
            _labelled_child(client, image, UNFINISHED, None)
        return bool(told.made)
    except (docker.errors.DockerException, WorkshopError, *CONNECTION_ERRORS):
        return False


def sweep(client: docker.DockerClient, told: Transcript) -> None:
    """After an interruption: wait for the engine to drop the step's container, then remove what the build had made."""
    try:
        for container in told.containers[-1:]:
            _gone(client, container)
        for image in reversed(told.made):
            _remove_image(client, image)
    except (docker.errors.DockerException, *CONNECTION_ERRORS):
        pass  # the engine went away meanwhile: there is nothing left that we could remove


def _keep_stages(client: docker.DockerClient, tag: str, stages: dict[str, str], panel: Panel) -> dict[str, str]:
    """Give every stage a tag; the last one's is the image's own."""
    tags = {}
    full = tag if ":" in tag.rsplit("/", 1)[-1] else f"{tag}:latest"
    *before, last = stages
    for name in before:
        tags[name] = f"{full}.{_word(name)}"
        panel.row(f"keep {name}", f"kept as {tags[name]}", group=name)
        _labelled_child(client, stages[name], STAGE, tags[name])
        panel.row(f"keep {name}", state="done")
    _drop_old_stages(client, full, tags.values())
    return tags | {last: tag}


def _drop_old_stages(client: docker.DockerClient, tag: str, current: Iterable[str]) -> None:
    """A stage that an earlier build had under this tag and that this one has not would be mistaken for its own."""
    for image in client.api.images(name=tag.rsplit(":", 1)[0], filters={"label": f"{LABEL}={STAGE}"}):
        for old in tags_of(image):
            if old.startswith(f"{tag}.") and old not in current:
                client.api.remove_image(old)


def _labelled_child(client: docker.DockerClient, image: str, kind: str, tag: str | None) -> None:
    """The same layers under our label: `FROM image` and nothing else. Labels are how we know our own things again."""
    stream = client.api.build(
        fileobj=io.BytesIO(f"FROM {image}\n".encode()), labels=labels(kind), tag=tag, rm=True, forcerm=True, decode=True
    )
    for message in stream:
        if "error" in message:
            raise WorkshopError(f"The engine could not keep a stage: {message['error']}", "Run the cell again.")


def _gone(client: docker.DockerClient, container: str, patience: float = 15.0) -> None:
    """Wait until the engine has removed the container of a stopped step; remove it ourselves if it has not."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            client.api.inspect_container(container)
        except docker.errors.NotFound:
            return
        time.sleep(0.2)
    client.api.remove_container(container, force=True)


def _remove_image(client: docker.DockerClient, image: str, patience: float = 15.0) -> None:
    """Remove a step's image; one that something else is built on by now is not ours alone to remove."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return client.api.remove_image(image, noprune=True)
        except docker.errors.APIError as error:
            # Podman's builder needs a moment to let go of the container that it was stopped in.
            if "in use by a container" not in str(error.explanation) or time.monotonic() > deadline:
                return None
        time.sleep(0.3)


def _first_line(text: str, width: int = 100) -> str:
    line = text.splitlines()[0]
    return line if len(line) <= width else line[: width - 1] + "…"
