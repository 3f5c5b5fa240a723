"""The store: what it keeps survives, what it refuses leaves nothing behind."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest
import zstandard
from pocket_engine.errors import BadRequest, Conflict, EngineError, Interrupted, NoSpace, NotFound
from pocket_engine.store import Store, layer_index, layer_rules, layers, tar_headers, tar_stream
from pocket_engine.store.entries import CHARACTER, DIRECTORY, FILE, HARDLINK, SYMLINK, Entry

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    store.sweep()
    yield store
    store.close()


def archive(*members: tuple, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of (name, content or type, {fields}) members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as made:
        for name, what, *more in members:
            info = tarfile.TarInfo(name)
            for key, value in (more[0] if more else {}).items():
                setattr(info, key, value)
            if info.isreg() and isinstance(what, bytes) and len(what) != 1:
                info.size = len(what)
                made.addfile(info, io.BytesIO(what))
            else:
                info.type = what
                made.addfile(info)
    return out.getvalue()


def is_empty(store: Store) -> bool:
    return (
        not store.blobs.all()
        and not list(store.blobs.temporary.iterdir())
        and not list((store.folder / "layers").iterdir())
    )


def add(store: Store, *members: tuple, **options) -> layers.Layer:
    return store.layers.add(io.BytesIO(archive(*members)), **options)


def image(store: Store, *contents: bytes, parent=None, tags=(), **config) -> str:
    """An image with one layer for each content, and a configuration that nothing else has."""
    diff_ids = [add(store, ("file", content)).diff_id for content in contents]
    made = {"config": config, "created": "2026-01-01T00:00:00Z", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    return store.images.create(made, parent, tags).id


# Blobs


def test_a_blob_is_named_after_its_bytes(store):
    with store.blobs.writer() as writer:
        writer.write(b"hello ")
        writer.write(b"world")
        assert writer.tell() == 11
        digest, size = writer.commit()
    assert (digest, size) == ("sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9", 11)
    assert store.blobs.open(digest).read() == b"hello world" and store.blobs.size(digest) == 11


def test_a_blob_that_is_not_committed_leaves_nothing(store):
    with store.blobs.writer() as writer:
        writer.write(b"half")
    assert is_empty(store) and store.blobs.used() == 0


def test_a_digest_that_is_a_path_is_refused(store):
    for digest in ("sha256:../../lock", "sha256:" + "A" * 64, "md5:" + "0" * 32, "lock"):
        with pytest.raises(BadRequest, match="invalid digest"):
            store.blobs.open(digest)


def test_a_missing_blob_is_not_found(store):
    with pytest.raises(NotFound):
        store.blobs.open("sha256:" + "0" * 64)


# Layers


def test_a_layer_lists_its_entries_as_they_are(store):
    layer = add(
        store,
        ("./", tarfile.DIRTYPE, {"mode": 0o755}),
        ("./etc", tarfile.DIRTYPE, {"mode": 0o750, "uid": 1, "gid": 2, "mtime": 5}),
        ("./etc/motd", b"hello", {"mode": 0o4711}),
        ("etc/again", tarfile.LNKTYPE, {"linkname": "./etc/motd"}),
        ("/abs", tarfile.SYMTYPE, {"linkname": "../x"}),
        ("null", tarfile.CHRTYPE, {"devmajor": 1, "devminor": 3}),
        ("caf\udce9", b"latin", {"pax_headers": {"SCHILY.xattr.security.capability": "\x01"}}),
    )
    root, etc, motd, again, link, null, odd = store.layers.index(layer.diff_id)
    assert (root.path, root.kind) == ("", DIRECTORY)
    assert etc[:7] == ("etc", DIRECTORY, 0o750, 1, 2, 0, 5.0)
    assert (motd.kind, motd.mode, motd.size) == (FILE, 0o4711, 5)
    assert motd.digest == hashlib.sha256(b"hello").hexdigest()
    assert store.layers.open(layer.diff_id).read()[motd.offset : motd.offset + 5] == b"hello"
    assert (again.kind, again.link) == (HARDLINK, "etc/motd")
    assert (link.path, link.kind, link.link) == ("abs", SYMLINK, "../x")
    assert (null.kind, null.major, null.minor) == (CHARACTER, 1, 3)
    assert odd.path == "caf\udce9" and odd.xattrs == (("security.capability", "\x01"),)
    assert layer.size == 10


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_large_numbers_are_read_in_both_formats(store, form):
    name, target = "d/" * 60 + "n" * 200, "t" * 300
    raw = archive(
        (name, b"ab", {"uid": 3_000_000, "mtime": 2**34}), ("l", tarfile.SYMTYPE, {"linkname": target}), form=form
    )
    file, link = store.layers.index(store.layers.add(io.BytesIO(raw)).diff_id)
    assert (file.path, file.uid, file.mtime, link.link) == (name, 3_000_000, float(2**34), target)


@pytest.mark.parametrize(
    "packed",
    [
        lambda raw: raw,
        gzip.compress,
        zstandard.compress,
        lambda raw: gzip.compress(raw[:600]) + gzip.compress(raw[600:]),
    ],
)
def test_a_layer_is_the_same_however_it_was_compressed(store, packed):
    raw = archive(("a", b"some content"))
    layer = store.layers.add(io.BytesIO(packed(raw)))
    assert layer.diff_id == f"sha256:{hashlib.sha256(raw).hexdigest()}" and layer.tar_size == len(raw)
    assert store.layers.open(layer.diff_id).read() == raw


def test_adding_a_layer_twice_changes_nothing(store):
    first = add(store, ("a", b"one"))
    used = store.blobs.used()
    assert add(store, ("a", b"one")) == first and store.blobs.used() == used


def test_a_written_layer_reads_back_as_it_was_written(store):
    wanted = [
        Entry("d", DIRECTORY, 0o1777, 0, 5, mtime=12.0),
        Entry("d/" + "ü" * 90, FILE, 0o644, 2**31, 0, 3, -5.0, xattrs=(("security.capability", "\udcff\x00x"),)),
        Entry("d/raw\udcff", SYMLINK, 0o777, link="\udcfe" * 120),
        Entry("e/" * 100 + "f", FILE, 0o600, size=0),
        Entry("h", HARDLINK, link="d/" + "ü" * 90),
        Entry("dev", CHARACTER, 0o600, major=5, minor=1),
    ]
    with store.layers.writer() as writer:
        for entry in wanted:
            writer.add(entry, b"abc" if entry.size else None)
        layer = writer.commit()
    told = store.layers.index(layer.diff_id)
    with store.layers.open(layer.diff_id) as file:
        read = tuple(tar_stream.read_entries(file, lambda data: None, layer_rules.LayerRules()))
    assert told == read
    assert [entry._replace(digest="", offset=0) for entry in read] == wanted
    with tarfile.open(fileobj=store.layers.open(layer.diff_id), errors="surrogateescape") as other:
        assert [member.name for member in other] == [entry.path for entry in wanted]


def test_the_same_entries_give_the_same_layer(store, tmp_path):
    made = []
    for where in (store, Store(tmp_path / "other")):
        with where.layers.writer() as writer:
            writer.add(Entry("f", FILE, size=3, mtime=1.7), io.BytesIO(b"abc"))
            made.append(writer.commit())
    assert made[0] == made[1]


def test_a_source_that_is_too_short_is_refused(store):
    with pytest.raises(BadRequest, match="1 bytes shorter"), store.layers.writer() as writer:
        writer.add(Entry("f", FILE, size=3), b"ab")
    assert is_empty(store)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"version":0}\n[]', None])
def test_a_lost_or_broken_index_is_made_again(store, damage):
    layer = add(store, ("a", b"one"), ("b", b"two!"))
    was = store.layers.index(layer.diff_id)
    path = next((store.folder / "layers").iterdir())
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    again = layers.Layers(store.folder, store.blobs)
    assert again.index(layer.diff_id) == was and again.layer(layer.diff_id) == layer
    assert layer_index.load(path) == was


def test_a_layer_that_rotted_on_disk_is_noticed(store):
    layer = add(store, ("a", b"one"))
    path = store.blobs.path(layer.diff_id)
    path.write_bytes(path.read_bytes().replace(b"one", b"eno"))
    next((store.folder / "layers").iterdir()).unlink()
    with pytest.raises(EngineError, match="damaged on disk"):
        layers.Layers(store.folder, store.blobs).index(layer.diff_id)


# Hostile layers


def block(name: bytes = b"x", flag: bytes = b"0", size: int = 0, **fields) -> bytes:
    made = tar_headers._block(name, b"", flag, fields.get("link", b""), (0o644, 0, 0, 0, 0), (0, 0))
    made = (
        made[:124]
        + (b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big"))
        + b"\0" * 0
        + made[136:]
    )
    return made[:148] + b"%06o\0 " % (sum(made[:148]) + 256 + sum(made[156:])) + made[156:]


END = bytes(1024)
HOSTILE = {
    "leads out": archive(("a/../../etc/passwd", b"xx")),
    "leads out ": archive(("a", b"xx"), ("b", tarfile.LNKTYPE, {"linkname": "../a"})),
    "no file before it": archive(("b", tarfile.LNKTYPE, {"linkname": "missing"})),
    "no file before it ": archive(("b", tarfile.LNKTYPE, {"linkname": "b"})),
    "no file before it  ": archive(("d", tarfile.DIRTYPE), ("b", tarfile.LNKTYPE, {"linkname": "d"})),
    "no folder": archive(("a", b"xx"), ("a/b", b"xx")),
    "as a folder and as something else": archive(("a/b", b"xx"), ("a", b"xx")),
    "in the place of its root": archive(("./", tarfile.SYMTYPE, {"linkname": "/etc"})),
    "symbolic links": archive(("a", tarfile.SYMTYPE, {"linkname": "a"}), ("a/b", b"xx")),
    "no usable target": archive(("a", tarfile.SYMTYPE, {"linkname": ""})),
    "names nothing": archive(("d/.wh...", b"")),
    "names nothing ": archive((".wh.", b"")),
    "below the whiteout": archive((".wh.a/b", b"xx")),
    "with content": archive((".wh.a", b"xx")),
    "too long for a filesystem": archive(("n" * 256, b"xx")),
    "too long for a filesystem ": archive(("d/" * 2100 + "n", b"xx")),
    "owner": archive(("a", b"xx", {"uid": 2**32 - 1})),
    "device": archive(("a", tarfile.CHRTYPE, {"devmajor": 4096, "devminor": 0})),
    "GiB": block(size=65 << 30),
    "GiB ": block(size=2**80),
    "cut off": archive(("a", b"x" * 5000))[:2000],
    "cut off ": archive(("a", b"xx"))[:300],
    "no end marker": archive(("a", b"xx"))[:1024],
    "nothing in it": b"",
    "checksum": block()[:5] + b"\xff" + block()[6:] + END,
    "checksum ": b"this is no tar at all" * 100,
    "not a number": (lambda made: made[:148] + b"%06o\0 " % (sum(made[:148]) + 256 + sum(made[156:])) + made[156:])(
        block()[:100] + b"99zz\0\0\0\0" + block()[108:]
    )
    + END,
    "unknown type": block(flag=b"Q") + END,
    "sparse": block(flag=b"S") + END,
    "sparse ": archive(("a", b"xx", {"pax_headers": {"GNU.sparse.major": "1"}})),
    "pax header is not one": block(flag=b"x", size=10) + tar_headers.padded(b"9999 path=") + block() + END,
    "sensible size": block(flag=b"x", size=2 << 20) + END,
    "NUL": block(flag=b"x", size=12) + tar_headers.padded(b"12 path=a\0b\n") + block() + END,
    "no time": archive(("a", b"xx", {"pax_headers": {"mtime": "nan"}})),
    "gzip stream": gzip.compress(archive(("a", os.urandom(5000))))[:4000],
    "gzip stream ": gzip.compress(archive(("a", b"x" * 5000)))[:-8] + bytes(8),
    "zstd stream": b"\x28\xb5\x2f\xfd" + b"\xff" * 4000,
    "cut off   ": zstandard.compress(archive(("a", os.urandom(300_000))))[:200_000],
}


@pytest.mark.parametrize("sentence", HOSTILE)
def test_a_hostile_layer_is_refused_and_leaves_nothing(store, sentence):
    with pytest.raises(BadRequest, match=sentence.strip()):
        store.layers.add(io.BytesIO(HOSTILE[sentence]))
    assert is_empty(store) and store.blobs.used() == 0


def test_every_cut_and_every_flipped_header_bit_is_noticed_or_harmless(store):
    raw = archive(("d/a", b"content"), ("d/b", tarfile.LNKTYPE, {"linkname": "d/a"}))
    end = len(raw.rstrip(b"\0")) // 512 * 512 + 512
    for size in range(0, end, 100):
        with pytest.raises(BadRequest):
            store.layers.add(io.BytesIO(raw[:size]))
    for at in [*range(0, 512, 7), *range(1024, 1536, 7)]:
        flipped = raw[:at] + bytes([raw[at] ^ 0x10]) + raw[at + 1 :]
        with pytest.raises(BadRequest):
            store.layers.add(io.BytesIO(flipped))
    assert is_empty(store)


def test_a_layer_other_than_expected_is_refused(store):
    with pytest.raises(BadRequest, match="other content than its digest says"):
        add(store, ("a", b"xx"), expected="sha256:" + "0" * 64)
    assert is_empty(store)


def test_too_many_entries_are_refused(store, monkeypatch):
    monkeypatch.setattr(layer_rules, "MOST_ENTRIES", 3)
    with pytest.raises(BadRequest, match="more than 3 entries"):
        add(store, ("a/b/c/d", b"xx"))  # four: the folders count
    monkeypatch.setattr(layer_rules, "MOST_NAMES", 10)
    with pytest.raises(BadRequest, match="taken together"):
        add(store, ("n" * 11, b"xx"))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_bomb_is_refused_before_it_fills_the_disk(store, monkeypatch, pack):
    monkeypatch.setattr(tar_stream, "_UNSUSPICIOUS", 4 << 20)
    with pytest.raises(BadRequest, match="200 times its size"):
        store.layers.add(io.BytesIO(pack(archive(("zeros", bytes(30 << 20))))))
    assert is_empty(store)


def test_symbolic_links_of_a_layer_lead_where_docker_would_write(store):
    layer = add(
        store,
        ("lib", tarfile.SYMTYPE, {"linkname": "/usr/lib"}),
        ("lib/x", b"xx"),
        ("up", tarfile.SYMTYPE, {"linkname": "../.."}),
        ("up/etc/y", b"yy"),
    )
    assert [entry.path for entry in store.layers.index(layer.diff_id)] == ["lib", "usr/lib/x", "up", "etc/y"]


def test_whiteouts_that_are_hard_links_are_whiteouts(store):
    layer = add(store, ("a/.wh.x", b""), ("a/.wh.y", tarfile.LNKTYPE, {"linkname": "a/.wh.x"}))
    assert [entry.kind for entry in store.layers.index(layer.diff_id)] == [FILE, FILE]


def test_who_hangs_up_stops_the_work(store):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        add(store, ("a", b"xx"), stop=stop)
    assert is_empty(store)


# Images


def test_an_image_is_found_by_every_name_it_has(store):
    made = image(store, b"one", tags=["docker.io/library/app", "localhost:5000/team/app:2"])
    store.images.remember(made, "app", "sha256:" + "ab" * 32)
    for name in (
        "app",
        "app:latest",
        "library/app",
        "index.docker.io/library/app:latest",
        "localhost:5000/team/app:2",
        made,
        made[7:],
        made[:19],
        made[7:11],
        "app@sha256:" + "ab" * 32,
        "app:ignored@sha256:" + "ab" * 32,
    ):
        assert store.images.find(name).id == made, name
    assert store.images.tags(made) == ["app:latest", "localhost:5000/team/app:2"]
    assert store.images.digests(made) == ["app@sha256:" + "ab" * 32]


def test_what_is_not_there_is_named_as_docker_names_it(store):
    image(store, b"one", tags=["app"])
    for name, shown in (
        ("none", "none:latest"),
        ("app:2", "app:2"),
        ("docker.io/library/x:1", "x:1"),
        ("sha256:" + "0" * 64,) * 2,
    ):
        with pytest.raises(NotFound, match=f"^No such image: {shown}$"):
            store.images.find(name)
    for name in ("", "App", "a b", "a:", "-a", "a//b", "a:" + "t" * 129, "a@sha256:00"):
        with pytest.raises(BadRequest, match="invalid reference format"):
            store.images.find(name)


def test_a_configuration_keeps_its_bytes_and_the_image_its_id(store):
    diff_id = add(store, ("a", b"xx")).diff_id
    raw = b'{ "rootfs" : {"diff_ids":["%s"], "type":"layers"} }\n' % diff_id.encode()
    made = store.images.add_config(raw)
    assert made.id == f"sha256:{hashlib.sha256(raw).hexdigest()}" and made.size == 2
    assert store.blobs.open(made.id).read() == raw


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b'{"rootfs":5}', b'{"rootfs":{"diff_ids":"x"}}', b'{"config":[1]}', b"[" * 100_000]
)
def test_what_is_no_configuration_is_refused(store, raw):
    with pytest.raises(BadRequest, match="configuration"):
        store.images.add_config(raw)
    assert is_empty(store)


def test_an_image_needs_its_layers(store):
    with pytest.raises(BadRequest, match="not in the store"):
        store.images.create({"rootfs": {"diff_ids": ["sha256:" + "0" * 64]}})


def test_a_name_moves_to_the_newer_image(store):
    old, new = image(store, b"one", tags=["app"]), image(store, b"two", tags=["app"])
    assert store.images.tags(old) == [] and store.images.tags(new) == ["app:latest"]


def test_a_tag_of_several_only_untags(store):
    made = image(store, b"one", tags=["a", "b"])
    assert store.images.remove("a") == [{"Untagged": "a:latest"}]
    assert store.images.find("b").id == made
    assert store.images.remove("b") == [{"Untagged": "b:latest"}, {"Deleted": made}]
    assert is_empty(store)


def test_by_id_several_names_need_force(store):
    made = image(store, b"one", tags=["a", "b"])
    with pytest.raises(Conflict, match="must be forced.*multiple repositories"):
        store.images.remove(made)
    gone = store.images.remove(made[7:19], force=True)
    assert gone == [{"Untagged": "a:latest"}, {"Untagged": "b:latest"}, {"Deleted": made}]


def test_an_image_with_children_stays_and_parents_go_with_the_last_child(store):
    base = image(store, b"base", tags=["base"])
    step = image(store, b"base", b"step", parent=base)
    top = image(store, b"base", b"step", b"top", parent=step, tags=["top"])
    assert store.images.children(base) == [step]
    with pytest.raises(Conflict, match="cannot be forced.*dependent child"):
        store.images.remove(step, force=True)
    assert store.images.remove("base") == [{"Untagged": "base:latest"}]
    assert store.images.remove("top") == [{"Untagged": "top:latest"}] + [{"Deleted": one} for one in (top, step, base)]
    assert is_empty(store)


def test_parents_stay_if_they_are_asked_to(store):
    base = image(store, b"base")
    image(store, b"base", b"top", parent=base, tags=["top"])
    store.images.remove("top", noprune=True)
    assert [one.id for one in store.images.all()] == [base]


def test_an_image_of_a_container_needs_force(store):
    made = image(store, b"one", tags=["a"])
    store.images.used_by = lambda image_id: {"c0ffee": False}
    for reference in ("a", made):
        with pytest.raises(Conflict, match="container c0ffee"):
            store.images.remove(reference)
    assert store.images.tags(made) == ["a:latest"]
    assert store.images.remove("a", force=True)[-1] == {"Deleted": made}


def test_pruning_removes_what_has_no_name_or_everything_unused(store):
    tagged, loose, used = (
        image(store, b"one", tags=["a"]),
        image(store, b"two", Labels={"keep": "no"}),
        image(store, b"three"),
    )
    store.images.used_by = lambda image_id: {"c": False} if image_id == used else {}
    assert store.images.prune(labels=["!keep"])[0] == store.images.prune(labels=["keep=yes"])[0] == []
    assert store.images.prune(until=1.0)[0] == []
    gone, freed = store.images.prune()
    assert gone == [{"Deleted": loose}] and freed > 1024
    assert store.images.prune(dangling=False)[0] == [{"Untagged": "a:latest"}, {"Deleted": tagged}]
    assert [one.id for one in store.images.all()] == [used]


def test_a_layer_that_a_build_holds_is_not_collected(store):
    with store.images.lease() as held:
        diff_id = add(store, ("a", b"xx")).diff_id
        store.layers.end_protection([diff_id])
        held.add(diff_id)
        store.images.collect()
        assert store.layers.has(diff_id)
    store.images.collect()
    assert not store.layers.has(diff_id)


# The store as a whole


def test_two_processes_cannot_have_one_store(store):
    code = "import sys; sys.path.insert(0, sys.argv[1])\nfrom pocket_engine.store import Store\nStore(sys.argv[2])"
    other = subprocess.run([sys.executable, "-c", code, ROOT / "binder", store.folder], capture_output=True, text=True)
    assert f"already in use by process {os.getpid()}" in other.stderr
    store.close()
    assert subprocess.run([sys.executable, "-c", code, ROOT / "binder", store.folder]).returncode == 0


def test_everything_is_there_after_a_restart(tmp_path):
    first = Store(tmp_path)
    base = image(first, b"one", tags=["a"])
    top = image(first, b"one", b"two", parent=base, tags=["b:1"])
    first.images.remember(top, "b", "sha256:" + "1" * 64)
    first.close()
    second = Store(tmp_path)
    second.sweep()
    assert second.images.find("b:1") == second.images.find(top) and second.images.find(top).parent == base
    assert second.images.digests(top) == ["b@sha256:" + "1" * 64]
    assert second.blobs.used() == sum(path.stat().st_size for path in (tmp_path / "blobs/sha256").iterdir())


def test_what_a_killed_engine_left_is_swept_and_no_finished_image_is_lost(tmp_path):
    code = """
import io, itertools, os, sys
sys.path.insert(0, sys.argv[1])
from pocket_engine.store import Store
from pocket_engine.store.entries import FILE, Entry
store = Store(sys.argv[2])
for number in itertools.count():
    with store.layers.writer() as writer:
        writer.add(Entry("f", FILE, size=200_000), os.urandom(200_000))
        layer = writer.commit()
    made = store.images.create({"rootfs": {"diff_ids": [layer.diff_id]}, "n": number}, tags=[f"i:{number}"])
    print(made.id, flush=True)
"""
    for round_number in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", code, ROOT / "binder", tmp_path], stdout=subprocess.PIPE, text=True
        ) as run:
            finished = [run.stdout.readline().strip() for _ in range(3 + 4 * round_number)]
            run.send_signal(signal.SIGKILL)
        store = Store(tmp_path)
        store.sweep()
        known = {one.id: one.config["rootfs"]["diff_ids"] for one in store.images.all()}
        assert set(finished) <= set(known)
        for diff_ids in known.values():
            for diff_id in diff_ids:
                assert f"sha256:{hashlib.sha256(store.layers.open(diff_id).read()).hexdigest()}" == diff_id
        assert set(store.blobs.all()) == {*known, *(one for diff_ids in known.values() for one in diff_ids)}
        assert not list(store.blobs.temporary.iterdir())
        store.close()


def test_an_image_whose_layer_is_lost_is_not_shown(tmp_path):
    store = Store(tmp_path)
    whole, broken = image(store, b"one", tags=["a"]), image(store, b"two", tags=["b"])
    store.blobs.remove(store.images.find(broken).config["rootfs"]["diff_ids"][0])
    store.close()
    assert [one.id for one in Store(tmp_path).images.all()] == [whole]


def test_a_change_that_cannot_be_written_did_not_happen(store, monkeypatch):
    made = image(store, b"one", tags=["a"])

    def full(*_, **__):
        raise NoSpace("No space left")

    monkeypatch.setattr("pocket_engine.store.images_json.write_whole", full)
    with pytest.raises(NoSpace):
        store.images.tag(made, "b")
    with pytest.raises(NoSpace):
        store.images.remove("a")
    assert store.images.tags(made) == ["a:latest"] and store.images.find("a").id == made


def limited(tmp_path, monkeypatch, limit: int) -> Store:
    monkeypatch.setattr("pocket_engine.store.size_limit.RECENT", -1.0)
    monkeypatch.setattr("pocket_engine.store.blobs.STEP", 0)
    return Store(tmp_path, limit)


def test_a_full_store_lets_the_oldest_image_without_a_name_go(tmp_path, monkeypatch):
    store = limited(tmp_path, monkeypatch, 400_000)
    named, old, newer = (
        image(store, bytes(100_000), tags=["a"]),
        image(store, b"1" * 100_000),
        image(store, b"2" * 100_000),
    )
    store.images.touch(old)
    fourth = image(store, b"3" * 100_000)
    assert {one.id for one in store.images.all()} == {named, old, fourth}, newer


def test_a_store_full_of_named_images_says_so(tmp_path, monkeypatch):
    store = limited(tmp_path, monkeypatch, 250_000)
    image(store, bytes(100_000), tags=["a"])
    image(store, b"1" * 100_000, tags=["b"])
    with pytest.raises(NoSpace, match="has a name or is in use"):
        add(store, ("c", b"2" * 100_000))
    assert len(store.images.all()) == 2 and not list(store.blobs.temporary.iterdir())


def test_a_full_disk_says_so(store, monkeypatch):
    monkeypatch.setattr("pocket_engine.store.blobs.RESERVE", 2**62)
    with pytest.raises(NoSpace, match="No space left on the disk"):
        add(store, ("c", b"xx"))
    assert is_empty(store)
