"""The OCI distribution spec's requests (github.com/opencontainers/distribution-spec), for one repository of one registry."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode, urljoin

import requests
import urllib3.exceptions

from ..errors import BadRequest, EngineError, Interrupted
from ..reference_grammar import DIGEST, Repository, is_loopback, joined
from . import registry_errors
from .auth import Authorizer, credentials
from .connection import Connection

ATTEMPTS = 4  # requests, where a broken connection or an overloaded registry may be over soon
MANIFEST_LIMIT = 4 << 20  # bytes; Docker's limit, too
CONFIG_LIMIT = 16 << 20
PATIENCE = 5  # seconds that a registry may ask us to wait without anybody being told
BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
INDEXES = (DOCKER_LIST, OCI_INDEX)
ACCEPTED = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST)


class Manifest(NamedTuple):
    """A manifest or an index as the registry has it, and the digest and number of its bytes."""

    content: dict
    media_type: str
    digest: str
    size: int


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Client:
    """doing: "pull", "push", "inspect" or "login", which decides what is asked for and how a refusal is worded.

    base: a mirror's address instead of the registry's own. Raises Interrupted once `stop` is set.
    """

    def __init__(
        self, name: Repository, *, auth: dict | None = None, doing: str, stop: threading.Event, base: str | None = None
    ):
        self.name, self.doing, self.stop = name, doing, stop
        self.known = credentials(auth)
        self.connection = Connection(base or self._base())
        self.authorizer = Authorizer(self.connection, name, self.known, doing)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_) -> None:
        self.connection.close()

    def _base(self) -> str:
        """HTTPS, but for loopback whichever of HTTP and HTTPS is spoken there."""
        host = self.name.host
        if not is_loopback(host):
            return f"https://{host}"
        plain = Connection(f"http://{host}")
        try:
            with plain.request("GET", f"{plain.base}/v2/", headers={}) as response:
                return plain.base if response.status_code != 400 else f"https://{host}"
        except BadRequest:  # it redirects to HTTPS
            return f"https://{host}"
        except BROKEN as error:
            if registry_errors.never_connected(error):
                raise registry_errors.unreachable(error, plain.base) from None
            return f"https://{host}"
        finally:
            plain.close()

    def url(self, path: str) -> str:
        """The address of "manifests/x", "blobs/x", … of this repository."""
        return f"{self.connection.base}/v2/{self.name.path}/{path}"

    def pause(self, seconds: float) -> None:
        """Wait, but not when the work is to end."""
        if self.stop.wait(seconds):
            raise Interrupted("The transfer was stopped.")

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: dict | None = None,
        body: Callable | None = None,
        authorized: bool = True,
    ) -> requests.Response:
        """The answer, whatever its status, body unread. Broken connections and 5xx are tried again a few times."""
        for attempt in range(1, ATTEMPTS + 1):
            self.pause(0)
            try:
                ask = self._authorized if authorized else self.connection.request
                response = ask(method, url, headers=headers or {}, body=body)
            except BROKEN as error:
                self.pause(0)
                if attempt == ATTEMPTS or registry_errors.never_connected(error):
                    raise registry_errors.unreachable(error, url) from None
                self.pause(0.25 * 2**attempt)
                continue
            wait = registry_errors.wait_of(response)
            later = response.status_code == 429 and wait is not None and wait <= PATIENCE
            if attempt == ATTEMPTS or not (later or response.status_code in (500, 502, 503, 504)):
                return response
            response.close()
            self.pause(min(wait or 0.25 * 2**attempt, PATIENCE))
        raise AssertionError("the last attempt returns or raises")

    def _authorized(self, method: str, url: str, headers: dict, body: Callable | None) -> requests.Response:
        """Asks again after a 401, with what it calls for: at most twice, as a token kept from before may have run out."""
        for _ in range(2):
            shown = self.authorizer.header
            response = self.connection.request(method, url, headers=headers, body=body, authorization=shown)
            challenge = response.headers.get("WWW-Authenticate", "")
            if response.status_code != 401 or not self.authorizer.renew(challenge, shown, self._plain):
                return response
            response.close()
        return self.connection.request(method, url, headers=headers, body=body, authorization=self.authorizer.header)

    def _plain(self, method: str, url: str, **kwargs) -> requests.Response:
        return self.send(method, url, authorized=False, **kwargs)

    def refusal(self, response: requests.Response, reference: str = "") -> EngineError:
        """The error that an unwelcome answer means."""
        with response:
            return registry_errors.refusal(response, self.name, reference, self.doing, self.known is None)

    def digest_of(self, reference: str) -> str | None:
        """What a tag stands for at the moment, by HEAD, which Docker Hub does not count as a pull; None if unsaid."""
        with self.send("HEAD", self.url(f"manifests/{reference}"), headers={"Accept": ", ".join(ACCEPTED)}) as response:
            found = response.headers.get("Docker-Content-Digest", "")
            return found if response.status_code == 200 and DIGEST.fullmatch(found) else None

    def manifest(self, reference: str) -> Manifest:
        """By tag or digest. Its bytes are checked against the digest asked for, or the one that the registry states."""
        response = self.send("GET", self.url(f"manifests/{reference}"), headers={"Accept": ", ".join(ACCEPTED)})
        if response.status_code != 200:
            raise self.refusal(response, reference)
        raw = self._read(response, MANIFEST_LIMIT)
        wanted = reference if DIGEST.fullmatch(reference) else response.headers.get("Docker-Content-Digest", "")
        if DIGEST.fullmatch(wanted) and sha256(raw) != wanted:
            raise BadRequest(f"manifest verification failed for digest {wanted}: {self.name.host} sent {sha256(raw)}")
        try:
            content = json.loads(raw)
            stated = content.get("mediaType") or response.headers.get("Content-Type", "").partition(";")[0].strip()
        except (ValueError, AttributeError):
            raise BadRequest(f"{joined(self.name.familiar, reference)}: the manifest is no JSON object") from None
        if content.get("schemaVersion") != 2:
            raise BadRequest(
                f"{joined(self.name.familiar, reference)} has a schema 1 manifest, which Docker has dropped as well: "
                "whoever owns the image has to push it again"
            )
        if stated not in ACCEPTED:
            stated = OCI_INDEX if "manifests" in content else OCI_MANIFEST
        return Manifest(content, stated, sha256(raw), len(raw))

    def small_blob(self, digest: str) -> bytes:
        """A config: checked against its digest, at most CONFIG_LIMIT bytes."""
        response = self.send("GET", self.url(f"blobs/{digest}"))
        if response.status_code != 200:
            raise self.refusal(response, digest)
        raw = self._read(response, CONFIG_LIMIT)
        if sha256(raw) != digest:
            raise BadRequest(f"image config verification failed for digest {digest}: {self.name.host} sent other bytes")
        return raw

    def _read(self, response: requests.Response, limit: int) -> bytes:
        try:
            with response:
                return registry_errors.read_limited(response, limit)
        except BROKEN as error:
            raise registry_errors.unreachable(error, response.url) from None

    def tags(self) -> list[str]:
        """Every tag of the repository."""
        found: list[str] = []
        url: str | None = self.url("tags/list")
        while url:
            response = self.send("GET", url)
            if response.status_code != 200:
                raise self.refusal(response)
            following = response.links.get("next", {}).get("url")
            page = json.loads(self._read(response, MANIFEST_LIMIT)).get("tags") or []
            found += page
            url = urljoin(url, following) if following and page else None
        return found

    def has_blob(self, digest: str) -> bool:
        """Whether an upload can be saved."""
        response = self.send("HEAD", self.url(f"blobs/{digest}"))
        with response:
            if response.status_code not in (200, 404):
                raise self.refusal(response)
            return response.status_code == 200

    def upload(self, digest: str, size: int, body: Callable) -> None:
        """A blob: POST, PATCH with all bytes, PUT, as Docker does. `body` opens the bytes; it may be called again."""
        location = self._next(self.send("POST", self.url("blobs/uploads/"), headers={"Content-Length": "0"}), (202,))
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        # No second try with half an upload in the registry: that takes a new POST, which is for the caller to do.
        try:
            response = self._authorized("PATCH", location, headers, body)
        except BROKEN as error:
            raise BrokenUpload(registry_errors.unreachable(error, location).message) from None
        location = self._next(response, (202, 204))
        location += ("&" if "?" in location else "?") + urlencode({"digest": digest})
        self._next(self.send("PUT", location, headers={"Content-Length": "0"}), (201, 204))

    def _next(self, response: requests.Response, hoped: tuple[int, ...]) -> str:
        """Where an upload goes on."""
        if response.status_code in (500, 502, 503, 504) and response.request.method == "PATCH":
            raise BrokenUpload(self.refusal(response).message)
        if response.status_code not in hoped:
            raise self.refusal(response)
        response.close()
        return urljoin(response.url, response.headers.get("Location", response.url))

    def put_manifest(self, reference: str, raw: bytes, media_type: str) -> None:
        """Under a tag. The registry has to have everything that it names."""
        url, headers = self.url(f"manifests/{reference}"), {"Content-Type": media_type}
        response = self.send("PUT", url, headers=headers, body=lambda: raw)
        if response.status_code not in (201, 202):
            raise self.refusal(response, reference)
        response.close()


class BrokenUpload(EngineError):
    """The connection broke while a blob was on its way: it may be tried again from its first byte."""
