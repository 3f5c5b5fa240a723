"""What a case of the corpus is: a Dockerfile, its build context, and what may differ between two engines."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from workshop.bases import BASES

MTIME = 1_600_000_000  # of everything in a context, so that two builds are sent the same bytes


@dataclass(frozen=True)
class File:
    content: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Dir:
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Symlink:
    target: str


@dataclass(frozen=True)
class HardLink:
    target: str


@dataclass(frozen=True)
class Fifo:
    mode: int = 0o644


Content = bytes | str | File | Dir | Symlink | HardLink | Fifo


@dataclass(frozen=True)
class Case:
    """One build.

    context: path -> content; plain text or bytes is a file of mode 0644 owned by root. The Dockerfile goes in beside
    it unless `context` brings its own. Paths are written as they stand, so that a hostile context can be told.
    differs: fields of an Outcome that engines may fill differently (`said`, `error`, `history`, …), or "everything"; then
    reason_for_difference says why.
    network: what RUN sees of one; "" is the engine's default.
    volatile: patterns of paths whose size and bytes differ from build to build.
    copied_up: patterns of paths that a program opens for writing and leaves as they were: they are in Docker's layer,
    since overlayfs copies a file when it is opened, and need not be in another engine's.
    stricter: part of the pocket engine's refusal, where Docker builds what had better be refused.
    written: a hand-worked {path: text} of the finished image, where Docker's classic builder knows no such feature.
    """

    name: str
    dockerfile: str
    context: Mapping[str, Content] = field(default_factory=dict)
    target: str = ""
    buildargs: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    network: str = ""
    expect_error: bool = False
    reason_for_difference: str = ""
    differs: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    copied_up: tuple[str, ...] = ()
    stricter: str = ""
    written: Mapping[str, str] | None = None

    @property
    def bases(self) -> list[str]:
        """Images that must be on the engine before the build: those that a FROM or a --from names outright."""
        named = {
            image for pair in re.findall(r"(?mi)^from (?:--\S+ )?(\S+)|--from=(\S+)", self.dockerfile) for image in pair
        }
        tagged = {image if ":" in image else f"{image}:latest" for image in named}
        spelled_out = {"busybox:1.37"} if "busybox" in self.dockerfile else set()  # also where an ARG names it
        return sorted(tagged & set(BASES) | spelled_out)


def member(path: str, content: Content) -> tuple[tarfile.TarInfo, bytes]:
    """The header and the bytes of one thing in a context."""
    header, data = tarfile.TarInfo(path), b""
    header.mtime, header.mode = MTIME, 0o644
    match content:
        case str():
            data = content.encode()
        case bytes():
            data = content
        case File():
            data = content.content
        case Dir():
            header.type = tarfile.DIRTYPE
        case Symlink():
            header.type, header.linkname, header.mode = tarfile.SYMTYPE, content.target, 0o777
        case HardLink():
            header.type, header.linkname = tarfile.LNKTYPE, content.target
        case Fifo():
            header.type = tarfile.FIFOTYPE
    if isinstance(content, File | Dir | Fifo):
        header.mode = content.mode
    if isinstance(content, File | Dir):
        header.uid, header.gid = content.uid, content.gid
    header.size = len(data)
    return header, data


def tar(context: Mapping[str, Content], compression: str = "") -> bytes:
    """The context as a tar, in its own order; compression: "", "gz", "bz2" or "xz"."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=f"w:{compression}", format=tarfile.PAX_FORMAT) as archive:
        for path, content in context.items():
            header, data = member(path, content)
            if isinstance(content, HardLink) and isinstance(first := context.get(content.target), File):
                header.mode, header.uid, header.gid = first.mode, first.uid, first.gid  # one inode, as tar writes it
            archive.addfile(header, io.BytesIO(data))
    return packed.getvalue()


def context_of(case: Case) -> bytes:
    """The tar that a client sends for this case."""
    return tar({"Dockerfile": case.dockerfile, **case.context})
