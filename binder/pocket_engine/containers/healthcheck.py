"""A container's health check: its command, run again and again, and what that says about the container."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

SECOND = 10**9  # durations of a Healthcheck are in nanoseconds
KEPT = 5  # results in State.Health.Log, as in Docker
OUTPUT = 4096  # bytes of a check's output that are kept
Probe = Callable[[list[str], float], tuple[int, str]]  # (command, seconds) -> (exit status, output)


def command(check: Mapping[str, Any] | None) -> list[str] | None:
    """What a Healthcheck runs; None where there is no check."""
    kind, *words = (check or {}).get("Test") or ["NONE"]
    if kind == "CMD-SHELL" and words:
        return ["/bin/sh", "-c", words[0]]
    return list(words) if kind == "CMD" and words else None


class HealthMonitor:
    """Checks until it is stopped. `on_change(status)` is called when the status changes."""

    def __init__(self, check: Mapping[str, Any], probe: Probe, on_change: Callable[[str], None]):
        self.status, self.failing = "starting", 0
        self._command, self._probe, self._on_change = command(check) or [], probe, on_change
        self._interval = (check.get("Interval") or 30 * SECOND) / SECOND
        self._timeout = (check.get("Timeout") or 30 * SECOND) / SECOND
        self._patience = (check.get("StartPeriod") or 0) / SECOND
        self._retries = check.get("Retries") or 3
        self._results: deque[dict] = deque(maxlen=KEPT)
        self._stop = threading.Event()
        self._began = time.monotonic()

    def start(self) -> None:
        threading.Thread(target=self._run, name="health", daemon=True).start()

    def stop(self) -> None:
        """No check begins any more."""
        self._stop.set()

    def shown(self) -> dict:
        """State.Health."""
        return {"Status": self.status, "FailingStreak": self.failing, "Log": list(self._results)}

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            begin = _now()
            code, output = self._probe(self._command, self._timeout)
            if self._stop.is_set():
                return
            self._results.append({"Start": begin, "End": _now(), "ExitCode": code, "Output": output[:OUTPUT]})
            self._judge(code)

    def _judge(self, code: int) -> None:
        before = self.status
        if code == 0:
            self.status, self.failing = "healthy", 0
        elif before != "starting" or time.monotonic() - self._began > self._patience:
            self.failing += 1
            if self.failing >= self._retries:
                self.status = "unhealthy"
        if self.status != before:
            self._on_change(self.status)


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
