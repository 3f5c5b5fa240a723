"""What a registry's refusals and a network's failures mean, in Docker's words where it has some."""

from __future__ import annotations

import email.utils
import errno
import json
import math
import re
import socket
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from ..errors import EngineError, NotFound
from ..reference_grammar import HUB, Repository, joined


class Unauthorized(EngineError):
    """The registry does not take these credentials, or wants some."""

    status = 401


class AccessDenied(EngineError):
    """The registry wants a login, or does not let this one do that."""

    status = 403


class TooManyRequests(EngineError):
    """The registry's limit for this address or account is used up."""

    status = 429


def read_limited(response: requests.Response, limit: int) -> bytes:
    """An answer's whole body; EngineError if it is longer than `limit` bytes."""
    parts, size = [], 0
    for part in response.iter_content(1 << 16):
        size += len(part)
        if size > limit:
            raise EngineError(f"{urlsplit(response.url).netloc} sent more than {limit} bytes where few are expected.")
        parts.append(part)
    return b"".join(parts)


def reason(response: requests.Response) -> tuple[str, str]:
    """A refusal's code ("MANIFEST_UNKNOWN", or "") and text ("manifest unknown: …", or "") by the distribution spec."""
    try:
        body = json.loads(read_limited(response, 1 << 18))
        first = body["errors"][0] if body.get("errors") else {}
        code = str(first.get("code") or "")
        text = str(first.get("message") or body.get("details") or body.get("message") or "")
    except (ValueError, AttributeError, LookupError, TypeError, EngineError, requests.RequestException):
        return "", ""
    return code, ": ".join(filter(None, [code.lower().replace("_", " "), " ".join(text.split())[:500]]))


def refusal(response: requests.Response, name: Repository, reference: str, doing: str, anonymous: bool) -> EngineError:
    """The error for an answer that is none of those hoped for. doing: as in Client."""
    if response.status_code == 429:
        return too_many(response, name, anonymous)
    code, text = reason(response)
    if response.status_code in (401, 403):
        challenge = response.headers.get("WWW-Authenticate", "")
        if anonymous and challenge.lower().startswith("basic"):
            text = "no basic auth credentials"
        elif "insufficient_scope" in challenge:
            text = "denied: requested access to the resource is denied"
        return denied(name, doing, text or "denied: requested access to the resource is denied")
    if response.status_code == 404 and code == "NAME_UNKNOWN":
        return NotFound(f"repository {name.familiar} not found: {text}")
    if response.status_code == 404 and doing != "push" and "/manifests/" in response.url:
        wanted = joined(name.familiar, reference)
        return NotFound(f"manifest for {wanted} not found: {text or 'manifest unknown: manifest unknown'}")
    status = f"{response.status_code} {response.reason}".strip()
    request = response.request
    return EngineError(
        f'{request.method} "{_without_query(request.url or "")}": received unexpected HTTP status: {status}'
        + (f" ({text})" if text else "")
    )


def denied(name: Repository, doing: str, text: str) -> EngineError:
    """Docker's words for a repository that is not there or not for everybody: registries tell nobody which."""
    if doing == "login":
        return Unauthorized(text)
    kind = {"pull": NotFound, "push": AccessDenied, "inspect": Unauthorized}[doing]
    what = "access" if doing == "inspect" else f"{doing} access"
    return kind(f"{what} denied for {name.familiar}, repository does not exist or may require 'docker login': {text}")


def too_many(response: requests.Response, name: Repository, anonymous: bool) -> TooManyRequests:
    """Says what the limit is, and what to do about it (docs.docker.com/docker-hub/usage/pulls)."""
    registry = "Docker Hub" if name.domain == HUB else name.domain
    limit = re.match(r"(\d+)(?:;w=(\d+))?", response.headers.get("RateLimit-Limit", ""))
    pulls = limit[1] if limit else "100" if name.domain == HUB and anonymous else ""
    hours = int(limit[2]) / 3600 if limit and limit[2] else 6
    if pulls:
        whose = "anonymous pulls per {:g} hours per address" if anonymous else "pulls per {:g} hours to this account"
        rule = f"{registry} allows {pulls} {whose.format(hours)}"
    else:
        rule = f"{registry} limits how often it may be asked"
    seconds = wait_of(response)
    wait = "wait" if seconds is None else f"wait {seconds} s (Retry-After)"
    return TooManyRequests(
        f"toomanyrequests: {rule}, and that is used up: {wait}, "
        f"{'log in' if anonymous else 'use another account'}, or use a mirror or a class kit."
    )


def wait_of(response: requests.Response) -> int | None:
    """Seconds until a registry wants to be asked again; None if it does not say."""
    given = response.headers.get("Retry-After", "").strip()
    if given.isdigit():
        return int(given)
    try:
        return max(0, math.ceil(email.utils.parsedate_to_datetime(given).timestamp() - time.time()))
    except (TypeError, ValueError):
        return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what is behind it: urllib3 and requests wrap theirs as arguments and as reasons."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [getattr(cause, "reason", None), cause.__cause__, cause.__context__, *cause.args]


def unreachable(error: Exception, url: str) -> EngineError:
    """No answer at all: what the network did, and what to look at."""
    causes = list(_causes(error))

    def met(*kinds: type[BaseException]) -> BaseException | None:
        return next((cause for cause in causes if isinstance(cause, kinds)), None)

    numbers = {cause.errno for cause in causes if isinstance(cause, OSError)}
    certificate = met(ssl.SSLCertVerificationError)
    if certificate:
        text = (
            f"certificate verify failed: {getattr(certificate, 'verify_message', '') or certificate}. If this network "
            "intercepts TLS, point SSL_CERT_FILE at your organisation's CA bundle and start the engine again"
        )
    elif met(urllib3.exceptions.ProxyError):
        text = "the proxy that the environment names (HTTPS_PROXY) does not answer or refuses"
    elif met(socket.gaierror, urllib3.exceptions.NameResolutionError):
        text = "no such host: its name does not resolve. Is this machine online?"
    elif errno.ECONNREFUSED in numbers:
        text = "connection refused: no registry listens there"
    elif numbers & {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}:
        text = "network is unreachable: there is no route to it. Is this machine online?"
    elif met(ssl.SSLError):
        text = f"TLS failed: {getattr(met(ssl.SSLError), 'reason', None) or 'no common protocol'}"
    elif met(requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
        text = "no answer in time: does a firewall or a missing proxy setting stand between?"
    else:
        text = "the connection broke"
    there = urlsplit(url)
    return EngineError(f'Get "{there.scheme}://{there.netloc}/v2/": {text}')


def never_connected(error: Exception) -> bool:
    """Whether trying again at once is of no use, as there was no connection to begin with."""
    kinds = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        urllib3.exceptions.ProxyError,
    )
    return any(isinstance(cause, (*kinds, ssl.SSLCertVerificationError)) for cause in _causes(error))


def _without_query(url: str) -> str:
    """Upload addresses carry the registry's state in their query, storage addresses a signature."""
    return url.partition("?")[0]
