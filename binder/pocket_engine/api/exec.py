"""Further programs in a container: /containers/{id}/exec and /exec/{id}."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator

from aiohttp import web

from ..containers import execs
from ..engine import Engine
from . import hijack
from .json_http import json_body, json_response, query_number


def routes(engine: Engine) -> list[web.RouteDef]:
    """Create, start, look at them."""
    bound = functools.partial
    return [
        web.post("/containers/{name}/exec", bound(_create, engine)),
        web.post("/exec/{id}/start", bound(_start, engine)),
        web.post("/exec/{id}/resize", bound(_resize, engine)),
        web.get("/exec/{id}/json", bound(_inspect, engine)),
    ]


async def _create(engine: Engine, request: web.Request) -> web.Response:
    asked = await json_body(request)
    container = engine.containers.get(request.match_info["name"])
    run = await asyncio.to_thread(execs.create, container, asked)
    return json_response({"Id": run.id}, 201)


async def _start(engine: Engine, request: web.Request) -> web.StreamResponse:
    asked = await json_body(request)
    run = engine.containers.exec(request.match_info["id"])
    detach = bool(asked.get("Detach"))
    if asked.get("Tty") and not run.begun:
        run.asked["Tty"] = True
    reader = await asyncio.to_thread(run.start, detach)
    if detach:
        reader.close()
        return web.Response()
    tty = bool(run.asked.get("Tty"))
    try:
        connection = await hijack.take_over(request, hijack.content_type(request, tty))
        feeding = None
        if run.asked.get("AttachStdin"):
            feeding = asyncio.create_task(hijack.feed_stdin(connection, lambda: run.streams, end=True))
        await hijack.send_output(connection, _pieces(run, reader, tty), feeding)
    finally:
        reader.close()
        if run.exit_code is not None:
            await asyncio.to_thread(run.tidy)
    return hijack.Hijacked()


async def _pieces(run: execs.Exec, reader, tty: bool) -> AsyncIterator[bytes]:
    streams = {stream for stream, key in ((1, "AttachStdout"), (2, "AttachStderr")) if run.asked.get(key)}
    ended = lambda: run.exit_code is not None  # noqa: E731
    async for records in hijack.follow_log(reader, (run.log.changed, run.changed), ended):
        yield hijack.frames(records, tty, streams)


async def _resize(engine: Engine, request: web.Request) -> web.Response:
    run = engine.containers.exec(request.match_info["id"])
    if run.streams:
        run.streams.resize(query_number(request, "h"), query_number(request, "w"))
    return web.Response(status=201)


async def _inspect(engine: Engine, request: web.Request) -> web.Response:
    return json_response(engine.containers.exec(request.match_info["id"]).shown())
