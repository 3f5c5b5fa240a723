"""Filters of `docker ps` and `docker container prune`."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..containers.container import Container
from ..engine import Engine
from ..errors import BadRequest, NotFound
from .filters import Filters, labels_match, parse_time

LIST = (
    "id",
    "name",
    "label",
    "status",
    "ancestor",
    "exited",
    "before",
    "since",
    "health",
    "network",
    "volume",
    "publish",
    "expose",
    "is-task",
)
PRUNE = ("label", "label!", "until")
_STATUS = ("created", "running", "paused", "restarting", "removing", "exited", "dead")


def listing(engine: Engine, filters: Filters) -> Callable[[Container], bool]:
    """Whether a container is wanted. Raises BadRequest, NotFound (before=, since=)."""
    for status in filters["status"]:
        if status not in _STATUS:
            raise BadRequest(f"invalid filter 'status={status}'")
    before = [engine.containers.get(value).record.created for value in filters["before"]]
    since = [engine.containers.get(value).record.created for value in filters["since"]]
    codes = [_code(value) for value in filters["exited"]]
    ancestors = {_image(engine, value) for value in filters["ancestor"]}

    def wanted(container: Container) -> bool:
        record = container.record
        health = container.health.status if container.health else "none"
        network = record.host.get("NetworkMode") or "default"
        return (
            _any(filters["id"], lambda value: record.id.startswith(value))
            and _any(filters["name"], lambda value: _searched(value, record.name))
            and _any(filters["status"], lambda value: record.status == value)
            and _any(filters["health"], lambda value: health == value)
            and _any(filters["network"], lambda value: value == ("bridge" if network == "default" else network))
            and labels_match(filters["label"], record.config["Labels"])
            and (not codes or (record.status == "exited" and record.exit_code in codes))
            and (not ancestors or not ancestors.isdisjoint(_ancestry(engine, record.image_id)))
            and all(record.created < parse_time for parse_time in before)
            and all(record.created > parse_time for parse_time in since)
            and not any(filters[name] for name in ("volume", "publish", "expose"))
        )

    return wanted


def pruning(filters: Filters) -> Callable[[Container], bool]:
    """Whether a stopped container goes."""
    until = [parse_time(value) for value in filters["until"]]

    def wanted(container: Container) -> bool:
        labels = container.record.config["Labels"]
        return (
            labels_match(filters["label"], labels)
            and not any(labels_match([value], labels) for value in filters["label!"])
            and all(container.record.created < value for value in until)
        )

    return wanted


def shows_stopped(filters: Filters) -> bool:
    """A filter for what has ended shows it without all=1."""
    return bool(filters["exited"] or filters["status"])


def _any(values: list[str], fits: Callable[[str], bool]) -> bool:
    return not values or any(fits(value) for value in values)


def _searched(pattern: str, name: str) -> bool:
    """A regular expression, for the name with or without its slash."""
    try:
        return bool(re.search(pattern, name) or re.search(pattern, f"/{name}"))
    except re.error:
        return pattern in name


def _code(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f"invalid filter 'exited={text}'") from None


def _image(engine: Engine, reference: str) -> str:
    try:
        return engine.images.find(reference).id
    except NotFound:
        return ""


def _ancestry(engine: Engine, image_id: str) -> set[str]:
    """An image and all that it was built on."""
    found: set[str] = set()
    while image_id and image_id not in found:
        found.add(image_id)
        try:
            image_id = engine.images.find(image_id).parent or ""
        except NotFound:
            break
    return found
