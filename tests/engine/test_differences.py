"""diff() of what an engine built."""

from __future__ import annotations

import workshop
from workshop.analysis.diff import diff


def test_stages_are_images(client, busybox, app):
    builder = "FROM busybox:1.37 AS builder\nRUN echo tool > /tool && echo product > /made\n"
    recipe = builder + "FROM busybox:1.37\nCOPY --from=builder /made /app\n"
    build = workshop.build(client, app, recipe, builder="classic")  # BuildKit's RUN leaves folders such as /proc there
    files = workshop.files(client, [build.stages["builder"], build.tag])
    table = diff(files, build.stages["builder"], build.tag)
    assert table[["path", "change", "moved_from"]].values.tolist() == [
        ["/app", "moved", "/made"],
        ["/tool", "removed", ""],
    ]
