"""`filters=` of a request: Docker's JSON in both of its forms, and the comparisons that filters ask for."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from ..errors import BadRequest
from .json_http import json_object

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+")
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")


class Filters(dict[str, list[str]]):
    """{name: values}; a name that was not given has no values."""

    def __missing__(self, name: str) -> list[str]:
        return []

    def boolean(self, name: str) -> bool | None:
        """A filter that is true or false; None where it was not given. Raises BadRequest."""
        if name not in self:
            return None
        values = {value in _TRUE for value in self[name] if value in _TRUE + _FALSE}
        if len(values) != 1 or not all(value in _TRUE + _FALSE for value in self[name]):
            raise BadRequest(f"invalid filter '{name}={self[name]}'")
        return values.pop()

    def last(self, name: str) -> str | None:
        """The last value given, or None."""
        return self[name][-1] if self[name] else None


def parse(text: str | None, allowed: Collection[str]) -> Filters:
    """`text`: {"label": ["a=b"]}, or {"label": {"a=b": true}}, as newer clients send it.

    Raises BadRequest where it is neither, or a filter is not in `allowed`.
    """
    filters = Filters()
    for name, values in json_object(text, "filters").items() if text else ():
        if isinstance(values, dict):
            values = [value for value, wanted in values.items() if wanted]
        if not isinstance(values, list) or not all(isinstance(value, str | bool | int | float) for value in values):
            raise BadRequest("invalid filters: each has to be a list of strings")
        if name not in allowed:
            raise BadRequest(f"invalid filter '{name}'")
        filters[name] = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    return filters


def labels_match(wanted: Iterable[str], labels: Mapping[str, str] | None) -> bool:
    """Whether every "key" is among the labels, and every "key=value" with that value."""
    labels = labels or {}
    for label in wanted:
        key, equals, value = label.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True


def reference_matches(pattern: str, reference: str) -> bool:
    """Whether "name:tag" or its name alone fits the pattern, as Go's path.Match has it: * and ? stop at slashes."""
    name = re.sub(r"(:[^:/]*|@.*)$", "", reference)
    regex = _glob(pattern)
    return bool(regex.fullmatch(reference) or regex.fullmatch(name))


def _glob(pattern: str) -> re.Pattern[str]:
    """Each part behind a star is taken at its first place, for good (an atomic group): no pattern can take long."""
    fixed, position = [""], 0
    while position < len(pattern):
        letter = pattern[position]
        position += 1
        if letter == "*":
            fixed.append("")
        elif letter == "?":
            fixed[-1] += "[^/]"
        elif letter == "[":
            end = pattern.find("]", position + 1)
            inside = pattern[position:end].replace("\\", r"\\").replace("[", r"\[")
            fixed[-1] += f"[{inside}]" if end > 0 else "["  # an open bracket is an error of the pattern
            position = end + 1 if end > 0 else len(pattern)
        else:
            if letter == "\\" and position < len(pattern):
                letter = pattern[position]
                position += 1
            fixed[-1] += re.escape(letter)
    first, *middle = fixed
    last = "[^/]*" + middle.pop() if middle else ""
    try:
        return re.compile(first + "".join(f"(?>[^/]*?{part})" for part in middle) + last)
    except re.error:
        raise BadRequest(f"invalid filter 'reference={pattern}': syntax error in pattern") from None


def parse_time(text: str, now: float | None = None) -> float:
    """A point in time as Docker takes it, in seconds since 1970: a Unix time ("1700000000.25"), a date or a date and time
    ("2026-11-24T16:00:00Z"; UTC where no zone is given), or how long ago ("1h30m"). Raises BadRequest."""
    text = text.strip()
    if re.fullmatch(r"-?\d{1,18}(\.\d*)?", text):
        return float(text)
    if _DURATION.fullmatch(text):
        ago = sum(float(count) * _UNITS[unit] for count, unit in re.findall(r"([\d.]+)(ns|us|µs|ms|s|m|h)", text))
        return (time.time() if now is None else now) - ago
    found = rfc3339_seconds(text)
    if found is None:
        raise BadRequest(
            f'invalid time "{text}": give seconds since 1970, a date such as 2026-11-24T16:00:00Z, or 1h30m'
        )
    return found


def rfc3339_seconds(text: str | None) -> float | None:
    """An RFC 3339 time, in seconds since 1970; None where it is none. Go's zero time (the year 1) is before 1970."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
