"""Reading a blob from a registry as a stream that survives broken connections and ends only with the right digest."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable

import requests

from ..errors import BadRequest, Interrupted
from . import registry_errors
from .client import BROKEN, Client

ATTEMPTS = 5  # connections that may break, as Docker's max-download-attempts …
GAIN = 8 << 20  # … unless so many bytes came in between
CHUNK = 1 << 18


class BlobStream(io.RawIOBase):
    """A registry's blob of `size` bytes. read() raises EngineError for a network that stays away, BadRequest for bytes
    other than the digest promises (at the latest when the end is read), Interrupted when the client's `stop` is set."""

    def __init__(self, client: Client, digest: str, size: int, progress: Callable[[int], None]):
        super().__init__()
        self._client, self._digest, self._size, self._progress = client, digest, size, progress
        self._seen = hashlib.sha256()
        self._position = self._failures = self._broken_at = 0
        self._response: requests.Response | None = None
        self._verified = False

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
        super().close()

    def readinto(self, buffer) -> int:
        while True:
            if self._client.stop.is_set():
                raise Interrupted("The pull was stopped.")
            if self._position == self._size:
                self._verify()
                return 0
            try:
                if self._response is None:
                    self._response = self._connect()
                # Only what was promised: if there is more, the digest will tell.
                data = self._response.raw.read(min(len(buffer), CHUNK, self._size - self._position))
            except BROKEN as error:
                self._broke(error)
                continue
            if not data:
                self._broke(ConnectionError("it ended too early"))
                continue
            self._seen.update(data)
            self._position += len(data)
            self._progress(self._position)
            buffer[: len(data)] = data
            return len(data)

    def finish(self) -> None:
        """Read what a reader left unread, so that the whole digest is checked."""
        rest = bytearray(CHUNK)
        while self.readinto(rest):
            pass

    def _verify(self) -> None:
        if self._verified:
            return
        found = f"sha256:{self._seen.hexdigest()}"
        if found != self._digest:
            raise BadRequest(
                f"filesystem layer verification failed for digest {self._digest}: {self._client.name.host} sent {found}"
            )
        self._verified = True

    def _connect(self) -> requests.Response:
        """From where the last connection broke, if the registry can; else from the start, skipping what is known."""
        headers = {"Range": f"bytes={self._position}-"} if self._position else {}
        response = self._client.send("GET", self._client.url(f"blobs/{self._digest}"), headers=headers)
        if response.status_code == 206 and response.headers.get("Content-Range", "").startswith(
            f"bytes {self._position}-"
        ):
            return response
        if response.status_code != 200:
            raise self._client.refusal(response, self._digest)
        self._seen, skip = hashlib.sha256(), self._position
        while skip:
            data = response.raw.read(min(skip, CHUNK))
            if not data:
                raise ConnectionError("it ended too early")
            if self._client.stop.is_set():
                raise Interrupted("The pull was stopped.")
            self._seen.update(data)
            skip -= len(data)
        return response

    def _broke(self, error: Exception) -> None:
        if self._response is not None:
            self._response.close()
        self._response = None
        self._failures = 1 if self._position - self._broken_at >= GAIN else self._failures + 1
        self._broken_at = self._position
        if self._failures == ATTEMPTS:
            raise registry_errors.unreachable(error, self._client.url("")) from None
        self._client.pause(0.25 * 2**self._failures)
