"""Tar archives for an engine and from it: small ones made in memory, and images as an engine exports them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import docker


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


@contextmanager
def exported_images(client: docker.DockerClient, names: list[str], piece: int) -> Iterator[Iterator[bytes]]:
    """One archive of several images, as `docker save` writes it, in pieces of so many bytes.

    The SDK's get_image takes one name; the endpoint takes several, and then sends a layer that they share once.
    """
    answer = client.api._get(client.api._url("/images/get"), params={"names": names}, stream=True)
    client.api._raise_for_status(answer)
    with answer:
        yield answer.iter_content(piece)
