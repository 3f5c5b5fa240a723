"""The engine itself: whether it answers, what it is, what it keeps on disk."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import platform
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from .. import API_VERSION, MIN_API_VERSION, VERSION
from ..engine import Engine
from ..errors import BadRequest
from ..registry.platforms import host_platform
from . import image_json
from .filters import Filters
from .images import summaries
from .json_http import api_version, json_response

PING_HEADERS = {
    "Builder-Version": "1",  # tells the command line not to use BuildKit
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Swarm": "inactive",
}
DF_TYPES = {"container": "Containers", "image": "Images", "volume": "Volumes", "build-cache": "BuildCache"}


def routes(engine: Engine) -> list[web.RouteDef]:
    """The routes about the engine."""
    bound = functools.partial
    return [
        web.get("/_ping", _ping, allow_head=False),
        web.head("/_ping", _ping),
        web.get("/version", bound(_version, engine), allow_head=False),
        web.get("/info", bound(_info, engine), allow_head=False),
        web.get("/system/df", bound(_df, engine), allow_head=False),
    ]


async def _ping(request: web.Request) -> web.Response:
    body = b"" if request.method == "HEAD" else b"OK"
    return web.Response(body=body, headers={**PING_HEADERS, "Content-Type": "text/plain; charset=utf-8"})


async def _version(engine: Engine, request: web.Request) -> web.Response:
    return json_response(about_version(engine))


def about_version(engine: Engine) -> dict:
    """Which engine this is; its parts as Docker and Podman name theirs."""
    kernel = platform.release()
    details = {
        "ApiVersion": API_VERSION,
        "Arch": host_platform().architecture,
        "BuildTime": "",
        "Experimental": "false",
        "GitCommit": "",
        "KernelVersion": kernel,
        "MinAPIVersion": MIN_API_VERSION,
        "Os": "linux",
        "PythonVersion": platform.python_version(),
    }
    return {
        "Platform": {"Name": "Pocket Engine"},
        "Components": [
            {"Name": "Pocket Engine", "Version": VERSION, "Details": details},
            {"Name": engine.runner.name, "Version": engine.runner.version, "Details": {}},
        ],
        "Version": VERSION,
        "ApiVersion": API_VERSION,
        "MinAPIVersion": MIN_API_VERSION,
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": host_platform().architecture,
        "KernelVersion": kernel,
        "BuildTime": "",
    }


async def _info(engine: Engine, request: web.Request) -> web.Response:
    return json_response(await asyncio.to_thread(about, engine))


def about(engine: Engine) -> dict:
    """What GET /info answers: with Docker's fields, and in Warnings what is not isolated here."""
    runner = engine.runner
    states = [summary["State"] for summary in engine.containers.summaries(all=True)]
    system = _os_release()
    images = engine.images.all()
    rights = "as root" if runner.privileged else "without privileges"
    return {
        "ID": engine.id,
        "Name": socket.gethostname(),
        "ServerVersion": VERSION,
        "Containers": len(states),
        "ContainersRunning": states.count("running"),
        "ContainersPaused": states.count("paused"),
        "ContainersStopped": len(states) - states.count("running") - states.count("paused"),
        "Images": len(images),
        "Driver": "pocket",
        "DriverStatus": [
            ["Runner", f"{runner.name} {runner.version}, {rights}"],
            ["Layers", str(len({diff_id for image in images for diff_id in image.diff_ids}))],
        ],
        "DockerRootDir": str(engine.folder),
        "Plugins": {"Volume": [], "Network": ["bridge", "host", "null"], "Authorization": None, "Log": ["json-file"]},
        "SystemTime": _now(),
        "Started": datetime.fromtimestamp(engine.started, UTC).isoformat(),
        "NEventsListener": engine.events.listeners,
        "LoggingDriver": "json-file",
        "CgroupDriver": "none",
        "CgroupVersion": "2",
        "KernelVersion": platform.release(),
        "OperatingSystem": system.get("PRETTY_NAME", "Linux"),
        "OSVersion": system.get("VERSION_ID", ""),
        "OSType": "linux",
        "Architecture": platform.machine(),
        "NCPU": len(os.sched_getaffinity(0)),
        "MemTotal": _memory(),
        **_NOT_THERE,
        "RegistryConfig": _registries(engine.mirrors),
        "DefaultRuntime": runner.name,
        "Runtimes": {runner.name: {"path": runner.name}},
        "SecurityOptions": [],
        "Warnings": [f"WARNING: {note}" for note in runner.notes] or None,
    }


_NOT_THERE = {  # clients read these fields; none of it is done here
    "MemoryLimit": False,
    "SwapLimit": False,
    "CpuCfsPeriod": False,
    "CpuCfsQuota": False,
    "CPUShares": False,
    "CPUSet": False,
    "PidsLimit": False,
    "OomKillDisable": False,
    "IPv4Forwarding": True,
    "BridgeNfIptables": True,
    "BridgeNfIp6tables": True,
    "Debug": False,
    "NFd": -1,
    "NGoroutines": -1,
    "IndexServerAddress": "https://index.docker.io/v1/",
    "GenericResources": None,
    "HttpProxy": "",
    "HttpsProxy": "",
    "NoProxy": "",
    "Labels": [],
    "ExperimentalBuild": False,
    "Swarm": {
        "NodeID": "",
        "NodeAddr": "",
        "LocalNodeState": "inactive",
        "ControlAvailable": False,
        "Error": "",
        "RemoteManagers": None,
    },
    "LiveRestoreEnabled": False,
    "Isolation": "",
    "InitBinary": "",
    "ContainerdCommit": {"ID": "", "Expected": ""},
    "RuncCommit": {"ID": "", "Expected": ""},
    "InitCommit": {"ID": "", "Expected": ""},
}


def _registries(mirrors: Sequence[str]) -> dict:
    """Which registries are treated in which way; Docker names the mirrors twice."""
    hub = {"Name": "docker.io", "Mirrors": list(mirrors), "Secure": True, "Official": True}
    return {
        "AllowNondistributableArtifactsCIDRs": [],
        "AllowNondistributableArtifactsHostnames": [],
        "InsecureRegistryCIDRs": ["127.0.0.0/8"],
        "IndexConfigs": {"docker.io": hub},
        "Mirrors": list(mirrors),
    }


def _os_release() -> dict[str, str]:
    with contextlib.suppress(OSError):
        return platform.freedesktop_os_release()
    return {}


def _memory() -> int:
    """Bytes that this machine has, or that the control group around us allows."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            total = min(total, int(Path(limit).read_text()))
    return total


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


async def _df(engine: Engine, request: web.Request) -> web.Response:
    types = request.query.getall("type", list(DF_TYPES))
    if unknown := [name for name in types if name not in DF_TYPES]:
        raise BadRequest(f"unknown object type: {unknown[0]}")
    version = api_version(request)

    def usage() -> dict:
        images = engine.images.all()
        layers = {diff_id for image in images for diff_id in image.diff_ids}
        listed: dict[str, list] = {"Images": [], "Containers": [], "Volumes": [], "BuildCache": []}
        if "image" in types:
            listed["Images"] = summaries(engine, Filters(), everything=False, shared=True, version=version, users=True)
        if "container" in types:
            listed["Containers"] = engine.containers.summaries(all=True, size=True)
        size = sum(image_json.layer_size(engine.layers, diff_id) for diff_id in layers)
        return {"LayersSize": size, **listed, "BuilderSize": 0}

    return json_response(await asyncio.to_thread(usage))
