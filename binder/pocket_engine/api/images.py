"""Images: what there is, what it is made of, its names, and getting rid of it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence

from aiohttp import web

from ..engine import Engine
from ..errors import BadRequest, NotFound, Unsupported
from ..store.image_names import tagged
from ..store.images import Image, Images
from . import image_json
from .filters import Filters, labels_match, parse, parse_time, reference_matches
from .json_http import api_version, json_response, query_flag

LIST_FILTERS = ("label", "label!", "dangling", "reference", "before", "since", "until")
PRUNE_FILTERS = ("label", "label!", "dangling", "until")


def routes(engine: Engine) -> list[web.RouteDef]:
    """What images are asked for, apart from their transport (see image_transfer.py)."""
    bound = functools.partial
    return [
        web.get("/images/json", bound(_list, engine), allow_head=False),
        web.get("/images/search", _search, allow_head=False),
        web.post("/images/prune", bound(_prune, engine)),
        web.get("/images/{name:.+}/json", bound(_inspect, engine), allow_head=False),
        web.get("/images/{name:.+}/history", bound(_history, engine), allow_head=False),
        web.post("/images/{name:.+}/tag", bound(_tag, engine)),
        web.delete("/images/{name:.+}", bound(_delete, engine)),
    ]


async def _list(engine: Engine, request: web.Request) -> web.Response:
    filters = parse(request.query.get("filters"), LIST_FILTERS)
    if request.query.get("filter"):  # API 1.24 and older
        filters["reference"] = [*filters["reference"], request.query["filter"]]
    listed = await asyncio.to_thread(
        summaries,
        engine,
        filters,
        everything=query_flag(request, "all"),
        shared=query_flag(request, "shared-size"),
        version=api_version(request),
    )
    return json_response(listed)


def summaries(
    engine: Engine, filters: Filters, *, everything: bool, shared: bool, version: tuple[int, int], users: bool = False
) -> list[dict]:
    """The list of images, newest first. everything: the builder's steps too; users: counts containers.

    An image without a name that others are built on is a step; one that none is built on is dangling.
    """
    images = engine.images
    known = images.all()
    wanted = _selection(images, filters)
    sizes = image_json.shared_sizes(known, engine.layers) if shared else {}
    dangling = filters.boolean("dangling")
    listed = []
    for image in known:
        if not wanted(image):
            continue
        tags, digests = images.tags(image.id), images.digests(image.id)
        if filters["reference"]:
            tags, digests = _matching(filters["reference"], tags), _matching(filters["reference"], digests)
        if not _is_listed(images, image, tags, digests, everything, dangling, bool(filters["reference"])):
            continue
        counts = {"SharedSize": sizes[image.id]} if shared else {}
        if users:
            counts["Containers"] = len(engine.containers.using(image.id))
        listed.append(image_json.summary(image, tags, digests, version, **counts))
    return sorted(listed, key=lambda entry: entry["Created"], reverse=True)


def _matching(patterns: list[str], names: list[str]) -> list[str]:
    return [name for name in names if any(reference_matches(pattern, name) for pattern in patterns)]


def _is_listed(
    images: Images,
    image: Image,
    tags: list[str],
    digests: list[str],
    everything: bool,
    dangling: bool | None,
    by_name: bool,
) -> bool:
    if tags or digests:
        return not (dangling and tags)
    if by_name or dangling is False:
        return False
    return (everything and not dangling) or not images.children(image.id)


def _selection(images: Images, filters: Filters) -> Callable[[Image], bool]:
    """The filters that look at an image alone. Raises NotFound for before= or since= of an image that is not there."""
    before, since = (
        image_json.rfc3339_seconds(images.find(name).config.get("created")) if (name := filters.last(which)) else None
        for which in ("before", "since")
    )
    until = parse_time(last) if (last := filters.last("until")) else None

    def wanted(image: Image) -> bool:
        seconds = image_json.seconds(image.config.get("created"))
        exactly = image_json.rfc3339_seconds(image.config.get("created")) or seconds
        return (
            (before is None or exactly < before)
            and (since is None or exactly > since)
            and (until is None or exactly <= until)
            and labels_match(filters["label"], image_json.labels(image))
            and not any(labels_match([label], image_json.labels(image)) for label in filters["label!"])
        )

    return wanted


async def _inspect(engine: Engine, request: web.Request) -> web.Response:
    def inspect() -> dict:
        image = engine.images.find(request.match_info["name"])
        tags, digests = engine.images.tags(image.id), engine.images.digests(image.id)
        return image_json.inspection(image, tags, digests, api_version(request))

    return json_response(await asyncio.to_thread(inspect))


async def _history(engine: Engine, request: web.Request) -> web.Response:
    def history() -> list[dict]:
        images = engine.images
        image = images.find(request.match_info["name"])
        ids, parent = [image.id], image.parent
        while parent and parent not in ids:
            ids.append(parent)
            try:
                parent = images.find(parent).parent
            except NotFound:
                break
        return image_json.history(image, engine.layers, ids, {image_id: images.tags(image_id) for image_id in ids})

    return json_response(await asyncio.to_thread(history))


async def _tag(engine: Engine, request: web.Request) -> web.Response:
    repository, tag = request.query.get("repo", ""), request.query.get("tag", "")
    if not repository:
        raise BadRequest("invalid reference format: repo= must not be empty")

    def give() -> None:
        image = engine.images.find(request.match_info["name"])
        reference = f"{repository}:{tag}" if tag else repository
        engine.images.tag(image.id, reference)
        publish_tagged(engine, image.id, [reference])

    await asyncio.to_thread(give)
    return web.Response(status=201)


async def _delete(engine: Engine, request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if not name.strip():
        raise BadRequest("image name cannot be blank")
    options = dict(force=query_flag(request, "force"), noprune=query_flag(request, "noprune"))

    def remove() -> list[dict]:
        found = engine.images.find(name).id
        gone = engine.images.remove(name, **options)
        publish_removed(engine, found, gone)
        return gone

    return json_response(await asyncio.to_thread(remove))


async def _prune(engine: Engine, request: web.Request) -> web.Response:
    filters = parse(request.query.get("filters"), PRUNE_FILTERS)
    dangling = filters.boolean("dangling")
    return json_response(await asyncio.to_thread(prune_images, engine, filters, dangling is not False))


def prune_images(engine: Engine, filters: Filters, dangling: bool) -> dict:
    """Remove what no container uses: what has no name, or (not dangling) everything. The answer of POST /images/prune."""
    labels = [*filters["label"], *(f"!{label}" for label in filters["label!"])]
    until = parse_time(last) if (last := filters.last("until")) else None
    engine.rootfs_manager.drop_unused()
    gone, reclaimed = engine.images.prune(dangling, labels, until)
    for record in gone:
        if "Deleted" in record:
            publish_removed(engine, record["Deleted"], [record])
    return {"ImagesDeleted": gone or None, "SpaceReclaimed": reclaimed}


def publish_tagged(engine: Engine, image_id: str, references: Sequence[str]) -> None:
    """Events for names that an image got; they are told in full, as in lists."""
    for reference in references:
        engine.events.publish("image", "tag", image_id, {"name": tagged(reference)})


def publish_removed(engine: Engine, image_id: str, gone: list[dict]) -> None:
    """Events for the lines that a removal answers with."""
    for record in gone:
        action, actor = ("untag", image_id) if "Untagged" in record else ("delete", record["Deleted"])
        engine.events.publish("image", action, actor, {"name": record.get("Untagged") or actor})


async def _search(request: web.Request) -> web.Response:
    raise Unsupported("The pocket engine does not search registries: look on https://hub.docker.com/search instead.")
