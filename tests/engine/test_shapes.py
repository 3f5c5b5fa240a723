"""Dockerfiles in the shapes of public ones, by `docker build` and by `workshop.build`: same files, same settings, same gate."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pytest
import workshop
from at_hand import forget
from docker_build import docker_build, need_docker_build
from images import Node, settings, tree
from shapes import SHAPES
from shapes.shape import Shape
from workshop.builders.errors import BuildError

pytestmark = pytest.mark.shapes

BASES = ("busybox:1.37", "python:3.11-slim", "python:3.11-alpine")


@pytest.fixture(scope="module", autouse=True)
def bases(client):
    need_docker_build(client)
    workshop.bases.ensure(client, BASES)


@pytest.fixture(params=SHAPES, ids=lambda shape: shape.name, scope="module")
def shape(request) -> Shape:
    return request.param


@pytest.fixture(scope="module")
def folder(client, shape, tmp_path_factory):
    """The shape's context; what was built of it is removed when its tests are over."""
    need_docker_build(client, shape.since)
    folder = tmp_path_factory.mktemp("shape") / f"shape-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    shape.lay_out(folder)
    yield folder
    forget(client, folder.name)


@pytest.fixture(scope="module")
def dockers(client, shape, folder) -> tuple[dict[str, Node], dict[str, object]]:
    """The files and the settings of what `docker build` makes of it."""
    tag = f"factory/{folder.name}-docker"
    options = ["--provenance=false", "--tag", tag]
    if shape.file not in ("Dockerfile", "dockerfile"):
        options += ["--file", str(folder / shape.file) if shape.file else "-"]
    options += ["--target", shape.target] if shape.target else []
    options += [f"--build-arg={name}={value}" for name, value in shape.buildargs.items()]
    for name, value in shape.secrets.items():
        secret = folder.parent / name
        secret.write_text(value)
        options += [f"--secret=id={name},src={secret}"]
    docker_build(client, folder, *options, stdin=None if shape.file else shape.dockerfile.encode())
    return tree(client, tag), settings(client, tag)


def by_ours(client, shape, folder, builder: str) -> workshop.Build:
    where = [shape.file] if shape.file not in ("Dockerfile", "dockerfile", "") else []
    where = where or ([] if shape.file else [shape.dockerfile])
    more = {"secrets": dict(shape.secrets)} if shape.secrets else {}
    tag = f"factory/{folder.name}:{builder}"
    return workshop.build(
        client, folder, *where, target=shape.target, tag=tag, buildargs=dict(shape.buildargs), builder=builder, **more
    )


@pytest.mark.parametrize("builder", ["buildkit", "classic"])
def test_ours_makes_what_docker_build_makes(client, shape, folder, dockers, builder):
    if builder == "classic" and shape.no_classic:
        with pytest.raises((BuildError, workshop.WorkshopError), match=shape.no_classic):
            by_ours(client, shape, folder, builder)
        return
    made = by_ours(client, shape, folder, builder)
    files, started = tree(client, made.tag), settings(client, made.tag)
    roots, volumes = (shape.roots, shape.volumes) if builder == "classic" else ((), ())
    assert [files.pop(path).kind for path in volumes] == ["directory"] * len(volumes)
    assert {path: files[path].owner for path in roots} == dict.fromkeys(roots, "0:0")
    assert differences(files, dockers[0], roots) == {}
    assert started == expected_settings(builder, dockers[1])
    gate = workshop.gate(client, made)
    crossed = through_the_gate(gate, lineage(made))
    assert crossed == set(shape.crossed)
    landed = gate.dropna(subset="landed")
    assert {path: f"sha256:{files[path].digest}" for path in landed["landed"]} == dict(
        zip(landed["landed"], landed["digest"])
    )
    final = gate[gate["stage"] == list(made.stages)[-1]]
    assert {path for path, node in files.items() if node.kind == "file"} == {*landed["landed"], *final["path"]}


def expected_settings(builder: str, theirs: dict[str, object]) -> dict[str, object]:
    """What `docker build` sets, but for what the table of differences says of the classic builder: "scratch"."""
    return {
        name: value for name, value in theirs.items() if builder != "classic" or (name, value) != ("WorkingDir", "/")
    }


def differences(
    ours: dict[str, Node], theirs: dict[str, Node], roots: Sequence[str] = ()
) -> dict[str, tuple[Node | None, Node | None]]:
    """{path: (ours, theirs)} where they are not the same. roots: paths whose owner may differ."""
    theirs = theirs | {path: theirs[path]._replace(owner="0:0") for path in roots}
    return {
        path: (ours.get(path), theirs.get(path))
        for path in sorted({*ours, *theirs})
        if ours.get(path) != theirs.get(path)
    }


def lineage(made: workshop.Build) -> set[str]:
    parsed = workshop.dockerfiles.syntax.parse(made.dockerfile, made.buildargs)
    last = parsed.stage_index(list(made.stages)[-1])
    return {parsed.stages[index].name for index in parsed.lineage(last)}


def through_the_gate(gate, inherited: set[str]) -> set[str]:
    """ "stage /path -> /where" of each row that a COPY --from brought; what the image inherits of a stage stays where it is."""
    shipped = gate[gate["fate"] == "shipped"]
    rows = shipped[~(shipped["stage"].isin(inherited) & (shipped["path"] == shipped["landed"]))]
    return {
        f"{stage} {path} -> {where}" for stage, path, where in rows[["stage", "path", "landed"]].itertuples(index=False)
    }
