"""The classic builder, which every engine has: follow it, keep each stage, clean up after an interruption."""

from __future__ import annotations

import io
from collections.abc import Generator

import docker

from ..dockerfiles.history import remember
from ..dockerfiles.stages import Stages
from ..engine.connect import describe
from ..errors import CONNECTION_ERRORS, WorkshopError
from ..labels import IMAGE, STAGE, UNFINISHED, label_without_from, labels, on_base
from ..progress import Panel
from . import classic_context, classic_leftovers, errors
from .classic_log import ClassicLog
from .request import BuildRequest, BuildResult
from .stage_tags import stage_tags, untag_earlier_stages
from .steps import SMALLEST_SHOWN, Step, added, first_line


def check(client: docker.DockerClient, request: BuildRequest) -> None:
    """Refuse what this builder cannot do."""
    request.parsed.target(request.target)
    errors.refuse_heredocs(request.parsed)
    if (unheeded := errors.unheeded(request.parsed, stages(request))) and describe(client)["engine"] != "Podman":
        raise unheeded
    errors.refuse_secrets(request.secrets)


def stages(request: BuildRequest) -> range:
    """Every stage up to the target, whether that needs it or not."""
    return range(request.target + 1)


def start_log(request: BuildRequest) -> ClassicLog:
    """An empty log of this builder."""
    return ClassicLog(request.parsed)


def build(client: docker.DockerClient, request: BuildRequest, log: ClassicLog, panel: Panel) -> BuildResult:
    """Build. Raises BuildError for a step that failed."""
    context, dockerfile, context_bytes = classic_context.pack(request)
    stage = request.parsed.stages[request.target]
    options = dict(
        fileobj=context,
        custom_context=True,
        dockerfile=dockerfile,
        tag=request.tag,
        nocache=request.nocache,
        target=stage.name if stage.named and stage.index + 1 < len(request.parsed.stages) else None,
        buildargs={**classic_context.platform_asked_for(request), **(request.buildargs or {})},
        labels=labels(IMAGE) | on_base(client, _base(request, request.target)),
        rm=True,
        forcerm=True,
        decode=True,
    )
    log.began = classic_leftovers.engine_time(client)
    with context:
        _follow(log, client.api.build(**options), panel)
    if log.failure:
        kept = _label_cache(client, log)
        raise errors.failed(log.failure, log.instruction(), log.output, kept, begun=bool(log.steps))
    ids = {name: client.api.inspect_image(image)["Id"] for name, image in log.stages_until(request.target).items()}
    _read_sizes(Stages(client, log.parsed, ids, request.bases), log, panel)
    tags = _tag_stages(client, request, ids, panel)
    panel.rest("the engine, between steps")
    return BuildResult(ids, tags, context_bytes)


def remove_unfinished(client: docker.DockerClient, log: ClassicLog) -> None:
    """After an interruption: remove what the build had made, as far as the engine bears out what the log says."""
    classic_leftovers.remove(client, log)


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


def _read_sizes(stages: Stages, log: ClassicLog, panel: Panel) -> None:
    """Read from each stage's history what its steps added, and what its digests stand for."""
    bytes_of = {}
    for entry, instruction in stages.made():
        bytes_of[instruction.line] = entry.bytes
        remember(entry, instruction)
    for step in log.dockerfile_steps():
        step.bytes = bytes_of.get(step.line, 0)
        if step.bytes >= SMALLEST_SHOWN:
            panel.row(step.number, detail=added(step.bytes, step.status == "cached"))


def _label_cache(client: docker.DockerClient, log: ClassicLog) -> bool:
    """Label the last good steps of a failed build, so that its cache is ours to tidy away; False if there are none."""
    try:
        made = classic_leftovers.new_images(client, log)
        built_on = {client.api.inspect_image(image).get("Parent") for image in made}
        for image in made:
            if image not in built_on:
                _label_image(client, image, UNFINISHED, None)
        return bool(made)
    except (docker.errors.DockerException, WorkshopError, *CONNECTION_ERRORS):
        return False


def _tag_stages(
    client: docker.DockerClient, request: BuildRequest, ids: dict[str, str], panel: Panel
) -> dict[str, str]:
    """Give every stage a tag; the last one's is the image's own."""
    tags = stage_tags(request.tag, list(ids))
    for index, name in enumerate(list(ids)[:-1]):
        panel.row(f"keep {name}", f"kept as {tags[name]}", group=name)
        _label_image(client, ids[name], STAGE, tags[name], _base(request, index))
        panel.row(f"keep {name}", state="done")
    untag_earlier_stages(client, request.tag, tags.values())
    return tags


def _base(request: BuildRequest, index: int) -> str:
    """The image from outside that a stage stands on."""
    return request.parsed.stages[request.parsed.lineage(index)[-1]].base


def _label_image(client: docker.DockerClient, image: str, kind: str, tag: str | None, base: str = "scratch") -> None:
    """The same layers under our label: `FROM image` and nothing else. Labels are how we know our own things again."""
    own = labels(kind) | on_base(client, base, step=image)
    if (client.api.inspect_image(image).get("Config") or {}).get("OnBuild"):
        label_without_from(client, image, own, tag)
        return
    text = io.BytesIO(f"FROM {image}\n".encode())
    stream = client.api.build(fileobj=text, labels=own, tag=tag, rm=True, forcerm=True, decode=True)
    for message in stream:
        if "error" in message:
            raise WorkshopError(f"The engine could not keep a stage: {message['error']}", "Run the cell again.")
