"""Serve the API over HTTP with aiohttp, until nobody needs it or a signal comes."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from .api.app import make_app
from .endpoints import ClaimedEndpoint, TcpPort, UnixSocket
from .engine import Engine
from .engine_log import LOG
from .lifetime import Lifetime

THREADS = 64  # each request that builds, waits or streams has one for as long as it takes
LOOK = 0.5  # seconds between two looks whether the engine is still needed
GRACE = 10.0  # seconds for a clean end; after that the process leaves
HTTP: dict[str, Any] = {
    "access_log": None,
    "handler_cancellation": True,  # a client that hangs up stops what it asked for
    "shutdown_timeout": 0.5,
    "max_line_size": 4 << 20,  # the SDK sends build arguments and labels in the query
    "max_field_size": 4 << 20,  # and the credentials for all registries in a header
}


def run(
    claimed: ClaimedEndpoint,
    store: Path,
    *,
    limit: int | None,
    runner: str | None,
    mirrors: Sequence[str],
    token: str | None,
    idle: float,
) -> int:
    """Serve until the end; returns the exit status. Raises EngineError if the engine cannot start."""
    engine = Engine(store, limit=limit, runner_name=runner, mirrors=mirrors)
    lifetime = Lifetime(claimed.endpoint.folder, idle, lambda: bool(engine.containers.running()))
    asyncio.run(_serve(engine, claimed.endpoint, lifetime, token))
    return 0


async def _serve(engine: Engine, endpoint: UnixSocket | TcpPort, lifetime: Lifetime, token: str | None) -> None:
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="work"))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    app = make_app(engine, token=token)
    app.middlewares.insert(0, _counting(lifetime))
    http = web.AppRunner(app, **HTTP)
    await http.setup()
    try:
        await web.SockSite(http, endpoint.bind()).start()
        LOG.info("The engine serves at %s.", endpoint)
        why = await _needed(lifetime, asked, endpoint)
    finally:
        endpoint.remove()
        _leave_after(GRACE)
        await http.cleanup()
        with ThreadPoolExecutor(1) as closing:
            await loop.run_in_executor(closing, engine.close)
    LOG.info("The engine has ended: %s.", why)


async def _needed(lifetime: Lifetime, asked: asyncio.Event, endpoint: UnixSocket | TcpPort) -> str:
    """Return, with the reason, when the engine is not needed any more; its socket is removed then."""
    while not lifetime.end_if_unneeded(endpoint.remove):
        try:
            await asyncio.wait_for(asked.wait(), LOOK)
            return "it was asked to"
        except TimeoutError:
            continue
    return "nobody needed it any more"


def _counting(lifetime: Lifetime):
    @web.middleware
    async def count(request: web.Request, handler) -> web.StreamResponse:
        with lifetime.request():
            LOG.debug("%s %s", request.method, request.path)
            return await handler(request)

    return count


def _leave_after(seconds: float) -> None:
    """Leave the process even if a thread does not stop; what it was writing counts as not there at the next start."""
    timer = threading.Timer(seconds, partial(os._exit, 1))
    timer.daemon = True
    timer.start()
