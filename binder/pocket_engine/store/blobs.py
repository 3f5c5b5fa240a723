"""Blobs: immutable files named after the sha256 of their bytes, as in an OCI image layout."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..errors import BadRequest, NoSpace, NotFound, no_space

RESERVE = 64 << 20  # bytes of the disk that are left to everybody else
STEP = 16 << 20  # bytes written between two looks at the room that is left
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def hex_of(digest: str) -> str:
    """The hex part of a digest, safe as a file name. Raises BadRequest for anything but sha256."""
    if not _DIGEST.fullmatch(digest):
        raise BadRequest(f"invalid digest {digest[:100]!r}: it has to be sha256: and 64 hexadecimal digits.")
    return digest[7:]


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Replace a file in one step: afterwards it has the old bytes or the new ones, whatever happens. Raises NoSpace."""
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with no_space(path.parent), open(descriptor, "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    if sync:
        sync_folder(path.parent)


class Blobs:
    """Thread-safe. `limit`: bytes that all blobs together may have (None: as the disk allows); `make_room`: called with
    the bytes that are missing when the limit is reached, before NoSpace is raised."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.temporary = self.folder / "tmp"
        self._blobs = self.folder / "blobs" / "sha256"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self.temporary.mkdir(exist_ok=True)
        self.limit: int | None = None
        self.make_room: Callable[[int], None] | None = None
        self._lock = threading.Lock()
        self._used = sum(found.stat().st_size for found in os.scandir(self._blobs))
        self._writing = 0  # bytes in half-made blobs

    def writer(self) -> BlobWriter:
        """For one new blob."""
        return BlobWriter(self)

    def path(self, digest: str) -> Path:
        """Where it is, or would be. Raises BadRequest for what is no digest."""
        return self._blobs / hex_of(digest)

    def has(self, digest: str) -> bool:
        """True if it is there, whole."""
        return self.path(digest).is_file()

    def open(self, digest: str) -> BinaryIO:
        """Its bytes; still readable when it is removed meanwhile. Raises NotFound."""
        try:
            return open(self.path(digest), "rb")
        except FileNotFoundError:
            raise NotFound(f"The store has no blob {digest}.") from None

    def size(self, digest: str) -> int:
        """Bytes. Raises NotFound."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            raise NotFound(f"The store has no blob {digest}.") from None

    def remove(self, digest: str) -> int:
        """Returns the bytes that became free: 0 if it was not there."""
        path = self.path(digest)
        with self._lock:
            try:
                size = path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                return 0
            self._used -= size
            return size

    def all(self) -> list[str]:
        """Every digest."""
        return [f"sha256:{name}" for name in os.listdir(self._blobs) if _DIGEST.fullmatch(f"sha256:{name}")]

    def used(self) -> int:
        """Bytes of all blobs, half-made ones included."""
        return self._used + self._writing

    def sweep(self) -> None:
        """Remove what a killed engine left half made. Nothing may be writing."""
        for folder in (self.temporary, self._blobs, self.folder):
            for left in folder.iterdir():
                if folder is self.temporary and left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left, ignore_errors=True)
                elif folder is self.temporary or left.name.startswith(".new-"):
                    left.unlink(missing_ok=True)

    def reserve(self, size: int) -> None:
        """Raises NoSpace unless so many bytes more may be written."""
        status = os.statvfs(self.temporary)
        if status.f_bavail * status.f_frsize < size + RESERVE:
            raise NoSpace(f"No space left on the disk that holds {self.folder}. Remove images, or make room there.")
        missing = self.used() + size - self.limit if self.limit is not None else 0
        if missing > 0 and self.make_room:
            self.make_room(missing)
            missing = self.used() + size - (self.limit or 0)
        if missing > 0:
            raise NoSpace(
                f"The store may have {(self.limit or 0) / 1e6:,.1f} MB, and they are used. Remove images you no longer need."
            )

    def _account(self, used: int = 0, writing: int = 0) -> None:
        with self._lock:
            self._used += used
            self._writing += writing


class BlobWriter:
    """Use it as a context manager: what is not committed when it ends is gone. For one thread."""

    def __init__(self, blobs: Blobs):
        self._blobs = blobs
        descriptor, name = tempfile.mkstemp(prefix="blob-", dir=blobs.temporary)
        self._name = Path(name)
        self._file = open(descriptor, "wb", buffering=1 << 18)
        self._digest = hashlib.sha256()
        self._size = self._checked = 0

    def write(self, data: bytes | memoryview) -> int:
        """Raises NoSpace."""
        size = len(data)
        if self._size + size > self._checked:
            self._blobs.reserve(STEP + size)
            self._blobs._account(writing=STEP + size)
            self._checked += STEP + size
        with no_space(self._blobs.folder):
            self._file.write(data)
        self._digest.update(data)
        self._size += size
        return size

    def tell(self) -> int:
        """Bytes written so far."""
        return self._size

    def digest(self) -> str:
        """Of the bytes written so far."""
        return f"sha256:{self._digest.hexdigest()}"

    def flush(self) -> None:
        """Wait until the disk has what was written."""
        with no_space(self._blobs.folder):
            self._file.flush()
            os.fsync(self._file.fileno())

    def commit(self) -> tuple[str, int]:
        """(digest, bytes). From here on the blob is in the store, and survives a power loss."""
        digest, path = self.digest(), self._blobs.path(self.digest())
        os.fchmod(self._file.fileno(), 0o644)
        self.flush()
        self._file.close()
        with self._blobs._lock:
            if not path.exists():
                self._blobs._used += self._size
            os.replace(self._name, path)
        sync_folder(path.parent)
        self._finish()
        return digest, self._size

    def _finish(self) -> None:
        self._blobs._account(writing=-self._checked)
        self._checked = 0

    def __enter__(self) -> BlobWriter:
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(OSError, NoSpace):
            self._file.close()
        self._name.unlink(missing_ok=True)
        self._finish()
