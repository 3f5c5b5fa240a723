"""POST /build: the context on disk, the parameters as the builder's options, its messages as they come."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from multidict import MultiMapping

from ..builder.options_and_state import BuildOptions
from ..engine import Engine
from ..errors import BadRequest, EngineError, Unsupported
from .filters import parse
from .images import prune_images, publish_tagged
from .json_http import json_response, json_value, query_flag, query_number
from .platform_check import check_platform
from .request_body import body_on_disk
from .response_streams import Say, json_stream

LIMITS = (  # accepted and said to be without effect: nothing here can keep a step to them
    "memory",
    "memswap",
    "cpushares",
    "cpuperiod",
    "cpuquota",
    "cpusetcpus",
    "shmsize",
    "ulimits",
    "cgroupparent",
    "isolation",
    "securityopt",
)
NOTHING = ("", "0", "null", "[]", "{}", "default")  # what clients send where a limit is not meant
CLASSIC = "the pocket engine does what the classic builder does: leave BuildKit's parameters out (DOCKER_BUILDKIT=0)."
PRUNE_FILTERS = ("label", "label!", "until")


def routes(engine: Engine) -> list[web.RouteDef]:
    """The builder's routes."""
    return [
        web.post("/build", functools.partial(_build, engine)),
        web.post("/build/prune", functools.partial(_prune, engine)),
        web.post("/build/cancel", _cancel),
    ]


def refuse_unsupported(query: Mapping[str, str]) -> None:
    """Raise NotDone for what would give another image than the one asked for."""
    if query.get("version", "1") not in ("", "1"):
        raise Unsupported(f"A build with version={query['version']} is BuildKit's; {CLASSIC}")
    for name in ("session", "outputs"):
        if query.get(name, "") not in NOTHING:
            raise Unsupported(f"{name}= is BuildKit's; {CLASSIC}")
    if query.get("remote"):
        raise Unsupported(
            "The pocket engine does not fetch a context from remote=: send it as the body, as a tar archive."
        )
    if query.get("squash", "").lower() not in ("", "0", "false"):
        raise Unsupported("The pocket engine does not squash layers: copy what is needed into a second stage instead.")
    if query.get("extrahosts", "") not in NOTHING:
        raise Unsupported("The pocket engine does not add hosts to a build (extrahosts).")
    check_platform(query.get("platform", ""))


def build_options(query: MultiMapping[str], flags: Mapping[str, Any]) -> BuildOptions:
    """The builder's options. flags: nocache, pull, rm, forcerm. Raises BadRequest."""
    buildargs = _texts(query.get("buildargs"), "build args", may_be_null=True)
    labels = _texts(query.get("labels"), "labels")
    cache_from = json_value(query.get("cachefrom") or "[]", "cachefrom") or []
    if not isinstance(cache_from, list) or not all(isinstance(name, str) for name in cache_from):
        raise BadRequest("invalid cachefrom: a JSON list of image names is expected")
    return BuildOptions(
        dockerfile=query.get("dockerfile") or "Dockerfile",
        tags=[tag for tag in query.getall("t", []) if tag],
        target=query.get("target", ""),
        buildargs=buildargs,
        labels=labels,
        network=query.get("networkmode", ""),
        platform=query.get("platform", ""),
        cache_from=cache_from,
        **flags,
    )


def _texts(text: str | None, what: str, may_be_null: bool = False) -> dict:
    value = json_value(text, what) if text else {}
    allowed = str | None if may_be_null else str
    if value is not None and not (
        isinstance(value, dict) and all(isinstance(text_value, allowed) for text_value in value.values())
    ):
        raise BadRequest(f"invalid {what}: a JSON object of strings is expected")
    return value or {}


def limits_asked(query: Mapping[str, str]) -> list[str]:
    """The parameters that ask for a limit."""
    return [name for name in LIMITS if query.get(name, "") not in NOTHING and not query.get(name, "").startswith("-")]


async def _build(engine: Engine, request: web.Request) -> web.StreamResponse:
    from ..builder import build  # not at the top: the builder is large, and most of the API does without it

    query = request.query
    refuse_unsupported(query)
    # docker-py leaves `rm` out for False, the command line sends rm=1; moby takes no value for false, too.
    flags = {name: query_flag(request, name) for name in ("nocache", "pull", "rm", "forcerm")}
    asked, limits, quiet = build_options(query, flags), limits_asked(query), query_flag(request, "q")
    for name in ("memory", "memswap", "cpushares", "cpuperiod", "cpuquota", "shmsize"):
        query_number(request, name)
    async with body_on_disk(request, engine.work) as context:

        def produce(say: Say, stop: threading.Event) -> None:
            if limits:
                say(
                    {
                        "stream": f" ---> [Warning] The pocket engine sets no limits: {', '.join(limits)} has no effect.\n"
                    }
                )
            if not quiet:
                publish_tagged(engine, build(engine, context, asked, say, stop), asked.tags)
                return
            held_back: list[dict] = []
            try:
                image = build(engine, context, asked, held_back.append, stop)
            except EngineError:
                for message in held_back:  # of a build that failed, all that was held back is told
                    say(message)
                raise
            publish_tagged(engine, image, asked.tags)
            say({"stream": f"{image}\n"})

        return await json_stream(request, produce)


async def _prune(engine: Engine, request: web.Request) -> web.Response:
    """The cache is what has no name: the images of the steps, kept so that the next build finds them."""
    filters = parse(request.query.get("filters"), PRUNE_FILTERS)
    if query_number(request, "keep-storage"):
        raise Unsupported("The pocket engine prunes all of the cache or none: leave keep-storage out.")
    answer = await asyncio.to_thread(prune_images, engine, filters, True)
    removed = [line["Deleted"] for line in answer["ImagesDeleted"] or [] if "Deleted" in line]
    return json_response({"CachesDeleted": removed, "SpaceReclaimed": answer["SpaceReclaimed"]})


async def _cancel(request: web.Request) -> web.Response:
    raise Unsupported("The pocket engine has no /build/cancel: it stops a build when its client hangs up.")
