"""What containers write, and what is said to them: logs and attach."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from aiohttp import web

from ..containers.container import Container
from ..containers.logs import LineSplitter, LogReader, LogRecord
from ..containers.state_file import timestamp
from ..engine import Engine
from ..errors import BadRequest
from . import hijack
from .filters import parse_time
from .json_http import query_flag


def routes(engine: Engine) -> list[web.RouteDef]:
    """Logs and attach."""
    return [
        web.get("/containers/{name}/logs", functools.partial(_logs, engine)),
        web.post("/containers/{name}/attach", functools.partial(_attach, engine)),
    ]


@dataclass
class LineSelection:
    """Which lines of a log are wanted; times in ns since 1970."""

    streams: set[int]
    timestamps: bool = False
    tail: int | None = None
    since: int = 0
    until: int = 0

    def fits(self, line: LogRecord) -> bool:
        """Whether a line is among them, `tail` aside."""
        return line.stream in self.streams and line.time >= self.since and not (self.until and line.time > self.until)

    def shown(self, line: LogRecord) -> LogRecord:
        """With its time before it, if that is wanted."""
        if not self.timestamps:
            return line
        whole, part = divmod(line.time, 10**9)
        return line._replace(data=f"{timestamp(whole)[:19]}.{part:09d}Z ".encode() + line.data)


async def _logs(engine: Engine, request: web.Request) -> web.StreamResponse:
    container = engine.containers.get(request.match_info["name"])
    choice = _choice(request)
    tty = container.record.config["Tty"]
    reader = container.log.reader()
    end = container.log.end()
    past, lines = await asyncio.to_thread(_past, reader, end, choice)
    following = query_flag(request, "follow")
    response = web.StreamResponse(headers={"Content-Type": hijack.content_type(request, tty)})
    await response.prepare(request)
    for group in _groups(past):
        await response.write(hijack.frames(group, tty, choice.streams))
    if following:
        over = functools.partial(_is_over, container, choice)
        await _follow(
            response, hijack.follow_log(reader, (container.log.changed, container.changed), over), lines, choice, tty
        )
    await _write(response, [choice.shown(line) for line in lines.rest() if choice.fits(line)] if following else [], tty)
    await response.write_eof()
    return response


def _is_over(container: Container, choice: LineSelection) -> bool:
    return not container.running or bool(choice.until and time.time_ns() > choice.until)


async def _follow(
    response, batches: AsyncIterator[list[LogRecord]], lines: LineSplitter, choice: LineSelection, tty: bool
) -> None:
    async def all_of_it() -> None:
        async for records in batches:
            await _write(response, [choice.shown(line) for line in lines.feed(records) if choice.fits(line)], tty)

    left = (choice.until - time.time_ns()) / 1e9 if choice.until else None
    try:
        await asyncio.wait_for(all_of_it(), left)
    except TimeoutError:
        pass


async def _write(response: web.StreamResponse, lines: list[LogRecord], tty: bool) -> None:
    if lines:
        await response.write(hijack.frames(lines, tty, {line.stream for line in lines}))


def _past(reader: LogReader, end: int, choice: LineSelection) -> tuple[list[LogRecord], LineSplitter]:
    """The wanted lines up to a position, and the beginnings of lines that are left then.

    What has no newline behind it yet counts as a line, and is not left.
    """
    lines = LineSplitter()
    kept: deque[LogRecord] = deque(maxlen=choice.tail)
    while reader.position < end and (records := reader.read()):
        kept.extend(choice.shown(line) for line in lines.feed(records) if choice.fits(line))
    kept.extend(choice.shown(line) for line in lines.rest() if choice.fits(line))
    return list(kept), lines


def _groups(lines: list[LogRecord], size: int = 500) -> Iterator[list[LogRecord]]:
    for begin in range(0, len(lines), size):
        yield lines[begin : begin + size]


def _choice(request: web.Request) -> LineSelection:
    streams = _streams(request)
    if not streams:
        raise BadRequest("Bad parameters: you must choose at least one stream")
    tail = request.query.get("tail", "all")
    count = int(tail) if tail.isdecimal() else None  # as Docker: what is no number means all
    since, until = (_nanoseconds(request.query.get(name, "")) for name in ("since", "until"))
    return LineSelection(streams, query_flag(request, "timestamps"), count, since, until)


def _streams(request: web.Request) -> set[int]:
    return {stream for stream, name in ((1, "stdout"), (2, "stderr")) if query_flag(request, name)}


def _nanoseconds(text: str) -> int:
    return int(parse_time(text) * 1e9) if text not in ("", "0") else 0


async def _attach(engine: Engine, request: web.Request) -> web.StreamResponse:
    container = engine.containers.get(request.match_info["name"])
    await request.read()
    tty, before, following = container.record.config["Tty"], container.ended, query_flag(request, "stream")
    wanted, wants_input = _streams(request), following and query_flag(request, "stdin")
    streams = await asyncio.to_thread(container.streams)
    end = container.log.end()
    # A reader who hangs on the program's lips: it waits rather than that something is missed.
    reader = container.log.reader(0 if query_flag(request, "logs") else end, hold=following)
    feeding = None
    try:
        connection = await hijack.take_over(request, hijack.content_type(request, tty))
        if wants_input and container.record.config["OpenStdin"]:
            once = container.record.config["StdinOnce"]
            feeding = asyncio.create_task(hijack.feed_stdin(connection, lambda: streams, end=once))
        container.publish_event("attach")
        over = _over_for(container, before, reader, end, following)
        await hijack.send_output(connection, _pieces(container, reader, over, tty, wanted), feeding)
    finally:
        reader.close()
    return hijack.Hijacked()


def _over_for(container: Container, before: int, reader: LogReader, end: int, following: bool) -> Callable[[], bool]:
    """When an attached client has seen all: at the end of the run that it watches, which may not have begun yet."""
    if not following:
        return lambda: reader.position >= end
    return lambda: container.ended > before or container.removed


async def _pieces(
    container: Container, reader: LogReader, over: Callable[[], bool], tty: bool, wanted: set[int]
) -> AsyncIterator[bytes]:
    async for records in hijack.follow_log(reader, (container.log.changed, container.changed), over):
        yield hijack.frames(records, tty, wanted)
