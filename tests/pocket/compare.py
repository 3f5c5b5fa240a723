"""Builds one case on an engine, and says in what two engines differ about it.

Times of files are left out, and so is what no two builds share: ids of images and containers, and the sums in
`COPY file:<sum>`, which engines compute over headers of their own.
"""

from __future__ import annotations

import fnmatch
import hashlib
import io
import itertools
import json
import re
import tarfile
import uuid
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import docker
import requests
import urllib3
from corpus.case import Case, context_of

CONFIG = (
    "Env",
    "Cmd",
    "Entrypoint",
    "WorkingDir",
    "User",
    "Labels",
    "ExposedPorts",
    "Volumes",
    "Healthcheck",
    "StopSignal",
    "Shell",
    "OnBuild",
    "ArgsEscaped",
)
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.CHRTYPE: "character",
    tarfile.BLKTYPE: "block",
    tarfile.FIFOTYPE: "fifo",
}


class Entry(NamedTuple):
    """One entry of a layer; size in bytes, sha256 of a file's content or ""."""

    path: str
    kind: str
    size: int
    mode: str
    uid: int
    gid: int
    link: str
    sha256: str


@dataclass
class Outcome:
    """What came of a build; all empty but `said` and `error` where it failed.

    layers: the entries of each layer, oldest layer first, in the tar's order. config: the keys of CONFIG that are
    set. history: (created_by, empty_layer). said: the builder's stream. author: MAINTAINER's.
    """

    layers: list[list[Entry]] = field(default_factory=list)
    config: dict = field(default_factory=dict)
    history: list[tuple[str, bool]] = field(default_factory=list)
    author: str = ""
    said: list[str] = field(default_factory=list)
    error: str = ""


def build(client: docker.DockerClient, case: Case) -> Outcome:
    """Builds the case anew with the classic builder; the tag is removed again."""
    tag = f"pocket-conf/{case.name.replace('_', '-').lower()}:{uuid.uuid4().hex[:8]}"
    outcome = Outcome()
    text = []
    try:
        for message in client.api.build(
            fileobj=io.BytesIO(context_of(case)),
            custom_context=True,
            tag=tag,
            nocache=True,
            rm=True,
            forcerm=True,
            target=case.target or None,
            buildargs=dict(case.buildargs) or None,
            labels=dict(case.labels) or None,
            network_mode=case.network or None,
            decode=True,
        ):
            text.append(message.get("stream", ""))
            outcome.error = outcome.error or message.get("error", "")
    except docker.errors.APIError as refused:
        outcome.error = refused.explanation
    except (urllib3.exceptions.HTTPError, requests.exceptions.RequestException):
        outcome.error = "the engine hung up"
    outcome.said = plain("".join(text)).splitlines()
    outcome.error = plain(outcome.error)
    if outcome.error:
        return outcome
    try:
        image = client.api.inspect_image(tag)
        if image["RootFS"].get("Layers"):
            read(outcome, b"".join(client.api.get_image(tag)))
        else:  # Docker does not save an image without layers
            outcome.config = settings(image["Config"])
            outcome.history = [(plain(line["CreatedBy"]), True) for line in reversed(client.api.history(tag))]
    finally:
        client.api.remove_image(tag)
    return outcome


def settings(config: dict) -> dict:
    """The keys of CONFIG that are set."""
    return {key: config[key] for key in CONFIG if config.get(key)}


def read(outcome: Outcome, saved: bytes) -> None:
    """Fills in what `docker save` told."""
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:

        def content(name: str) -> bytes:
            member = archive.getmember(name)
            while member.issym():  # Docker 20.10 links a layer that occurs twice
                member = archive.getmember(f"{member.linkname.removeprefix('../')}")
            return archive.extractfile(member).read()

        manifest = json.loads(content("manifest.json"))[0]
        image = json.loads(content(manifest["Config"]))
        outcome.layers = [entries(content(name)) for name in manifest["Layers"] or []]
    outcome.author = image.get("author", "")
    outcome.config = settings(image["config"])
    outcome.history = [(plain(line.get("created_by", "")), line.get("empty_layer", False)) for line in image["history"]]


def entries(layer: bytes) -> list[Entry]:
    """The entries of one layer, in the tar's order; a directory's name without its slash."""
    found = []
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        for member in archive:
            data = archive.extractfile(member).read() if member.isreg() else None
            found.append(
                Entry(
                    path=member.name.removeprefix("./").strip("/"),
                    kind=KINDS[member.type],
                    size=member.size if member.isreg() else 0,
                    mode=f"{member.mode & 0o7777:04o}",
                    uid=member.uid,
                    gid=member.gid,
                    link=member.linkname.removeprefix("./").lstrip("/") if member.islnk() else member.linkname,
                    sha256=hashlib.sha256(data).hexdigest() if data is not None else "",
                )
            )
    return found


def plain(text: str) -> str:
    """The text without what differs from one build to the next: ids, sums, an engine's own folders, chunks of output."""
    text = re.sub(r"(file|dir|multi):[0-9a-f]{64}", r"\1:<sum>", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "<id>", text)
    text = re.sub(r"[^\s'\"]*/overlay2/<id>/(merged|diff)", "", text)
    text = re.sub(r"\[([A-Z_ ]+)\] were not consumed", lambda names: " ".join(sorted(names[1].split())), text)
    text = text.replace("failed to create task for container: ", "")  # newer versions of Docker begin so
    text = text.replace("\x1b[0m\x1b[91m", "")  # two pieces of standard error in a row
    text = re.sub(r"(Successfully tagged )\S+", r"\1<name>", text)
    return re.sub(r"(---> |Running in |intermediate container |Successfully built )[0-9a-f]{12}\b", r"\1<id>", text)


def differences(docker: Outcome, pocket: Outcome, case: Case) -> list[str]:
    """What the two engines do not agree about, one sentence each, but for what the case expects to differ."""
    if "everything" in case.differs:
        return []
    if case.stricter:
        return [] if case.stricter in pocket.error else [f"not refused: {pocket.error or 'built'}"]
    if bool(docker.error) != bool(pocket.error):
        return [f"Docker: {docker.error or 'built'}; pocket engine: {pocket.error or 'built'}"]
    found = []
    for name in (one.name for one in fields(Outcome)):
        theirs, ours = getattr(docker, name), getattr(pocket, name)
        if name in case.differs or theirs == ours:
            continue
        if name == "layers":
            found += layer_differences(theirs, ours, case)
        elif isinstance(theirs, dict):
            found += [
                f"{name} {key}: {theirs.get(key)!r}, not {ours.get(key)!r}"
                for key in sorted(theirs.keys() | ours.keys())
                if theirs.get(key) != ours.get(key)
            ]
        elif isinstance(theirs, list):
            found += line_differences(name, theirs, ours)
        else:
            found.append(f"{name}: {theirs!r}, not {ours!r}")
    return found


def line_differences(name: str, theirs: list, ours: list) -> list[str]:
    """Where two lists of lines differ."""
    pairs = itertools.zip_longest(theirs, ours)
    return [f"{name}, line {n}: {their!r}, not {our!r}" for n, (their, our) in enumerate(pairs, 1) if their != our]


def layer_differences(theirs: list[list[Entry]], ours: list[list[Entry]], case: Case) -> list[str]:
    """Where two stacks of layers differ; the order within a layer does not matter, once parents come first."""
    if len(theirs) != len(ours):
        return [f"{len(theirs)} layers, not {len(ours)}"]
    found = []
    lower: set[str] = set()
    for number, (their, our) in enumerate(zip(theirs, ours, strict=True), 1):
        before, after = by_path(their, lower, case.volatile), by_path(our, lower, case.volatile)
        for path in sorted(before.keys() | after.keys()):
            if before.get(path) == after.get(path) or path not in after and matches(path, case.copied_up):
                continue
            found.append(f"layer {number}, {path}: {before.get(path)}, not {after.get(path)}")
        found += [f"layer {number}: {problem}" for problem in disorder(our)]
        lower |= before.keys()
    return found


def by_path(layer: list[Entry], lower: set[str], volatile: tuple[str, ...]) -> dict[str, Entry]:
    """The entries by path: volatile ones without size and sum, and without what overlayfs alone would write.

    That is an opaque marker in a folder that no lower layer has, left by a rename; and Docker's name of another
    whiteout in a whiteout's header, as overlayfs makes all of them hard links of one file.
    """
    found = {}
    for entry in layer:
        folder, _, name = entry.path.rpartition("/")
        if name == OPAQUE and folder not in lower:
            continue
        if name.startswith(WHITEOUT):
            entry = entry._replace(link="")
        found[entry.path] = entry._replace(size=0, sha256="") if matches(entry.path, volatile) else entry
    return found


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def disorder(layer: list[Entry]) -> list[str]:
    """Entries that come twice, before their folder, or before the file that they are a hard link to."""
    found, places = [], {}
    for place, entry in enumerate(layer):
        if entry.path in places:
            found.append(f"{entry.path} is there twice")
        places[entry.path] = place
    for place, entry in enumerate(layer):
        parent = entry.path.rpartition("/")[0]
        if places.get(parent, -1) > place:
            found.append(f"{entry.path} comes before its folder")
        if entry.kind == "hardlink" and places.get(entry.link, place) >= place:
            found.append(f"{entry.path} comes before what it links to")
    return found


def unmet(outcome: Outcome, case: Case) -> list[str]:
    """What a hand-worked expectation (`written`) does not find in the finished image."""
    if outcome.error:
        return [outcome.error]
    top = {entry.path: entry for layer in outcome.layers for entry in layer}
    return [
        f"{path}: {top.get(path)}"
        for path, text in case.written.items()
        if path not in top or top[path].sha256 != hashlib.sha256(text.encode()).hexdigest()
    ]
