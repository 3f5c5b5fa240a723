"""The root filesystem of one container: made at the first start, kept until the container is removed."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

from .. import passwd
from ..engine_services import EngineServices
from ..rootfs import RootFilesystem, layer_diff
from ..rootfs.remove_tree import remove
from ..store.entries import FILE, Entry
from . import resolve_in_root
from .state_file import ContainerRecord

KINDS = {"changed": 0, "added": 1, "deleted": 2}  # of GET /containers/{id}/changes


class ContainerRootfs:
    """Thread-safe. `root_filesystem` makes it where it is not there yet."""

    def __init__(self, engine: EngineServices, folder: Path, record: ContainerRecord):
        self._engine, self._folder, self._record = engine, folder, record
        self._root_folder = folder / "root"
        self._rootfs: RootFilesystem | None = None
        self._lock = threading.Lock()
        self.owners: dict[tuple[int, int], tuple[int, int]] = {}  # what programs chowned without being able to

    @property
    def path(self) -> Path:
        """The folder that programs see as /. Filled now, if it is not yet: raises NoSpace."""
        return self.root_filesystem().path

    def root_filesystem(self) -> RootFilesystem:
        with self._lock:
            if self._rootfs is None:
                manager, diff_ids = self._engine.rootfs_manager, tuple(self._record.diff_ids)
                if self._record.filled:  # by an engine before this one
                    self._rootfs = RootFilesystem(self._root_folder, diff_ids, self._engine.layers, manager.privileged)
                else:
                    self._rootfs = manager.create(diff_ids, folder=self._root_folder)
                    self._record.filled = True
                    self._record.save(self._folder)
            return self._rootfs

    def user(self, name: str) -> passwd.User:
        """Who `name` is here. Raises BadRequest."""
        return passwd.resolve(name, lambda path: resolve_in_root.read_small(self.path, path))

    def true_metadata(self, path: str, found: os.stat_result) -> tuple[int, int, int]:
        """(uid, gid, permission bits) of a file as programs in the container see or set them."""
        if self._engine.rootfs_manager.privileged:
            return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)
        ledger = self.root_filesystem().ledger
        known = ledger.entry(path)
        owner = self.owners.get((found.st_dev, found.st_ino)) or ((known.uid, known.gid) if known else (0, 0))
        return *owner, ledger.mode(path, found.st_mode)

    def set_owner(self, spot: resolve_in_root.ResolvedPath, uid: int, gid: int) -> None:
        """Make a file somebody's, as far as possible here; else remember it."""
        found = spot.stat()
        if found is None:  # a running program removed it meanwhile
            return
        if self._engine.rootfs_manager.privileged:
            os.chown(spot.name, uid, gid, dir_fd=spot.folder, follow_symlinks=False)
            if not stat.S_ISLNK(found.st_mode):  # chown takes the setuid and setgid bits away
                os.chmod(spot.name, stat.S_IMODE(found.st_mode), dir_fd=spot.folder)
            return
        path = spot.path.strip("/")
        self.root_filesystem().ledger.note(
            path, Entry(path, FILE, stat.S_IMODE(found.st_mode), uid, gid), found.st_mode
        )

    def changes(self) -> list[dict] | None:
        """What differs from the image; None where it cannot be told: an engine before this one made the rootfs."""
        if not self._record.filled and self._rootfs is None:
            return []
        rootfs = self.root_filesystem()
        if not rootfs.snapshot:
            return None
        now = dict(layer_diff.walk(rootfs.path))
        kinds = {path: "deleted" for path in rootfs.snapshot if path and path not in now}
        for path, found in now.items():
            was = rootfs.snapshot.get(path)
            if not (was and was.is_still(found)):
                kinds[path] = "added" if was is None else "changed"
        for path in list(kinds):
            for above in _above(path):
                kinds.setdefault(above, "changed")
        return [{"Path": f"/{path}", "Kind": KINDS[kind]} for path, kind in sorted(kinds.items())]

    def size(self) -> int:
        """Bytes of its files; 0 while it is not filled."""
        if not self._record.filled:
            return 0
        return sum(found.st_size for _, found in layer_diff.walk(self.path) if stat.S_ISREG(found.st_mode))

    def discard(self) -> None:
        """Remove it."""
        with self._lock:
            if self._rootfs is not None:
                self._engine.rootfs_manager.release(self._rootfs)
            elif self._root_folder.exists():
                remove(self._root_folder)
            self._rootfs = None


def _above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]
