"""Questions and answers in Docker's forms: JSON bodies, flags, errors."""

from __future__ import annotations

import json

from aiohttp import web

from ..errors import BadRequest


def json_response(data: object, status: int = 200) -> web.Response:
    """`data` as JSON, compact, with the newline that Go's encoder puts behind it."""
    body = json.dumps(data, separators=(",", ":")).encode() + b"\n"
    return web.Response(body=body, status=status, headers={"Content-Type": "application/json"})


def error_response(status: int, message: str) -> web.Response:
    """An error as every Docker client reads it."""
    return json_response({"message": message}, status)


def unexpected_error_message() -> str:
    """The sentence for a fault of the engine itself."""
    return (
        "The pocket engine failed unexpectedly; nothing more is known here. What happened is in its log file: "
        "please report it."
    )


def query_flag(request: web.Request, name: str, default: bool = False) -> bool:
    """A query parameter as moby reads it: "", "0", "no", "false" and "none" are false, everything else true."""
    value = request.query.get(name)
    return default if value is None else value.strip().lower() not in ("", "0", "no", "false", "none")


def query_number(request: web.Request, name: str, default: int = 0) -> int:
    """A query parameter as an integer. Raises BadRequest."""
    value = request.query.get(name, "")
    try:
        return int(value) if value else default
    except ValueError:
        raise BadRequest(f'invalid value "{value}" for {name}: it must be a whole number') from None


async def json_body(request: web.Request) -> dict:
    """The body as a JSON object; {} where there is none. Raises BadRequest."""
    raw = await request.read()
    if not raw.strip():
        return {}
    return json_object(raw, "body")


def json_object(raw: bytes | str, what: str) -> dict:
    """A JSON object; `what` names it in the BadRequest."""
    value = json_value(raw, what)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"invalid {what}: a JSON object is expected")
    return value


def json_value(raw: bytes | str, what: str) -> object:
    """Any JSON. Raises BadRequest, for too deeply nested text as well."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"invalid {what}: it is not JSON ({error})") from None


def api_version(request: web.Request) -> tuple[int, int]:
    """What the client asked for, as (1, 44); the newest where it asked for none."""
    return request.get("api_version", (1, 44))
