"""What a layer may hold. The same rules for layers that come from elsewhere and for those that are written here."""

from __future__ import annotations

from ..errors import BadRequest
from .entries import DIRECTORY, FILE, HARDLINK, OPAQUE, SYMLINK, WHITEOUT, Entry
from .symlinks import printable, resolve

MOST_ENTRIES = 2_000_000
MOST_BYTES = 64 << 30  # of content that a layer may claim to have
MOST_NAMES = 512 << 20  # characters of all names, links and attributes together
_META = ".wh..wh."  # aufs' own files: Docker unpacks none of them but the opaque marker


class LayerRules:
    """Give it the entries of one layer in order: `accept` returns each as it counts, or raises BadRequest."""

    def __init__(self) -> None:
        self.size = 0  # bytes of content so far
        self._count = self._names = 0
        self._seen: dict[str, Entry] = {"": Entry("", DIRECTORY, 0o755)}
        self._links = False
        self._parents: dict[str, str] = {}

    def accept(self, entry: Entry) -> Entry:
        """The entry with its names relative to the root and, for a hard link to something that is no file, as what it
        links to. Docker refuses the same layers; where it would follow symbolic links of the layer, so does this."""
        path = self._inside(entry.path)
        name = path[path.rfind("/") + 1 :]
        if name.startswith(WHITEOUT):
            return self._whiteout(entry, path, name)
        link = entry.link
        if entry.kind == HARDLINK:
            link = self._inside(link)
        elif entry.kind == SYMLINK and (not link or "\0" in link or len(link) > 4095):
            raise BadRequest(f"The layer holds the symbolic link {printable(path)}, which has no usable target.")
        if path != entry.path or link != entry.link:
            entry = entry._replace(path=path, link=link)
        _check_numbers(entry)
        self._weigh(entry)
        if entry.kind == HARDLINK:
            entry = self._link(entry)
        before = self._seen.get(path)
        if before is not None and before.kind == DIRECTORY and entry.kind != DIRECTORY:
            raise BadRequest(f"The layer holds {printable(path) or '/'} twice: as a folder and as something else.")
        if entry.kind == SYMLINK or (before is not None and before.kind == SYMLINK):
            self._links = True
            self._parents.clear()
        self._seen[path] = entry
        return entry

    def _whiteout(self, entry: Entry, path: str, name: str) -> Entry:
        """aufs wrote whiteouts as hard links, so their kind says nothing."""
        if name != OPAQUE and name[len(WHITEOUT) :] in ("", ".", ".."):
            raise BadRequest(f"The layer holds the whiteout {printable(path)}, which names nothing.")
        if entry.kind == FILE and entry.size and not name.startswith(_META):
            raise BadRequest(f"The layer holds the whiteout {printable(path)} with content.")
        entry = entry._replace(path=path, kind=FILE, link="", major=0, minor=0)
        _check_numbers(entry)
        self._weigh(entry)
        return entry

    def _link(self, entry: Entry) -> Entry:
        target = self._seen.get(entry.link)
        if target is None or target.kind == DIRECTORY or entry.link == entry.path:
            raise BadRequest(
                f"The layer holds the hard link {printable(entry.path)} to {printable(entry.link)}, "
                "which is no file before it in the layer."
            )
        return entry if target.kind in (FILE, HARDLINK) else target._replace(path=entry.path)

    def _weigh(self, entry: Entry) -> None:
        self.size += entry.size
        if self.size > MOST_BYTES:
            raise BadRequest(f"The layer claims to hold more than {MOST_BYTES >> 30} GiB: this is refused.")
        self._grow(len(entry.path) + len(entry.link) + sum(len(key) + len(value) for key, value in entry.xattrs))

    def _grow(self, names: int) -> None:
        self._count += 1
        self._names += names
        if self._count > MOST_ENTRIES:
            raise BadRequest(f"The layer has more than {MOST_ENTRIES:,} entries: this is refused.")
        if self._names > MOST_NAMES:
            raise BadRequest("The names in the layer are too long taken together: this is refused.")

    def _inside(self, name: str) -> str:
        """Relative to the root, and below a folder: symbolic links of this layer on the way are followed."""
        path = _plain(name)
        parent, _, last = path.rpartition("/")
        if not parent:
            return path
        found = self._parents.get(parent)
        if found is None:
            found = self._parents[parent] = self._folder(parent)
        return f"{found}/{last}" if found and found != parent else path if found else last

    def _folder(self, path: str) -> str:
        """Where a folder of the layer really is; it and those above it come into being if no entry made them."""
        real = resolve(self._seen, path) if self._links else path
        above = real
        while above:
            there = self._seen.get(above)
            if there is not None and there.kind != DIRECTORY:
                raise BadRequest(f"The layer holds something below {printable(above)}, which is no folder.")
            if there is not None:
                break
            if above[above.rfind("/") + 1 :].startswith(WHITEOUT):
                raise BadRequest(f"The layer holds something below the whiteout {printable(above)}.")
            self._grow(len(above))
            self._seen[above] = Entry(above, DIRECTORY, 0o755)
            above = above.rpartition("/")[0]
        return real


def _plain(name: str) -> str:
    """A name without "." and empty parts. Raises BadRequest for names that no filesystem holds, or that lead out."""
    if "\0" in name:
        raise BadRequest(f"The layer holds the name {printable(name)}, with a NUL in it.")
    path = name
    if name[:1] in ("/", ".") or "/." in name or "//" in name or name[-1:] == "/":
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise BadRequest(f"The layer holds the name {printable(name)}, which leads out of its folder.")
        path = "/".join(parts)
    if len(path) > 60 and (
        len(path.encode("utf-8", "surrogateescape")) > 4095
        or max(len(part.encode("utf-8", "surrogateescape")) for part in path.split("/")) > 255
    ):
        raise BadRequest(f"The layer holds the name {printable(name)}, which is too long for a filesystem.")
    return path


def _check_numbers(entry: Entry) -> None:
    """Owners and devices as the kernel counts them; -1 would mean "as it is"."""
    if not (0 <= entry.uid < 2**32 - 1 and 0 <= entry.gid < 2**32 - 1):
        raise BadRequest(
            f"The layer holds {printable(entry.path)} with the owner {entry.uid}:{entry.gid}: there is none such."
        )
    if not (0 <= entry.major < 4096 and 0 <= entry.minor < 2**20):
        raise BadRequest(
            f"The layer holds the device {printable(entry.path)}, {entry.major}:{entry.minor}: there is none such."
        )
    if not entry.path and entry.kind != DIRECTORY:
        raise BadRequest("The layer holds something that is no folder in the place of its root.")
