"""What a sample app's build is sent: what .dockerignore must keep out stays at home."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from at_hand import refuse
from workshop.builders import classic_context, context
from workshop.builders.build import SAMPLE_APPS
from workshop.builders.classic_context import DOCKERFILE_NAME
from workshop.builders.request import LONGEST_SECRET, BuildRequest, read_secrets
from workshop.dockerfiles import syntax
from workshop.errors import WorkshopError

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


def sent(folder, dockerfile="") -> dict[str, bytes]:
    """{path: content} of the files in the archive for the classic builder."""
    packed, name, count = classic_context.pack(
        BuildRequest(folder, syntax.parse("FROM scratch\n"), 0, "t", dockerfile=dockerfile)
    )
    with packed, tarfile.open(fileobj=packed) as archive:
        members = [member for member in archive if member.isfile()]
        contents = {member.name: archive.extractfile(member).read() for member in members}
    assert name in contents and count > 0 and len(members) == len(contents)
    assert {(member.uid, member.gid) for member in members} == {(0, 0)}
    return contents


def names(folder) -> set[str]:
    """The files in the context, without what goes along for the engine alone: the Dockerfile, and .dockerignore itself."""
    ignored = context.PatternMatcher(context.ignore_patterns(context.read_ignore_file(folder / ".dockerignore")))
    assert not (folder / ".dockerignore").exists() or ignored.matches(".dockerignore")
    return set(sent(folder)) - {DOCKERFILE_NAME, ".dockerignore"}


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
def test_what_may_not_be_read_is_told_and_left_out_if_dockerignore_names_it(guarded, path):
    (guarded / path).chmod(0)
    with as_nobody(), pytest.raises(WorkshopError) as told:
        sent(guarded)
    assert str(told.value) == (
        f"The build context app cannot be sent, because of {path}: Permission denied.\n"
        f'Let yourself read it (`chmod -R u+rX "{guarded / path}"`, or its owner does), or name it in .dockerignore: '
        "it stays out then. Nothing was built."
    )
    (guarded / ".dockerignore").write_text(path)
    with as_nobody():
        assert sent(guarded).get(path) != b"password"  # that name is free for the Dockerfile


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_folder_and_a_dockerignore_that_may_not_be_read_are_told(guarded):
    (guarded / ".dockerignore").write_text("a")
    (guarded / ".dockerignore").chmod(0)
    with as_nobody(), pytest.raises(WorkshopError, match="because of .dockerignore: Permission denied"):
        sent(guarded)
    (guarded / ".dockerignore").unlink()
    guarded.chmod(0o311)
    with as_nobody(), pytest.raises(WorkshopError, match="because of the folder itself: Permission denied"):
        sent(guarded)
    guarded.chmod(0o755)


def test_of_a_dockerfile_in_the_folder_nothing_is_rewritten(tmp_path):
    """The builder is told its name, and leaves it out itself if .dockerignore says so."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "Dockerfile.a").write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").write_bytes(b"\xef\xbb\xbf# caf\xe9\ndocker\n.env\r\n")
    (tmp_path / ".env").write_text("secret")
    got = sent(tmp_path, "docker/Dockerfile.a")
    assert set(got) == {".dockerignore", "docker/Dockerfile.a"}
    assert got[".dockerignore"] == b"\xef\xbb\xbf# caf\xe9\ndocker\n.env\r\n"


def test_a_dockerfile_of_elsewhere_is_named_in_what_is_sent_for_dockerignore(tmp_path):
    folder = tmp_path / "app"
    folder.mkdir()
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    for dockerfile in ("", "../Dockerfile"):
        got = sent(folder, dockerfile)
        assert got == {
            DOCKERFILE_NAME: b"FROM scratch\n",
            ".dockerignore": b".dockerignore\n.factory-floor.Dockerfile\n",
        }
    (folder / ".dockerignore").write_text("# nothing\n")
    assert sent(folder)[".dockerignore"] == b"# nothing\n.factory-floor.Dockerfile\n"


@pytest.mark.parametrize(
    "ignored, there, name",
    [
        ("*.env\n", ["x.env"], "_.env"),
        ("**/node_modules/\n", ["node_modules/a.js"], "node_modules"),
        ("logs/*\n!keep\nkeep\n!keep/a\n.git\n", ["keep/a"], ".git"),  # what an exception reaches into is a folder
        ("/[ab]*\n*\n!.dockerignore\n!a.py\n", ["a.py"], DOCKERFILE_NAME),
    ],
)
def test_what_is_copied_of_dockerignore_is_never_rewritten_where_it_ignores_anything(tmp_path, ignored, there, name):
    """The Dockerfile's text goes under a name that stays out, so that `COPY . .` copies what the folder has."""
    for path in there:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("content")
    (tmp_path / ".dockerignore").write_text(ignored)
    got = sent(tmp_path)
    assert got[".dockerignore"] == ignored.encode() and got[name] == b"FROM scratch\n"
    assert set(got) - {name} <= {".dockerignore", *there}


def test_a_dockerfiles_own_list_comes_before_dockerignore(tmp_path):
    for path in ("a", "b", "Dockerfile", "Dockerfile.own"):
        (tmp_path / path).write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").write_text("a\n")
    (tmp_path / "Dockerfile.own.dockerignore").write_text("b\n*.dockerignore\nDockerfile.own\n.dockerignore\n")
    got = sent(tmp_path, "Dockerfile.own")
    assert set(got) == {"a", "Dockerfile", ".dockerignore", DOCKERFILE_NAME}
    assert got[".dockerignore"] == b".dockerignore\n.factory-floor.Dockerfile\n"  # both leave the context again
    assert set(sent(tmp_path, "Dockerfile")) == {
        "b",
        "Dockerfile",
        "Dockerfile.own",
        ".dockerignore",
        "Dockerfile.own.dockerignore",
    }


def test_links_and_folders_are_packed_as_they_are(tmp_path):
    (tmp_path / "a").write_text("12345")
    (tmp_path / "a").chmod(0o750)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").symlink_to("../a")
    (tmp_path / "empty").mkdir(mode=0o700)
    packed, _, _ = classic_context.pack(BuildRequest(tmp_path, syntax.parse("FROM scratch\n"), 0, "t"))
    with packed, tarfile.open(fileobj=packed) as archive:
        a, b, c, empty = (archive.getmember(name) for name in ("a", "b", "c", "empty"))
    assert (a.mode, a.size) == (0o750, 5) and b.islnk() and b.linkname == "a"
    assert c.issym() and c.linkname == "../a" and empty.isdir() and empty.mode == 0o700


def test_what_cannot_be_read_and_what_is_no_text_is_said_in_words(tmp_path, monkeypatch):
    (tmp_path / ".dockerignore").write_text(".env\n", encoding="utf-16")
    with pytest.raises(WorkshopError, match=r"\.dockerignore is not UTF-8 text"):
        sent(tmp_path)
    (tmp_path / ".dockerignore").write_text("a[\n")
    with pytest.raises(WorkshopError, match="syntax error in pattern"):
        sent(tmp_path)
    (tmp_path / ".dockerignore").write_text("private\n")
    (tmp_path / "private").mkdir()
    refuse(monkeypatch, "private")
    assert set(sent(tmp_path)) == {".dockerignore", "private"}  # the Dockerfile goes by that name
    (tmp_path / ".dockerignore").write_text("private\n!private/*/a\n")
    assert set(sent(tmp_path)) == {".dockerignore", DOCKERFILE_NAME}
    (tmp_path / ".dockerignore").unlink()
    with pytest.raises(WorkshopError, match="because of private: Permission denied"):
        sent(tmp_path)


def test_the_order_is_that_of_a_walk_by_bytes(tmp_path):
    for path in ("a/z", "a-b", "a.b", "B", "é", "a/b/c", "z"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    told = [entry.path for entry in context.walk(tmp_path)]
    assert told == ["B", "a", "a/b", "a/b/c", "a/z", "a-b", "a.b", "z", "é"]


def walked(folder, *patterns) -> list[str]:
    return [entry.path for entry in context.walk(folder, patterns)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no paths of that length")
def test_folders_may_lie_deeper_than_python_calls_itself(tmp_path):
    deep = (sys.getrecursionlimit() + 500) * "a/"
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        for name in deep.strip("/").split("/"):  # a step at a time: the whole path may be too long for one call
            os.mkdir(name)
            os.chdir(name)
    finally:
        os.chdir(here)
    paths = walked(tmp_path)
    assert len(paths) == deep.count("/") and paths[-1] == deep.strip("/")
    while paths:  # pytest's own removal is recursive
        (tmp_path / paths.pop()).rmdir()


def test_a_folder_is_told_of_before_what_is_taken_of_it_and_once(tmp_path):
    for path in ("a/b/c", "a/b/d", "a/e/f", "g/h"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert walked(tmp_path, "*", "!a/b/c", "!a/b/d") == ["a", "a/b", "a/b/c", "a/b/d"]
    assert walked(tmp_path, "a/b", "!a/b/d") == ["a", "a/b", "a/b/d", "a/e", "a/e/f", "g", "g/h"]


def test_a_name_that_begins_with_a_hash_is_named_behind_a_space(tmp_path):
    """As moby reads it: a comment is a line whose first letter is #, and only then is the line trimmed."""
    (tmp_path / "#secret#").touch()
    (tmp_path / ".dockerignore").write_text(" #*#\n.dockerignore\n")
    assert names(tmp_path) == set()
    assert walked(tmp_path, "#*#") == [".dockerignore"]  # BuildKit reads the file itself, and asks with its patterns


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_a_pipe_in_the_place_of_a_file_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / ".dockerignore")
    with pytest.raises(WorkshopError, match="because of .dockerignore: it is no file"):
        sent(tmp_path)
    with context.Entry("a", stat.S_IFREG, source=tmp_path / ".dockerignore").open() as by_now:
        assert by_now.read() == b""
    with pytest.raises(WorkshopError, match="'token' cannot be read from .*: it is no file"):
        read_secrets({"token": tmp_path / ".dockerignore"})


def test_of_a_secrets_file_no_more_is_read_than_a_secret_may_have(tmp_path):
    with open(tmp_path / "big", "wb") as file:
        file.truncate(1 << 40)  # on a disk without so much space; nothing has that much memory
    with pytest.raises(WorkshopError, match="'token' is longer than 512000 bytes"):
        read_secrets({"token": tmp_path / "big"})
    (tmp_path / "longest").write_bytes(b"x" * LONGEST_SECRET)
    assert len(read_secrets({"token": tmp_path / "longest"})["token"]) == LONGEST_SECRET


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_and_a_file_that_gets_shorter_meanwhile_are_said_in_words(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x" * 100)

    class Shorter(io.BytesIO):
        """Its length is looked at, and then somebody empties it."""

        def seek(self, offset, whence=0):
            at = super().seek(offset, whence)
            self.truncate(0) if whence == 0 else None
            return at

    monkeypatch.setattr(context.Entry, "open", lambda entry: Shorter(b"x" * 100))
    with pytest.raises(WorkshopError, match="cannot be packed: unexpected end of data"):
        sent(tmp_path)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: open("/dev/full", "r+b", buffering=0))
    with pytest.raises(WorkshopError, match="cannot be packed: No space left on device"):
        sent(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
def test_a_name_that_is_no_text_is_in_its_place_by_its_bytes(tmp_path):
    for name in (b"\xff", "\N{GRINNING FACE}".encode()):
        os.close(os.open(os.fsencode(tmp_path) + b"/" + name, os.O_CREAT))
    assert [os.fsencode(path) for path in walked(tmp_path)] == [b"\xf0\x9f\x98\x80", b"\xff"]


def test_a_second_name_of_a_file_has_no_bytes_of_its_own_unless_the_first_is_left_out(tmp_path):
    (tmp_path / "a").write_text("12345")
    os.link(tmp_path / "a", tmp_path / "b")
    assert [(entry.path, entry.size, entry.link) for entry in context.walk(tmp_path)] == [("a", 5, ""), ("b", 0, "a")]
    assert [(entry.path, entry.size, entry.link) for entry in context.walk(tmp_path, ["a"])] == [("b", 5, "")]


def test_a_file_is_packed_with_its_time(tmp_path):
    (tmp_path / "a").touch()
    os.utime(tmp_path / "a", ns=(0, 1_700_000_000_999_999_999))
    packed, _, _ = classic_context.pack(BuildRequest(tmp_path, syntax.parse("FROM scratch\n"), 0, "t"))
    with packed, tarfile.open(fileobj=packed) as archive:
        assert archive.getmember("a").mtime == 1_700_000_000


def test_the_platform_stands_in_from_lines_where_the_builder_has_no_value_for_it(tmp_path):
    text = (
        "ARG BUILDPLATFORM\nFROM --platform=$BUILDPLATFORM a AS b-amd64\nARG TARGETARCH\nARG TARGETOS=x\nRUN echo $TARGETARCH\n"
        "FROM \\\n  --platform=${TARGETPLATFORM} \\\n  b-$TARGETARCH\nRUN echo $TARGETARCH\n"
    )
    (tmp_path / "Dockerfile").write_text(text)
    platform = syntax.platform_arguments("linux/amd64")
    request = BuildRequest(tmp_path, syntax.parse(text, platform), 1, "t", dockerfile="Dockerfile", platform=platform)
    packed, name, _ = classic_context.pack(request)
    with packed, tarfile.open(fileobj=packed) as archive:
        sent, copied = (archive.extractfile(one).read().decode() for one in (name, "Dockerfile"))
    last = "FROM \\\n  --platform=linux/amd64 \\\n  b-amd64\nRUN echo $TARGETARCH\n"
    assert copied == text and sent == text[: text.index("FROM \\")] + last
    assert classic_context.platform_asked_for(request) == {"TARGETARCH": "amd64", "BUILDPLATFORM": "linux/amd64"}
