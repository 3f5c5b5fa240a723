"""Published TCP ports: which port of the host leads to which port of a container. Always on 127.0.0.1."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import threading
from collections.abc import Mapping
from typing import Any

from ..errors import EngineError
from .config import port_key

LOOPBACK = "127.0.0.1"
# Above Linux's default range for outgoing connections, so that none takes the port before the program listens on it.
FREE = range(61000, 65536)
_TRIES = 200

Published = dict[str, list[int]]  # {"5000/tcp": [61234]}


class PortAllocator:
    """Which ports containers have. Thread-safe."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._lock = threading.Lock()

    def publish(self, host: Mapping[str, Any], exposed: Mapping[str, Any] | None, name: str) -> Published:
        """Take the ports that a HostConfig asks for; an empty HostPort means a free one. Raises EngineError."""
        wanted = {key: list(bindings or [{}]) for key, bindings in (host.get("PortBindings") or {}).items()}
        if host.get("PublishAllPorts"):
            for key in exposed or {}:
                if key.endswith("/tcp") or "/" not in key:
                    wanted.setdefault(key, [{}])
        published: Published = {}
        try:
            for key, bindings in wanted.items():
                number, kind = port_key(key)
                for binding in bindings:
                    taken = self._take(str(binding.get("HostPort") or ""), name)
                    published.setdefault(f"{number}/{kind}", []).append(taken)
        except BaseException:
            self.release(published)
            raise
        return published

    def _take(self, wanted: str, name: str) -> int:
        with self._lock:
            first, last = _range(wanted)
            several = range(first, last + 1) if first else random.sample(FREE, _TRIES)
            for port in several:
                if port not in self._taken and is_free(port):
                    self._taken.add(port)
                    return port
        where = f"{LOOPBACK}:{wanted}"
        reason = "port is already allocated" if first else "all ports are allocated"
        raise EngineError(
            f"driver failed programming external connectivity on endpoint {name}: Bind for {where} failed: {reason}"
        )

    def release(self, published: Published) -> None:
        """Others may have them now."""
        with self._lock:
            for numbers in published.values():
                self._taken.difference_update(numbers)


def check(host: Mapping[str, Any]) -> None:
    """Raises BadRequest, NotDone for bindings that can never be made."""
    for key, bindings in (host.get("PortBindings") or {}).items():
        port_key(key)
        for binding in bindings or []:
            _range(str(binding.get("HostPort") or ""))


def _range(wanted: str) -> tuple[int, int]:
    """ "8080" or "8080-8090"; (0, 0) for any."""
    first, _, last = wanted.partition("-")
    if not wanted or wanted == "0":
        return 0, 0
    if not first.isdecimal() or (last and not last.isdecimal()) or not 0 < int(first) <= int(last or first) < 65536:
        raise _invalid(wanted)
    return int(first), int(last or first)


def _invalid(wanted: str) -> EngineError:
    error = EngineError(f'invalid port specification: "{wanted}"')
    error.status = 400
    return error


def is_free(port: int) -> bool:
    """Whether a program could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
            trial.listen(1)  # two sockets with SO_REUSEADDR may share an address until one listens
        except OSError:
            return False
    return True


def first_of_each(published: Published) -> dict[int, int]:
    """{container port: host port}, as a job takes them: the program can listen on one only."""
    return {int(key.split("/")[0]): numbers[0] for key, numbers in published.items()}


def inspect_json(published: Published, exposed: Mapping[str, Any] | None) -> dict[str, list[dict] | None]:
    """As NetworkSettings.Ports has them."""
    found: dict[str, list[dict] | None] = {key if "/" in key else f"{key}/tcp": None for key in exposed or {}}
    for key, numbers in published.items():
        found[key] = [{"HostIp": LOOPBACK, "HostPort": str(number)} for number in numbers]
    return found


class PortRelay:
    """Passes TCP connections from one port of 127.0.0.1 on to another, until it is closed."""

    def __init__(self, port: int, target: int):
        self._target = target
        self._listening = socket.create_server((LOOPBACK, port))
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, name=f"port-{port}", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection((LOOPBACK, self._target)) as server:
            self._open |= {client, server}
            try:
                _exchange(client, server)
            finally:
                self._open -= {client, server}

    def close(self) -> None:
        """Listen no more, and end what is open."""
        for open_socket in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def _exchange(client: socket.socket, server: socket.socket) -> None:
    """Until both sides have said all that they had to say."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(client, selectors.EVENT_READ, (client, server))
        waiting.register(server, selectors.EVENT_READ, (server, client))
        while waiting.get_map():
            for key, _ in waiting.select():
                source, target = key.data
                data = source.recv(65536)
                if data:
                    target.sendall(data)
                else:
                    waiting.unregister(source)
                    target.shutdown(socket.SHUT_WR)
