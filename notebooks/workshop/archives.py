"""Tar archives made in memory, as an engine's API takes them: small build contexts, files for a container."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping


def add(archive: tarfile.TarFile, name: str, content: bytes | None | tarfile.TarInfo) -> None:
    """Add an entry: bytes are a file (mode 0644), None is a directory (0755), a TarInfo is anything without content."""
    entry = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
    if content is None:
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    if isinstance(content, bytes):
        entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)


def tar_of(entries: Mapping[str, bytes | None | tarfile.TarInfo]) -> bytes:
    """A tar archive of {name: content}, with contents as for `add`, in that order. Times are 1970, owners root."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in entries.items():
            add(archive, name, content)
    return packed.getvalue()
