"""The build context: the entries of a folder that a build is sent, with .dockerignore honoured as BuildKit and moby do."""

from __future__ import annotations

import codecs
import errno
import io
import os
import posixpath
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from e2b_dockerfile_utils import PatternMatcher

from ..errors import WorkshopError

ON_WINDOWS = os.name == "nt"
WILDCARDS = frozenset("*?[")
IGNORE_FILE = ".dockerignore"


@dataclass(frozen=True, slots=True)  # a context may have 100,000 of them
class Entry:
    """A file, folder, link or special file. path: from the context's top, with slashes. mode: as st_mode."""

    path: str
    mode: int
    size: int = 0  # bytes
    modified: int = 0  # nanoseconds since 1970
    link: str = ""  # where a symbolic link points to; of a hard link, the earlier entry that is the same file
    device: tuple[int, int] = (0, 0)  # major and minor number
    attributes: dict[str, bytes] = field(default_factory=dict)  # extended ones
    source: Path | bytes = b""  # where the content of a file is, or that content

    @property
    def is_file(self) -> bool:
        """True for what can have content. A socket is an empty file to a build (fsutil, `mkstat`)."""
        return stat.S_ISREG(self.mode) or stat.S_ISSOCK(self.mode)

    def open(self) -> BinaryIO:
        """The content of a file. Raises WorkshopError if it cannot be read."""
        if isinstance(self.source, bytes) or not stat.S_ISREG(self.mode):
            return io.BytesIO(self.source if isinstance(self.source, bytes) else b"")
        try:
            return open(self.source, "rb", opener=_without_waiting)
        except OSError as error:
            raise _unreadable(self.source, self.path, error) from None


def _without_waiting(path: str, flags: int) -> int:
    """What was a file a moment ago may be a named pipe by now, whose other end would be waited for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def text_entry(name: str, content: bytes) -> Entry:
    """A file that is on no disk. It is as new as can be: the engine knows an unchanged file by its size and time."""
    return Entry(name, stat.S_IFREG | 0o644, len(content), time.time_ns(), source=content)


def walk(
    folder: Path, exclude: Iterable[str] = (), include: Iterable[str] = (), follow: Iterable[str] = ()
) -> Iterator[Entry]:
    """What a build is sent of a folder, in the order of a walk: names by their bytes, a folder's content right after it.

    exclude: patterns as in .dockerignore. include: if there are any, only what one of them matches. follow: paths that are
    included, too, with what symbolic links on their way point to. Folders on the way to what is sent are sent as well.
    Raises WorkshopError for a pattern that is none, and for what may not be read.
    """
    include, follow = list(include), list(follow)
    followed = _follow_links(folder, follow) if follow else []
    wanted = _matcher([*include, *followed]) if include or (follow and "" not in followed) else None
    below = _matcher([f"!{pattern}" for pattern in wanted.patterns if not pattern.startswith("!")]) if wanted else None
    unwanted = list(exclude)
    return _walk(folder, _Choice(_matcher(unwanted) if unwanted else None, wanted, below))


def read_file(path: Path, most: int = -1) -> bytes:
    """The content of a file, at most so many bytes of it. Raises OSError, for what is no file as well.

    Whoever opens a named pipe waits for its other end, and a device such as /dev/zero has no end.
    """
    if not (stat.S_ISREG(path.stat().st_mode) or path.is_dir()):
        raise OSError(errno.EINVAL, "it is no file")
    with path.open("rb") as file:
        return file.read(most)


def read_ignore_file(path: Path) -> bytes | None:
    """A .dockerignore as it is; None if there is none. Raises WorkshopError if no builder could read it as lines of text."""
    try:
        content = read_file(path)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, path.name, error) from None
    if b"\0" in content:
        what = f"{path.name} is not UTF-8 text: what it names would be sent to the engine."
        raise WorkshopError(what, "Save it as UTF-8 and run the cell again.", "Nothing was built.")
    return content


def ignore_file(folder: Path, dockerfile: str) -> tuple[str, bytes | None]:
    """(name, content) of the .dockerignore that counts: the Dockerfile's own, beside it, comes before the folder's.

    dockerfile: where the Dockerfile is, seen from the folder; "" for one that is on no disk. content: None if there is none.
    """
    own = folder / f"{dockerfile}{IGNORE_FILE}"
    if dockerfile and (content := read_ignore_file(own)) is not None:
        return own.name, content
    return IGNORE_FILE, read_ignore_file(folder / IGNORE_FILE)


def excludes(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether these patterns keep a path out of the context."""
    patterns = list(patterns)
    return _matcher(patterns).matches if patterns else lambda path: False


def reaches_into(patterns: Iterable[str], folder: str) -> bool:
    """True if an exception ("!…") may let something of that folder in again."""
    patterns = list(patterns)
    return bool(patterns) and _matcher(patterns).may_match_under(folder)


def ignore_patterns(content: bytes | None) -> list[str]:
    """The patterns of a .dockerignore.

    moby/patternmatcher, ignorefile: an editor's mark may come first, and a line that begins with # is a comment. Names are
    bytes to an engine, so a letter that is not UTF-8 stands for its byte, as in the names that Python lists.
    """
    lines = (content or b"").removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape").split("\n")
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


@dataclass(frozen=True)
class _Choice:
    """Which paths are sent. unwanted: None for none. wanted: None for all. below: the same patterns, asked what they may
    match in a folder.
    """

    unwanted: PatternMatcher | None
    wanted: PatternMatcher | None
    below: PatternMatcher | None

    def takes(self, path: str) -> bool:
        wanted = self.wanted is None or self.wanted.matches(path)
        return wanted and not (self.unwanted and self.unwanted.matches(path))

    def enters(self, path: str) -> bool:
        """True if something in that folder may be taken."""
        if self.wanted and self.below and not self.wanted.matches(path) and not self.below.may_match_under(path):
            return False
        return not self.unwanted or not self.unwanted.matches(path) or self.unwanted.may_match_under(path)


def _matcher(patterns: Iterable[str]) -> PatternMatcher:
    # Behind a space, # is a name's first letter to moby; to this matcher it begins a comment, but not behind "./".
    names = [f"./{pattern}" if pattern.startswith("#") else pattern for pattern in patterns]
    try:
        return PatternMatcher(names, backslash_is_separator=ON_WINDOWS)
    except ValueError as error:
        raise WorkshopError(f"{error}.", f"Mend that line of {IGNORE_FILE} and run the cell again.") from None


def _walk(folder: Path, choice: _Choice) -> Iterator[Entry]:
    """What is taken of a folder. A loop, as folders may lie deeper in one another than Python's calls may."""
    files: dict[tuple[int, int], str] = {}
    waiting = [_names(folder, "", asked=True)]
    untold: list[tuple[str, str, os.stat_result] | None] = [
        None
    ]  # of each of them, the folder if it was not told of yet
    while waiting:
        path = next(waiting[-1], None)
        if path is None:
            waiting.pop()
            untold.pop()
            continue
        place, taken = os.path.join(folder, path), choice.takes(path)
        try:
            found = os.lstat(place)
            entry = _entry(place, path, found, files) if taken else None
        except FileNotFoundError:
            continue
        except OSError as error:
            if taken:
                raise _unreadable(folder / path, path, error) from None
            continue
        if entry:
            for number, above in enumerate(untold):
                if above:
                    yield _entry(*above, files)
                    untold[number] = None
            yield entry
        if stat.S_ISDIR(found.st_mode) and choice.enters(path):
            waiting.append(_names(folder, path, taken))
            untold.append(None if taken else (place, path, found))


def _names(folder: Path, inside: str, asked: bool) -> Iterator[str]:
    """The paths of what is in a folder inside of the folder. asked: whether that one is: else it may be unreadable."""
    try:
        names = sorted(os.listdir(folder / inside), key=os.fsencode)
    except OSError as error:
        if asked and not isinstance(error, FileNotFoundError):  # that one went away meanwhile
            raise _unreadable(folder / inside, inside, error) from None
        return iter(())
    return iter([f"{inside}/{name}" for name in names] if inside else names)


def _entry(place: str, path: str, found: os.stat_result, files: dict[tuple[int, int], str]) -> Entry:
    """place: where it is on this machine. files: {(device, inode): path} of the files so far that have several names."""
    mode, size, link, device = found.st_mode, found.st_size, "", (0, 0)
    if ON_WINDOWS:
        mode |= 0o755  # there is no such bit: every file may be a program
    if stat.S_ISLNK(mode):
        link = os.readlink(place).replace(os.sep, "/")
    elif stat.S_ISREG(mode) and found.st_nlink > 1:
        first = files.setdefault((found.st_dev, found.st_ino), path)
        link, size = ("", size) if first == path else (first, 0)
    elif stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        device = os.major(found.st_rdev), os.minor(found.st_rdev)
    size = 0 if stat.S_ISDIR(mode) else size
    return Entry(path, mode, size, found.st_mtime_ns, link, device, _attributes(place), Path(place))


def _attributes(path: str) -> dict[str, bytes]:
    """Extended attributes, where Python has them: on Linux."""
    if not hasattr(os, "listxattr"):
        return {}
    try:
        names = os.listxattr(path, follow_symlinks=False)
        return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    except OSError:
        return {}  # this file system has none


def _follow_links(folder: Path, paths: list[str]) -> list[str]:
    """The paths themselves, and what the symbolic links on their way point to; "" is the whole folder.

    The last name of a path may hold wildcards. A link's target counts from the folder, and never leads out of it.
    """
    found: set[str] = set()
    waiting = [_clean(path) for path in paths]
    while waiting:
        parts = waiting.pop().split("/")
        for end in range(1, len(parts) + 1):
            here = "/".join(parts[:end])
            if targets := _link_targets(folder, here):
                if here not in found:
                    found.add(here)
                    waiting += [_clean(posixpath.join(target, *parts[end:])) for target in targets]
                break
        else:
            found.add("/".join(parts))
    return sorted(found)


def _link_targets(folder: Path, path: str) -> list[str]:
    """Where a path leads, or the paths do that its wildcards match, as far as they are symbolic links."""
    above, name = posixpath.split(path)
    if WILDCARDS.isdisjoint(name):
        names = [name]
    else:
        try:
            names = [one for one in os.listdir(folder / above) if fnmatchcase(one, name.replace("[^", "[!"))]
        except OSError:
            return []
    links = [folder / above / one for one in names if os.path.islink(folder / above / one)]
    return [posixpath.join("/", above, os.readlink(link).replace(os.sep, "/")) for link in links]


def _clean(path: str) -> str:
    """A path from the top, without a slash in front: "" for the top itself."""
    return posixpath.normpath("/" + path.replace(os.sep, "/")).strip("/")


def _unreadable(path: Path, inside: str, error: OSError) -> WorkshopError:
    """The error for what is in the context and cannot be read. inside: its path as seen from the context's top."""
    top = path.parents[inside.count("/")] if inside else path
    reason = error.strerror or type(error).__name__
    return WorkshopError(
        f"The build context {top.name} cannot be sent, because of {inside or 'the folder itself'}: {reason}.",
        f'Let yourself read it (`chmod -R u+rX "{path}"`, or its owner does), or name it in {IGNORE_FILE}: it stays out then.',
        "Nothing was built.",
    )
