"""BuildKit, the builder inside of Docker Engine, through the Engine API alone; no `docker` program is needed.

`POST /build?version=2` hands the build to BuildKit (Engine API, "Build an image"; builder/builder-next in moby), with the
build context as the request's body. What BuildKit keeps in its cache belongs to no image: the engine clears that by itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable

import docker

from ..dockerfiles.stages import Stages
from ..engine.connect import describe
from ..errors import CONNECTION_ERRORS, WorkshopError
from ..labels import IMAGE, STAGE, full_tag, remove_untagged
from ..progress import Panel
from ..units import size
from . import buildkit_dockerfile, errors
from .buildkit_trace import CANCELED, BuildkitTrace, Vertex
from .request import DOCKERFILE_NAME, BuildRequest, BuildResult
from .stage_tags import stage_tags, untag_earlier_stages
from .steps import SMALLEST_SHOWN, first_line


def check(client: docker.DockerClient, request: BuildRequest) -> None:
    """Refuse an engine that has no BuildKit."""
    if describe(client)["engine"] == "Podman":
        raise no_buildkit(client)


def no_buildkit(client: docker.DockerClient) -> WorkshopError:
    """The error for an engine with another builder."""
    engine = describe(client)["engine"]
    remedy = 'Leave out builder="buildkit" to use the builder that it has, or connect to Docker Engine 20.10 or newer.'
    return WorkshopError(f"This engine ({engine}) has no BuildKit.", remedy, "Nothing was built.")


def start_log(request: BuildRequest) -> BuildkitTrace:
    """An empty log of this builder."""
    return BuildkitTrace(request.parsed, request.target)


def build(client: docker.DockerClient, request: BuildRequest, trace: BuildkitTrace, panel: Panel) -> BuildResult:
    """Build the target, then each stage that it needs, from the cache. Raises BuildError for a step that failed.

    Nothing is tagged before all of it is there.
    """
    names = {index: request.parsed.stages[index].name for index in trace.needed}
    tags = stage_tags(request.tag, list(names.values()))
    context_bytes = _build_to(
        client, request, request.target, IMAGE, trace, lambda vertices: _show(trace, vertices, panel)
    )
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
    _read_sizes(client, ids, trace, panel)
    return BuildResult(ids, tags, context_bytes)


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
    _build_to(client, request, index, STAGE, own, lambda vertices: None)
    return own.image


def _build_to(
    client: docker.DockerClient,
    request: BuildRequest,
    index: int,
    label: str,
    trace: BuildkitTrace,
    show: Callable[[list[Vertex]], None],
) -> int:
    """One build as far as a stage; the bytes of its context. Stages after that one are cut off, so it needs no name."""
    body, context_bytes = buildkit_dockerfile.pack_body(
        request.folder, buildkit_dockerfile.rewrite(request.parsed, index, label)
    )
    parameters = {
        "version": "2",
        "dockerfile": DOCKERFILE_NAME,
        "buildargs": json.dumps(request.buildargs or {}),
        "nocache": request.nocache and label == IMAGE,
        "rm": True,
        "forcerm": True,
    }
    with body:
        answer = client.api._post(
            client.api._url("/build"),
            data=body,
            params=parameters,
            headers={"Content-Type": "application/x-tar"},
            stream=True,
            timeout=None,
        )
        try:
            client.api._raise_for_status(answer)
            for message in client.api._stream_helper(answer, decode=True):
                show(trace.feed(message))
                if trace.other_builder:
                    raise no_buildkit(client)
        finally:
            answer.close()  # the engine stops a build whose client has gone
    if trace.failure:
        reason = buildkit_dockerfile.renumber(trace.failure, request.parsed)
        raise errors.buildkit_failed(reason, *trace.failed(), request.parsed, begun=trace.where() != "the build")
    return context_bytes


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


def _read_sizes(client: docker.DockerClient, ids: dict[str, str], trace: BuildkitTrace, panel: Panel) -> None:
    """Read from each stage's history what its steps added."""
    numbers = {id(instruction): number for number, instruction in enumerate(trace.parsed.instructions)}
    for entry, instruction in Stages(client, trace.parsed, ids).made():
        number = numbers[id(instruction)]
        trace.bytes[number] = entry.bytes
        if entry.bytes >= SMALLEST_SHOWN and number in trace.digests:
            cached = trace.dockerfile_steps()[number].status == "cached"
            panel.row(number, detail=f"{'cached, ' if cached else ''}+{size(entry.bytes)}")
