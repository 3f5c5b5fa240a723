"""Damaged archives without end: `.venv/bin/python tests/support/fuzz_reader.py [seconds] [seed]`.

Takes small archives of every layout and compression, changes them at random (bits, runs of bytes, splices, cuts, and
fields of tar headers with their sums put right, so that the damage gets deep), and holds the reader to its word: a frame or a
WorkshopError, within five seconds each.
"""

from __future__ import annotations

import collections
import gzip
import io
import os
import random
import sys
import tarfile
import tempfile
import time
from pathlib import Path

os.environ["FACTORY_FLOOR_PROGRESS"] = "plain"
sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "notebooks"), str(Path(__file__).parent)]

import workshop  # noqa: E402
import zstandard  # noqa: E402
from hand import (  # noqa: E402
    archive_of,
    link,
    tar_of,  # noqa: E402
)

PATIENCE = 5.0  # seconds


def seeds() -> list[bytearray]:
    layers = [
        {
            "d": None,
            "d/a": b"1" * 2000,
            "h": link(tarfile.LNKTYPE, "d/a"),
            "s": link(tarfile.SYMTYPE, "/x"),
            "n" * 150: b"long",
        },
        {".wh.d": b"", "e": None, "e/.wh..wh..opq": b"", "var/lib/dpkg/status": b"Package: a\nVersion: 1\n\n"},
    ]
    packs = (bytes, gzip.compress, zstandard.ZstdCompressor().compress)
    history = [{"created_by": "COPY d /"}, {"created_by": "RUN rm -rf /d"}]
    return [
        bytearray(archive_of(layers, history, kind, pack)) for kind in ("docker", "legacy", "oci") for pack in packs
    ]


def mutated(archive: bytearray, dice: random.Random) -> bytes:
    content = bytearray(archive)
    for _ in range(dice.choice([1, 1, 2, 5])):
        content = content or bytearray(b"x")
        at, kind = dice.randrange(len(content)), dice.randrange(6)
        if kind == 0:
            content[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            content[at : at + dice.randrange(64)] = dice.randbytes(dice.randrange(64))
        elif kind == 2:
            del content[at:]
        elif kind == 3:
            other = dice.randrange(len(content))
            content[at : at + 512] = content[other : other + 512]
        else:
            _change_a_header(content, at // 512 * 512, dice)
    return bytes(content)


def _change_a_header(content: bytearray, at: int, dice: random.Random) -> None:
    """Change a field of what may be a tar header, and put its sum right."""
    if content[at + 257 : at + 262] != b"ustar":
        return
    start, length = dice.choice([(0, 100), (100, 8), (124, 12), (156, 1), (157, 100), (329, 8), (345, 155)])
    choices = [b"7" * length, b"\x80" + b"\xff" * (length - 1), b"../" * 40, dice.randbytes(length), b"xgLKSX0123456"]
    new = bytearray(dice.choice(choices))[:length]
    content[at + start : at + start + len(new)] = new
    content[at + 148 : at + 156] = b" " * 8
    content[at + 148 : at + 156] = b"%06o\0 " % sum(content[at : at + 512])


def deep(archive: bytearray, dice: random.Random) -> bytes:
    """An archive built anew around damaged layers, digests and diff ids right again: the damage gets past them."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        entries = {member.name: opened.extractfile(member).read() for member in opened if member.isfile()}
    layers = [content for content in entries.values() if content[257:262] == b"ustar"]
    if not layers:  # they are compressed: damage a description instead
        name = dice.choice(list(entries))
        return tar_of(entries | {name: mutated(bytearray(entries[name]), dice)})
    pack = dice.choice([bytes, gzip.compress, zstandard.ZstdCompressor().compress])
    return archive_of(
        [mutated(bytearray(one), dice) for one in layers], None, dice.choice(["docker", "legacy", "oci"]), pack
    )


def main(seconds: float = 60, seed: int | None = None) -> int:
    seed = random.randrange(1 << 32) if seed is None else seed
    dice, found, archives = random.Random(seed), collections.Counter(), seeds()
    print(f"seed {seed}", flush=True)
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        os.environ["FACTORY_FLOOR_CACHE"] = f"{folder}/cache"
        path = Path(folder) / "image.tar"
        while time.monotonic() < end:
            damaged = deep if dice.random() < 0.5 else mutated
            path.write_bytes(damaged(dice.choice(archives), dice))
            began, out = time.monotonic(), sys.stdout
            try:
                sys.stdout = nowhere
                workshop.files(None, path)
                outcome = "read"
            except workshop.WorkshopError as error:
                outcome = "refused" if path.name in str(error) else f"refused without the name: {error}"
            except BaseException as error:
                outcome = f"{type(error).__name__}: {error}"
            finally:
                sys.stdout = out
            if time.monotonic() - began > PATIENCE:
                outcome = f"took {time.monotonic() - began:.1f} s"
            found[outcome] += 1
            if outcome not in ("read", "refused"):
                kept = Path(tempfile.gettempdir()) / f"fuzz-{seed}-{sum(found.values())}.tar"
                kept.write_bytes(path.read_bytes())
                print(f"{outcome}: kept as {kept}", flush=True)
    for outcome, count in found.most_common():
        print(f"{count:7d}  {outcome}")
    return 0 if set(found) <= {"read", "refused"} else 1


if __name__ == "__main__":
    sys.exit(main(*(float(text) if number == 0 else int(text) for number, text in enumerate(sys.argv[1:]))))
