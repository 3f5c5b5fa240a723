"""GET /events: what happened lately, and what happens from now on."""

from __future__ import annotations

import asyncio
import functools
import json
import time

from aiohttp import web

from ..engine import Engine
from ..errors import BadRequest
from .filters import Filters, labels_match, parse, parse_time
from .response_streams import HANG_UP, client_gone

ALLOWED = ("type", "event", "container", "image", "label", "scope", "daemon", "network", "volume", "plugin")
WAITING = 10_000  # messages for a client that does not read; then it is cut off


def routes(engine: Engine) -> list[web.RouteDef]:
    """The route of the events."""
    return [web.get("/events", functools.partial(_events, engine), allow_head=False)]


async def _events(engine: Engine, request: web.Request) -> web.StreamResponse:
    filters = parse(request.query.get("filters"), ALLOWED)
    since, until = (parse_time(request.query[name]) if request.query.get(name) else None for name in ("since", "until"))
    if since is not None and until is not None and since > until:
        raise BadRequest(f"`since` time ({since:g}) cannot be after `until` time ({until:g})")
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[dict] = asyncio.Queue()

    def deliver(message: dict) -> None:
        if queue.qsize() < WAITING and not loop.is_closed():
            loop.call_soon_threadsafe(queue.put_nowait, message)

    past, leave = engine.events.subscribe(deliver, since)
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    try:
        await response.prepare(request)
        for message in past:
            await _write(response, message, filters, until)
        while not client_gone(request) and (until is None or time.time() < until):
            wait = HANG_UP if until is None else min(HANG_UP, max(0.0, until - time.time()))
            try:
                message = await asyncio.wait_for(queue.get(), wait)
            except TimeoutError:
                continue
            await _write(response, message, filters, until)
        await response.write_eof()
    except ConnectionError:
        pass
    finally:
        leave()
    return response


async def _write(response: web.StreamResponse, message: dict, filters: Filters, until: float | None) -> None:
    if matches(message, filters) and (until is None or message["timeNano"] <= until * 1e9):
        await response.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")


def matches(message: dict, filters: Filters) -> bool:
    """Whether a message passes; within one filter any value will do, between filters all have to."""
    actor = message["Actor"]
    attributes = actor["Attributes"]
    names = {actor["ID"], attributes.get("name", ""), attributes.get("image", "")}
    if filters["type"] and message["Type"] not in filters["type"]:
        return False
    if filters["event"] and not any(_action(message["Action"], action) for action in filters["event"]):
        return False
    if filters["scope"] and message["scope"] not in filters["scope"]:
        return False
    for kind in ("container", "network", "volume", "daemon", "plugin"):
        if filters[kind] and (message["Type"] != kind or not any(_names(actor, name) for name in filters[kind])):
            return False
    if filters["image"] and not any(name in names or f"{name}:latest" in names for name in filters["image"]):
        return False
    return labels_match(filters["label"], attributes)


def _action(action: str, wanted: str) -> bool:
    return action == wanted or action.startswith(wanted + ":")  # "health_status: healthy"


def _names(actor: dict, wanted: str) -> bool:
    return actor["Attributes"].get("name") == wanted or (len(wanted) >= 4 and actor["ID"].startswith(wanted))
