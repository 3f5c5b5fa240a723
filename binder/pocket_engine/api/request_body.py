"""A request's body on disk: build contexts and archives are larger than memory, and their readers want to seek."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from aiohttp import web

from ..errors import BadRequest, Interrupted, NoSpace

RESERVE = 64 << 20  # bytes that stay free, so that the engine can still write what it has to
PIECE = 1 << 20  # bytes written at once


@contextlib.asynccontextmanager
async def body_on_disk(request: web.Request, folder: Path) -> AsyncIterator[Path]:
    """The body as a file in `folder`, removed afterwards.

    Raises NoSpace before the disk is full (at once where the client says how much it sends), Interrupted where the
    client hangs up, BadRequest where the body is broken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _check_room(folder, request.content_length or 0)
    with tempfile.NamedTemporaryFile(prefix="body-", dir=folder) as file:
        await _receive(request, file.file, folder)
        yield Path(file.name)


async def _receive(request: web.Request, file: IO[bytes], folder: Path) -> None:
    piece = bytearray()
    try:
        async for data in request.content.iter_any():
            piece += data
            if len(piece) >= PIECE:
                await asyncio.to_thread(_write, file, piece, folder)
                piece = bytearray()
        await asyncio.to_thread(_write, file, piece, folder)
    except ConnectionError:
        raise Interrupted("The client hung up before all of the body had come.") from None
    except web.RequestPayloadError as error:
        raise BadRequest(f"the body could not be read: {error}") from None


def _write(file: IO[bytes], piece: bytes | bytearray, folder: Path) -> None:
    _check_room(folder, len(piece))
    try:
        file.write(piece)
        file.flush()
    except OSError as error:
        raise NoSpace(f"What was sent could not be kept in {folder}: {os.strerror(error.errno or 0)}.") from None


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + RESERVE > free:
        raise NoSpace(
            f"No room for what was sent: {free / 1e6:.0f} MB are free in {folder}, and {RESERVE / 1e6:.0f} MB of them "
            "are kept. Remove images that are no longer needed, or give the store a larger disk."
        )
