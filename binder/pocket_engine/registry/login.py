"""`docker login`: whether a registry takes somebody's credentials."""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

from .. import reference_grammar
from ..errors import BadRequest, EngineError
from ..reference_grammar import HUB, Repository
from . import registry_errors
from .client import Client
from .registry_errors import Unauthorized


def login(auth: dict, *, stop: threading.Event) -> None:
    """Nothing where the registry takes the credentials, or asks for none. Never asks a mirror.

    auth: an AuthConfig of the Docker Engine API; `serveraddress` names the registry, Docker Hub where it is missing.
    Raises Unauthorized, worded as Docker, and EngineError where no registry answers.
    """
    server = Repository(_domain(str(auth.get("serveraddress") or "")), "")
    with Client(server, auth=auth, doing="login", stop=stop) as client:
        url = f"{client.connection.base}/v2/"
        try:
            response = client.send("GET", url)
        except Unauthorized as error:
            raise Unauthorized(f'Get "{url}": {error.message}') from None
        with response:
            if response.status_code == 429:
                raise registry_errors.too_many(response, server, client.known is None)
            if response.status_code == 401 and client.known is None:
                raise Unauthorized(f'Get "{url}": no basic auth credentials')
            if response.status_code != 200:
                status = f"{response.status_code} {response.reason}".strip()
                refused = Unauthorized if response.status_code in (401, 403) else EngineError
                raise refused(f"login attempt to {url} failed with status: {status}")


def _domain(address: str) -> str:
    """The registry of an address as clients send it: "https://index.docker.io/v1/", "localhost:5000", ""."""
    if not address:
        return HUB
    try:
        full = address if address.startswith(("http://", "https://")) else f"https://{address}"
        host = urlsplit(full).netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    if not reference_grammar.DOMAIN.fullmatch(host):
        raise BadRequest(f"unable to parse server address: {address!r} is no registry's address")
    return HUB if host in (HUB, "index.docker.io", reference_grammar.HUB_HOST) else host
