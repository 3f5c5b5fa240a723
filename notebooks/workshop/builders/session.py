"""BuildKit's session: the engine asks for what a build needs of this machine, and is served that.

`POST /session` of the Engine API turns into an HTTP/2 connection on which the engine is the client (moby/buildkit, session
and session/grpchijack): it reads the Dockerfile and .dockerignore, then those files of the build context that the Dockerfile
names, and secrets. A build finds its session by its id.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote_plus

import docker
import requests
from h2.exceptions import ProtocolError
from urllib3 import HTTPHeaderDict

from ..errors import CONNECTION_ERRORS
from . import context, fsutil
from .grpc_server import NOT_FOUND, GrpcServer, Metadata, Refused, Service
from .protobuf import Message, encode

FILES = "/moby.filesync.v1.FileSync/DiffCopy"
SECRETS = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = encode((1, 1))  # HealthCheckResponse { 1 status }
EXPOSE = "X-Docker-Expose-Session-"
AT_ONCE = 1 << 16  # bytes read from the connection


class NoSession(Exception):
    """The engine has no /session: it has no BuildKit."""


class Session:
    """A session as long as its `with` lasts. failure: why something could not be served, for people; None if all could.

    id: what a build calls it by. sent: bytes of files of the build context that went to the engine.
    Raises NoSession.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        folder: Path,
        dockerfile: Sequence[context.Entry],
        secrets: Mapping[str, bytes],
    ) -> None:
        self.id = uuid.uuid4().hex
        self.failure: Exception | None = None
        self.sent = 0
        self._closed = False
        services: dict[str, Service] = {
            FILES: file_service(
                {
                    "context": context_service(folder, self._count),
                    "dockerfile": lambda asked, received: fsutil.send(dockerfile, received),
                }
            ),
            SECRETS: secret_service(secrets),
            HEALTH: lambda metadata, received: iter([SERVING]),
        }
        self._answer = _open(client, self.id, folder, list(services))
        stream = client.api._get_raw_response_socket(self._answer)
        client.api._disable_socket_timeout(stream)
        self._socket = getattr(stream, "_sock", stream)
        # What came right behind the answer's headers is in this buffer already.
        self._buffered = buffered = self._answer.raw._fp.fp
        self._server = GrpcServer(services, lambda: buffered.read1(AT_ONCE), self._socket.sendall, self._fail)
        self._thread = threading.Thread(target=self._serve, name="BuildKit session", daemon=True)

    def __enter__(self) -> Session:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self._closed = True
        _try_each(self._end, self._socket.close, self._answer.close)
        self._thread.join(timeout=2)

    def _end(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        try:
            self._server.serve()
        except (*CONNECTION_ERRORS, OSError, ValueError, AttributeError, ProtocolError) as error:
            if not self._has_ended() and not isinstance(error, CONNECTION_ERRORS):
                self._fail(error)  # of an engine or a client that went away the build itself tells
        finally:
            _try_each(self._end)  # nobody serves any more: a build that waits for this session is told so

    def _has_ended(self) -> bool:
        """True if this side has hung up, or its client's connection was closed under it: then reading and writing fail."""
        return self._closed or self._buffered.closed or getattr(self._socket, "fileno", int)() < 0

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error

    def _count(self, sent: int) -> None:
        self.sent += sent


def _try_each(*calls: Callable[[], object]) -> None:
    for call in calls:
        try:
            call()
        except (AttributeError, OSError, ValueError):
            continue  # a pipe has no shutdown; what is closed already need not be closed


def context_service(folder: Path, count: Callable[[int], object]) -> Service:
    """The build context, of which the engine asks for parts."""

    def serve(asked: Metadata, received: deque[bytes]) -> Iterator[bytes | None]:
        entries = context.walk(
            folder,
            exclude=_values(asked, "exclude-patterns"),
            include=_values(asked, "include-patterns"),
            follow=_values(asked, "followpaths"),
        )
        return fsutil.send(entries, received, count)

    return serve


def file_service(folders: Mapping[str, Service]) -> Service:
    """FileSync.DiffCopy (session/filesync): the service of the folder that is asked for by its name."""

    def serve(metadata: Metadata, received: deque[bytes]) -> Iterator[bytes | None]:
        name = "".join(metadata.get("dir-name", [])[:1])
        if name not in folders:
            raise Refused(NOT_FOUND, f"no folder is called {name}")
        yield from folders[name](metadata, received)

    return serve


def secret_service(secrets: Mapping[str, bytes]) -> Service:
    """Secrets.GetSecret (session/secrets): GetSecretRequest { 1 id }, GetSecretResponse { 1 data }."""

    def serve(metadata: Metadata, received: deque[bytes]) -> Iterator[bytes | None]:
        while not received:
            yield None
        name = Message(received.popleft()).text(1)
        if name not in secrets:
            raise Refused(NOT_FOUND, f"secret {name}: not found")
        yield encode((1, secrets[name]))

    return serve


def _values(metadata: Metadata, name: str) -> list[str]:
    """A header's values, which come encoded if one of them is not ASCII (session/filesync, "encodeStringForHeader")."""
    values = metadata.get(name, [])
    encoded = metadata.get(f"{name}-encoded", [])[:1] in (["1"], ["true"])
    return [unquote_plus(value, errors="surrogateescape") for value in values] if encoded else values


def _open(client: docker.DockerClient, name: str, folder: Path, methods: list[str]) -> requests.Response:
    """The engine's answer, whose connection is ours from then on. Raises NoSession."""
    # By this key the engine finds what it has of the folder from the last time.
    key = hashlib.sha256(f"{socket.gethostname()}:{folder}".encode(errors="surrogateescape")).hexdigest()
    headers = HTTPHeaderDict({"Connection": "Upgrade", "Upgrade": "h2c", f"{EXPOSE}Uuid": name})
    headers.add(f"{EXPOSE}Name", folder.name.encode("ascii", "replace").decode())
    headers.add(f"{EXPOSE}Sharedkey", key)
    for method in methods:
        headers.add(f"{EXPOSE}Grpc-Method", method)
    api = client.api
    request = api.prepare_request(requests.Request("POST", api._url("/session")))
    headers.extend(request.headers)
    request.headers = headers  # a plain dictionary cannot have a header several times
    settings = api.merge_environment_settings(request.url, {}, True, None, None)
    answer = api.send(request, timeout=api.timeout, **settings)
    if answer.status_code != requests.codes.switching_protocols:
        answer.close()
        raise NoSession(answer.status_code)
    return answer
