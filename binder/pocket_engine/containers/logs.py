"""What a program writes: kept in files, read from any place, by any number of readers, while it is being written.

A record is a header (time in ns, stream, length) and the bytes as the program wrote them. A position counts all bytes
ever written, and a file is named after the position of its first byte, so a rotation moves no reader.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .change_notifier import ChangeNotifier

STDIN, STDOUT, STDERR = 0, 1, 2  # as the frames of /attach number them
LIMIT = 50_000_000  # bytes of one file; the newest two are kept
LAG = 8_000_000  # bytes that a program may be ahead of a reader who must not miss any
LONGEST_LINE = 1 << 20  # bytes after which a line is handed on without its end
_HEADER = struct.Struct(">QBI")


class LogRecord(NamedTuple):
    """`time` in nanoseconds since 1970."""

    time: int
    stream: int
    data: bytes


class ContainerLog:
    """Thread-safe. `folder` holds nothing else; it is made when something is written."""

    def __init__(self, folder: Path, limit: int = LIMIT):
        self.folder, self.limit, self.changed = Path(folder), limit, ChangeNotifier()
        self.writing = False
        self._room = threading.Condition()
        self._file: int | None = None
        self._start = self._end = 0
        self._readers: set[LogReader] = set()

    def open(self) -> None:
        """A program begins to write, behind what is there. Half a record, left by a crash, is cut off."""
        with self._room:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._start = max(self._starts(), default=0)
            self._file = os.open(self._path(self._start), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            whole = sum(_HEADER.size + len(record.data) for record in _records(self._file, 0, None))
            os.ftruncate(self._file, whole)
            self._end, self.writing = self._start + whole, True

    def write(self, stream: int, data: bytes) -> None:
        """Blocks while a holding reader is more than LAG bytes behind. Does nothing once the log is closed."""
        with self._room:
            while self.writing and any(self._end - reader.position > LAG for reader in self._readers):
                self._room.wait(1.0)
            if self._file is None:
                return
            if self._end - self._start > self.limit:
                self._file = self._rotated(self._file)
            record = _HEADER.pack(time.time_ns(), stream, len(data)) + data
            try:
                _write_all(self._file, record)
            except OSError:  # the disk is full: the program goes on, its output is lost
                os.ftruncate(self._file, self._end - self._start)
                return
            self._end += len(record)
        self.changed.notify()

    def close(self) -> None:
        """The program has ended."""
        with self._room:
            if self._file is not None:
                os.close(self._file)
            self._file, self.writing = None, False
            self._room.notify_all()
        self.changed.notify()

    def end(self) -> int:
        """The position behind the last record."""
        with self._room:
            if self._file is not None:
                return self._end
            last = max(self._starts(), default=0)
            return last + self._path(last).stat().st_size if self._path(last).exists() else 0

    def reader(self, position: int = 0, *, hold: bool = False) -> LogReader:
        """Reads from `position` on. hold: the program waits rather than that this reader misses something."""
        reader = LogReader(self, position)
        if hold:
            with self._room:
                self._readers.add(reader)
        return reader

    def _path(self, start: int) -> Path:
        return self.folder / f"{start:020d}"

    def _starts(self) -> list[int]:
        try:
            return sorted(int(name) for name in os.listdir(self.folder) if name.isdigit())
        except FileNotFoundError:
            return []

    def _rotated(self, full: int) -> int:
        """A new file in place of the one that is full; the newest two stay."""
        os.close(full)
        for old in self._starts()[:-1]:
            self._path(old).unlink(missing_ok=True)
        self._start = self._end
        return os.open(self._path(self._start), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


class LogReader:
    """One reader's place in a log."""

    def __init__(self, log: ContainerLog, position: int):
        self.log, self.position = log, position

    def read(self, limit: int = 1 << 18) -> list[LogRecord]:
        """The next records, about `limit` bytes of them; none where there are none yet."""
        while True:
            starts = self.log._starts()
            start = max(
                (start_of_file for start_of_file in starts if start_of_file <= self.position),
                default=min(starts, default=None),
            )
            if start is None:
                return []
            self.position = max(self.position, start)
            records = self._from(start, limit)
            following = min((start_of_file for start_of_file in starts if start_of_file > start), default=None)
            if records or following is None:
                return records
            self.position = following

    def _from(self, start: int, limit: int) -> list[LogRecord]:
        try:
            file = os.open(self.log._path(start), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # rotated away a moment ago
            return []
        try:
            records = list(_records(file, self.position - start, limit))
        finally:
            os.close(file)
        with self.log._room:
            self.position += sum(_HEADER.size + len(record.data) for record in records)
            self.log._room.notify_all()
        return records

    def close(self) -> None:
        """Nobody has to wait for this reader any more."""
        with self.log._room:
            self.log._readers.discard(self)
            self.log._room.notify_all()


class LineSplitter:
    """Records into lines, each stream for itself. A line has the time of its first byte."""

    def __init__(self) -> None:
        self._begun: dict[int, LogRecord] = {}

    def feed(self, records: Iterable[LogRecord]) -> Iterator[LogRecord]:
        """The lines that are complete now, newline included."""
        for record in records:
            begun = self._begun.pop(record.stream, None)
            data = (begun.data if begun else b"") + record.data
            first = begun.time if begun else record.time
            *lines, rest = data.split(b"\n")
            for line in lines:
                yield LogRecord(first, record.stream, line + b"\n")
                first = record.time
            if len(rest) > LONGEST_LINE:
                yield LogRecord(first, record.stream, rest)
            elif rest:
                self._begun[record.stream] = LogRecord(first, record.stream, rest)

    def rest(self) -> list[LogRecord]:
        """What has no newline behind it."""
        rest, self._begun = sorted(self._begun.values()), {}
        return rest


def _records(file: int, offset: int, limit: int | None) -> Iterator[LogRecord]:
    """Whole records from `offset` of a file on, until about `limit` bytes are read."""
    begin = offset
    while limit is None or offset - begin < limit:
        header = os.pread(file, _HEADER.size, offset)
        if len(header) < _HEADER.size:
            return
        when, stream, length = _HEADER.unpack(header)
        data = os.pread(file, length, offset + _HEADER.size)
        if len(data) < length:
            return
        yield LogRecord(when, stream, data)
        offset += _HEADER.size + length


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
