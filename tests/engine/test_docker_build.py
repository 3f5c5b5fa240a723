"""Where `workshop.build` does something else than `docker build`: each row of the table in OWN_IMAGES.md, by both."""

from __future__ import annotations

import inspect
import json
import re
import subprocess

import pytest
import workshop
from at_hand import ROOT, needs_registry
from docker_build import docker_build, need_docker_build
from images import settings, tree
from workshop.labels import IMAGE, STAGE, made_here, tags_of

TABLE = ROOT / ".github" / "OWN_IMAGES.md"
ROWS = {}  # a row's first cell → the function that tries it
FILE = "FROM busybox:1.37 AS maker\nRUN echo x > /x\nFROM scratch\nCOPY --from=maker /x /\n"


def rows() -> list[str]:
    """The first cells of the table, without its head."""
    table = TABLE.read_text().split("## Beside `docker build`")[1].split("\n|")[3:]
    return [re.split(r"\s*\|\s*", line.strip())[0] for line in table]


def row(name):
    def keep(function):
        ROWS[name] = function
        return function

    return keep


@pytest.fixture(autouse=True)
def has_docker_build(request):
    if "client" in request.fixturenames:
        need_docker_build(request.getfixturevalue("client"))


class Both:
    """Builds a Dockerfile by both, under names that go away with the app's."""

    def __init__(self, client, app):
        self.client, self.app, self.tag = client, app, f"factory/{app.name}:docker"

    def write(self, text: str = FILE, **files: str | bytes) -> None:
        for path, content in {"Dockerfile": text, **files}.items():
            (self.app / path).write_bytes(content if isinstance(content, bytes) else content.encode())

    def docker(self, *options: str, ok: bool = True, **more) -> str:
        return docker_build(self.client, self.app, "--tag", self.tag, *options, ok=ok, **more)

    def ours(self, *arguments, builder: str = "buildkit", **more) -> workshop.Build:
        return workshop.build(self.client, self.app, *arguments, builder=builder, **more)


@pytest.fixture
def both(client, busybox, app):
    return Both(client, app)


def test_every_row_of_the_table_is_tried():
    assert rows() == list(ROWS)


@pytest.mark.parametrize("name", rows())
def test_the_difference_is_as_the_table_says(name, request, both):
    arguments = {key: request.getfixturevalue(key) for key in list(inspect.signature(ROWS[name]).parameters)[1:]}
    ROWS[name](both, **arguments)


@row("name")
def names(both):
    both.write()
    docker_build(both.client, both.app, "--iidfile", str(both.app / "id"))
    image = (both.app / "id").read_text()
    try:
        assert not both.client.api.inspect_image(image)["RepoTags"]
    finally:
        both.client.api.remove_image(image)
    assert both.ours().tag == f"factory/{both.app.name}:latest"


@row("labels")
def labels(both):
    both.write(FILE + "LABEL mine=1\n")
    both.docker("--provenance=false")
    of = [both.client.api.inspect_image(tag)["Config"]["Labels"] for tag in (both.tag, both.ours().tag)]
    assert of[0] == {"mine": "1"} and of[1]["mine"] == "1" and of[1]["factory-floor"] == "image"
    assert {label.partition(".")[0] for label in of[1].keys() - of[0].keys()} == {"factory-floor"}


@row("stages")
def stages(both):
    both.write()
    both.docker("--provenance=false")
    tags = {
        tag for image in both.client.api.images(name=f"factory/{both.app.name}") for tag in tags_of(both.client, image)
    }
    assert tags == {both.tag}
    made = both.ours()
    assert made.stage_tags["maker"] == f"{made.tag}.maker" and "/x" in tree(both.client, made.stage_tags["maker"])


@row("attestations")
def attestations(both):
    both.write()
    both.docker()
    made = both.ours()
    containerd = "containerd" in json.dumps(both.client.info().get("DriverStatus") or [])
    assert (records(both.client, both.tag) > 0) is containerd and records(both.client, made.tag) == 0


def records(client, image: str) -> int:
    """How many manifests of an image, as containerd's store has them, are attestations."""
    answer = client.api._get(client.api._url("/images/{0}/json", image), params={"manifests": "1"}).json()
    return sum(one["Kind"] == "attestation" for one in answer.get("Manifests") or [])


@row("base images")
@needs_registry
def base_images(both, registry, monkeypatch, fresh_resolver):
    name = f"{both.app.name}-base"
    both.client.api.tag("busybox:1.37", f"{registry}/{name}", "1")
    both.client.images.push(f"{registry}/{name}", tag="1")
    both.client.api.remove_image(f"{registry}/{name}:1")
    both.write(FILE.replace("busybox:1.37", f"{name}:1"))
    assert f"{name}:1" in both.docker(ok=False)
    monkeypatch.setenv("FACTORY_FLOOR_REGISTRY", registry)
    try:
        assert "/x" in tree(both.client, both.ours().tag)
    finally:
        both.client.api.remove_image(f"{name}:1")


@row("target")
def targets(both):
    both.write("FROM busybox:1.37\nRUN echo x > /x\nFROM scratch\nCOPY --from=0 /x /y\n")
    assert "could not be found" in both.docker("--target=0", ok=False)
    assert "/x" in tree(both.client, both.ours(target=0).tag)


@row("one name for two stages")
def same_names(both):
    both.write("FROM busybox:1.37 AS a\nRUN echo 1 > /x\n" + FILE.replace("maker", "a"))
    assert "DuplicateStageName" in both.docker("--provenance=false")
    with pytest.raises(workshop.WorkshopError, match="Two stages are called a"):
        both.ours()


@row("`.dockerignore` in UTF-16")
def other_encodings(both):
    both.write("FROM scratch\nCOPY . /\n", **{".env": "secret", ".dockerignore": ".env\n".encode("utf-16")})
    both.docker("--provenance=false")
    assert "/.env" in tree(both.client, both.tag)
    with pytest.raises(workshop.WorkshopError, match="is not UTF-8 text"):
        both.ours()


@row("platform")
def platforms(both):
    both.write("FROM scratch\nCOPY Dockerfile /\n")
    other = "arm64" if both.client.version()["Arch"] != "arm64" else "amd64"
    both.docker("--provenance=false", f"--platform=linux/{other}")
    assert both.client.api.inspect_image(both.tag)["Architecture"] == other
    assert both.client.api.inspect_image(both.ours().tag)["Architecture"] == both.client.version()["Arch"]
    assert not {"platform", "platforms"} & set(inspect.signature(workshop.build).parameters)


@row("build contexts")
def contexts(both, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").write_text("x")
    both.write("FROM scratch\nCOPY --from=another-context /x /\n")
    both.docker("--provenance=false", f"--build-context=another-context={tmp_path / 'other'}")
    assert "/x" in tree(both.client, both.tag)
    with pytest.raises(workshop.WorkshopError, match="names neither an earlier stage"):
        both.ours()


@row("SSH keys")
def ssh(both, tmp_path):
    subprocess.run(
        ["openssl", "genrsa", "-traditional", "-out", str(tmp_path / "key"), "2048"], check=True, capture_output=True
    )
    lent = 'RUN --mount=type=ssh,required=true test -n "$SSH_AUTH_SOCK" && echo x > /x'
    both.write(FILE.replace("RUN echo x > /x", lent))
    both.docker("--provenance=false", f"--ssh=default={tmp_path / 'key'}")
    assert "/x" in tree(both.client, both.tag)
    with pytest.raises(workshop.WorkshopError):
        both.ours(nocache=True)


@row("proxies")
def proxies(both, tmp_path):
    (tmp_path / "config.json").write_text('{"proxies": {"default": {"noProxy": "never.example.org"}}}')
    recipe = FILE.replace("echo x", 'echo "$no_proxy"')
    both.write(recipe)
    both.docker("--provenance=false", "--no-cache", settings={"DOCKER_CONFIG": str(tmp_path)})
    said = [workshop.read(both.client, tag, "/x") for tag in (both.tag, both.ours(nocache=True).tag)]
    assert ["never.example.org" in str(one) for one in said] == [True, False]


@row("outputs and caches")
def outputs(both, tmp_path):
    both.write()
    both.docker(f"--output=type=local,dest={tmp_path / 'out'}")
    assert (tmp_path / "out" / "x").read_text() == "x\n"
    assert not {"output", "push", "cache_to", "cache_from"} & set(inspect.signature(workshop.build).parameters)


@row('unused stages, `builder="classic"`')
def unused_stages(both):
    both.write(FILE.replace("FROM scratch", "FROM busybox:1.37 AS unused\nRUN false\nFROM scratch"))
    both.docker("--provenance=false")
    assert "/x" in tree(both.client, both.ours().tag)
    with pytest.raises(workshop.WorkshopError, match="RUN false"):
        both.ours(builder="classic")


@row('newer syntax, `builder="classic"`')
def newer_syntax(both):
    exclude = ["COPY --exclude=z y /y"] if both.client.version()["Version"] >= "28.5" else []
    for line in (
        "COPY <<EOF /y\ny\nEOF",
        "RUN --mount=type=tmpfs,target=/t echo y > /y",
        "COPY --chmod=600 y /y",
        *exclude,
    ):
        both.write(f"FROM busybox:1.37\n{line}\n", y="y\n")
        both.docker("--provenance=false")
        assert "/y" in tree(both.client, both.tag)
        with pytest.raises(workshop.WorkshopError, match="BuildKit"):
            both.ours(builder="classic")


@row('folders of another owner, `builder="classic"`')
def owners(both):
    (both.app / "sub").mkdir()
    both.write("FROM busybox:1.37\nCOPY --chown=4:5 sub /above/below\nUSER 7:8\nWORKDIR /work\n", **{"sub/y": "y\n"})
    both.docker("--provenance=false")
    paths = ("/above", "/work")
    of = [
        {path: tree(both.client, tag)[path].owner for path in paths}
        for tag in (both.tag, both.ours(builder="classic").tag)
    ]
    assert of == [{"/above": "4:5", "/work": "7:8"}, {"/above": "0:0", "/work": "0:0"}]


@row('folders of volumes, `builder="classic"`')
def volumes(both):
    both.write("FROM busybox:1.37\nVOLUME /v\nRUN true\n")
    both.docker("--provenance=false")
    assert ["/v" in tree(both.client, tag) for tag in (both.tag, both.ours(builder="classic").tag)] == [False, True]


@row('on `scratch`, `builder="classic"`')
def on_scratch(both):
    both.write()
    both.docker("--provenance=false")
    theirs, ours = settings(both.client, both.tag), settings(both.client, both.ours(builder="classic").tag)
    assert theirs.pop("WorkingDir") == "/" and theirs == ours


@row('a text beside a `.dockerignore` without a pattern, `builder="classic"`')
def a_text(both):
    text = "FROM scratch\nCOPY . /\n"
    both.write(**{".dockerignore": "# nothing\n"})
    both.docker("--provenance=false", "--file=-", stdin=text.encode())
    made = [tree(both.client, tag) for tag in (both.tag, both.ours(text, builder="classic").tag)]
    assert [sorted({*files} - {"/etc"}) for files in made] == [["/.dockerignore", "/Dockerfile"]] * 2
    assert made[0]["/Dockerfile"] == made[1]["/Dockerfile"] and made[0]["/.dockerignore"] != made[1]["/.dockerignore"]


def test_whoever_only_adds_onbuild_lines_to_an_image_of_ours_owns_the_new_one(both):
    """BuildKit writes no line of that into the history, so that it is the same as ours."""
    both.write(FILE.replace("scratch", "busybox:1.37"))
    made = {
        builder: both.ours(tag=f"factory/{both.app.name}:{builder}", builder=builder).tag
        for builder in ("buildkit", "classic")
    }
    for tag in made.values():
        assert made_here(both.client, tag, IMAGE)
        docker_build(
            both.client, "-", "--provenance=false", "--tag", both.tag, stdin=f"FROM {tag}\nONBUILD RUN x\n".encode()
        )
        assert both.client.api.history(both.tag)[0]["CreatedBy"] == both.client.api.history(tag)[0]["CreatedBy"]
        assert not made_here(both.client, both.tag, IMAGE)


@pytest.mark.parametrize("builder", ["buildkit", "classic"])
def test_an_image_of_ours_with_onbuild_lines_is_known_and_can_be_built_on(both, builder):
    both.write(FILE.replace("scratch", "busybox:1.37") + "ONBUILD COPY late /late\n", late="late\n")
    made = both.ours(builder=builder)
    assert made_here(both.client, made.tag, IMAGE)
    above = both.ours(f"FROM {made.tag} AS one\nONBUILD RUN cat /late > /later\nFROM one\n", builder=builder)
    assert {"/x", "/late", "/later"} <= set(tree(both.client, above.tag))
    assert all(made_here(both.client, tag, IMAGE if tag == above.tag else STAGE) for tag in above.stage_tags.values())
    assert settings(both.client, above.stage_tags["one"])["OnBuild"] == ["RUN cat /late > /later"]
    gate = workshop.gate(both.client, above)
    assert "/later" in set(gate["landed"]) | set(gate["path"])
