"""Running what was built: what a container that was stopped leaves behind."""

from __future__ import annotations

import os
import signal
import threading

import pytest
import workshop
from workshop.engine.tidy import our_containers


@pytest.mark.parametrize("milliseconds", [1, 2, 3, 5, 8, 12, 18, 26, 40, 60, 90, 140, 220])
def test_a_run_that_is_stopped_at_any_moment_leaves_no_container(client, busybox, milliseconds):
    before = {container.id for container in our_containers(client)}
    timer = threading.Timer(milliseconds / 1000, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        workshop.run(client, busybox, ["sleep", "60"])
    assert {container.id for container in our_containers(client)} <= before
