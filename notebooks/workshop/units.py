"""Bytes and seconds as people read them, decimal megabytes with one decimal, as registries and Docker count; and long texts."""

import textwrap
from collections.abc import Iterable


def size(count: float) -> str:
    """`count` bytes as text: "912.4 MB" (10^6 bytes), "65.1 kB" below 100 kB, "512 bytes" below 1 kB."""
    count = int(count)
    if abs(count) >= 100_000:
        return f"{count / 1e6:,.1f} MB"
    if abs(count) >= 1_000:
        return f"{count / 1e3:.1f} kB"
    return "1 byte" if count == 1 else f"{count} bytes"


def seconds(count: float) -> str:
    """`count` seconds as text: "0.4 s", "12 s", "2 min 05 s"."""
    if count < 10:
        return f"{count:.1f} s"
    minutes, rest = divmod(round(count), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def plural(count: int, noun: str) -> str:
    """`1 file`, `2 files`, `12,000 files`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def wrapped(text: str, width: int = 76) -> str:
    """Text broken between words: a notebook breaks a long printed line anywhere."""
    return "\n".join(textwrap.fill(line, width, break_on_hyphens=False) for line in text.splitlines())


def shorten(text: str, width: int) -> str:
    """The text's beginning, with an ellipsis where something was cut."""
    return text if len(text) <= width else text[: width - 1].rstrip(" .,;&|+-") + "…"


def short_digests(digests: Iterable[object]) -> list[str]:
    """Digests and ids as engines list them: the first twelve digits; of all of them more, until no two different ones look
    alike. What is no text, as where there is no digest, is ""."""
    whole = [digest.rpartition(":")[2] if isinstance(digest, str) else "" for digest in digests]
    digits = 12
    while len({one[:digits] for one in whole}) < len(set(whole)):
        digits += 4
    return [one[:digits] for one in whole]
