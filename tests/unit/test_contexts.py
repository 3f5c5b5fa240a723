"""What a sample app's build is sent: what .dockerignore must keep out stays at home."""

from __future__ import annotations

import shutil
import tarfile

import pytest
from workshop.builders.build import SAMPLE_APPS
from workshop.builders.request import DOCKERFILE_NAME, ignores_itself, pack_context

# Everything that a build needs, and nothing else: an app's folder may hold more.
SENT = {
    "flask_hello": {"app.py", "requirements.txt"},
    "hello": set(),
    "leaky": {"app.py", "catalogue.py", "netrc", "requirements.txt"},
    "widget": {"widget.c"},
}
STRAYS = ["Dockerfile.mine", "Dockerfile", "__pycache__/app.cpython-311.pyc", "app.pyc", ".git/config"]
OUT = {  # what each app's .dockerignore names beside its Dockerfiles
    "flask_hello": {"__pycache__", "app.pyc", ".git"},
    "leaky": {"__pycache__", "app.pyc"},
}


@pytest.mark.parametrize("app", sorted(path.name for path in SAMPLE_APPS.iterdir() if path.is_dir()))
def test_a_build_is_sent_what_it_needs_and_no_more(app, tmp_path):
    folder = tmp_path / app
    shutil.copytree(SAMPLE_APPS / app, folder, ignore=shutil.ignore_patterns("__pycache__"))
    assert names(folder) == SENT[app]
    for stray in STRAYS:
        (folder / stray).parent.mkdir(exist_ok=True)
        (folder / stray).write_text("no business of a build's")
    strangers = {name.partition("/")[0] for name in names(folder) - SENT[app]}
    assert not {name for name in strangers if name.startswith("Dockerfile")}
    assert not strangers & OUT.get(app, set())


def names(folder) -> set[str]:
    """The files in the context, without what goes along for the engine alone: the Dockerfile, and .dockerignore itself."""
    packed, count = pack_context(folder, "FROM scratch\n")
    with packed, tarfile.open(fileobj=packed) as context:
        files = {member.name for member in context if member.isfile()}
    assert DOCKERFILE_NAME in files and count > 0
    if (folder / ".dockerignore").exists():
        assert ignores_itself(folder)
    return files - {DOCKERFILE_NAME, ".dockerignore"}


def test_a_later_pattern_lets_a_file_in_again_and_a_comment_is_none(tmp_path):
    (tmp_path / ".dockerignore").write_text("# !b.txt\n.dockerignore\n*.txt\n\n!a.txt\n")
    for name in ("a.txt", "b.txt", "c"):
        (tmp_path / name).write_text(name)
    assert names(tmp_path) == {"a.txt", "c"}


def test_an_editors_mark_before_the_first_pattern_lets_nothing_through(tmp_path):
    (tmp_path / ".dockerignore").write_text("secret.env\n.dockerignore\n", encoding="utf-8-sig")
    (tmp_path / "secret.env").write_text("password")
    assert names(tmp_path) == set()
