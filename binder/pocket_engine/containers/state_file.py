"""What is known of a container, and stays known when the engine ends: one JSON file, replaced as a whole."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

NEVER = "0001-01-01T00:00:00Z"  # Go's zero time
FILE = "container.json"


@dataclass
class ContainerRecord:
    """`config` and `host` are Docker's Config and HostConfig; `image` is how the image was named at creation."""

    id: str
    name: str
    image: str
    image_id: str
    diff_ids: list[str]
    config: dict
    host: dict
    created: float = field(default_factory=time.time)  # seconds since 1970
    status: str = "created"  # "created", "running", "exited"
    exit_code: int = 0
    error: str = ""
    started_at: str = NEVER
    finished_at: str = NEVER
    pid: int = 0
    born: str | None = None  # when that process started (procfs.started): a number may be used again
    ports: dict[str, list[int]] = field(default_factory=dict)
    filled: bool = False  # whether the root filesystem is there

    def save(self, folder: Path) -> None:
        """Atomic: after a crash there is this state, or the one before."""
        folder.mkdir(parents=True, exist_ok=True)
        half = folder / f"{FILE}.new"
        with open(half, "w", encoding="utf-8", errors="surrogateescape") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        half.replace(folder / FILE)

    @staticmethod
    def load(folder: Path) -> ContainerRecord | None:
        """None where there is no whole record: a container that was being made, or removed."""
        try:
            known = json.loads((folder / FILE).read_text(encoding="utf-8", errors="surrogateescape"))
            names = {known_field.name for known_field in fields(ContainerRecord)}
            return ContainerRecord(**{name: value for name, value in known.items() if name in names})
        except (OSError, ValueError, TypeError, AttributeError):
            return None


def timestamp(seconds: float | None = None) -> str:
    """RFC 3339 in UTC, as Docker writes it; now, if no time is given."""
    moment = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds(text: str) -> float:
    """Seconds since 1970 of such a time."""
    return datetime.fromisoformat(text).timestamp()
