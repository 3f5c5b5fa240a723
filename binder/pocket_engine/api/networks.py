"""Networks and volumes: the three networks that are always there, to be looked at, and no volumes."""

from __future__ import annotations

import functools
import hashlib
from datetime import UTC, datetime

from aiohttp import web

from ..engine import Engine
from ..errors import NotFound, Unsupported
from .filters import Filters, labels_match, parse
from .json_http import json_body, json_response

NETWORK_FILTERS = ("driver", "id", "label", "name", "scope", "type", "dangling")
DRIVERS = {"bridge": "bridge", "host": "host", "none": "null"}
SHARED = "containers of the pocket engine share this machine's network: publish a port to reach one."


def routes(engine: Engine) -> list[web.RouteDef]:
    """The routes of networks and volumes."""
    bound = functools.partial
    return [
        web.get("/networks", bound(_list, engine), allow_head=False),
        web.get("/networks/{name}", bound(_inspect, engine), allow_head=False),
        web.post("/networks/create", _create),
        web.post("/networks/prune", _nothing({"NetworksDeleted": None})),
        web.post("/networks/{name}/connect", bound(_connect, engine)),
        web.post("/networks/{name}/disconnect", bound(_connect, engine)),
        web.delete("/networks/{name}", bound(_remove, engine)),
        web.get("/volumes", _nothing({"Volumes": [], "Warnings": []}), allow_head=False),
        web.post("/volumes/create", _create_volume),
        web.post("/volumes/prune", _nothing({"VolumesDeleted": None, "SpaceReclaimed": 0})),
        web.get("/volumes/{name}", _no_volume, allow_head=False),
        web.delete("/volumes/{name}", _no_volume),
    ]


def networks(engine: Engine) -> list[dict]:
    """The networks, by their fields in Docker; their ids stay the same for one store."""
    started = datetime.fromtimestamp(engine.started, UTC).isoformat().replace("+00:00", "Z")
    return [
        {
            "Name": name,
            "Id": hashlib.sha256(f"{engine.id} {name}".encode()).hexdigest(),
            "Created": started,
            "Scope": "local",
            "Driver": driver,
            "EnableIPv6": False,
            "IPAM": {"Driver": "default", "Options": None, "Config": []},
            "Internal": False,
            "Attachable": False,
            "Ingress": False,
            "ConfigFrom": {"Network": ""},
            "ConfigOnly": False,
            "Containers": {},
            "Options": {},
            "Labels": {},
        }
        for name, driver in DRIVERS.items()
    ]


async def _list(engine: Engine, request: web.Request) -> web.Response:
    filters = parse(request.query.get("filters"), NETWORK_FILTERS)
    return json_response([network for network in networks(engine) if _passes(network, filters)])


def _passes(network: dict, filters: Filters) -> bool:
    def fits(name: str, test) -> bool:
        return not filters[name] or any(test(value) for value in filters[name])

    return (
        fits("name", lambda value: value in network["Name"])
        and fits("id", lambda value: network["Id"].startswith(value))
        and fits("driver", lambda value: value == network["Driver"])
        and fits("scope", lambda value: value == network["Scope"])
        and fits("type", lambda value: value == "builtin")
        and labels_match(filters["label"], network["Labels"])
        and filters.boolean("dangling") is not True
    )


def _find(engine: Engine, name: str) -> dict:
    for network in networks(engine):
        if name == network["Name"] or (len(name) >= 4 and network["Id"].startswith(name)):
            return network
    raise NotFound(f"network {name} not found")


async def _inspect(engine: Engine, request: web.Request) -> web.Response:
    return json_response(_find(engine, request.match_info["name"]))


async def _create(request: web.Request) -> web.Response:
    raise Unsupported(f"The pocket engine does not create networks: {SHARED}")


async def _connect(engine: Engine, request: web.Request) -> web.Response:
    _find(engine, request.match_info["name"])
    raise Unsupported(f"The pocket engine does not connect containers to networks: {SHARED}")


async def _remove(engine: Engine, request: web.Request) -> web.Response:
    name = _find(engine, request.match_info["name"])["Name"]
    raise Unsupported(f"{name} is a pre-defined network and cannot be removed")


async def _create_volume(request: web.Request) -> web.Response:
    name = (await json_body(request)).get("Name") or ""
    raise Unsupported(
        f"The pocket engine does not create volumes{f' ({name})' if name else ''}: bind a folder instead."
    )


async def _no_volume(request: web.Request) -> web.Response:
    raise NotFound(f"get {request.match_info['name']}: no such volume")


def _nothing(answer: dict):
    async def nothing(request: web.Request) -> web.Response:
        parse(request.query.get("filters"), (*NETWORK_FILTERS, "until", "label!", "all"))
        return json_response(answer)

    return nothing
