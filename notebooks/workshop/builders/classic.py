"""The classic builder, which every engine has: follow it, keep each stage, clean up after an interruption."""

from __future__ import annotations

import io
import time
from collections.abc import Generator

import docker

from ..dockerfiles.history import instruction as as_written
from ..errors import CONNECTION_ERRORS, WorkshopError
from ..labels import IMAGE, STAGE, UNFINISHED, labels, tags_of
from ..progress import Panel
from ..units import size
from . import errors
from .classic_log import ClassicLog
from .request import DOCKERFILE_NAME, BuildRequest, BuildResult, pack_context
from .stage_tags import stage_tags, untag_earlier_stages
from .steps import SMALLEST_SHOWN, Step, first_line


def check(client: docker.DockerClient, request: BuildRequest) -> None:
    """Refuse what this builder cannot do."""
    errors.refuse_heredocs(request.parsed)


def start_log(request: BuildRequest) -> ClassicLog:
    """An empty log of this builder."""
    return ClassicLog(request.parsed)


def build(client: docker.DockerClient, request: BuildRequest, log: ClassicLog, panel: Panel) -> BuildResult:
    """Build. Raises BuildError for a step that failed."""
    context, context_bytes = pack_context(request.folder, request.parsed.text)
    stage = request.parsed.stages[request.target]
    options = dict(
        fileobj=context,
        custom_context=True,
        dockerfile=DOCKERFILE_NAME,
        tag=request.tag,
        nocache=request.nocache,
        target=stage.name if stage.named and stage.index + 1 < len(request.parsed.stages) else None,
        buildargs=request.buildargs,
        labels=labels(IMAGE),
        rm=True,
        forcerm=True,
        decode=True,
    )
    _follow(log, client.api.build(**options), panel)
    if log.failure:
        kept = _label_cache(client, log)
        raise errors.failed(log.failure, log.instruction(), log.output, kept)
    _read_sizes(client, log, panel)
    ids = {name: client.api.inspect_image(image)["Id"] for name, image in log.stage_ids.items() if name}
    return BuildResult(ids, _tag_stages(client, request.tag, ids, panel), context_bytes)


def remove_unfinished(client: docker.DockerClient, log: ClassicLog) -> None:
    """After an interruption: wait for the engine to drop the step's container, then remove what the build had made."""
    try:
        patience = 0.0
        for container in log.containers[-1:]:
            # What was over already is being made into an image just now; what was running is stopped instead.
            patience = 0.5 if _is_running(client, container) else 3.0
            _wait_until_removed(client, container)
        deadline = time.monotonic() + patience
        while not (unreported := _unreported_images(client, log)) and time.monotonic() < deadline:
            time.sleep(0.2)
        for image in [*unreported, *reversed(log.new_images)]:
            _remove_image(client, image)
    except (docker.errors.DockerException, *CONNECTION_ERRORS):
        pass  # the engine went away meanwhile: there is nothing left that we could remove


def _unreported_images(client: docker.DockerClient, log: ClassicLog) -> list[str]:
    """The image of a step that was over, but not yet reported, when the build was stopped: the engine still made it.

    It is known by the step's container where the engine says that, else by its parent and its instruction.
    """
    if not log.current or not log.containers or not log.stage_ids.get(log.current.stage):
        return []
    parent = client.api.inspect_image(log.stage_ids[log.current.stage])["Id"]
    unreported = []
    for image in client.api.images(all=True):
        if image.get("ParentId") == parent and not tags_of(image):
            try:
                container = client.api.inspect_image(image["Id"]).get("Container")
                newest = client.api.history(image["Id"])[0]["CreatedBy"]
            except docker.errors.NotFound:
                continue  # somebody else's, which they have just removed
            same_instruction = as_written(newest).split() == log.current.instruction.split()
            if container.startswith(log.containers[-1]) if container else same_instruction:
                unreported.append(image["Id"])
    return unreported


def _follow(log: ClassicLog, stream: Generator[dict], panel: Panel) -> None:
    try:
        for message in stream:
            before = log.current
            log.feed(message)
            if before and before is not log.current:
                _show(before, panel, done=True)
            if log.current:
                detail = log.output[-1].strip()[-80:] if log.output else message.get("status", "")
                _show(log.current, panel, detail)
    finally:
        stream.close()  # the engine stops a build whose client has gone
    log.end()
    if log.current and not log.failure:
        _show(log.current, panel, done=True)


def _show(step: Step, panel: Panel, detail: str = "", done: bool = False) -> None:
    if step.line and not done:
        panel.row(step.number, first_line(step.instruction), group=step.stage, detail=detail)
    elif step.line:
        state = "cached" if step.status == "cached" else "done"
        panel.row(step.number, state=state, detail="cached" if state == "cached" else "")


def _read_sizes(client: docker.DockerClient, log: ClassicLog, panel: Panel) -> None:
    """Read from each stage's history what its steps added."""
    added: dict[str, int] = {}
    for image in log.stage_ids.values():
        added |= {entry["Id"].split(":")[-1][:12]: entry["Size"] for entry in client.api.history(image)}
    for step in log.dockerfile_steps():
        step.bytes = added.get(step.image[:12], 0) if step.status != "base" else 0
        if step.bytes >= SMALLEST_SHOWN:
            panel.row(step.number, detail=f"{'cached, ' if step.status == 'cached' else ''}+{size(step.bytes)}")


def _label_cache(client: docker.DockerClient, log: ClassicLog) -> bool:
    """Label the last good steps of a failed build, so that its cache is ours to tidy away; False if there are none."""
    try:
        for image in dict.fromkeys([*log.stage_ids.values(), *log.new_images[-1:]] if log.new_images else []):
            _label_image(client, image, UNFINISHED, None)
        return bool(log.new_images)
    except (docker.errors.DockerException, WorkshopError, *CONNECTION_ERRORS):
        return False


def _tag_stages(client: docker.DockerClient, tag: str, ids: dict[str, str], panel: Panel) -> dict[str, str]:
    """Give every stage a tag; the last one's is the image's own."""
    tags = stage_tags(tag, list(ids))
    for name in list(ids)[:-1]:
        panel.row(f"keep {name}", f"kept as {tags[name]}", group=name)
        _label_image(client, ids[name], STAGE, tags[name])
        panel.row(f"keep {name}", state="done")
    untag_earlier_stages(client, tag, tags.values())
    return tags


def _label_image(client: docker.DockerClient, image: str, kind: str, tag: str | None) -> None:
    """The same layers under our label: `FROM image` and nothing else. Labels are how we know our own things again."""
    stream = client.api.build(
        fileobj=io.BytesIO(f"FROM {image}\n".encode()), labels=labels(kind), tag=tag, rm=True, forcerm=True, decode=True
    )
    for message in stream:
        if "error" in message:
            raise WorkshopError(f"The engine could not keep a stage: {message['error']}", "Run the cell again.")


def _is_running(client: docker.DockerClient, container: str) -> bool:
    try:
        return client.api.inspect_container(container)["State"]["Running"]
    except docker.errors.NotFound:
        return False


def _wait_until_removed(client: docker.DockerClient, container: str, patience: float = 15.0) -> None:
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
