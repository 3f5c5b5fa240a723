"""BuildKit, the builder inside of Docker Engine, through the Engine API alone; no `docker` program is needed.

`POST /build?version=2` hands the build to BuildKit (Engine API, "Build an image"; builder/builder-next in moby), which asks
for the Dockerfile and the build context through a session (session.py), as `docker build` has it. What BuildKit keeps in its
cache belongs to no image: the engine clears that by itself.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import docker

from ..dockerfiles.stages import Stages
from ..dockerfiles.syntax import Dockerfile
from ..engine.connect import describe, has_buildkit
from ..errors import CONNECTION_ERRORS, WorkshopError
from ..labels import (
    HISTORY,
    IMAGE,
    LABEL,
    STAGE,
    UNSAID,
    came_unsaid,
    full_tag,
    history_of,
    labels,
    remove_untagged,
    what_is_unsaid,
)
from ..progress import Panel
from . import context, errors
from .buildkit_trace import CANCELED, BuildkitTrace, Vertex
from .request import BuildRequest, BuildResult
from .session import NoSession, Session
from .stage_tags import stage_tags, untag_earlier_stages
from .steps import SMALLEST_SHOWN, added, first_line


def check(client: docker.DockerClient, request: BuildRequest) -> None:
    """Refuse an engine that has no BuildKit."""
    if not has_buildkit(client):
        raise no_buildkit(client)


def no_buildkit(client: docker.DockerClient) -> WorkshopError:
    """The error for an engine with another builder."""
    engine = describe(client)["engine"]
    remedy = 'Leave out builder="buildkit" to use the builder that it has, or connect to Docker Engine 20.10 or newer.'
    return WorkshopError(f"This engine ({engine}) has no BuildKit.", remedy, "Nothing was built.")


def stages(request: BuildRequest) -> list[int]:
    """What the target needs."""
    return request.parsed.needed(request.target)


def start_log(request: BuildRequest) -> BuildkitTrace:
    """An empty log of this builder."""
    return BuildkitTrace(request.parsed, request.target)


def build(client: docker.DockerClient, request: BuildRequest, trace: BuildkitTrace, panel: Panel) -> BuildResult:
    """Build the target, then each stage that it needs, from the cache. Raises BuildError for a step that failed.

    Nothing is tagged before all of it is there.
    """
    names = {index: request.parsed.stages[index].name for index in trace.needed}
    tags = stage_tags(request.tag, list(names.values()))
    context_bytes = _build_labelled(client, request, IMAGE, trace, lambda vertices: _show(trace, vertices, panel))
    _show_skipped(trace, panel)
    ids = {}
    for index in trace.needed[:-1]:
        panel.row(f"keep {index}", f"kept as {tags[names[index]]}", group=names[index])
        ids[names[index]] = _build_stage(client, request, index, trace)
        panel.row(f"keep {index}", state="done")
    ids[names[request.target]] = trace.image
    for name, image in ids.items():
        repository, _, version = full_tag(tags[name]).rpartition(":")
        client.api.tag(image, repository, version)
    untag_earlier_stages(client, request.tag, tags.values())
    _read_sizes(Stages(client, trace.parsed, ids, request.bases), trace, panel)
    return BuildResult(ids, tags, context_bytes, trace.warnings)


def remove_unfinished(client: docker.DockerClient, trace: BuildkitTrace) -> None:
    """After an interruption: remove the images that the build had begun to write, unless they have a name by now.

    The engine may need a moment to finish one, or to give it up.
    """
    left, deadline = list(trace.new_images), time.monotonic() + 2.0
    try:
        while left := [image for image in left if not remove_untagged(client, image)]:
            if time.monotonic() > deadline:
                return
            time.sleep(0.2)
    except (docker.errors.DockerException, *CONNECTION_ERRORS):
        pass  # the engine went away meanwhile: there is nothing left that we could remove


def _build_stage(client: docker.DockerClient, request: BuildRequest, index: int, trace: BuildkitTrace) -> str:
    """The image of an earlier stage, all of whose steps are in the cache."""
    own = BuildkitTrace(request.parsed, index)
    own.new_images = trace.new_images  # an interruption removes all of them
    _build_labelled(client, request, STAGE, own)
    return own.image


def _build_labelled(
    client: docker.DockerClient,
    request: BuildRequest,
    kind: str,
    trace: BuildkitTrace,
    show: Callable[[list[Vertex]], None] = lambda vertices: None,
) -> int:
    """Build the trace's target under our labels, which say how long its history is and what that does not tell. Returns the
    bytes sent of the context.

    Both are known afterwards only, as what a base brings (ONBUILD) counts as well: if it was another than expected, the
    image is written once more, from the cache.
    """
    expected = _expected(client, request.parsed, trace.target)
    sent = _build_to(client, request, labels(kind) | expected, trace, show)
    if (true := _labels_for(len(history_of(client, trace.image)), what_is_unsaid(client, trace.image))) != expected:
        again = BuildkitTrace(request.parsed, trace.target)
        again.new_images = trace.new_images
        _build_to(client, dataclasses.replace(request, nocache=False), labels(kind) | true, again)
        remove_untagged(client, trace.image)
        trace.image = again.image
    return sent


def _labels_for(length: int, unsaid: str) -> dict[str, str]:
    return {HISTORY: str(length), UNSAID: unsaid}


def _expected(client: docker.DockerClient, parsed: Dockerfile, index: int) -> dict[str, str]:
    """The labels for a history of the base's entries, and one for each instruction, as far as one can see."""
    lineage = parsed.lineage(index)
    lines = [line for stage in lineage for line in parsed.of_stage(stage) if line.word not in ("FROM", "ONBUILD")]
    base = parsed.stages[lineage[-1]].base
    there = history_of(client, base)  # BuildKit may have it in its cache, or get it by itself
    return _labels_for(len(lines) + len(there), came_unsaid(client, base).get(UNSAID, ""))


def _build_to(
    client: docker.DockerClient,
    request: BuildRequest,
    own: dict[str, str],
    trace: BuildkitTrace,
    show: Callable[[list[Vertex]], None] = lambda vertices: None,
) -> int:
    """One build as far as the trace's target; the bytes sent of its context."""
    text, target = _as_far_as(request.parsed, trace.target)
    name = Path(request.dockerfile or "Dockerfile").name
    parameters = {
        "version": "2",
        "remote": "client-session",
        "dockerfile": name,
        "target": target,
        "labels": json.dumps(own),
        "buildargs": json.dumps(request.buildargs or {}),
        "nocache": request.nocache and own[LABEL] == IMAGE,
    }
    try:
        session = Session(client, request.folder, _dockerfile(request, name, text), request.secrets)
    except NoSession:
        raise no_buildkit(client) from None
    with session:
        answer = client.api._post(
            client.api._url("/build"),
            params={**parameters, "session": session.id, "buildid": session.id},
            stream=True,
            timeout=None,
        )
        try:
            client.api._raise_for_status(answer)
            for message in client.api._stream_helper(answer, decode=True):
                show(trace.feed(message))
        finally:
            answer.close()  # the engine stops a build whose client has gone
    if trace.failure and session.failure:
        raise errors.not_sent(session.failure) from None
    if trace.failure:
        raise errors.buildkit_failed(trace.failure, *trace.failed(), request.parsed, begun=trace.where() != "the build")
    return session.sent


def _dockerfile(request: BuildRequest, name: str, text: str) -> list[context.Entry]:
    """The files beside each other that say what to build: the Dockerfile, and the .dockerignore of its own if it has one.

    Raises WorkshopError if the .dockerignore that counts is no text.
    """
    own, ignore = context.ignore_file(request.folder, request.dockerfile)
    if ignore is None or own == context.IGNORE_FILE:
        return [context.text_entry(name, text.encode())]
    return [context.text_entry(name, text.encode()), context.text_entry(own, ignore)]


def _as_far_as(parsed: Dockerfile, index: int) -> tuple[str, str]:
    """The Dockerfile for a stage, and the target to name: BuildKit knows stages by their names alone, not by numbers.

    A stage that has none for itself becomes the last one: what comes after it is left out.
    """
    stage = parsed.stages[index]
    if index == len(parsed.stages) - 1:
        return parsed.text, ""
    if stage.named and [one.name.lower() for one in parsed.stages].count(stage.name.lower()) == 1:
        return parsed.text, stage.name
    lines = parsed.text.split("\n")
    return "\n".join([*lines[: parsed.stages[index + 1].line - 1], ""]), ""


def _show(trace: BuildkitTrace, vertices: Iterable[Vertex], panel: Panel) -> None:
    """Bring the rows of these vertices up to date."""
    for vertex in vertices:
        number = trace.instruction_of(vertex)
        if not vertex.started or (number is None and vertex.name != "exporting to image"):
            continue
        key, done = (vertex.digest, vertex.completed) if number is None else (number, trace.done(number))
        if number is None:
            panel.row(key, vertex.name)
        else:
            step = trace.dockerfile_steps()[number]
            panel.row(key, first_line(step.instruction), group=step.stage)
        if CANCELED in vertex.error:
            continue
        if done and not vertex.error:
            cached = number is not None and step.status == "cached"
            panel.row(key, state="cached" if cached else "done", detail="cached" if cached else "")
        elif not done:
            panel.row(key, detail=trace.last_line(vertex.digest))


def _show_skipped(trace: BuildkitTrace, panel: Panel) -> None:
    for stage in trace.parsed.stages[: trace.target]:
        if stage.index not in trace.needed:
            text = first_line(next(line.text for line in trace.parsed.instructions if line.line == stage.line))
            panel.row(
                f"skipped {stage.index}", text, group=stage.name, state="done", detail="skipped: nothing needs it"
            )


def _read_sizes(stages: Stages, trace: BuildkitTrace, panel: Panel) -> None:
    """Read from each stage's history what its steps added."""
    numbers = {id(instruction): number for number, instruction in enumerate(trace.parsed.instructions)}
    for entry, instruction in stages.made():
        number = numbers[id(instruction)]
        trace.bytes[number] = entry.bytes
        if entry.bytes >= SMALLEST_SHOWN and number in trace.digests:
            cached = trace.dockerfile_steps()[number].status == "cached"
            panel.row(number, detail=added(entry.bytes, cached))
