"""A connection that stops being HTTP: from a certain moment on, raw bytes go both ways, as Docker's attach has it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterable

from aiohttp import web

from ..containers.change_notifier import ChangeNotifier
from ..containers.logs import LogReader, LogRecord
from .json_http import api_version

BUFFERED = 1 << 20  # bytes of input that wait here before the client has to
# The SDK reads the answer's head through a buffer and the rest past it: what comes together with the head is lost to it.
BREATH = 0.03  # seconds
FULL = 0.02  # seconds until a program that did not take its input is asked again
RAW, MULTIPLEXED = "application/vnd.docker.raw-stream", "application/vnd.docker.multiplexed-stream"


class Connection(asyncio.Protocol):
    """Both directions. `send` waits for a slow client; `receive` gives b"" when it has said all."""

    def __init__(self, transport: asyncio.Transport, before: asyncio.Protocol):
        self._transport, self._before = transport, before
        self._received: list[bytes] = []
        self._size, self._ended = 0, False
        self._come, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self.lost = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._received.append(data)
        self._size += len(data)
        if self._size > BUFFERED:
            self._transport.pause_reading()
        self._come.set()

    def eof_received(self) -> bool:
        self._ended = True
        self._come.set()
        return True  # what the program writes may still be sent

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        for event in (self._come, self._room, self.lost):
            event.set()
        self._before.connection_lost(error)

    async def receive(self) -> bytes:
        while not self._received and not self._ended:
            self._come.clear()
            await self._come.wait()
        data, self._received = b"".join(self._received), []
        if self._size > BUFFERED and not self._transport.is_closing():
            self._transport.resume_reading()
        self._size = 0
        return data

    async def send(self, data: bytes) -> None:
        """Raises ConnectionResetError once the client is gone."""
        await self._room.wait()
        if self.lost.is_set() or self._transport.is_closing():
            raise ConnectionResetError("the client hung up")
        self._transport.write(data)

    def close(self) -> None:
        """Once all is sent."""
        self._transport.close()


class Hijacked(web.StreamResponse):
    """The answer of a handler that has taken the connection: nothing is left to send."""

    async def prepare(self, request: web.BaseRequest):
        self.force_close()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


async def take_over(request: web.Request, content_type: str) -> Connection:
    """Answer with the head of a stream and take the connection over. The body must be read before."""
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client hung up")
    connection = Connection(transport, request.protocol)
    transport.set_protocol(connection)
    upgrade = "upgrade" in request.headers.get("Connection", "").lower()
    head = "101 UPGRADED" if upgrade else "200 OK"
    lines = [f"HTTP/1.1 {head}", f"Content-Type: {content_type}"]
    lines += ["Connection: Upgrade", "Upgrade: tcp"] if upgrade else ["Connection: close"]
    transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    await asyncio.sleep(BREATH)
    return connection


def content_type(request: web.Request, tty: bool) -> str:
    """Since API 1.42 the kind of stream is told."""
    return RAW if tty or api_version(request) < (1, 42) else MULTIPLEXED


def frames(records: Iterable[LogRecord], tty: bool, streams: set[int]) -> bytes:
    """Records as they are sent: plain for a terminal, else each behind its stream's number and its length."""
    if tty:
        return b"".join(record.data for record in records)
    return b"".join(
        struct.pack(">BxxxI", record.stream, len(record.data)) + record.data
        for record in records
        if record.stream in streams
    )


async def follow_log(
    reader: LogReader, watches: Iterable[ChangeNotifier], over: Callable[[], bool]
) -> AsyncIterator[list[LogRecord]]:
    """What is in a log and what comes, until `over` and all is read. watches: they tell when to look again."""
    loop, come = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(come.set)

    leaving = [watch.subscribe(wake) for watch in watches]
    try:
        while True:
            come.clear()
            ended = over()
            records = await asyncio.to_thread(reader.read)
            if records:
                yield records
            elif ended:
                return
            else:
                await come.wait()
    finally:
        for leave in leaving:
            leave()
        reader.close()


async def wait_until(watch: ChangeNotifier, true: Callable[[], bool]) -> None:
    """Wait until `true`, looked at whenever the watch tells of a change."""
    loop, come = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(come.set)

    leave = watch.subscribe(wake)
    try:
        while not true():
            await come.wait()
            come.clear()
    finally:
        leave()


async def feed_stdin(connection: Connection, streams: Callable, end: bool) -> None:
    """Carry what the client says to a program's input. end: its end is the end of the input, too."""
    while data := await connection.receive():
        while data:
            try:
                taken = streams().offer(data)
            except BrokenPipeError:
                return
            data = data[taken:]
            if not taken:
                await asyncio.sleep(FULL)
    if end:
        streams().end_input()


async def send_output(connection: Connection, pieces: AsyncIterator[bytes], feeding: asyncio.Task | None) -> None:
    """Send the pieces until there are no more, or the client is gone."""
    try:
        async for piece in pieces:
            if piece:
                await connection.send(piece)
    except ConnectionError:
        pass
    finally:
        if feeding:
            feeding.cancel()
        connection.close()
