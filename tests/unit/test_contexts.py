"""What a sample app's build is sent: what .dockerignore must keep out stays at home."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tarfile
import tempfile
from pathlib import Path

import pytest
import workshop
from workshop.builders import buildkit_dockerfile
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


@contextlib.contextmanager
def as_nobody():
    """Root may read everything: what it may not is seen as somebody else."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def guarded():
    """A folder that everybody may look into, with a file and a folder in it that nobody may read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "app"
        for path in (folder, folder / "deep", folder / "deep" / "private"):
            path.mkdir()
        (folder / "secret.env").write_text("password")
        (folder / "a").write_text("1")
        Path(name).chmod(0o755)
        yield folder
        for path in (folder / "secret.env", folder / "deep" / "private"):
            path.chmod(stat.S_IRWXU)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.parametrize("path", ["secret.env", "deep/private"])
@pytest.mark.parametrize(
    "pack",
    [lambda folder: pack_context(folder, "FROM scratch\n"), lambda folder: buildkit_dockerfile.pack_body(folder, "")],
)
def test_what_may_not_be_read_is_told_and_left_out_if_dockerignore_names_it(guarded, path, pack):
    (guarded / path).chmod(0)
    with as_nobody(), pytest.raises(workshop.WorkshopError) as told:
        pack(guarded)
    assert str(told.value) == (
        f"The build context app cannot be packed, because of {path}: Permission denied.\n"
        f'Let yourself read it (`chmod -R u+rX "{guarded / path}"`, or its owner does), or name it in .dockerignore: '
        "it stays out then. Nothing was built."
    )
    (guarded / ".dockerignore").write_text(path)
    with as_nobody():
        pack(guarded)[0].close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_folder_and_a_dockerignore_that_may_not_be_read_are_told(guarded):
    (guarded / ".dockerignore").write_text("a")
    (guarded / ".dockerignore").chmod(0)
    with as_nobody(), pytest.raises(workshop.WorkshopError, match="because of .dockerignore: Permission denied"):
        pack_context(guarded, None)
    (guarded / ".dockerignore").unlink()
    guarded.chmod(0o311)
    with as_nobody(), pytest.raises(workshop.WorkshopError, match="because of the folder itself: Permission denied"):
        pack_context(guarded, None)
    guarded.chmod(0o755)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_dockerignore_in_another_encoding_is_told(tmp_path, encoding):
    (tmp_path / ".dockerignore").write_text("bücher\n", encoding=encoding)
    with pytest.raises(workshop.WorkshopError, match=r"dockerignore cannot be read: byte \d of it is not UTF-8"):
        pack_context(tmp_path, None)
