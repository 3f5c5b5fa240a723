"""Telling others that something changed, whether they wait in a thread or in an event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable


class ChangeNotifier:
    """Thread-safe. Callbacks run in the thread that changed something: they must return at once and not raise."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call it after every change from now on. Returns the function that ends this."""
        with self._lock:
            self._callbacks.append(callback)

        def leave() -> None:
            with self._lock:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)

        return leave

    def notify(self) -> None:
        """Something changed."""
        with self._lock:
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()
