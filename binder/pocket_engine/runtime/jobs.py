"""One program to run in one root filesystem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class Mount(NamedTuple):
    """A folder or file of the host that the job sees at `target`, an absolute path inside its root."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Job:
    """What to run, where and as whom.

    root: the root filesystem, a folder. argv: the program and its arguments; looked up in env's PATH inside root.
    env: the whole environment. cwd: absolute, inside root; made if missing, as Docker does. scratch: a folder for this
    job's own files, outside root, that the caller removes afterwards. ports: {TCP port the program listens on: port on
    127.0.0.1 of the host where it is reached}. groups: supplementary group ids.
    """

    root: Path
    argv: list[str]
    env: dict[str, str]
    scratch: Path
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    mounts: tuple[Mount, ...] = ()
    ports: Mapping[int, int] = field(default_factory=dict)
    hostname: str = "pocket"
