"""Waste, in images that an engine built: its own merged files and the real dive are the judges."""

from __future__ import annotations

import io
import tarfile

import workshop
from dive_itself import agrees, dive, needs_dive
from workshop.analysis.dive import efficiency
from workshop.analysis.waste import as_one, waste


def test_one_run_line_really_ships_as_much_less_as_two_are_said_to(client, busybox, app):
    lines = ["head -c 70000 /dev/zero > /big && head -c 500 /dev/zero > /kept", "rm /big && chmod 700 /kept"]
    run = lambda lines: "FROM busybox:1.37\n" + "".join(f"RUN {line}\n" for line in lines)  # noqa: E731
    apart = workshop.build(client, app, run(lines), tag=f"{app.name}:2")
    joined = workshop.build(client, app, run([" && ".join(lines)]), tag=f"{app.name}:1")
    try:
        files = workshop.files(client, [apart.tag, joined.tag])
        shipped = files[files["kind"] == "file"].groupby("image", observed=True)["bytes"].sum()
        saved = as_one(files, apart.tag)["saved"].sum()
        assert saved == shipped[apart.tag] - shipped[joined.tag] == 70_500
        assert as_one(files, joined.tag).empty
    finally:
        for one in (apart, joined):
            client.api.remove_image(one.tag)


RECIPE = """FROM busybox:1.37
RUN mkdir -p /d/e /o && head -c 9000 /dev/zero > /d/e/a && head -c 400 /dev/zero > /o/x && echo one > /f && echo s > /s
RUN rm -rf /d && rm -rf /o && mkdir /o && echo new > /o/y
RUN echo three > /f && chmod 600 /s && ln /f /g
RUN rm /s && mkdir /d && echo again > /d/z
RUN rm -rf /d /f && echo last > /f
"""


@needs_dive
def test_our_account_of_dive_is_what_dive_says_of_a_real_image(client, busybox, app, tmp_path):
    build = workshop.build(client, app, RECIPE)
    row = efficiency(workshop.files(client, build.tag)).iloc[0]
    saved = tmp_path / "saved.tar"
    saved.write_bytes(b"".join(client.api.get_image(build.tag)))
    agrees(row, dive(saved))
    if any(one["Name"] == "Engine" for one in client.version().get("Components") or []):
        agrees(row, dive(build.tag))
    # /d/e/a, /o/x and /d/z below folders; /f with "one", but not with "three", which /g still has; /s twice
    assert row["wasted"] == 9000 + 400 + 6 + 4 + 2 + 2 and row["dive_wasted"] != row["wasted"]


def test_waste_is_what_the_engines_own_merged_files_do_not_have(client, busybox, app):
    build = workshop.build(client, app, RECIPE)
    files = workshop.files(client, build.tag)
    container = client.containers.create(build.tag)
    try:
        packed = io.BytesIO(b"".join(container.export()))
    finally:
        container.remove()
    with tarfile.open(fileobj=packed) as merged:
        there = sum(one.size for one in merged if one.isreg() and not one.name.startswith(("etc/", "dev/", ".docker")))
    own = files[(files["kind"] == "file") & ~files["path"].str.startswith(("/etc/", "/dev/"))]
    assert own["bytes"].sum() - there == waste(files)["bytes"].sum()
