"""Reading layers of real images: what is in them, and what is kept of them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import workshop
from at_hand import address
from workshop.layer import archive, cache
from workshop.layer import layer as layer_tar


def test_what_a_real_package_manager_lists_is_what_the_layers_name(client):
    workshop.bases.ensure(client, ["python:3.11-slim"])
    listed = workshop.run(client, "python:3.11-slim", ["dpkg-query", "-W", "-f", "${Package} ${Version}\n"])
    found = workshop.packages(client, "python:3.11-slim")
    debian = found[found["manager"] == "dpkg"]
    assert set(listed.splitlines()) == {
        f"{row.name} {row.version}" for row in debian[["name", "version"]].itertuples(index=False, name="P")
    }
    frozen = workshop.run(client, "python:3.11-slim", ["pip", "list", "--format=freeze", "--disable-pip-version-check"])
    assert set(frozen.splitlines()) <= {
        f"{row.name}=={row.version}" for row in found[["name", "version"]].itertuples(index=False, name="P")
    }


@pytest.mark.parametrize("cached", [False, True])
def test_a_deleted_file_is_read_from_its_layer(client, busybox, app, tmp_path, monkeypatch, cached):
    """Where the cache knows which layer has it, that layer alone is read."""
    monkeypatch.setenv(cache.HERE, str(tmp_path))
    recipe = "FROM busybox:1.37\nRUN printf first > /secret\nRUN printf second > /secret\nRUN rm /secret\n"
    build = workshop.build(client, app, recipe)
    layer = len(client.api.inspect_image(busybox)["RootFS"]["Layers"])
    if cached:
        workshop.files(client, build.tag)
    assert workshop.read(client, build.tag, "/secret") == b"second"
    assert workshop.read(client, build.tag, "secret", layer) == b"first"
    with pytest.raises(workshop.WorkshopError, match=f"It is a file in layer {layer}, {layer + 1}"):
        workshop.read(client, build.tag, "/secret", layer + 2)
    with pytest.raises(workshop.WorkshopError, match="No layer of it has such a file"):
        workshop.read(client, build.tag, "/nothing")


def test_an_archive_on_disk_and_its_image_in_the_engine_are_the_same(client, busybox, tmp_path):
    path = tmp_path / "saved.tar"
    with path.open("wb") as file:
        for chunk in client.api.get_image(busybox):
            file.write(chunk)
    columns = [name for name in workshop.files(client, busybox).columns if name != "image"]
    mine, theirs = workshop.files(None, path)[columns], workshop.files(client, busybox)[columns]
    assert mine.astype(str).equals(theirs.astype(str))


def test_the_inventory_of_a_real_image(client, busybox, app):
    (app / "data.txt").write_text("12345")
    recipe = (
        "FROM busybox:1.37\nCOPY data.txt /d/one\n"
        'RUN rm /d/one && ln -s /nowhere /d/two && echo 123 > /d/three\nCMD ["true"]\n'
    )
    build = workshop.build(client, app, recipe)
    files = workshop.files(client, build.tag)
    base = len(client.api.inspect_image(busybox)["RootFS"]["Layers"])
    own = files[(files["layer"] >= base)].set_index("path")
    assert own.loc["/d/three", ["kind", "bytes", "visible"]].tolist() == ["file", 4, True]
    assert own.loc["/d/two", ["kind", "linkname"]].tolist() == ["symlink", "/nowhere"]
    one = own[own.index == "/d/one"].set_index("kind")
    assert one.loc["file", ["visible", "hidden_by", "hidden_by_layer"]].tolist() == [False, "deleted", base + 1]
    assert own.loc["/d/three", "created_by"].startswith("RUN rm /d/one")
    table = workshop.layers(files)
    assert table["bytes"].iloc[base] == 5 and table["bytes"].iloc[base + 1] == 4
    listed = workshop.run(
        client,
        build.tag,
        "find / -xdev -type f -not -path '/etc/host*' -not -path '/etc/resolv*' -not -path '/.dockerenv'",
    )
    seen = set(files[files["visible"] & files["kind"].isin(["file", "hard link"])]["path"])
    assert {
        path for path in listed.splitlines() if not path.startswith(("/proc", "/sys", "/dev", "/run/.container"))
    } == {path for path in seen if not path.startswith(("/etc/host", "/etc/resolv", "/dev"))}


def test_sizes_come_from_the_layers_and_the_engines_figure_stands_beside(client, busybox, app):
    build = workshop.build(client, app, "FROM busybox:1.37\nRUN dd if=/dev/zero of=/z bs=1000 count=50\nRUN rm /z\n")
    sizes = workshop.sizes(client, [busybox, build.tag]).set_index("image")
    assert sizes.loc[build.tag, "bytes"] - sizes.loc[busybox, "bytes"] == 50_000, "a deleted file is still shipped"
    assert sizes.loc[build.tag, "engine"] == client.api.inspect_image(build.tag)["Size"]


def test_shared_and_compressed_sizes(client, busybox, app):
    build = workshop.build(client, app, "FROM busybox:1.37\nRUN yes | head -c 1000000 > /z\n")
    sizes = workshop.sizes(client, [busybox, build.tag], compressed=True).set_index("image")
    base, mine = sizes.loc[busybox], sizes.loc[build.tag]
    assert base["shared"] == mine["shared"] == base["tar"]
    assert 0 < mine["tar"] - base["tar"] - 1_000_000 < 20_000, "tar headers and padding"
    assert 0 < mine["compressed"] - base["compressed"] < 20_000, "a million times the same two letters"
    assert 0.3 < base["compressed"] / base["tar"] < 0.8


def test_a_layer_that_was_read_is_not_exported_again(client, busybox, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.HERE, str(tmp_path))
    first = workshop.files(client, busybox)
    monkeypatch.setattr("workshop.layer.source._export", lambda *_, **__: pytest.fail("it was exported again"))
    assert workshop.files(client, busybox).equals(first)


@pytest.mark.parametrize(
    "line", ['CMD ["true"]', "RUN echo more > /more", "RUN rm /one", "WORKDIR /there", "WORKDIR /"]
)
def test_after_a_rebuild_the_rest_of_the_cache_and_what_is_new_make_the_same_frame(
    client, busybox, app, tmp_path, monkeypatch, line
):
    recipe = "FROM busybox:1.37\nRUN head -c 3000000 /dev/urandom > /one\nWORKDIR /there\nENV A=1\n"
    first = workshop.build(client, app, recipe, tag=f"factory/{app.name}:first")
    again = workshop.build(client, app, f"{recipe}{line}\n", tag=f"factory/{app.name}:again")
    monkeypatch.setenv(cache.HERE, str(tmp_path / "warm"))
    workshop.files(client, first.tag)
    read: list[str] = []
    real = layer_tar.read_layer
    monkeypatch.setattr(archive, "read_layer", lambda *given: read.append("layer") or real(*given))
    warm, warm_packages = workshop.files(client, again.tag), workshop.packages(client, again.tag)
    monkeypatch.setenv(cache.HERE, str(tmp_path / "empty"))
    assert len(read) <= 1 or workshop.engine.connect.describe(client)["store"] != "containerd", (
        "what the cache has is passed over"
    )
    assert warm.equals(workshop.files(client, again.tag))
    assert warm_packages.equals(workshop.packages(client, again.tag))
    with (tmp_path / "saved.tar").open("wb") as file:
        file.writelines(client.api.get_image(again.tag))
    told = ["layer", "created_by", "path"]  # by the engine's history; an archive's config says it outright
    assert warm[told].astype(str).equals(workshop.files(None, tmp_path / "saved.tar")[told].astype(str))


def test_another_command_alone_exports_nothing(client, busybox, app, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.HERE, str(tmp_path))
    recipe = "FROM busybox:1.37\nRUN echo one > /one\n"
    workshop.files(client, workshop.build(client, app, recipe).tag)
    again = workshop.build(client, app, f'{recipe}CMD ["cat", "/one"]\n')
    monkeypatch.setattr("workshop.layer.source._export", lambda *_, **__: pytest.fail("it was exported again"))
    assert "/one" in set(workshop.files(client, again.tag)["path"])


def test_compressed_sizes_are_the_same_whatever_was_read_before(client, busybox, app, tmp_path, monkeypatch):
    build = workshop.build(client, app, "FROM busybox:1.37\nRUN yes | head -c 1000000 > /z\n")
    found = []
    for name, before in {
        "nothing": (lambda: None),
        "files": (lambda: workshop.files(client, build.tag)),
        "base": (lambda: workshop.sizes(client, busybox, compressed=True)),
    }.items():
        monkeypatch.setenv(cache.HERE, str(tmp_path / name))
        before()
        found.append(workshop.sizes(client, [busybox, build.tag], compressed=True))
    assert found[0].equals(found[1]) and found[0].equals(found[2])


def test_a_damaged_cache_file_is_read_anew(client, busybox, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.HERE, str(tmp_path))
    first = workshop.files(client, busybox)
    for path in tmp_path.rglob("*.json.gz"):
        path.write_bytes(path.read_bytes()[:50])
    assert workshop.files(client, busybox).equals(first)


def test_a_stale_or_foreign_cache_file_is_read_anew(client, busybox, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.HERE, str(tmp_path))
    first = workshop.files(client, busybox)
    for path in tmp_path.rglob("layer/*.json.gz"):
        held = json.loads(gzip.decompress(path.read_bytes()))
        path.write_bytes(gzip.compress(json.dumps(held | {"key": "sha256:another"}).encode()))
    assert workshop.files(client, busybox).equals(first)
    for path in tmp_path.rglob("layer/*.json.gz"):
        held = json.loads(gzip.decompress(path.read_bytes()))
        held["columns"][0].pop()
        path.write_bytes(gzip.compress(json.dumps(held).encode()))
    assert workshop.files(client, busybox).equals(first)


def test_two_kernels_at_once_do_not_clash(client, busybox, tmp_path):
    code = "import workshop as w; c = w.connect(quiet=True); print(len(w.files(c, 'busybox:1.37')))"
    paths = str(Path(workshop.__file__).parents[1])
    environment = os.environ | {"DOCKER_HOST": address(client), cache.HERE: str(tmp_path), "PYTHONPATH": paths}
    kernels = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    counts = {kernel.communicate()[0].splitlines()[-1] for kernel in kernels}
    assert counts == {str(len(workshop.files(client, busybox)))}
    assert not list(tmp_path.rglob("*.partial"))


def test_a_cache_that_cannot_be_written_does_no_harm(client, busybox, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(cache.HERE, str(tmp_path / "file"))
    assert len(workshop.files(client, busybox)) > 0
    assert workshop.packages(client, busybox)["name"].notna().all()


def test_an_image_that_is_not_there_is_named(client):
    with pytest.raises(workshop.WorkshopError, match="no image factory/nothing"):
        workshop.files(client, "factory/nothing")
