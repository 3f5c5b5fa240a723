"""Does `files()` say what a container of the image really has? `.venv/bin/python tests/support/agreement.py [image …]`

For each image, the visible rows of `workshop.files()` are compared with the engine's own merged view, entry by entry:
path, kind, size, mode, owner, link target and SHA-256 of the content. Without arguments: the base images and the sample
apps. Every layer is read anew, through a cache of its own.

The engine's view is the export of a container that was started with `true` in place of the image's command, which
writes nothing; where an image has no `true`, the container is exported without having run. `inside()` is a second
opinion that owes nothing to tar: what `find`, `stat` and `sha256sum` say in the container.

Not differences:
- Owner, mode and content of the files in REPLACED: the engine puts its own there. An image that ships one shows one.
- The folders in MOUNT_POINTS where the image ships none: the engine makes them to mount things there.
- A folder that no layer has an entry for: an engine makes the parents of what it unpacks, and `files()` lists entries.
- A symlink's mode: Linux shows 777, whatever the layer says. Which name of a hard link is "the file": either is.
- A socket: tar knows none.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import docker
import pandas as pd

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "notebooks")]

import workshop  # noqa: E402
from workshop.builders import build  # noqa: E402
from workshop.labels import CONTAINER, labels  # noqa: E402

FIELDS = ["kind", "bytes", "mode", "uid", "gid", "linkname", "digest"]

# What Docker (moby, daemon/initlayer/setup_unix.go) and Podman put into every container; checked with an image that
# holds nothing but one file.
REPLACED = {
    "/.dockerenv",
    "/run/.containerenv",
    "/dev/console",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/mtab",
}
MOUNT_POINTS = {"/dev", "/dev/pts", "/dev/shm", "/etc", "/proc", "/run", "/sys"}

# In a running container something else is mounted over these.
MOUNTED = {"/dev", "/proc", "/sys"}

KINDS = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "fifo",
}
MODES = {  # stat(2), the file type's bits
    0o040000: "directory",
    0o120000: "symlink",
    0o020000: "device",
    0o060000: "device",
    0o010000: "fifo",
    0o100000: "file",
}

# {tag: (app, Dockerfile)} of everything in sample_apps/
SAMPLE_APPS = {
    build.default_tag(path.parent.name, path.name): (path.parent.name, path.name)
    for path in sorted(build.SAMPLE_APPS.glob("*/Dockerfile*"))
}

INSIDE = """
find / -xdev -exec stat -c '%f %s %u %g %t:%T %n' {} + ; echo --
find / -xdev -type l -exec sh -c 'for one; do readlink "$one"; echo "$one"; done' sh {} + ; echo --
find / -xdev -type f -exec sha256sum {} +
"""


def listed(files: pd.DataFrame, image: str) -> pd.DataFrame:
    """What `files()` says can be seen: FIELDS by path. A hard link has the size and digest of the file that it is."""
    own = files[(files["image"] == image) & files["visible"]].copy()
    every = files[(files["image"] == image) & (files["kind"] == "file")]
    sizes = every.drop_duplicates("digest").set_index("digest")["bytes"]
    own["kind"] = own["kind"].astype(str)
    links = own["kind"] == "hard link"
    own.loc[links, "bytes"] = own.loc[links, "digest"].map(sizes).fillna(-1).astype("int64")
    own.loc[links, ["kind", "linkname"]] = "file", ""
    return _comparable(own.set_index("path")[FIELDS])


def exported(client: docker.DockerClient, image: str) -> tuple[pd.DataFrame, bool]:
    """(what the engine has in a container of the image: FIELDS by path; whether the container could be started)."""
    with container_of(client, image) as (container, started):
        chunks = Chunks(client.api.export(container.id, 1 << 18))
        with tarfile.open(fileobj=chunks, mode="r|", bufsize=1 << 18) as merged:
            return _view(_members(merged)), started


def inside(client: docker.DockerClient, image: str) -> pd.DataFrame:
    """What programs in the container see: FIELDS by path. Needs a shell in it, and no name with a line break."""
    lines = workshop.run(client, image, ["sh", "-c", INSIDE]).splitlines()
    first = lines.index("--")
    second = lines.index("--", first + 1)
    links = dict(zip(lines[first + 2 : second : 2], lines[first + 1 : second : 2]))
    digests = {path: f"sha256:{digest}" for digest, path in (line.split("  ", 1) for line in lines[second + 1 :])}
    rows = []
    for line in lines[:first]:
        mode, size, uid, gid, device, path = line.split(" ", 5)
        kind = MODES[int(mode, 16) & 0o170000]
        major, minor = (int(part, 16) for part in device.split(":"))
        link = f"{major}:{minor}" if kind == "device" else links.get(path, "")
        size = int(size) if kind == "file" else 0
        rows.append((path, kind, size, int(mode, 16), int(uid), int(gid), link, digests.get(path, "")))
    return _view(rows)


def differences(
    ours: pd.DataFrame, engine: pd.DataFrame, made: Iterable[str] = (), mounted: Iterable[str] = ()
) -> pd.DataFrame:
    """What the two views do not agree on, one row a path and field: columns path, field, ours, engine.

    made: folders that the engine makes for this image, besides MOUNT_POINTS. mounted: where something else is mounted
    in the engine's view; what the image has there is hidden, so only that the folder exists is compared.
    """
    ours, engine = ours.drop("/", errors="ignore"), engine.drop("/", errors="ignore")  # an export has no entry for it
    ours = ours[~_below(ours.index, mounted)]
    twice = [(path, "path", "listed twice", "") for path in ours.index[ours.index.duplicated()].unique()]
    ours = ours[~ours.index.duplicated()]
    excused = REPLACED | implicit(ours) | MOUNT_POINTS | set(made)
    only_ours, only_theirs = ours.index.difference(engine.index), engine.index.difference(ours.index)
    lacking = [(path, "path", "listed", "not there") for path in only_ours if path not in mounted]
    extra = [(path, "path", "not listed", "there") for path in only_theirs if path not in excused]
    both = ours.index.intersection(engine.index).difference(sorted(REPLACED | set(mounted)))
    ours, engine = ours.loc[both], engine.loc[both]
    unlike = []
    for field in FIELDS:
        for path in both[(ours[field] != engine[field]).to_numpy()]:
            unlike.append((path, field, _shown(field, ours[field][path]), _shown(field, engine[field][path])))
    return pd.DataFrame(twice + lacking + extra + unlike, columns=["path", "field", "ours", "engine"])


def implicit(ours: pd.DataFrame) -> set[str]:
    """Folders that are not listed, but have something listed below them."""
    parents = {str(parent) for path in ours.index for parent in _parents(path)}
    return parents - set(ours.index)


def compare(client: docker.DockerClient, image: str, files: pd.DataFrame | None = None) -> tuple[pd.DataFrame, str]:
    """(differences between `files()` and the engine's export, the sentence that sums them up)."""
    files = workshop.files(client, image) if files is None else files
    ours = listed(files, image)
    engine, started = exported(client, image)
    made = {str(parent) for path in _volumes(client, image) for parent in [path, *_parents(path)]}
    found = differences(ours, engine, made)
    alone = len(implicit(ours) & set(engine.index))
    how = "" if started else ", the container has no `true` and did not run"
    folders = f", {alone} folders without an entry of their own" if alone else ""
    return found, f"{image}: {len(ours):,} entries compared, {len(found):,} differences{folders}{how}"


@contextlib.contextmanager
def container_of(client: docker.DockerClient, image: str) -> Iterator[tuple]:
    """A container of the image that has run `true` and nothing else, and whether it could; removed at the end."""
    # no network: none is needed, and some engines write more files for one. /: a missing WORKDIR would be made.
    container = client.containers.create(
        image, entrypoint=["true"], command=[], working_dir="/", network_mode="none", labels=labels(CONTAINER)
    )
    try:
        started = True
        try:
            container.start()
            container.wait()
        except docker.errors.APIError:  # not even a `true` in it
            started = False
        yield container, started
    finally:
        container.remove(force=True, v=True)


class Chunks(io.RawIOBase):
    """A readable over byte strings."""

    def __init__(self, chunks: Iterable[bytes]):
        self._chunks, self._rest = iter(chunks), memoryview(b"")

    def readable(self) -> bool:
        return True

    def read(self, count: int) -> bytes:
        parts = []
        while count > 0:
            if not self._rest:
                self._rest = memoryview(next(self._chunks, b""))
                if not self._rest:
                    break
            parts.append(self._rest[:count])
            self._rest = self._rest[count:]
            count -= len(parts[-1])
        return b"".join(parts)


def _members(merged: tarfile.TarFile) -> Iterator[tuple]:
    """The entries of an export, one tuple each; a hard link has the content of the entry that it points to."""
    content = {}
    for member in merged:
        path = "/" + member.name.strip("/")
        size, digest, link = 0, "", ""
        kind = KINDS.get(member.type, "file")
        if member.islnk():
            size, digest = content["/" + member.linkname.strip("/")]
        elif kind == "file":
            size = member.size
            digest = f"sha256:{hashlib.file_digest(merged.extractfile(member), 'sha256').hexdigest()}"
        elif kind == "symlink":
            link = member.linkname
        elif kind == "device":
            link = f"{member.devmajor}:{member.devminor}"
        content[path] = size, digest
        yield path, kind, size, member.mode, member.uid, member.gid, link, digest


def _view(rows: Iterable[tuple]) -> pd.DataFrame:
    return _comparable(pd.DataFrame(rows, columns=["path", *FIELDS]).set_index("path"))


def _comparable(frame: pd.DataFrame) -> pd.DataFrame:
    """Permission bits only (some engines write the kind into a tar's mode, too), and none for symlinks."""
    frame = frame.copy()
    frame["mode"] = (frame["mode"] & 0o7777).where(frame["kind"] != "symlink", 0o777)
    return frame


def _volumes(client: docker.DockerClient, image: str) -> list[str]:
    return list((client.api.inspect_image(image)["Config"] or {}).get("Volumes") or {})


def _parents(path: str) -> Iterator[str]:
    while (path := path.rpartition("/")[0]) != "":
        yield path


def _below(paths: pd.Index, folders: Iterable[str]) -> pd.Series:
    below = tuple(f"{folder}/" for folder in folders)
    return pd.Series([path.startswith(below) for path in paths], index=paths, dtype=bool)


def _shown(field: str, value) -> str:
    return f"{value:o}" if field == "mode" else str(value)


def main(images: list[str]) -> int:
    client = workshop.connect()
    if not images:
        workshop.bases.ensure(client, workshop.bases.BASES)
        built = [workshop.build(client, app, name, tag=tag).tag for tag, (app, name) in SAMPLE_APPS.items()]
        images = [*workshop.bases.BASES, *built]
    with tempfile.TemporaryDirectory() as cache:
        os.environ["FACTORY_FLOOR_CACHE"] = cache
        results = []
        for image in images:
            found, sentence = compare(client, image)
            print(sentence, *([found.head(40).to_string()] if len(found) else []), sep="\n", flush=True)
            results.append(found.empty)
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
