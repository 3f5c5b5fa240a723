"""Files of containers: archive (`docker cp`) and export."""

from __future__ import annotations

import asyncio
import contextlib
import functools

from aiohttp import web

from ..containers import mounts
from ..containers.container import Container
from ..engine import Engine
from ..errors import BadRequest, EngineError
from .json_http import query_flag
from .request_body import body_on_disk
from .response_streams import blob_stream

STAT = "X-Docker-Container-Path-Stat"


def routes(engine: Engine) -> list[web.RouteDef]:
    """Archive and export."""
    bound = functools.partial
    return [
        web.get("/containers/{name}/archive", bound(_get, engine), allow_head=False),
        web.head("/containers/{name}/archive", bound(_stat, engine)),
        web.put("/containers/{name}/archive", bound(_put, engine)),
        web.get("/containers/{name}/export", bound(_export, engine), allow_head=False),
    ]


def _path(request: web.Request) -> str:
    path = request.query.get("path", "")
    if not path:
        raise BadRequest("bad parameter: 'path' cannot be empty")
    return path


async def _stat(engine: Engine, request: web.Request) -> web.Response:
    container, path = engine.containers.get(request.match_info["name"]), _path(request)
    about = await asyncio.to_thread(lambda: container.files().path_stat(path))
    return web.Response(headers={STAT: about})


async def _get(engine: Engine, request: web.Request) -> web.StreamResponse:
    container, path = engine.containers.get(request.match_info["name"]), _path(request)
    files = await asyncio.to_thread(container.files)
    about = await asyncio.to_thread(files.path_stat, path)
    container.publish_event("archive-path")
    response = web.StreamResponse(headers={STAT: about, "Content-Type": "application/x-tar"})
    with contextlib.closing(files.archive(path)) as pieces:
        await response.prepare(request)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            await response.write(piece)
    await response.write_eof()
    return response


async def _put(engine: Engine, request: web.Request) -> web.Response:
    container, path = engine.containers.get(request.match_info["name"]), _path(request)
    keep, by_user = query_flag(request, "noOverwriteDirNonDir"), query_flag(request, "copyUIDGID")
    _check_writable(container, path)
    async with body_on_disk(request, engine.folder / "tmp") as body:

        def unpack() -> None:
            user = container.rootfs.user(container.record.config["User"]) if by_user else None

            def own(spot, member) -> None:
                container.rootfs.set_owner(spot, *((user.uid, user.gid) if user else (member.uid, member.gid)))

            with open(body, "rb") as stream:
                container.files().extract(path, stream, own, keep_kinds=keep)

        await asyncio.to_thread(unpack)
    container.publish_event("extract-to-dir")
    return web.Response()


def _check_writable(container: Container, path: str) -> None:
    for mount in mounts.requested(container.record.host):
        if mount.read_only and f"{path.rstrip('/')}/".startswith(f"{mount.target}/"):
            error = EngineError("mounted volume is marked read-only")
            error.status = 403
            raise error


async def _export(engine: Engine, request: web.Request) -> web.StreamResponse:
    container = engine.containers.get(request.match_info["name"])
    files = await asyncio.to_thread(container.files)
    container.publish_event("export")
    return await blob_stream(request, files.export, "application/octet-stream")
