"""Live progress: a table that fills in while you watch in a notebook, a plain log everywhere else."""

from __future__ import annotations

import contextvars
import os
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .markup import as_html
from .units import seconds

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

PLAIN = "FACTORY_FLOOR_PROGRESS"  # set to "plain", it asks for the log in a notebook, too

REDRAW_EVERY = 0.2  # seconds between pictures of the table
ON_ONE_LINE = 30  # characters of a row's detail that are kept together
SHORTEST = 0.05  # seconds: what takes less is shown as 0.0 s
LOG_EVERY = 10.0  # seconds between two lines about the same running row in the plain log

GLYPH = {"running": "▶", "done": "✓", "cached": "↺", "failed": "✗", "stopped": "■"}


@dataclass
class Row:
    """One line of the table. `fraction` is 0 to 1 where the end is known, else None."""

    text: str
    group: str = ""
    state: str = "running"
    detail: str = ""
    fraction: float | None = None
    began: float = field(default_factory=time.monotonic)
    took: float | None = None
    logged: float = field(default_factory=time.monotonic)

    def age(self) -> float:
        return time.monotonic() - self.began if self.took is None else self.took


class Panel:
    """Progress of one piece of work, row by row.

    with Panel("Building factory/hello:multi") as panel:
        panel.row("1", "FROM python:3.11-slim", group="builder")
        panel.row("1", state="done", detail="cached")
    """

    def __init__(self, title: str) -> None:
        self.title, self.summary = title, ""
        self.rows: dict[Hashable, Row] = {}
        self._began, self._drawn, self._lock = time.monotonic(), 0.0, threading.RLock()
        self._closed = threading.Event()
        self._handle: DisplayHandle | None = None
        self._notebook = in_notebook()

    def __enter__(self) -> Panel:
        self._draw(force=True)
        # A step can be silent for a minute: somebody else has to keep the clock going. The copied context tells
        # the kernel which cell the thread's output belongs to.
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._tick,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: object) -> None:
        ending = "stopped" if kind and issubclass(kind, KeyboardInterrupt) else "failed"
        with self._lock:
            for key in [key for key, row in self.rows.items() if row.took is None]:
                self.row(key, state=ending if kind else "done")
            self._closed.set()
            self._draw(force=True)
            if not self._notebook and self.summary:
                print(self.summary, flush=True)

    def row(self, key: Hashable, text: str | None = None, **changes: Any) -> None:
        """Add the row `key`, or change it; any state but "running" stops its clock."""
        with self._lock:
            new = key not in self.rows
            row = self.rows.setdefault(key, Row(text or ""))
            if text is not None:
                row.text = text
            for name, value in changes.items():
                setattr(row, name, value)
            if row.state != "running" and row.took is None:
                row.took = time.monotonic() - row.began
                self._log(row)
            elif new:
                self._log(row)
            self._draw()

    def rest(self, text: str) -> None:
        """Add a row for the time since the beginning that no row shows, so that rows which followed each other add up."""
        with self._lock:
            for key in [key for key, row in self.rows.items() if row.took is None]:
                self.row(key, state="done")
            left = (
                time.monotonic() - self._began - sum(row.age() for row in self.rows.values() if row.state != "cached")
            )
            if left >= SHORTEST:
                self.row(text, text, state="done", took=left)

    def _tick(self) -> None:
        while not self._closed.wait(REDRAW_EVERY * 2):
            with self._lock:
                if self._closed.is_set():
                    return
                for row in self.rows.values():
                    if row.took is None and time.monotonic() - row.logged > LOG_EVERY:
                        self._log(row)
                self._draw()

    def _log(self, row: Row) -> None:
        row.logged = time.monotonic()
        if not self._notebook:
            began = row.took is None and row.age() < 0.5
            parts = [
                GLYPH[row.state],
                row.group and f"[{row.group}]",
                row.text,
                row.detail,
                not began and seconds(row.age()),
            ]
            print(" ".join(part for part in parts if part), flush=True)

    def _draw(self, force: bool = False) -> None:
        if not self._notebook or (not force and time.monotonic() - self._drawn < REDRAW_EVERY):
            return
        from IPython.display import HTML, display

        self._drawn = time.monotonic()
        picture = HTML(self._html())
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)

    def _html(self) -> str:
        running = not self._closed.is_set()
        head = self.summary or f"{self.title}{f' … {seconds(time.monotonic() - self._began)}' if running else ''}"
        rows = "".join(_row_html(row) for row in self.rows.values())
        return f"<div><b>{as_html(head)}</b><table>{rows}</table></div>"


def _row_html(row: Row) -> str:
    meter = f'<progress max="1" value="{row.fraction:.3f}"></progress> ' if row.fraction is not None else ""
    cells = (
        GLYPH[row.state],
        as_html(row.group),
        f'<code style="white-space: pre-wrap">{as_html(row.text)}</code>',
        meter + as_html(row.detail),
        "" if row.state == "cached" else seconds(row.age()),
    )
    whole = "; white-space: nowrap"  # neither "stage-0" nor "+15.2 MB" is torn apart
    left = [whole, whole, "", whole if len(row.detail) <= ON_ONE_LINE else ""]
    looks = [*(f"text-align: left{wrap}" for wrap in left), f"text-align: right{whole}"]
    return "<tr>" + "".join(f'<td style="{look}">{cell}</td>' for look, cell in zip(looks, cells)) + "</tr>"


def in_notebook() -> bool:
    """True in a Jupyter kernel, unless the plain log was asked for."""
    if os.environ.get(PLAIN) == "plain":
        return False
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return type(get_ipython()).__name__ == "ZMQInteractiveShell"
