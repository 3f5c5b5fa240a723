"""The merged filesystem of a stack of layers, worked out as plainly as can be from the OCI image specification.

Source: opencontainers/image-spec, layer.md: "Applying Changesets", "Changeset over existing files", "Whiteouts" and
"Opaque Whiteout". Layer after layer is applied to one dict, every question is answered by looking at all of it: slow,
and meant to be obviously right. It shares nothing with `workshop`, whose faster merge is compared with it.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

WHITEOUT, OPAQUE, METADATA = ".wh.", ".wh..wh..opq", ".wh..wh."


class Entry(NamedTuple):
    """One entry of a layer's tar. path: "/a/b", markers under their own names ("/a/.wh.b"); kind: "file", "directory",
    "symlink" or "hard link"; content: a file's bytes; target: what a link names (a hard link's as a path "/a/b")."""

    path: str
    kind: str = "file"
    content: bytes = b""
    target: str = ""


class Seen(NamedTuple):
    """An entry as the merged filesystem has it; position: its number in the layer's tar."""

    layer: int
    position: int
    kind: str
    size: int
    digest: str
    linkname: str


def split(path: str) -> tuple[str, str]:
    """Folder and name: "/a/b" → ("/a", "b"), "/a" → ("/", "a"), "/" → ("/", "")."""
    folder, _, name = path.rpartition("/")
    return folder or "/", name


def joined(folder: str, name: str) -> str:
    return f"/{name}" if folder == "/" else f"{folder}/{name}"


def is_below(path: str, folder: str) -> bool:
    """Is path somewhere inside folder? A folder is not inside itself."""
    return path != folder and (folder == "/" or path.startswith(f"{folder}/"))


def marker(path: str) -> str:
    """What the entry's name makes of it: "opaque", "whiteout", "metadata" (AUFS's own), or "" for an ordinary entry.

    ".wh." with nothing behind it names nothing that could be deleted, so it is an ordinary entry. "opaque" comes
    before "metadata", whose prefix it shares.
    """
    name = split(path)[1]
    if name == OPAQUE:
        return "opaque"
    if name.startswith(METADATA):
        return "metadata"
    return "whiteout" if name.startswith(WHITEOUT) and name != WHITEOUT else ""


def hides(path: str) -> str:
    """The path that a marker names: of a whiteout what it deletes, of an opaque marker the folder it empties."""
    folder, name = split(path)
    return folder if marker(path) == "opaque" else joined(folder, name.removeprefix(WHITEOUT))


def merged(layers: list[list[Entry]]) -> dict[str, Seen]:
    """{path: what is there} after every layer, the lowest first, was applied."""
    tree: dict[str, Seen] = {}
    for number, layer in enumerate(layers):
        for entry in layer:  # whiteouts reach lower layers only, so all of them come before anything is put
            take_away(tree, entry)
        for position, entry in enumerate(layer):
            if not marker(entry.path):
                put(tree, number, position, entry)
    return tree


def take_away(tree: dict[str, Seen], entry: Entry) -> None:
    """Applies one marker. A whiteout deletes its path and all below; an opaque marker all below its folder."""
    what, target = marker(entry.path), hides(entry.path)
    for path in list(tree):
        if (what == "whiteout" and path == target) or (what in ("whiteout", "opaque") and is_below(path, target)):
            del tree[path]


def put(tree: dict[str, Seen], number: int, position: int, entry: Entry) -> None:
    """Applies one ordinary entry, as extracting a tar does.

    Two directories become one, under the new entry's attributes; in every other case what was there is removed first,
    and with a directory all that was in it. Parents exist, or are made: whatever else stood in their place goes.
    """
    for path in list(tree):
        if is_below(entry.path, path) and tree[path].kind != "directory":
            del tree[path]
        if entry.kind != "directory" and is_below(path, entry.path):
            del tree[path]
    digest, size = "", 0
    if entry.kind == "file":
        digest, size = f"sha256:{hashlib.sha256(entry.content).hexdigest()}", len(entry.content)
    if entry.kind == "hard link":
        digest = tree[entry.target].digest  # the content that bears the other name at this moment
    tree[entry.path] = Seen(number, position, entry.kind, size, digest, entry.target)


def hidden_since(layers: list[list[Entry]]) -> dict[tuple[int, int], int]:
    """For every ordinary entry, as (layer, position): the first layer after which the merged filesystem lacks it; -1 if
    it is there to the end."""
    stages = [
        {(seen.layer, seen.position) for seen in merged(layers[: top + 1]).values()} for top in range(len(layers))
    ]
    return {
        (number, position): next(
            (top for top in range(number, len(layers)) if (number, position) not in stages[top]), -1
        )
        for number, layer in enumerate(layers)
        for position, entry in enumerate(layer)
        if not marker(entry.path)
    }


def causes(layers: list[list[Entry]], layer: int, path: str, kind: str, hidden_by_layer: int) -> set[str]:
    """Why an entry of `layer` can be gone after `hidden_by_layer`; more than one where that layer gives several."""
    found = set()
    for entry in layers[hidden_by_layer]:
        what, target = marker(entry.path), hides(entry.path)
        if hidden_by_layer > layer and what == "whiteout" and (path == target or is_below(path, target)):
            found.add("deleted")
        if hidden_by_layer > layer and what == "opaque" and is_below(path, target):
            found.add("opaque")
        if not what and (
            entry.path == path
            or (entry.kind != "directory" and is_below(path, entry.path))
            or (kind != "directory" and is_below(entry.path, path))
        ):
            found.add("overwritten")
    return found
