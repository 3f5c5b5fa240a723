"""BuildKit, the builder inside of Docker Engine, through the Engine API alone; no `docker` program is needed.

`POST /build?version=2` hands the build to BuildKit (Engine API, "Build an image"; builder/builder-next in moby), with the
build context as the request's body. What BuildKit keeps in its cache belongs to no image: the engine clears that by itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable

import docker

from ..dockerfiles import stages
from ..engine.connect import describe
from ..errors import CONNECTION_ERRORS, WorkshopError
from ..labels import IMAGE, STAGE
from ..progress import Panel
from ..removal import remove_untagged
from ..units import size
from . import buildkit_dockerfile, errors
from .buildkit_trace import CANCELED, Trace, Vertex
from .request import IN_CONTEXT, SHOWN_FROM, Made, Order, first_line


def check(client: docker.DockerClient, order: Order) -> None:
    """Refuse an engine that has no BuildKit."""
    if describe(client)["engine"] == "Podman":
        raise no_buildkit(client)


def no_buildkit(client: docker.DockerClient) -> WorkshopError:
    """The error for an engine with another builder."""
    engine = describe(client)["engine"]
    remedy = 'Leave out builder="buildkit" to use the builder that it has, or connect to Docker Engine 20.10 or newer.'
    return WorkshopError(f"This engine ({engine}) has no BuildKit.", remedy, "Nothing was built.")


def begin(order: Order) -> Trace:
    """What the build will be written down in."""
    return Trace(order.parsed, order.target)


def make(client: docker.DockerClient, order: Order, told: Trace, panel: Panel) -> Made:
    """Build the target, then each stage that it needs, from the cache. Raises BuildError for a step that failed.

    Nothing is tagged before all of it is there.
    """
    names = {index: order.parsed.stages[index].name for index in told.needed}
    tags = stages.stage_tags(order.tag, list(names.values()))
    context_bytes = _build(client, order, order.target, IMAGE, told, lambda vertices: _show(told, vertices, panel))
    _show_skipped(told, panel)
    ids = {}
    for index in told.needed[:-1]:
        panel.row(f"keep {index}", f"kept as {tags[names[index]]}", group=names[index])
        ids[names[index]] = _stage(client, order, index, told)
        panel.row(f"keep {index}", state="done")
    ids[names[order.target]] = told.image
    for name, image in ids.items():
        repository, _, version = stages.full_tag(tags[name]).rpartition(":")
        client.api.tag(image, repository, version)
    stages.drop_old(client, order.tag, tags.values())
    _read_sizes(client, ids, told, panel)
    return Made(ids, tags, context_bytes)


def sweep(client: docker.DockerClient, told: Trace) -> None:
    """After an interruption: remove the images that the build had begun to write, unless they have a name by now.

    The engine may need a moment to finish one, or to give it up.
    """
    left, deadline = list(told.made), time.monotonic() + 2.0
    try:
        while left := [image for image in left if not remove_untagged(client, image)]:
            if time.monotonic() > deadline:
                return
            time.sleep(0.2)
    except (docker.errors.DockerException, *CONNECTION_ERRORS):
        pass  # the engine went away meanwhile: there is nothing left that we could remove


def _stage(client: docker.DockerClient, order: Order, index: int, told: Trace) -> str:
    """The image of an earlier stage, all of whose steps are in the cache."""
    quiet = Trace(order.parsed, index)
    quiet.made = told.made  # to be swept together
    _build(client, order, index, STAGE, quiet, lambda vertices: None)
    return quiet.image


def _build(
    client: docker.DockerClient, order: Order, index: int, label: str, told: Trace, show: Callable[[list[Vertex]], None]
) -> int:
    """One build as far as a stage; the bytes of its context. Stages after that one are cut off, so it needs no name."""
    body, context_bytes = buildkit_dockerfile.pack(
        order.folder, buildkit_dockerfile.written(order.parsed, index, label)
    )
    parameters = {
        "version": "2",
        "dockerfile": IN_CONTEXT,
        "buildargs": json.dumps(order.buildargs or {}),
        "nocache": order.nocache and label == IMAGE,
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
                show(told.feed(message))
                if told.foreign:
                    raise no_buildkit(client)
        finally:
            answer.close()  # the engine stops a build whose client has gone
    if told.failure:
        reason = buildkit_dockerfile.own_lines(told.failure, order.parsed)
        raise errors.buildkit_failed(reason, *told.failed(), order.parsed)
    return context_bytes


def _show(told: Trace, vertices: Iterable[Vertex], panel: Panel) -> None:
    """Bring the rows of these vertices up to date."""
    for vertex in vertices:
        number = told.instruction_of(vertex)
        if not vertex.started or (number is None and vertex.name != "exporting to image"):
            continue
        key, done = (vertex.digest, vertex.completed) if number is None else (number, told.done(number))
        if number is None:
            panel.row(key, vertex.name)
        else:
            step = told.lines()[number]
            panel.row(key, first_line(step.instruction), group=step.stage)
        if CANCELED in vertex.error:
            continue
        if done and not vertex.error:
            cached = number is not None and step.status == "cached"
            panel.row(key, state="cached" if cached else "done", detail="cached" if cached else "")
        elif not done:
            panel.row(key, detail=told.last_line(vertex.digest))


def _show_skipped(told: Trace, panel: Panel) -> None:
    for stage in told.parsed.stages[: told.target]:
        if stage.index not in told.needed:
            text = first_line(next(one.text for one in told.parsed.instructions if one.line == stage.line))
            panel.row(
                f"skipped {stage.index}", text, group=stage.name, state="done", detail="skipped: nothing needs it"
            )


def _read_sizes(client: docker.DockerClient, ids: dict[str, str], told: Trace, panel: Panel) -> None:
    """Read from each stage's history what its steps added."""
    numbers = {id(one): number for number, one in enumerate(told.parsed.instructions)}
    for entry, instruction in stages.Stages(client, told.parsed, ids).made():
        number = numbers[id(instruction)]
        told.bytes[number] = entry.bytes
        if entry.bytes >= SHOWN_FROM and number in told.work:
            cached = told.lines()[number].status == "cached"
            panel.row(number, detail=f"{'cached, ' if cached else ''}+{size(entry.bytes)}")
