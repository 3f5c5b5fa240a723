"""Long work in a thread of its own, its output sent as it comes, and stopped when the client hangs up."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from aiohttp import web

from ..engine_log import LOG
from ..errors import EngineError, Interrupted
from .json_http import error_response, unexpected_error_message

Say = Callable[[dict], None]
Producer = Callable[[Say, threading.Event], None]

BUFFERED = 4 << 20  # bytes waiting for a slow client before the producer has to wait as well
HANG_UP = 0.2  # seconds between looks whether the client is still there while there is nothing to send
PATIENCE = 30  # seconds until a producer that does not look at `stop` is named in the log


class Pipe:
    """Bytes from one thread to the event loop. The thread waits where the loop does not keep up."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stop: threading.Event):
        self.stop = stop
        self._loop, self._ready = loop, asyncio.Event()
        self._pieces: deque[bytes] = deque()
        self._size, self._ended = 0, False
        self._room = threading.Condition()

    def put(self, piece: bytes) -> None:
        """Called in the thread. Raises Interrupted once the client has hung up."""
        with self._room:
            while self._size > BUFFERED and not self.stop.is_set():
                self._room.wait(HANG_UP)
            if self.stop.is_set():
                raise Interrupted("The client hung up, so the work was stopped.")
            self._pieces.append(piece)
            self._size += len(piece)
        self._wake()

    def end(self) -> None:
        """Called in the thread, at last."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:  # the loop has ended before this thread: nobody reads any more
            self.stop.set()

    async def get(self, request: web.Request) -> bytes | None:
        """What has come, joined; None at the end, or when the client has hung up: then `stop` is set."""
        while True:
            with self._room:
                joined = b"".join(self._pieces) if len(self._pieces) != 1 else self._pieces[0]
                ended = self._ended
                self._pieces.clear()
                self._size = 0
                self._ready.clear()
                self._room.notify_all()
            if joined or ended:
                return joined or None
            try:
                await asyncio.wait_for(self._ready.wait(), HANG_UP)
            except TimeoutError:
                if client_gone(request):
                    self.stop.set()
                    return None


def client_gone(request: web.Request) -> bool:
    """Whether the client has closed its connection."""
    return request.transport is None or request.transport.is_closing()


async def json_stream(request: web.Request, producer: Producer) -> web.StreamResponse:
    """Answer with one JSON object a line, in HTTP chunks, as `producer(say, stop)` says them in a thread.

    say(message) may block while the client is slow, and raises Interrupted once it is gone; stop is set then, too. An
    EngineError becomes the answer's status where nothing was said before, else a last line {"errorDetail", "error"}.
    Returns when the thread has ended.
    """

    def lines(put: Callable[[bytes], None], stop: threading.Event) -> None:
        producer(lambda message: put(json.dumps(message, separators=(",", ":")).encode() + b"\r\n"), stop)

    return await _stream(request, lines, "application/json", error_line)


async def blob_stream(
    request: web.Request,
    chunks: Callable[[threading.Event], Iterable[bytes]],
    content_type: str = "application/x-tar",
) -> web.StreamResponse:
    """Answer with the bytes of `chunks(stop)`, iterated in a thread. An error before the first of them becomes the
    answer's status; after it the connection is cut, so that nobody takes half an archive for a whole one."""

    def work(put: Callable[[bytes], None], stop: threading.Event) -> None:
        produced: Iterator[bytes] = iter(chunks(stop))
        try:
            for chunk in produced:
                put(chunk)
        finally:
            if hasattr(produced, "close"):
                produced.close()

    return await _stream(request, work, content_type, None)


def error_line(error: EngineError) -> bytes:
    """The line that ends a stream of Docker's: clients look at both fields."""
    code = getattr(error, "code", None)  # of the program that failed in a RUN
    detail = {"message": error.message} if code is None else {"code": code, "message": error.message}
    return json.dumps({"errorDetail": detail, "error": error.message}, separators=(",", ":")).encode() + b"\r\n"


async def _stream(
    request: web.Request,
    work: Callable[[Callable[[bytes], None], threading.Event], None],
    content_type: str,
    last_words: Callable[[EngineError], bytes] | None,
) -> web.StreamResponse:
    loop, stop = asyncio.get_running_loop(), threading.Event()
    pipe, done = Pipe(loop, stop), asyncio.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work(pipe.put, stop)
        except BaseException as failure:  # carried over to the loop: it decides what the client is told
            failures.append(failure)
        finally:
            pipe.end()
            try:
                loop.call_soon_threadsafe(done.set)
            except RuntimeError:
                pass  # the loop has ended

    # A thread of its own: a build may take an hour, and the pool is for short work.
    threading.Thread(target=run, name=f"{request.method} {request.path}", daemon=True).start()
    response = web.StreamResponse(headers={"Content-Type": content_type})
    try:
        while (piece := await pipe.get(request)) is not None:
            if not response.prepared:
                await response.prepare(request)
            await response.write(piece)
    except ConnectionError:
        pass  # it hung up between two looks
    finally:
        if not done.is_set():
            stop.set()
            await _ended(done, request)
    return await _finish(request, response, failures, last_words)


async def _ended(done: asyncio.Event, request: web.Request) -> None:
    """Wait for the thread: what it holds (a context's file, a root filesystem) is cleared up by whoever called us."""
    while True:
        try:
            await asyncio.wait_for(done.wait(), PATIENCE)
            return
        except TimeoutError:
            LOG.warning("%s %s still works, %d s after its client hung up.", request.method, request.path, PATIENCE)


async def _finish(
    request: web.Request,
    response: web.StreamResponse,
    failures: list[BaseException],
    last_words: Callable[[EngineError], bytes] | None,
) -> web.StreamResponse:
    failure = failures[0] if failures else None
    if failure is not None and not isinstance(failure, EngineError):
        LOG.error("%s %s failed unexpectedly.", request.method, request.path, exc_info=failure)
        failure = EngineError(unexpected_error_message())
    if client_gone(request) or isinstance(failure, Interrupted):
        cut_connection(request)
        return response if response.prepared else web.Response(status=Interrupted.status)
    try:
        if failure is not None and not response.prepared:
            return error_response(failure.status, failure.message)
        if not response.prepared:
            await response.prepare(request)
        if failure is not None:
            if last_words is None:
                LOG.warning("%s %s ended early: %s", request.method, request.path, failure.message)
                cut_connection(request)
                return response
            await response.write(last_words(failure))
        await response.write_eof()
    except ConnectionError:
        pass
    return response


def cut_connection(request: web.Request) -> None:
    """End the connection without ending the answer: the client sees that something is missing."""
    if request.transport is not None:
        request.transport.abort()
