"""`python3 notebooks` as a process of its own, to ask and to stop."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request

from at_hand import PATIENCE, ROOT


class Started:
    """`python3 notebooks --no-browser` as a process; `url` is the address it printed, `seconds` how long that took."""

    def __init__(self, home, *arguments):
        leave = ("JUPYTER_", "XDG_", "IPYTHON")  # this machine's own settings stay out of it
        variables = {name: value for name, value in os.environ.items() if not name.startswith(leave)}
        variables.update(HOME=str(home), JUPYTER_RUNTIME_DIR=str(home / "runtime"), JUPYTER_PREFER_ENV_PATH="0")
        self.terminal = os.openpty() if hasattr(os, "openpty") else None  # at a terminal, JupyterLab would ask "y/[n]?"
        begun = time.monotonic()
        self.process = subprocess.Popen(
            [sys._base_executable, str(ROOT / "notebooks"), "--no-browser", *arguments],
            cwd=home,
            text=True,
            stdin=self.terminal[1] if self.terminal else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=variables,
        )
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if line.startswith("    http"):
                break
        assert line.startswith("    http"), self.said
        self.url, self.seconds = line.strip(), time.monotonic() - begun

    def get(self, address, /, **data):
        """Answer of the REST API: (GET, or POST when there is data)."""
        token = urllib.parse.parse_qs(urllib.parse.urlsplit(self.url).query)["token"][0]
        request = urllib.request.Request(
            urllib.parse.urljoin(self.url, address),
            headers={"Authorization": f"token {token}"},
            data=json.dumps(data).encode() if data else None,
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def stop(self, number=signal.SIGINT):
        """(exit code, what it still said, seconds it took)"""
        begun = time.monotonic()
        self.process.send_signal(number)
        said = self.process.communicate(timeout=PATIENCE)[0]
        for end in self.terminal or ():
            os.close(end)
        return self.process.returncode, said, time.monotonic() - begun


@contextlib.contextmanager
def started(home, *arguments):
    lab = Started(home, *arguments)
    try:
        yield lab
    finally:
        if lab.process.poll() is None:
            lab.stop(signal.SIGTERM)
