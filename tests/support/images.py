"""What is in an image, as the engine itself says: `docker export` of a container that never ran, and `docker inspect`.

Nothing of `workshop` reads it, so that it can be the judge of what `workshop` says.
"""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from typing import NamedTuple

SETTINGS = (
    "Env",
    "Cmd",
    "Entrypoint",
    "User",
    "WorkingDir",
    "ExposedPorts",
    "Volumes",
    "StopSignal",
    "Healthcheck",
    "OnBuild",
    "Shell",
)
KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "file",
    tarfile.FIFOTYPE: "fifo",
    tarfile.CHRTYPE: "character",
    tarfile.BLKTYPE: "block",
}
# What an engine puts into every container.
OF_A_CONTAINER = (
    "/.dockerenv",
    "/dev",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/etc/mtab",
    "/proc",
    "/sys",
)


class Node(NamedTuple):
    """An entry. link: a symbolic link's target, or the first name of a file that has several. digest: "" for no file."""

    kind: str
    mode: str
    owner: str
    link: str
    digest: str


def tree(client, image: str) -> dict[str, Node]:
    """{path: entry} of an image's filesystem, without times."""
    container = client.api.create_container(image, ["/never-run"], labels={"factory-floor": "container"})["Id"]
    try:
        with tempfile.TemporaryFile() as packed:
            for piece in client.api.export(container):
                packed.write(piece)
            packed.seek(0)
            with tarfile.open(fileobj=packed) as archive:
                return _nodes(archive)
    finally:
        client.api.remove_container(container, v=True)


def _nodes(archive: tarfile.TarFile) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    names: dict[str, list[str]] = {}  # of each file, by the name under which its content stands in the archive
    for member in archive:
        path, digest = f"/{member.name.strip('/')}", ""
        if path == "/" or any(path == one or path.startswith(f"{one}/") for one in OF_A_CONTAINER):
            continue
        link = member.linkname
        if member.islnk():
            first = f"/{member.linkname.strip('/')}"
            names[first].append(path)
            digest, link = nodes[first].digest, ""
        elif member.isreg():
            names[path] = [path]
            content = archive.extractfile(member)
            digest = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
        nodes[path] = Node(KINDS[member.type], f"{member.mode:o}", f"{member.uid}:{member.gid}", link, digest)
    for several in names.values():
        for path in several if len(several) > 1 else []:
            nodes[path] = nodes[path]._replace(link=min(several))
    return nodes


def settings(client, image: str) -> dict[str, object]:
    """How an image's containers start: its config, without what is empty and without our labels."""
    config = client.api.inspect_image(image)["Config"]
    labels = {
        name: value for name, value in (config.get("Labels") or {}).items() if not name.startswith("factory-floor")
    }
    return {name: config[name] for name in SETTINGS if config.get(name)} | ({"Labels": labels} if labels else {})
