"""Creating the files of a merged view in an empty folder, or those of one more layer over it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import BinaryIO

from ..errors import Interrupted
from ..store.entries import BLOCK, CHARACTER, DIRECTORY, FIFO, FILE, HARDLINK, OPAQUE, SYMLINK, WHITEOUT, Entry
from ..store.layers import Layers
from .metadata_ledger import MetadataLedger, usable
from .remove_tree import clear

_DEVICES = {CHARACTER: stat.S_IFCHR, BLOCK: stat.S_IFBLK}


def unpack(
    layers: Layers,
    diff_ids: Sequence[str],
    root: Path,
    ledger: MetadataLedger,
    stop: threading.Event | None = None,
    only: Collection[str] | None = None,
) -> None:
    """Create every visible entry of these layers below `root`, an empty folder.

    only: these paths alone, where the others are there; of a folder that is there, owner, mode and times are set.
    Nothing is followed: parents are folders made a moment ago, so no name of a layer leads out. Raises NoSpace,
    Interrupted.
    """
    view = layers.view(diff_ids)
    entries = view.entries if only is None else {path: view.entries[path] for path in only if path in view.entries}
    tars: dict[str, BinaryIO] = {}
    # `git` alone has a hundred names for one file: links come when all files are there.
    links = [path for path, entry in entries.items() if entry.kind == HARDLINK]
    folders = []
    try:
        for number, path in enumerate(sorted(entries)):
            if stop and number % 256 == 0 and stop.is_set():
                raise Interrupted("The work was stopped.")
            entry = entries[path]
            host_path = os.path.join(root, path) if path else str(root)
            if entry.kind == FILE:
                diff_id = view.layer_of(path)
                if diff_id not in tars:
                    tars[diff_id] = layers.open(diff_id)
                _file(host_path, entry, tars[diff_id].fileno(), ledger)
            elif entry.kind == DIRECTORY:
                if path and (only is None or not os.path.isdir(host_path) or os.path.islink(host_path)):
                    os.mkdir(host_path, 0o700)
                folders.append((host_path, entry))
            elif entry.kind == SYMLINK:
                _symlink(host_path, entry, ledger)
            elif entry.kind != HARDLINK:
                _special(host_path, entry, ledger)
        for path in links:
            os.link(os.path.join(root, entries[path].link), os.path.join(root, path), follow_symlinks=False)
            link = os.path.join(root, path)
            ledger.note(path, entries[entries[path].link]._replace(path=path), os.lstat(link).st_mode)
        for host_path, entry in reversed(folders):
            _set_metadata(host_path, entry, ledger)
            os.utime(host_path, (entry.mtime, entry.mtime))
    finally:
        for tar in tars.values():
            tar.close()


def make_mount_points(root: Path) -> set[str]:
    """Make what a runner mounts its own things on, where the image has none, as Docker's init layer does.

    Returns the paths made. Without them the runner would, and each RUN would seem to have changed their folders.
    """
    made_paths = set()
    for path, folder in (
        ("dev", True),
        ("proc", True),
        ("sys", True),
        ("etc", True),
        ("etc/hosts", False),
        ("etc/hostname", False),
        ("etc/resolv.conf", False),
    ):
        host_path, above = os.path.join(root, path), os.path.dirname(os.path.join(root, path))
        if os.path.lexists(host_path) or os.path.islink(above) or not os.path.isdir(above):
            continue
        times = os.stat(above)
        if folder:
            os.mkdir(host_path, 0o755)
        else:
            os.close(os.open(host_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))
        os.utime(above, ns=(times.st_atime_ns, times.st_mtime_ns))
        made_paths.add(path)
    return made_paths


def unpack_over(layers: Layers, diff_id: str, root: Path, ledger: MetadataLedger) -> None:
    """Lay one more layer, one that a COPY, an ADD or a WORKDIR made, over a filled root."""
    folders = []
    entries = {entry.path: entry for entry in layers.index(diff_id)}
    with layers.open(diff_id) as tar:
        for path, entry in entries.items():
            host_path = os.path.join(root, path)
            name = os.path.basename(path)
            if name == OPAQUE:
                continue  # its folder was made anew below
            if name.startswith(WHITEOUT):
                clear(os.path.join(os.path.dirname(host_path), name.removeprefix(WHITEOUT)))
                continue
            merges = entry.kind == DIRECTORY and os.path.isdir(host_path) and not os.path.islink(host_path)
            if merges and f"{path}/{OPAQUE}" not in entries:
                folders.append((host_path, entry))
                continue
            clear(host_path)
            if entry.kind == FILE:
                _file(host_path, entry, tar.fileno(), ledger)
            elif entry.kind == DIRECTORY:
                os.mkdir(host_path, 0o700)
                folders.append((host_path, entry))
            elif entry.kind == SYMLINK:
                _symlink(host_path, entry, ledger)
            elif entry.kind == HARDLINK:
                os.link(os.path.join(root, entry.link), host_path, follow_symlinks=False)
                ledger.note(path, (ledger.entry(entry.link) or entry)._replace(path=path), os.lstat(host_path).st_mode)
            else:
                _special(host_path, entry, ledger)
    for host_path, entry in reversed(folders):
        _set_metadata(host_path, entry, ledger)
        os.utime(host_path, (entry.mtime, entry.mtime))


def _symlink(host_path: str, entry: Entry, ledger: MetadataLedger) -> None:
    os.symlink(entry.link, host_path)
    if ledger.privileged:
        os.chown(host_path, entry.uid, entry.gid, follow_symlinks=False)
    os.utime(host_path, (entry.mtime, entry.mtime), follow_symlinks=False)
    ledger.note(entry.path, entry, stat.S_IFLNK | 0o777)


def _file(host_path: str, entry: Entry, tar: int, ledger: MetadataLedger) -> None:
    file = os.open(host_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        left, offset = entry.size, entry.offset
        while left:
            copied = _copy(tar, file, min(left, 1 << 27), offset)
            if not copied:
                raise OSError(errno.EIO, "a layer of the store is shorter than its index says")
            left, offset = left - copied, offset + copied
        _set_metadata(file, entry, ledger)
        os.utime(file, (entry.mtime, entry.mtime))
    finally:
        os.close(file)


def _copy(source: int, target: int, count: int, offset: int) -> int:
    try:
        return os.copy_file_range(source, target, count, offset)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            raise
        return os.write(target, os.pread(source, min(count, 1 << 20), offset))


def _set_metadata(file: int | str, entry: Entry, ledger: MetadataLedger) -> None:
    """Owner, mode, extended attributes; where that takes root, the ledger keeps them."""
    directory = entry.kind == DIRECTORY
    if ledger.privileged:
        if entry.uid or entry.gid:
            os.chown(file, entry.uid, entry.gid)
        os.chmod(file, entry.mode)
        for name, value in entry.xattrs:
            with contextlib.suppress(OSError):  # a filesystem without them: the program sees none
                os.setxattr(file, name, value.encode("utf-8", "surrogateescape"))
        return
    mode = usable(entry.mode, directory)
    os.chmod(file, mode)
    ledger.note(entry.path, entry, mode | (stat.S_IFDIR if directory else stat.S_IFREG))


def _special(host_path: str, entry: Entry, ledger: MetadataLedger) -> None:
    if entry.kind == FIFO:
        os.mkfifo(host_path, 0o600)
    elif ledger.privileged:
        os.mknod(host_path, _DEVICES[entry.kind] | 0o600, os.makedev(entry.major, entry.minor))
    else:  # an ordinary user makes no device: an empty file holds its place
        os.close(os.open(host_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    if ledger.privileged:
        os.chown(host_path, entry.uid, entry.gid)
        os.chmod(host_path, entry.mode)
    ledger.note(entry.path, entry, os.lstat(host_path).st_mode)
    os.utime(host_path, (entry.mtime, entry.mtime))
