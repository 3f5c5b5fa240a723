"""HEALTHCHECK: its words, its durations, and how Docker's history prints them."""

from __future__ import annotations

import json
import re
from typing import Any

from ..errors import BadRequest

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def parse(args: tuple[str, ...], flags: dict[str, str], exec_form: bool) -> dict:
    """The Healthcheck of a configuration. Raises BadRequest, already when the Dockerfile is read."""
    kind = args[0].upper() if args else ""
    if kind == "NONE":
        if len(args) > 1:
            raise BadRequest("HEALTHCHECK NONE takes no arguments")
        return {"Test": ["NONE"]}
    if kind != "CMD":
        raise BadRequest(f"Unknown type {json.dumps(kind)} in HEALTHCHECK (try CMD)")
    check: dict[str, Any] = {"Test": _command(args, exec_form)}
    for flag, name in (("interval", "Interval"), ("timeout", "Timeout"), ("start-period", "StartPeriod")):
        if flag in flags:
            check[name] = _duration(flag, flags[flag])
    if retries := flags.get("retries"):
        if not re.fullmatch(r"[+-]?\d+", retries):
            raise BadRequest(f'strconv.ParseInt: parsing "{retries}": invalid syntax')
        if int(retries) < 1:
            raise BadRequest(f"--retries must be at least 1 (not {int(retries)})")
        check["Retries"] = int(retries)
    return {name: value for name, value in check.items() if value}


def _command(args: tuple[str, ...], exec_form: bool) -> list[str]:
    words = list(args[1:])
    if not words or not words[0]:
        raise BadRequest("Missing command after HEALTHCHECK CMD")
    if exec_form:
        return ["CMD", *words]
    if len(words) == 1 and words[0].lstrip().startswith("["):
        try:
            found = json.loads(words[0])
            if isinstance(found, list) and all(isinstance(word, str) for word in found):
                return ["CMD", *found]
        except ValueError:
            pass
    return ["CMD-SHELL", " ".join(words)]


def _duration(flag: str, text: str) -> int:
    """Go's time.ParseDuration, in nanoseconds."""
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        unit = "missing unit in" if text.isdecimal() and text != "0" else "invalid"
        if text == "0":
            return 0
        raise BadRequest(f'time: {unit} duration "{text}"')
    total = sum(round(float(number) * _UNITS[unit]) for number, unit in parts)
    if 0 < total < 10**6:
        raise BadRequest(f"Interval {json.dumps(flag)} cannot be less than 1ms")
    return total


def go_quoted(check: dict) -> str:
    """A HealthConfig as Go's %q prints it: words quoted, durations as 1m30s, the number of retries as a character."""
    times = " ".join(f'"{_go_duration(check.get(name, 0))}"' for name in ("Interval", "Timeout", "StartPeriod"))
    return f"&{{{go_quoted_list(check['Test'])} {times} {_go_rune(check.get('Retries', 0))}}}"


def _go_duration(nanoseconds: int) -> str:
    """Go's Duration.String: 1h0m0s, 1m30s, 1.5s, 20ms."""
    if nanoseconds < 10**9:
        for unit in ("ms", "µs", "ns"):
            if nanoseconds >= _UNITS[unit]:
                return f"{nanoseconds / _UNITS[unit]:.10g}{unit}"
        return "0s"
    seconds = nanoseconds / 10**9
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    text = f"{left:.10g}s"
    if hours:
        return f"{hours:.0f}h{minutes:.0f}m{text}"
    return f"{minutes:.0f}m{text}" if minutes else text


def _go_rune(number: int) -> str:
    known = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 39: "\\'", 92: "\\\\"}
    if number in known:
        return f"'{known[number]}'"
    return f"'{chr(number)}'" if 32 <= number < 127 else f"'\\x{number:02x}'"


def go_quoted_list(words: list[str]) -> str:
    """Go's %q of a list of strings."""
    return "[" + " ".join(json.dumps(word, ensure_ascii=False) for word in words) + "]"
