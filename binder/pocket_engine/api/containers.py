"""Containers: /containers."""

from __future__ import annotations

import asyncio
import functools
import json

from aiohttp import web

from ..containers import container_json, top_and_stats
from ..errors import BadRequest, Conflict, NotDone
from . import container_archive, container_filters, container_logs_attach, hijack
from .filters import parse
from .json_http import flag, json_answer, json_body, number


def routes(engine) -> list[web.RouteDef]:
    """All but /containers/{id}/exec."""
    bound = functools.partial
    one = "/containers/{name}"
    return [
        web.get("/containers/json", bound(_list, engine)),
        web.post("/containers/create", bound(_create, engine)),
        web.post("/containers/prune", bound(_prune, engine)),
        web.get(f"{one}/json", bound(_inspect, engine)),
        web.get(f"{one}/top", bound(_top, engine)),
        web.get(f"{one}/stats", bound(_stats, engine)),
        web.get(f"{one}/changes", bound(_changes, engine)),
        web.post(f"{one}/start", bound(_start, engine)),
        web.post(f"{one}/stop", bound(_stop, engine)),
        web.post(f"{one}/restart", bound(_restart, engine)),
        web.post(f"{one}/kill", bound(_kill, engine)),
        web.post(f"{one}/wait", bound(_wait, engine)),
        web.post(f"{one}/rename", bound(_rename, engine)),
        web.post(f"{one}/resize", bound(_resize, engine)),
        web.post(f"{one}/pause", _not_paused),
        web.post(f"{one}/unpause", _not_paused),
        web.delete(one, bound(_remove, engine)),
        *container_logs_attach.routes(engine),
        *container_archive.routes(engine),
    ]


def _one(engine, request: web.Request):
    return engine.containers.get(request.match_info["name"])


async def _list(engine, request: web.Request) -> web.Response:
    filters = parse(request.query.get("filters"), container_filters.LIST)
    wanted = container_filters.listing(engine, filters)
    everything = flag(request, "all") or container_filters.shows_stopped(filters)
    options = dict(all=everything, size=flag(request, "size"), limit=number(request, "limit"), wanted=wanted)
    return json_answer(await asyncio.to_thread(engine.containers.list, **options))


async def _create(engine, request: web.Request) -> web.Response:
    body = await json_body(request)
    if not body:
        raise BadRequest("config cannot be empty in order to create a container")
    container_id, warnings = await asyncio.to_thread(engine.containers.create, body, request.query.get("name", ""))
    return json_answer({"Id": container_id, "Warnings": warnings}, 201)


async def _inspect(engine, request: web.Request) -> web.Response:
    return json_answer(await asyncio.to_thread(container_json.inspection, _one(engine, request), flag(request, "size")))


async def _start(engine, request: web.Request) -> web.Response:
    begun = await _whole(_one(engine, request).start)
    return web.Response(status=204 if begun else 304)


async def _stop(engine, request: web.Request) -> web.Response:
    stopped = await asyncio.to_thread(_one(engine, request).stop, _seconds(request))
    return web.Response(status=204 if stopped else 304)


async def _restart(engine, request: web.Request) -> web.Response:
    container, seconds = _one(engine, request), _seconds(request)

    def again() -> None:
        container.stop(seconds)
        container.start()
        container.tell("restart")

    await _whole(again)
    return web.Response(status=204)


async def _whole(work):
    """Done to its end, even if the client hangs up: half a start is none."""
    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, work))


def _seconds(request: web.Request) -> int | None:
    return number(request, "t") if request.query.get("t") else None


async def _kill(engine, request: web.Request) -> web.Response:
    await asyncio.to_thread(_one(engine, request).kill, request.query.get("signal") or "SIGKILL")
    return web.Response(status=204)


async def _wait(engine, request: web.Request) -> web.StreamResponse:
    container = _one(engine, request)
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
    await hijack.until(container.changed, reached)
    await response.write(json.dumps({"StatusCode": container.record.exit_code}).encode() + b"\n")
    await response.write_eof()
    return response


async def _rename(engine, request: web.Request) -> web.Response:
    name = request.query.get("name")
    if not name:
        raise BadRequest("Neither old nor new names may be empty")
    await asyncio.to_thread(engine.containers.rename, request.match_info["name"], name)
    return web.Response(status=204)


async def _resize(engine, request: web.Request) -> web.Response:
    container = _one(engine, request)
    if container.running:
        container.streams().resize(number(request, "h"), number(request, "w"))
    return web.Response()


async def _remove(engine, request: web.Request) -> web.Response:
    if flag(request, "link"):
        raise NotDone("The pocket engine does not do links between containers.")
    remove = functools.partial(engine.containers.remove, request.match_info["name"], force=flag(request, "force"))
    await _whole(remove)
    return web.Response(status=204)


async def _prune(engine, request: web.Request) -> web.Response:
    wanted = container_filters.pruning(parse(request.query.get("filters"), container_filters.PRUNE))
    gone, freed = await asyncio.to_thread(engine.containers.prune, wanted)
    return json_answer({"ContainersDeleted": gone or None, "SpaceReclaimed": freed})


def _pids(container) -> list[int]:
    others = [one.pid for one in list(container.execs.values()) if one.running]
    return [pid for pid in (container.record.pid, *others) if pid]


async def _top(engine, request: web.Request) -> web.Response:
    container = _one(engine, request)
    if not container.running:
        raise Conflict(f"Container {container.id} is not running")
    return json_answer(await asyncio.to_thread(top_and_stats.top, _pids(container)))


async def _stats(engine, request: web.Request) -> web.StreamResponse:
    container = _one(engine, request)
    measure = functools.partial(top_and_stats.stats, container.id, container.record.name)
    answer = await asyncio.to_thread(measure, _pids(container))
    if not flag(request, "stream", True):
        return json_answer(answer)
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while not container.removed:
        await response.write(json.dumps(answer).encode() + b"\n")
        await asyncio.sleep(1)
        answer = await asyncio.to_thread(measure, _pids(container), answer)
    return response


async def _changes(engine, request: web.Request) -> web.Response:
    found = await asyncio.to_thread(_one(engine, request).root.changes)
    if found is None:
        raise NotDone("What this container changed is not known any more: the engine was restarted since.")
    return json_answer(found or None)


async def _not_paused(request: web.Request) -> web.Response:
    raise NotDone("The pocket engine does not pause containers: stop and start them instead.")
