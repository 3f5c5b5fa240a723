"""Containers: /containers."""

from __future__ import annotations

import asyncio
import functools
import json

from aiohttp import web

from ..containers import container_json, top_and_stats
from ..containers.container import Container
from ..engine import Engine
from ..errors import BadRequest, Conflict, Unsupported
from . import container_archive, container_filters, container_logs_attach, hijack
from .filters import parse
from .json_http import json_body, json_response, query_flag, query_number


def routes(engine: Engine) -> list[web.RouteDef]:
    """All but /containers/{id}/exec."""
    bound = functools.partial
    path = "/containers/{name}"
    return [
        web.get("/containers/json", bound(_list, engine)),
        web.post("/containers/create", bound(_create, engine)),
        web.post("/containers/prune", bound(_prune, engine)),
        web.get(f"{path}/json", bound(_inspect, engine)),
        web.get(f"{path}/top", bound(_top, engine)),
        web.get(f"{path}/stats", bound(_stats, engine)),
        web.get(f"{path}/changes", bound(_changes, engine)),
        web.post(f"{path}/start", bound(_start, engine)),
        web.post(f"{path}/stop", bound(_stop, engine)),
        web.post(f"{path}/restart", bound(_restart, engine)),
        web.post(f"{path}/kill", bound(_kill, engine)),
        web.post(f"{path}/wait", bound(_wait, engine)),
        web.post(f"{path}/rename", bound(_rename, engine)),
        web.post(f"{path}/resize", bound(_resize, engine)),
        web.post(f"{path}/pause", _not_paused),
        web.post(f"{path}/unpause", _not_paused),
        web.delete(path, bound(_remove, engine)),
        *container_logs_attach.routes(engine),
        *container_archive.routes(engine),
    ]


def _container(engine: Engine, request: web.Request) -> Container:
    return engine.containers.get(request.match_info["name"])


async def _list(engine: Engine, request: web.Request) -> web.Response:
    filters = parse(request.query.get("filters"), container_filters.LIST)
    wanted = container_filters.listing(engine, filters)
    everything = query_flag(request, "all") or container_filters.shows_stopped(filters)
    size, limit = query_flag(request, "size"), query_number(request, "limit")
    summaries = functools.partial(engine.containers.summaries, all=everything, size=size, limit=limit, wanted=wanted)
    return json_response(await asyncio.to_thread(summaries))


async def _create(engine: Engine, request: web.Request) -> web.Response:
    body = await json_body(request)
    if not body:
        raise BadRequest("config cannot be empty in order to create a container")
    container_id, warnings = await asyncio.to_thread(engine.containers.create, body, request.query.get("name", ""))
    return json_response({"Id": container_id, "Warnings": warnings}, 201)


async def _inspect(engine: Engine, request: web.Request) -> web.Response:
    return json_response(
        await asyncio.to_thread(container_json.inspection, _container(engine, request), query_flag(request, "size"))
    )


async def _start(engine: Engine, request: web.Request) -> web.Response:
    begun = await _shielded(_container(engine, request).start)
    return web.Response(status=204 if begun else 304)


async def _stop(engine: Engine, request: web.Request) -> web.Response:
    stopped = await asyncio.to_thread(_container(engine, request).stop, _seconds(request))
    return web.Response(status=204 if stopped else 304)


async def _restart(engine: Engine, request: web.Request) -> web.Response:
    container, seconds = _container(engine, request), _seconds(request)

    def again() -> None:
        container.stop(seconds)
        container.start()
        container.publish_event("restart")

    await _shielded(again)
    return web.Response(status=204)


async def _shielded(work):
    """Done to its end, even if the client hangs up: half a start is none."""
    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, work))


def _seconds(request: web.Request) -> int | None:
    return query_number(request, "t") if request.query.get("t") else None


async def _kill(engine: Engine, request: web.Request) -> web.Response:
    await asyncio.to_thread(_container(engine, request).kill, request.query.get("signal") or "SIGKILL")
    return web.Response(status=204)


async def _wait(engine: Engine, request: web.Request) -> web.StreamResponse:
    container = _container(engine, request)
    condition = request.query.get("condition") or "not-running"
    before = container.ended
    reached = {
        "not-running": lambda: not container.running,
        "next-exit": lambda: container.ended > before or container.removed,
        "removed": lambda: container.removed,
    }.get(condition)
    if reached is None:
        raise BadRequest(f'invalid condition: "{condition}"')
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)  # at once: `docker run` starts the container only when it has this
    await hijack.wait_until(container.changed, reached)
    await response.write(json.dumps({"StatusCode": container.record.exit_code}).encode() + b"\n")
    await response.write_eof()
    return response


async def _rename(engine: Engine, request: web.Request) -> web.Response:
    name = request.query.get("name")
    if not name:
        raise BadRequest("Neither old nor new names may be empty")
    await asyncio.to_thread(engine.containers.rename, request.match_info["name"], name)
    return web.Response(status=204)


async def _resize(engine: Engine, request: web.Request) -> web.Response:
    container = _container(engine, request)
    if container.running:
        container.streams().resize(query_number(request, "h"), query_number(request, "w"))
    return web.Response()


async def _remove(engine: Engine, request: web.Request) -> web.Response:
    if query_flag(request, "link"):
        raise Unsupported("The pocket engine does not do links between containers.")
    remove = functools.partial(engine.containers.remove, request.match_info["name"], force=query_flag(request, "force"))
    await _shielded(remove)
    return web.Response(status=204)


async def _prune(engine: Engine, request: web.Request) -> web.Response:
    wanted = container_filters.pruning(parse(request.query.get("filters"), container_filters.PRUNE))
    gone, freed = await asyncio.to_thread(engine.containers.prune, wanted)
    return json_response({"ContainersDeleted": gone or None, "SpaceReclaimed": freed})


def _pids(container: Container) -> list[int]:
    others = [run.pid for run in list(container.execs.values()) if run.running]
    return [pid for pid in (container.record.pid, *others) if pid]


async def _top(engine: Engine, request: web.Request) -> web.Response:
    container = _container(engine, request)
    if not container.running:
        raise Conflict(f"Container {container.id} is not running")
    return json_response(await asyncio.to_thread(top_and_stats.top, _pids(container)))


async def _stats(engine: Engine, request: web.Request) -> web.StreamResponse:
    container = _container(engine, request)
    measure = functools.partial(top_and_stats.stats, container.id, container.record.name)
    answer = await asyncio.to_thread(measure, _pids(container))
    if not query_flag(request, "stream", True):
        return json_response(answer)
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while not container.removed:
        await response.write(json.dumps(answer).encode() + b"\n")
        await asyncio.sleep(1)
        answer = await asyncio.to_thread(measure, _pids(container), answer)
    return response


async def _changes(engine: Engine, request: web.Request) -> web.Response:
    found = await asyncio.to_thread(_container(engine, request).rootfs.changes)
    if found is None:
        raise Unsupported("What this container changed is not known any more: the engine was restarted since.")
    return json_response(found or None)


async def _not_paused(request: web.Request) -> web.Response:
    raise Unsupported("The pocket engine does not pause containers: stop and start them instead.")
