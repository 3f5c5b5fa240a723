"""The application: every route with and without a version in front, errors in Docker's form, a token where one is set."""

from __future__ import annotations

import hmac
import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from .. import API_VERSION, MIN_API_VERSION, VERSION
from ..engine import Engine
from ..engine_log import LOG
from ..errors import BadRequest, EngineError, Interrupted
from . import (
    auth_and_distribution,
    build,
    containers,
    event_stream,
    exec,
    image_transfer,
    images,
    networks,
    system,
    unsupported_endpoints,
)
from .json_http import error_response, unexpected_error_message
from .response_streams import cut_connection

BODY_LIMIT = 16 << 20  # bytes of a body that is read into memory; contexts and archives go to disk (request_body.py)
# In this order: of two routes that fit, the first is taken.
ROUTES = (
    system,
    event_stream,
    auth_and_distribution,
    image_transfer,
    images,
    build,
    networks,
    containers,
    exec,
    unsupported_endpoints,
)
HEADERS = {
    "Api-Version": API_VERSION,
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"Pocket/{VERSION} (linux)",
}


def make_app(engine: Engine, *, token: str | None = None) -> web.Application:
    """The API of `engine`. token: where given, a request must carry "Authorization: Bearer TOKEN"."""
    app = web.Application(
        middlewares=[_errors, *([_authorized(token)] if token else []), _version],
        client_max_size=BODY_LIMIT,
    )
    for route in _all_routes(engine):
        for prefix in ("", "/v{api_version:[0-9.]+}"):
            app.router.add_route(route.method, prefix + route.path, route.handler, **_without_head(route.kwargs))
    app.on_response_prepare.append(_prepared)
    quiet_about_noise()
    return app


def _all_routes(engine: Engine) -> list[web.RouteDef]:
    return [route for module in ROUTES for route in module.routes(engine)]


def _without_head(options: dict) -> dict:
    return {name: value for name, value in options.items() if name != "allow_head"}


async def _prepared(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    request["answered"] = True


@web.middleware
async def _errors(request: web.Request, handler) -> web.StreamResponse:
    """Whatever a handler raises becomes {"message": …}; what nobody foresaw goes to the log, and not to the client."""
    try:
        return await handler(request)
    except EngineError as error:
        status, message = error.status, error.message
        if isinstance(error, Interrupted):
            cut_connection(request)
    except web.HTTPRequestEntityTooLarge:
        status, message = 413, f"the body is larger than {BODY_LIMIT >> 20} MiB"
    except web.HTTPException as error:
        missing = error.status in (404, 405)
        status, message = (404, "page not found") if missing else (error.status, error.reason)
    except web.RequestPayloadError as error:
        status, message = 400, f"the body could not be read: {error}"
    except ConnectionError:
        cut_connection(request)
        status, message = Interrupted.status, "The client hung up."
    except Exception as error:
        LOG.error("%s %s failed unexpectedly.", request.method, request.path, exc_info=error)
        status, message = 500, unexpected_error_message()
    if request.get("answered"):
        cut_connection(request)  # too late for another status: the client sees that the answer is not whole
    return error_response(status, message)


def _authorized(token: str):
    @web.middleware
    async def authorized(request: web.Request, handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if hmac.compare_digest(given.encode(errors="surrogateescape"), f"Bearer {token}".encode()):
            return await handler(request)
        answer = error_response(401, "This port needs the engine's token: send the header Authorization: Bearer TOKEN.")
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    return authorized


@web.middleware
async def _version(request: web.Request, handler) -> web.StreamResponse:
    """Take the version of the path; refuse one that is not spoken, in the words that clients look for."""
    text = request.match_info.get("api_version")
    if text is not None:
        request["api_version"] = asked = _pair(text)
        if asked < _pair(MIN_API_VERSION):
            raise BadRequest(
                f"client version {text} is too old. Minimum supported API version is {MIN_API_VERSION}, "
                "please upgrade your client to a newer version"
            )
        if asked > _pair(API_VERSION):
            raise BadRequest(f"client version {text} is too new. Maximum supported API version is {API_VERSION}")
    return await handler(request)


def _pair(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    if not (major.isdecimal() and minor.isdecimal() and len(version) <= 12):
        raise BadRequest(f"invalid API version {version}: it is written as 1.44")
    return int(major), int(minor)


def quiet_about_noise() -> None:
    """What is not HTTP is the client's fault: aiohttp answers 400 and logs a traceback, of which a line is enough."""
    log = logging.getLogger("aiohttp.server")
    if _shorten not in log.filters:
        log.addFilter(_shorten)


def _shorten(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, ConnectionError):  # the client was gone before it was told to go on (100 Continue)
        return False
    if isinstance(error, HttpProcessingError | web.RequestPayloadError):
        record.msg, record.args = "Not a whole HTTP request: %s", (" ".join(str(error).split())[:200],)
        record.exc_info = record.exc_text = None
    return True
