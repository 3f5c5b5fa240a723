"""The merged view: which entries of which layer can be seen in the end, and what hides the others.

OCI image specification, "Whiteouts" and "Opaque whiteouts": they hide what lower layers hold, never their own layer.
A directory over a directory keeps its content; anything else over a directory, and a directory over anything else,
replaces it.
"""

from __future__ import annotations

from .layer import DIRECTORY, OPAQUE_DIRECTORY, REMOVED

CAUSES = ["", "deleted", "overwritten", "opaque"]
VISIBLE, DELETED, OVERWRITTEN, OPAQUE = range(len(CAUSES))


def hidden(layers: list[tuple[list[str], list[int]]]) -> tuple[list[int], list[int]]:
    """What hides each entry.

    layers: (paths, kinds) of each layer, base first. Returns two lists over all entries, layer after layer: the cause, as
    a number in CAUSES (a whiteout counts as visible here), and the layer that hides it (-1 if none does). Linear in the
    entries: what is hidden is taken out once and never looked at again.
    """
    return _Stack([kind for _, kinds in layers for kind in kinds]).of(layers)


class _Stack:
    """The filesystem as it grows: for each directory, the row of each name in it (None: there only by its content)."""

    def __init__(self, kinds: list[int]):
        self.kinds = kinds
        self.inside: dict[str, dict[str, int | None]] = {"": {}}
        self.root: int | None = None
        self.cause, self.by = [VISIBLE] * len(kinds), [-1] * len(kinds)
        self.layer = 0

    def of(self, layers: list[tuple[list[str], list[int]]]) -> tuple[list[int], list[int]]:
        start = 0
        for self.layer, (paths, kinds) in enumerate(layers):
            # First what the layer takes away from the lower ones, in whatever order it says so: deleted before opaque.
            if REMOVED in kinds:
                for path in (path for path, kind in zip(paths, kinds) if kind == REMOVED):
                    self.delete(path)
            if OPAQUE_DIRECTORY in kinds:
                for path in (path for path, kind in zip(paths, kinds) if kind == OPAQUE_DIRECTORY):
                    self.empty("" if path == "/" else path, OPAQUE)
            for row, (path, kind) in enumerate(zip(paths, kinds), start):
                if kind != REMOVED and kind != OPAQUE_DIRECTORY:
                    self.put(path, kind, row)
            start += len(paths)
        return self.cause, self.by

    def put(self, path: str, kind: int, row: int) -> None:
        if path == "/":
            self.hide(self.root, OVERWRITTEN)
            self.root = row
            return
        head, _, name = path.rpartition("/")
        folder = self.inside.get(head)
        if folder is None:
            folder = self.make(head)
        if kind != DIRECTORY and path in self.inside:
            self.empty(path, OVERWRITTEN)
            del self.inside[path]
        self.hide(folder.get(name), OVERWRITTEN)
        folder[name] = row

    def make(self, path: str) -> dict[str, int | None]:
        """The directory of this path, and those above it, where no layer has an entry for them, or none yet."""
        parts, parent = path.split("/")[1:], ""
        for name in parts:
            folder, parent = self.inside[parent], f"{parent}/{name}"
            if parent not in self.inside:
                row = folder.get(name)
                if row is not None and self.kinds[row] != DIRECTORY:
                    self.hide(row, OVERWRITTEN)
                    row = None
                folder[name] = row
                self.inside[parent] = {}
        return self.inside[path]

    def delete(self, path: str) -> None:
        head, _, name = path.rpartition("/")
        folder = self.inside.get(head)
        if folder is None or name not in folder:
            return
        self.hide(folder.pop(name), DELETED)
        if path in self.inside:
            self.empty(path, DELETED)
            del self.inside[path]

    def empty(self, path: str, cause: int) -> None:
        """Hide everything below a directory, but not the directory itself."""
        if path not in self.inside:
            return
        pending = [(path, self.inside[path])]
        self.inside[path] = {}
        while pending:
            at, names = pending.pop()
            for name, row in names.items():
                self.hide(row, cause)
                if row is None or self.kinds[row] == DIRECTORY:
                    below = self.inside.pop(f"{at}/{name}", None)
                    if below:
                        pending.append((f"{at}/{name}", below))

    def hide(self, row: int | None, cause: int) -> None:
        if row is not None:
            self.cause[row], self.by[row] = cause, self.layer
