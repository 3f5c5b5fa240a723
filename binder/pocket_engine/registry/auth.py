"""Who we are to a registry: Basic credentials, or a token from the service that its challenge names.

The token protocol is distribution's (docs: registry/spec/auth/token, oauth2).
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

import requests

from ..errors import BadRequest
from ..reference_grammar import Repository
from . import registry_errors
from .connection import Connection

CHALLENGE = re.compile(
    r'([A-Za-z][\w-]*)\s+((?:[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",]+)\s*,?\s*)+)|([A-Za-z][\w-]*)'
)
PARAMETER = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')


class Credentials(NamedTuple):
    """What X-Registry-Auth may hold. `identity` is a refresh token, `bearer` a token to be used as it is."""

    username: str = ""
    password: str = ""
    identity: str = ""
    bearer: str = ""

    @property
    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


def credentials(auth: dict | None) -> Credentials | None:
    """From the decoded X-Registry-Auth header; None if it names nobody."""
    auth = auth or {}
    username, password = str(auth.get("username") or ""), str(auth.get("password") or "")
    if not username and auth.get("auth"):
        try:
            username, _, password = base64.b64decode(auth["auth"]).decode().partition(":")
        except (ValueError, TypeError):
            raise BadRequest("the credentials' `auth` is not the base64 of username:password") from None
    known = Credentials(username, password, str(auth.get("identitytoken") or ""), str(auth.get("registrytoken") or ""))
    return known if known.username or known.identity or known.bearer else None


def challenges(header: str) -> dict[str, dict[str, str]]:
    """{"bearer": {"realm": …, "service": …, "scope": …}, "basic": {…}} of a WWW-Authenticate header."""
    found: dict[str, dict[str, str]] = {}
    for scheme, parameters, bare in CHALLENGE.findall(header):
        values = {
            key.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
            for key, quoted, plain in PARAMETER.findall(parameters)
        }
        found.setdefault((scheme or bare).lower(), values)
    return found


class Authorizer:
    """The Authorization header for one repository, renewed when the registry asks. May be used by several threads."""

    def __init__(self, connection: Connection, name: Repository, known: Credentials | None, doing: str):
        self.connection, self.name, self.known, self.doing = connection, name, known, doing
        self.header = f"Bearer {known.bearer}" if known and known.bearer else ""
        self._lock = threading.Lock()

    def renew(self, challenge: str, refused: str, request: Callable) -> bool:
        """After a 401 to a request with the header `refused`: whether asking again, with another header, makes sense."""
        with self._lock:
            if self.header != refused:  # another thread was faster
                return True
            asked = challenges(challenge)
            if "bearer" in asked and not (self.known and self.known.bearer):
                self.header = "Bearer " + self._token(asked["bearer"], request)
            elif "basic" in asked and self.known and self.known.username:
                self.header = self.known.basic
            return self.header != refused

    def _token(self, asked: dict[str, str], request: Callable) -> str:
        realm = asked.get("realm", "")
        if not realm:
            raise BadRequest(f"{self.name.domain} asks for a token but does not say where to get one")
        self.connection.check(realm)  # a password must not travel less protected than to the registry itself
        fields = {"service": asked.get("service", "")}
        if self.doing != "login":  # for that, a token that allows nothing tells whether the credentials are right
            fields["scope"] = f"repository:{self.name.path}:{'pull,push' if self.doing == 'push' else 'pull'}"
        known, headers, body = self.known, {}, None
        if known and known.identity:
            fields |= {"grant_type": "refresh_token", "refresh_token": known.identity, "client_id": "docker"}
            headers, body = {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(fields).encode()
        elif known:
            headers, fields = {"Authorization": known.basic}, fields | {"account": known.username}
        if body is None:
            realm += ("&" if "?" in realm else "?") + urlencode({key: value for key, value in fields.items() if value})
        response = request("POST" if body else "GET", realm, headers=headers, body=(lambda: body) if body else None)
        with response:
            return self._token_in(response)

    def _token_in(self, response: requests.Response) -> str:
        if response.status_code == 429:
            raise registry_errors.too_many(response, self.name, not self.known)
        if response.status_code in (401, 403):
            _, text = registry_errors.reason(response)
            rejected = "unauthorized: incorrect username or password" if self.known else "unauthorized"
            raise registry_errors.denied(self.name, self.doing, text or rejected)
        if response.status_code != 200:
            raise registry_errors.refusal(response, self.name, "", self.doing, not self.known)
        try:
            answer = json.loads(registry_errors.read_limited(response, 1 << 20))
            token = answer.get("token") or answer.get("access_token")
        except (ValueError, AttributeError):
            token = None
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise BadRequest(f"the token service of {self.name.domain} answered without a token")
        return token
