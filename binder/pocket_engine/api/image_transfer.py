"""Images in and out: save, load, import, pull, push."""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import threading
from collections.abc import Generator, Iterator

from aiohttp import web

from .. import registry
from ..engine import Engine
from ..errors import BadRequest, Unsupported
from ..store import save_load_import
from .json_http import json_body, json_value
from .platform_check import check_platform
from .request_body import body_on_disk
from .response_streams import Say, blob_stream, json_stream


def routes(engine: Engine) -> list[web.RouteDef]:
    """Everything that carries an image."""
    bound = functools.partial
    return [
        web.get("/images/get", bound(_get_many, engine), allow_head=False),
        web.get("/images/{name:.+}/get", bound(_get_one, engine), allow_head=False),
        web.post("/images/load", bound(_load, engine)),
        web.post("/images/create", bound(_create, engine)),
        web.post("/images/{name:.+}/push", bound(_push, engine)),
    ]


async def _get_one(engine: Engine, request: web.Request) -> web.StreamResponse:
    return await _save(engine, request, [request.match_info["name"]])


async def _get_many(engine: Engine, request: web.Request) -> web.StreamResponse:
    names = [name for name in request.query.getall("names", []) if name]
    if not names:
        raise BadRequest("names= must name at least one image to save")
    return await _save(engine, request, names)


async def _save(engine: Engine, request: web.Request, names: list[str]) -> web.StreamResponse:
    def chunks(stop: threading.Event) -> Iterator[bytes]:
        yield from save_load_import.save(engine.images, engine.layers, names)
        for name in names:
            engine.events.publish("image", "save", engine.images.find(name).id, {"name": name})

    return await blob_stream(request, chunks)


async def _load(engine: Engine, request: web.Request) -> web.StreamResponse:
    async with body_on_disk(request, engine.work) as path:

        def produce(say: Say, stop: threading.Event) -> None:
            with open(path, "rb") as stream:
                for message in save_load_import.load(engine.images, engine.layers, stream, stop=stop):
                    say(message)
                    loaded = message.get("stream", "").partition("Loaded image")[2].removeprefix(" ID").strip(": \n")
                    if loaded:
                        engine.events.publish("image", "load", engine.images.find(loaded).id, {"name": loaded})

        return await json_stream(request, produce)


async def _create(engine: Engine, request: web.Request) -> web.StreamResponse:
    query = request.query
    if query.get("fromImage"):
        return await _pull(engine, request, query["fromImage"], query.get("tag", ""))
    check_platform(query.get("platform", ""))
    source = query.get("fromSrc", "")
    if source != "-":
        raise Unsupported(
            "The pocket engine does not download what it imports: send the archive itself, with fromSrc=-."
            if source
            else "Neither fromImage= nor fromSrc= says what to create the image from."
        )
    return await _import(engine, request)


async def _import(engine: Engine, request: web.Request) -> web.StreamResponse:
    # Not at the top: the builder is large, and most of the API does without it.
    from ..builder.import_changes import apply

    query = request.query
    changes = [line for text in query.getall("changes", []) for line in text.splitlines() if line.strip()]
    async with body_on_disk(request, engine.work) as path:

        def produce(say: Say, stop: threading.Event) -> None:
            with open(path, "rb") as stream:
                image = save_load_import.import_(
                    engine.images,
                    engine.layers,
                    stream,
                    query.get("repo", ""),
                    query.get("tag", ""),
                    changes,
                    query.get("message", ""),
                    apply_changes=apply,
                    stop=stop,
                )
            engine.events.publish("image", "import", image.id, {"name": image.id})
            say({"status": image.id})

        return await json_stream(request, produce)


async def _pull(engine: Engine, request: web.Request, name: str, tag: str) -> web.StreamResponse:
    platform = request.query.get("platform") or None
    auth = registry_credentials(request)

    def produce(say: Say, stop: threading.Event) -> None:
        messages = registry.pull(
            engine.images,
            engine.layers,
            engine.blobs,
            name,
            tag,
            auth=auth,
            platform=platform,
            mirrors=engine.mirrors,
            stop=stop,
        )
        _pass_on(messages, say)
        full = name if not tag else f"{name}@{tag}" if ":" in tag else f"{name}:{tag}"
        engine.events.publish("image", "pull", full, {"name": full})

    return await json_stream(request, produce)


async def _push(engine: Engine, request: web.Request) -> web.StreamResponse:
    name, tag = request.match_info["name"], request.query.get("tag", "")
    auth = registry_credentials(request)
    if not auth and request.can_read_body:
        auth = await json_body(request)  # as clients sent it before there was the header

    def produce(say: Say, stop: threading.Event) -> None:
        _pass_on(registry.push(engine.images, engine.layers, engine.blobs, name, tag, auth=auth, stop=stop), say)
        full = f"{name}:{tag}" if tag else name
        engine.events.publish("image", "push", full, {"name": full})

    return await json_stream(request, produce)


def _pass_on(messages: Generator[dict, None, None], say: Say) -> None:
    with contextlib.closing(messages):
        for message in messages:
            say(message)


def registry_credentials(request: web.Request, header: str = "X-Registry-Auth") -> dict:
    """What the client knows of the registry's login; {} where it sent none, or nothing readable (as Docker has it)."""
    text = request.headers.get(header, "")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = json_value(raw, header)
    except (binascii.Error, ValueError, BadRequest):
        return {}
    return found if isinstance(found, dict) else {}
