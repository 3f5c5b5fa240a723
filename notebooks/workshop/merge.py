"""The merged view: which entries of which layer can be seen in the end, and what hides the others.

OCI image specification, "Whiteouts" and "Opaque whiteouts": they hide what lower layers hold, never their own layer.
"""

from __future__ import annotations

from collections.abc import Iterator


class _Node:
    __slots__ = ("children", "row")

    def __init__(self):
        self.children: dict[str, _Node] = {}
        self.row: tuple[int, int, str] | None = None  # layer, entry, kind


def hidden(layers: list[list[tuple]]) -> dict[tuple[int, int], tuple[str, int]]:
    """What cannot be seen in the merged filesystem.

    layers: entries of each layer, base first, as in `archive.ENTRY` order. Returns {(layer, entry): (cause, by layer)},
    cause "deleted", "opaque" or "overwritten". Linear in the number of entries: a node is taken out once.
    """
    root, gone = _Node(), {}
    for number, entries in enumerate(layers):
        for (
            path,
            kind,
            *_,
        ) in entries:  # first what this layer takes away from the lower ones, in whatever order it says so
            if kind == "opaque":
                _take_out(_find(root, path), "opaque", number, gone)
            elif kind == "whiteout":
                _delete(root, path, number, gone)
        for index, (path, kind, *_) in enumerate(entries):
            if kind not in ("opaque", "whiteout"):
                _put(root, path, kind, (number, index, kind), gone)
    return gone


def _put(root: _Node, path: str, kind: str, row: tuple[int, int, str], gone: dict) -> None:
    node = root
    for part in filter(None, path.split("/")):
        node = node.children.setdefault(part, _Node())
    if kind != "directory":
        _take_out(node, "overwritten", row[0], gone)
    if node.row:
        gone[node.row[:2]] = ("overwritten", row[0])
    node.row = row


def _delete(root: _Node, path: str, layer: int, gone: dict) -> None:
    parent_path, _, name = path.rpartition("/")
    parent = _find(root, parent_path)
    node = parent.children.pop(name, None) if parent else None
    for taken in _below(node):
        gone[taken.row[:2]] = ("deleted", layer)


def _take_out(node: _Node | None, cause: str, layer: int, gone: dict) -> None:
    """Hide everything below a node, but not the node itself."""
    if node is None:
        return
    for child in node.children.values():
        for taken in _below(child):
            gone[taken.row[:2]] = (cause, layer)
    node.children = {}


def _find(root: _Node, path: str) -> _Node | None:
    node = root
    for part in filter(None, path.split("/")):
        node = node.children.get(part)
        if node is None:
            return None
    return node


def _below(node: _Node | None) -> Iterator[_Node]:
    """The node and everything below it that a layer has an entry for."""
    pending = [node] if node else []
    while pending:
        current = pending.pop()
        pending.extend(current.children.values())
        if current.row:
            yield current
