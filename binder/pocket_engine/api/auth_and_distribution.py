"""What registries are asked on a client's behalf: whether they take a login, and what a name stands for there."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

from aiohttp import web

from .. import registry
from ..engine import Engine
from ..errors import BadRequest
from .image_transfer import registry_credentials
from .json_http import json_body, json_response


def routes(engine: Engine) -> list[web.RouteDef]:
    """What only asks; for what carries images see image_transfer.py."""
    return [
        web.post("/auth", _auth),
        web.get("/distribution/{name:.+}/json", functools.partial(_distribution, engine), allow_head=False),
    ]


async def _auth(request: web.Request) -> web.Response:
    auth = await json_body(request)
    if not auth:
        raise BadRequest("The body has to say who logs in where: username, password and serveraddress.")
    await _ask(functools.partial(registry.login, auth))
    # The password stays the client's, which sends it with each pull and push: there is no identity token instead.
    return json_response({"IdentityToken": "", "Status": "Login Succeeded"})


async def _distribution(engine: Engine, request: web.Request) -> web.Response:
    name, auth = request.match_info["name"], registry_credentials(request)
    return json_response(await _ask(functools.partial(registry.inspect, name, auth=auth, mirrors=engine.mirrors)))


async def _ask(work: Callable[..., Any]) -> Any:
    """What work(stop=…) gives; `stop` is set when the client hangs up."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(work, stop=stop)
    finally:
        stop.set()
