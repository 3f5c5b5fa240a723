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
from .labels import IMAGE, LABEL, PREFIX, STAGE, UNFINISHED, labels
from .panel import Panel
from .units import seconds, size

SAMPLE_APPS = Path(__file__).resolve().parents[2] / "sample_apps"

# The Dockerfile travels in the context under this name and is excluded from it again, so that `COPY . .` never
# picks it up, whatever the file on disk is called.
IN_CONTEXT = ".factory-floor.Dockerfile"

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # colours that the builder or a step's program put into its output

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
    target: str | None = None,
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
    parsed = dockerfiles.parse(dockerfiles.read(folder, dockerfile))
    last = parsed.stage_index(target)
    tag = tag or default_tag(folder.name, dockerfile, target)
    _fetch_images(client, parsed)
    context, context_bytes = pack_context(folder, parsed.text)
    run = _Run(client, parsed, last, tag)
    request = dict(
        fileobj=context, custom_context=True, dockerfile=IN_CONTEXT, tag=tag, target=target, nocache=nocache,
        buildargs=buildargs, labels=labels(IMAGE), rm=True, forcerm=True, decode=True,
    )  # fmt: skip
    with Panel(f"Building {tag}") as panel:
        try:
            _follow(run, client.api.build(**request), panel)
            stage_tags = _keep_stages(run, panel)
        except KeyboardInterrupt:
            run.sweep()
            raise
        except CONNECTION_ERRORS:
            raise engine_lost(
                run.where(), f"{tag} was not built; images that were finished before are untouched."
            ) from None
        except docker.errors.APIError as error:
            raise build_errors.refused(error, parsed) from None
        took = time.monotonic() - run.began
        panel.summary = f"Built {tag} in {seconds(took)}: {run.told()}"
    return Build(run.stages[-1], tag, took, run.named_stages(), stage_tags, run.frame(), parsed.text, context_bytes)


def dockerfile(app: str | Path, name: str = "Dockerfile"):
    """An app's Dockerfile, to be looked at in a notebook."""
    from IPython.display import Markdown

    text = dockerfiles.read(dockerfiles.locate(app, SAMPLE_APPS), name)
    return Markdown(f"```dockerfile\n{text.rstrip()}\n```")


def default_tag(app: str, dockerfile: str, target: str | None = None) -> str:
    """factory/flask_hello:multi for Dockerfile.multi, :latest for Dockerfile, :mine for a text; a target is appended."""
    version = "mine" if "\n" in dockerfile else Path(dockerfile).name.removeprefix("Dockerfile").strip(".") or "latest"
    name = re.sub(r"[^a-z0-9._-]+", "-", app.lower()).strip("._-") or "app"
    return f"{PREFIX}{name}:{version}" + (f".{_word(target)}" if target else "")


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


class _Run:
    """One build under way: what the builder's stream has said so far."""

    def __init__(self, client: docker.DockerClient, parsed: dockerfiles.Dockerfile, last: int, tag: str):
        self.client, self.parsed, self.last, self.tag = client, parsed, last, tag
        self.steps: list[dict] = []
        self.stages: list[str] = []  # image ids, in order
        self.containers: list[str] = []
        self.made: list[str] = []  # images that this build made, not found in the cache
        self.output: list[str] = []  # of the running step
        self.began = self._step_began = time.monotonic()
        self._number, self._total = 0, 0

    def messages(self, message: dict, panel: Panel) -> None:
        """Take in one message of the builder's stream."""
        if "errorDetail" in message or "error" in message:
            raise self._failure(message)
        if "ID" in message.get("aux", {}):
            self.stages.append(message["aux"]["ID"])
        if "status" in message and self._number in panel.rows:  # a base image that the builder itself pulls
            panel.row(self._number, detail=f"{message.get('status', '')} {message.get('progress', '')}".strip())
        for line in ANSI.sub("", message.get("stream", "")).splitlines():
            self._line(line, panel)

    def _line(self, line: str, panel: Panel) -> None:
        if found := re.match(r"Step (\d+)/(\d+) : (.*)", line):
            self._end_step(panel)
            self._begin_step(int(found[1]), int(found[2]), found[3], panel)
        elif line.strip() == "---> Using cache":
            self.steps[-1]["status"] = "cached"
        elif found := re.match(r" ---> Running in ([0-9a-f]+)", line):
            self.containers.append(found[1])
        elif found := re.match(r"(?: ---> |--> )([0-9a-f]{12,64})$", line):
            self._image(found[1])
        elif line.strip() and not re.match(r"( ---> Remov|Removing intermediate|Successfully (built|tagged))", line):
            self.output.append(line)
            if self._number in panel.rows:
                panel.row(self._number, detail=line.strip()[-80:])

    def _begin_step(self, number: int, total: int, text: str, panel: Panel) -> None:
        self._number, self._total, self.output = number, total, []
        self._step_began = time.monotonic()
        known = self.parsed.instructions[number - 1] if number <= len(self.parsed.instructions) else None
        if self._is_label(number, text):
            known = None  # the label that we asked for, not a line of the Dockerfile
        stage = self.parsed.stages[known.stage].name if known and known.stage is not None else ""
        self.steps.append(
            dict(step=number, stage=stage, line=known.line if known else 0, instruction=known.text if known else text,
                 status="base" if text.upper().startswith("FROM") else "run", seconds=0.0, bytes=0, image="")
        )  # fmt: skip
        if known:
            panel.row(number, _first_line(known.text), group=stage)

    def _is_label(self, number: int, text: str) -> bool:
        return number == self._total and text.startswith("LABEL ") and "factory-floor" in text

    def _image(self, short_id: str) -> None:
        step = self.steps[-1]
        step["image"] = short_id
        if step["status"] == "run":
            self.made.append(short_id)

    def _end_step(self, panel: Panel) -> None:
        if self.steps:
            step = self.steps[-1]
            if not step["line"]:
                return
            step["seconds"] = round(time.monotonic() - self._step_began, 3)
            state = "cached" if step["status"] == "cached" else "done"
            panel.row(self._number, state=state, detail="cached" if state == "cached" else "")

    def finish(self, panel: Panel) -> None:
        """After the stream's last message: close the last step, read from the history what each step added."""
        self._end_step(panel)
        added = {}
        for image in self.stages:
            added |= {entry["Id"].split(":")[-1][:12]: entry["Size"] for entry in self.client.api.history(image)}
        for step in self.steps:
            if step["status"] != "base":
                step["bytes"] = added.get(step["image"][:12], 0)
            if step["bytes"] and step["line"]:
                cached = "cached, " if step["status"] == "cached" else ""
                panel.row(step["step"], detail=f"{cached}+{size(step['bytes'])}")

    def where(self) -> str:
        return f"step {self._number} of the build" if self._number else "the build"

    def told(self) -> str:
        steps = [step["status"] for step in self.steps if step["line"]]
        return f"{len(steps)} steps, {steps.count('cached')} of them from the cache."

    def named_stages(self) -> dict[str, str]:
        return {stage.name: image for stage, image in zip(self.parsed.stages, self.stages)}

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame([step for step in self.steps if step["line"]], columns=COLUMNS)

    def _failure(self, message: dict) -> WorkshopError:
        text = message.get("error") or message["errorDetail"].get("message", "")
        instruction = self.parsed.instructions[self._number - 1] if self._number else None
        kept = self._keep_cache()
        return build_errors.failed(text, self.parsed, instruction, self.output, kept)

    def _keep_cache(self) -> bool:
        """Label the last good step of a failed build, so that its cache is ours to tidy away; False if there is none."""
        try:
            if not self.made:
                return False
            _labelled_child(self.client, self.made[-1], UNFINISHED, None)
            for image in dict.fromkeys(self.stages):
                _labelled_child(self.client, image, UNFINISHED, None)
            return True
        except (docker.errors.DockerException, *CONNECTION_ERRORS):
            return False

    def sweep(self) -> None:
        """After an interruption: wait for the engine to drop the step's container, then remove what the build made."""
        try:
            for container in self.containers[-1:]:
                _gone(self.client, container)
            for image in reversed(self.made):
                _remove_image(self.client, image)
        except (docker.errors.DockerException, *CONNECTION_ERRORS):
            pass  # the engine went away meanwhile: there is nothing left that we could remove


def _follow(run: _Run, stream: Iterator[dict], panel: Panel) -> None:
    try:
        for message in stream:
            run.messages(message, panel)
    finally:
        stream.close()  # the engine stops a build whose client has gone
    if len(run.stages) < run.last + 1:
        run.stages = _stages_from_steps(run)
    run.finish(panel)


def _stages_from_steps(run: _Run) -> list[str]:
    """For a builder that does not announce each stage: a stage is the image after its last step."""
    last = {step["stage"]: step["image"] for step in run.steps if step["image"] and step["line"]}
    ids = [run.client.api.inspect_image(last[stage.name])["Id"] for stage in run.parsed.stages[: run.last]]
    return [*ids, run.client.api.inspect_image(run.tag)["Id"]]


def _keep_stages(run: _Run, panel: Panel) -> dict[str, str]:
    """Give every stage a tag; the last one's is the image's own."""
    tags = {}
    tag = run.tag if ":" in run.tag.rsplit("/", 1)[-1] else f"{run.tag}:latest"
    for stage, image in zip(run.parsed.stages[: run.last], run.stages):
        tags[stage.name] = f"{tag}.{_word(stage.name)}"
        panel.row(f"keep {stage.name}", f"kept as {tags[stage.name]}", group=stage.name)
        _labelled_child(run.client, image, STAGE, tags[stage.name])
        panel.row(f"keep {stage.name}", state="done")
    _drop_old_stages(run.client, tag, tags.values())
    return tags | {run.parsed.stages[run.last].name: run.tag}


def _drop_old_stages(client: docker.DockerClient, tag: str, current: Iterable[str]) -> None:
    """A stage that an earlier build had under this tag and that this one has not would be mistaken for its own."""
    for image in client.api.images(name=tag.rsplit(":", 1)[0], filters={"label": f"{LABEL}={STAGE}"}):
        for old in image.get("RepoTags") or []:
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


def _remove_image(client: docker.DockerClient, image: str) -> None:
    try:
        client.api.remove_image(image, noprune=True)
    except docker.errors.APIError:
        pass  # something else is built on it by now, so it is not ours alone to remove


def _first_line(text: str, width: int = 100) -> str:
    line = text.splitlines()[0]
    return line if len(line) <= width else line[: width - 1] + "…"
