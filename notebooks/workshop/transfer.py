"""Tars on their way to an engine or from one."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager

import docker


def tar_of(entries: dict[str, bytes | None | tarfile.TarInfo]) -> bytes:
    """A tar, as a build context or a layer: {name: content} are files of mode 644, {name: None} folders of mode 755,
    {name: TarInfo} anything that has no content. Their time is 1970, so that the same entries are the same bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in entries.items():
            entry = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if content is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            if isinstance(content, bytes):
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
    return packed.getvalue()


@contextmanager
def exported(client: docker.DockerClient, names: list[str], piece: int) -> Iterator[Iterator[bytes]]:
    """One archive of several images, as `docker save` writes it, in pieces of so many bytes.

    The SDK's get_image takes one name; the endpoint takes several, and then sends a layer that they share once.
    """
    answer = client.api._get(client.api._url("/images/get"), params={"names": names}, stream=True)
    client.api._raise_for_status(answer)
    with answer:
        yield answer.iter_content(piece)
