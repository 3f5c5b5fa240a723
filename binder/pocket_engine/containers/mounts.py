"""Folders of the host, and empty ones, that a container sees in its root filesystem."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import BadRequest, Unsupported
from ..runtime.jobs import Mount

_NAMED = "The pocket engine has no volumes: bind a folder of the host instead (an absolute path)."


class RequestedMount(NamedTuple):
    """`source` None: an empty folder that is gone when the container stops (tmpfs)."""

    target: str
    source: Path | None
    read_only: bool = False
    mode: str = ""


def requested(host: Mapping[str, Any]) -> list[RequestedMount]:
    """HostConfig's Binds, Mounts and Tmpfs. Raises BadRequest for invalid ones, NotDone for volumes.

    A source named in Binds that does not exist is made, a source in Mounts has to exist: both as in Docker.
    """
    mounts = [_bind(text) for text in host.get("Binds") or []]
    mounts += [_mount(mount) for mount in host.get("Mounts") or []]
    mounts += [
        RequestedMount(_target(target), None, mode=options) for target, options in (host.get("Tmpfs") or {}).items()
    ]
    targets = [mount.target for mount in mounts]
    for target in targets:
        if targets.count(target) > 1:
            raise BadRequest(f"Duplicate mount point: {target}")
    return mounts


def _bind(text: str) -> RequestedMount:
    source, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if not target or ":" in mode:
        raise BadRequest(f"invalid volume specification: '{text}'")
    if not source.startswith("/"):
        raise Unsupported(_NAMED)
    host_folder = Path(source)
    if not host_folder.exists():
        try:
            host_folder.mkdir(parents=True)
        except OSError as error:
            raise BadRequest(f"error while creating mount source path '{source}': {error.strerror}") from None
    return RequestedMount(_target(target), host_folder, "ro" in mode.split(","), mode)


def _mount(mount: Mapping[str, Any]) -> RequestedMount:
    kind, target = mount.get("Type") or "volume", _target(mount.get("Target") or "")
    if kind == "tmpfs":
        return RequestedMount(target, None)
    if kind != "bind":
        raise Unsupported(_NAMED)
    source = Path(mount.get("Source") or "")
    if not source.is_absolute():
        raise BadRequest(f"invalid mount config for type \"bind\": invalid mount path: '{source}' must be absolute")
    if not source.exists():
        raise BadRequest(f'invalid mount config for type "bind": bind source path does not exist: {source}')
    return RequestedMount(target, source, bool(mount.get("ReadOnly")))


def _target(path: str) -> str:
    if not path.startswith("/"):
        raise BadRequest(f"invalid mount path: '{path}' mount path must be absolute")
    path = posixpath.normpath("/" + path.lstrip("/"))
    if path == "/":
        raise BadRequest("invalid specification: destination can't be '/'")
    return path


def for_job(mounts: list[RequestedMount], scratch: Path) -> tuple[Mount, ...]:
    """As the runner takes them; the empty folders are made in `scratch`, which is the job's own."""
    job_mounts = []
    for number, mount in enumerate(mounts):
        source = mount.source
        if source is None:
            source = scratch / f"tmpfs-{number}"
            source.mkdir(parents=True, exist_ok=True)
            source.chmod(0o1777)
        job_mounts.append(Mount(source, mount.target, mount.read_only))
    return tuple(job_mounts)


def inspect_json(mounts: list[RequestedMount]) -> list[dict]:
    """As `inspect` shows them."""
    return [
        {
            "Type": "bind" if mount.source else "tmpfs",
            "Source": str(mount.source or ""),
            "Destination": mount.target,
            "Mode": mount.mode,
            "RW": not mount.read_only,
            "Propagation": "rprivate" if mount.source else "",
        }
        for mount in mounts
    ]
