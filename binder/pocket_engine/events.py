"""What happened in the engine, as Docker's event messages: kept for a while, and told to whoever listens."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

KEPT = 256  # as many as dockerd remembers for `since`

Deliver = Callable[[dict], None]


class Events:
    """Thread-safe. The newest KEPT messages can be asked for again."""

    def __init__(self) -> None:
        self._past: deque[dict] = deque(maxlen=KEPT)
        self._listeners: list[Deliver] = []
        self._lock = threading.Lock()

    @property
    def listeners(self) -> int:
        """How many are subscribed now."""
        return len(self._listeners)

    def publish(self, kind: str, action: str, actor: str, attributes: Mapping[str, object] | None = None) -> dict:
        """Tell that `action` ("create", "die", "tag", …) happened to `actor`, the id of a `kind` ("container", "image", …).

        attributes: "name", "image", "exitCode", labels, …; their values are sent as strings. Returns the message.
        """
        now = time.time_ns()
        texts = {key: str(value) for key, value in (attributes or {}).items()}
        message = {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": actor, "Attributes": texts},
            "scope": "local",
            "time": now // 1_000_000_000,
            "timeNano": now,
        }
        if kind in ("container", "image"):  # the form before API 1.22, which clients still read
            message |= {"status": action, "id": actor}
            if kind == "container" and "image" in texts:
                message["from"] = texts["image"]
        with self._lock:
            self._past.append(message)
            listeners = list(self._listeners)
            # Under the lock, so that every listener sees the same order; `deliver` only hands the message over.
            for deliver in listeners:
                deliver(message)
        return message

    def subscribe(self, deliver: Deliver, since: float | None = None) -> tuple[list[dict], Callable[[], None]]:
        """From now on `deliver(message)` is called, in the publisher's thread: it must return at once and not raise.

        since: seconds since 1970. Returns the kept messages from then on (none where since is None), without a gap or
        an overlap, and the function that ends the subscription.
        """
        with self._lock:
            past = [] if since is None else [message for message in self._past if message["timeNano"] >= since * 1e9]
            self._listeners.append(deliver)

        def leave() -> None:
            with self._lock:
                if deliver in self._listeners:
                    self._listeners.remove(deliver)

        return past, leave
