"""What Docker's API has and the pocket engine does not do: answered as such, with a name to search for."""

from __future__ import annotations

from aiohttp import web

from ..engine import Engine
from ..errors import Unsupported

PARTS = {  # first part of the path: what it is for
    "swarm": "swarms",
    "nodes": "swarms' nodes",
    "services": "services",
    "tasks": "services' tasks",
    "secrets": "secrets",
    "configs": "configs",
    "plugins": "plugins",
    "session": "BuildKit's sessions: build with DOCKER_BUILDKIT=0",
    "grpc": "BuildKit's gRPC: build with DOCKER_BUILDKIT=0",
}
CONTAINER_PARTS = {
    "checkpoints": "checkpoints of containers",
    "update": "limits of containers",
    "attach/ws": "WebSockets: attach over HTTP",
    "export": "exporting containers: save an image instead",
}


def routes(engine: Engine) -> list[web.RouteDef]:
    """To be added last: whatever somebody implements comes first."""
    found = [
        route
        for part, what in PARTS.items()
        for route in (web.route("*", f"/{part}", _refuse(what)), web.route("*", f"/{part}/{{rest:.*}}", _refuse(what)))
    ]
    found.append(web.post("/commit", _refuse("committing containers: write a Dockerfile")))
    for part, what in CONTAINER_PARTS.items():
        found.append(web.route("*", f"/containers/{{name}}/{part}", _refuse(what)))
        found.append(web.route("*", f"/containers/{{name}}/{part}/{{rest:.*}}", _refuse(what)))
    return found


def _refuse(what: str):
    async def refuse(request: web.Request) -> web.Response:
        raise Unsupported(f"The pocket engine does not do {what} ({request.method} {request.path}).")

    return refuse
