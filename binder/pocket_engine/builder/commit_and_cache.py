"""From one step to the next: an image's JSON, its history, and the cache that finds a step again."""

from __future__ import annotations

import copy
import datetime
import platform
import secrets

from .. import VERSION
from ..errors import NotFound
from ..store.images import Image, Images
from .options_and_state import StageState

EMPTY = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"  # a tar without entries: no layer
_BLANK = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": None,
    "Cmd": None,
    "Image": "",
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": None,
}


def empty_config() -> dict:
    """The configuration of an image that nobody configured, with the keys that Docker writes."""
    return copy.deepcopy(_BLANK)


def nop_command(state: StageState, comment: str) -> list[str]:
    """The command that the history shows for a step that runs nothing."""
    return [*state.shell(), f"#(nop) {comment}"]


def cache_key(state: StageState, cmd: list[str]) -> dict:
    """What the cache compares: the configuration, with the step in place of the command."""
    return {**state.copy_config(), "Cmd": cmd}


def find_cached(images: Images, state: StageState, cmd: list[str]) -> Image | None:
    """The newest image that the same step made on the same parent (moby, image/cache)."""
    wanted = cache_key(state, cmd)
    found = []
    for child in images.children(state.image) if state.image else _orphans(images):
        try:
            image = images.find(child)
        except NotFound:  # removed a moment ago
            continue
        if image.config.get("container_config") == wanted:
            found.append(image)
    return max(found, key=lambda image: image.config.get("created", ""), default=None)


def _orphans(images: Images) -> list[str]:
    return [image.id for image in images.all() if not image.parent]


def commit(images: Images, state: StageState, cmd: list[str], diff_id: str | None, comment: str = "") -> Image:
    """A new image on top of the stage's last one. diff_id: the layer of this step; None or EMPTY for none."""
    before = images.find(state.image).config if state.image else {}
    created = now()
    history = [*(before.get("history") or [])]
    entry: dict[str, object] = {"created": created, "created_by": " ".join(cmd)}
    if comment:
        entry["comment"] = comment
    if author := before.get("author") or state.config.get("author"):
        entry["author"] = author
    layers = list(state.diff_ids)
    if diff_id and diff_id != EMPTY:
        layers.append(diff_id)
    else:
        entry["empty_layer"] = True
    config = {k: v for k, v in state.copy_config().items() if k != "author"}
    image = {
        "architecture": before.get("architecture") or architecture(),
        "os": "linux",
        "created": created,
        "docker_version": VERSION,
        "container": state.container or secrets.token_hex(32),
        "container_config": cache_key(state, cmd),
        "config": config,
        "history": [*history, entry],
        "rootfs": {"type": "layers", **({"diff_ids": layers} if layers else {})},
    }
    if before.get("variant"):
        image["variant"] = before["variant"]
    if state.config.get("author"):
        image["author"] = state.config["author"]
    created_image = images.create(image, state.image)
    state.image, state.diff_ids, state.container = created_image.id, layers, ""
    return created_image


def now() -> str:
    """As Docker writes times."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def architecture() -> str:
    """This machine's, in Go's words."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}.get(machine, machine)
