"""What layers on each other give: the rules of the OCI image spec, layer by layer."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pocket_engine.errors import BadRequest, NotFound
from pocket_engine.store import Store
from pocket_engine.store.entries import DIRECTORY, FILE, HARDLINK, OPAQUE, SYMLINK, Entry


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    yield store
    store.close()


def folder(path: str, mode: int = 0o755):
    return Entry(path, DIRECTORY, mode), None


def file(path: str, content: bytes = b"x", mode: int = 0o644):
    return Entry(path, FILE, mode, size=len(content)), content


def symlink(path: str, link: str):
    return Entry(path, SYMLINK, 0o777, link=link), None


def hard(path: str, link: str):
    return Entry(path, HARDLINK, link=link), None


def view(store: Store, *layers):
    ids = []
    for entries in layers:
        with store.layers.writer() as writer:
            for entry, content in entries:
                writer.add(entry, content)
            ids.append(writer.commit().diff_id)
    return store.layers.view(ids)


def content(seen, path: str) -> bytes:
    with seen.open(path) as opened:
        return opened.read()


def test_the_upper_file_is_seen(store):
    seen = view(store, [file("a", b"old"), file("b", b"b")], [file("a", b"new")])
    assert content(seen, "a") == b"new" and content(seen, "b") == b"b"
    assert seen.layer_of("a") == seen.diff_ids[1] and seen.layer_of("b") == seen.diff_ids[0]


def test_a_whiteout_hides_a_file_or_a_whole_folder(store):
    seen = view(store, [file("d/e/f"), file("d/g"), file("de")], [file("d/.wh.e", b"")], [file(".wh.de", b"")])
    assert sorted(seen.entries) == ["d", "d/g"]


@pytest.mark.parametrize("marker_first", [True, False])
def test_an_opaque_marker_hides_lower_layers_only_wherever_it_stands(store, marker_first):
    upper = [file(f"d/{OPAQUE}", b""), file("d/new")]
    seen = view(store, [file("d/old"), file("d/sub/old"), file("e")], upper if marker_first else upper[::-1])
    assert sorted(seen.entries) == ["d", "d/new", "e"]


@pytest.mark.parametrize("marker_first", [True, False])
def test_a_whiteout_does_not_hide_its_own_layer(store, marker_first):
    upper = [file(".wh.d", b""), file("d/new")]
    seen = view(store, [file("d/old")], upper if marker_first else upper[::-1])
    assert sorted(seen.entries) == ["d", "d/new"]


def test_an_opaque_root_hides_everything_below(store):
    seen = view(store, [folder(""), file("a/b")], [file(OPAQUE, b""), file("c")])
    assert sorted(seen.entries) == ["", "c"]


def test_an_opaque_folder_in_a_folder_that_the_layer_does_not_list(store):
    seen = view(store, [file("a/b/old"), file("a/c")], [file(f"a/b/{OPAQUE}", b"")])
    assert sorted(seen.entries) == ["a", "a/b", "a/c"]


def test_a_file_in_the_place_of_a_folder_hides_what_was_in_it(store):
    seen = view(store, [file("a/b/c")], [file("a", b"now")], [folder("x")])
    assert sorted(seen.entries) == ["a", "x"] and seen.get("a").kind == FILE


def test_a_folder_that_is_only_implied_keeps_its_owner_below(store):
    seen = view(store, [(Entry("home", DIRECTORY, 0o700, 7, 8), None)], [file("home/new/f")])
    assert seen.get("home")[2:5] == (0o700, 7, 8)
    assert (seen.get("home/new").kind, seen.get("home/new").mode) == (DIRECTORY, 0o755)


def test_a_folder_on_a_lower_symbolic_link_replaces_it(store):
    seen = view(store, [symlink("lib", "usr/lib"), file("usr/lib/a")], [file("lib/b")])
    assert seen.get("lib").kind == DIRECTORY and sorted(seen.entries) == ["lib", "lib/b", "usr", "usr/lib", "usr/lib/a"]


def test_a_hard_link_reads_its_target(store):
    seen = view(store, [file("a", b"same"), hard("b", "a")])
    assert seen.get("b")[1:2] == (HARDLINK,) and seen.get("b").link == "a" and content(seen, "b") == b"same"


@pytest.mark.parametrize("upper", [[file(".wh.a", b"")], [file("a", b"other")], [symlink("a", "b")]])
def test_hard_links_survive_their_target(store, upper):
    seen = view(store, [file("a", b"same", 0o711), hard("b", "a"), hard("c", "b")], upper)
    b, c = seen.get("b"), seen.get("c")
    assert (b.kind, b.mode, b.size, b.digest) == (FILE, 0o711, 4, hashlib.sha256(b"same").hexdigest())
    assert (c.kind, c.link) == (HARDLINK, "b")
    assert content(seen, "b") == content(seen, "c") == b"same" and seen.layer_of("c") == seen.diff_ids[0]


def test_a_hard_link_keeps_the_content_its_target_had_then(store):
    seen = view(store, [file("a", b"first"), hard("b", "a"), file("a", b"second")])
    assert content(seen, "b") == b"first" and content(seen, "a") == b"second"


def test_a_hard_link_to_a_symbolic_link_is_one(store):
    assert view(store, [symlink("a", "x"), hard("b", "a")]).get("b")[:2] == ("b", SYMLINK)


def test_the_same_layer_twice_is_as_good_as_once(store):
    layer = [file("a", b"same"), hard("b", "a"), file(".wh.c", b"")]
    seen = view(store, layer, layer)
    assert content(seen, "a") == content(seen, "b") == b"same" and sorted(seen.entries) == ["a", "b"]


def test_children_are_sorted_by_their_bytes(store):
    seen = view(store, [folder(""), file("b/z"), file("b/ü"), file("B"), file("b.c")])
    assert seen.children("") == ["B", "b", "b.c"] and seen.children("b") == ["z", "ü"] and seen.children("B") == []


def test_links_stay_inside_the_root(store):
    seen = view(
        store,
        [
            symlink("abs", "/d/f"),
            symlink("up", "../../../d"),
            symlink("d/back", ".."),
            file("d/f"),
            symlink("loop", "loop/x"),
        ],
    )
    assert seen.resolve("abs") == "d/f" and seen.resolve("/abs", follow_last=False) == "abs"
    assert seen.resolve("up/./f") == "d/f" and seen.resolve("d/back/abs") == "d/f" and seen.resolve("../../d/..") == ""
    assert seen.resolve("d/none/such") == "d/none/such"
    with pytest.raises(BadRequest, match="loop"):
        seen.resolve("loop")


def test_forty_links_are_followed_and_no_more(store):
    links = [symlink(f"l{n}", f"l{n + 1}") for n in range(41)]
    assert view(store, links[1:]).resolve("l1") == "l41"
    with pytest.raises(BadRequest, match="l0"):
        view(store, links).resolve("l0")


def test_a_file_is_read_in_pieces_and_from_anywhere(store):
    data = os.urandom(300_000)
    seen = view(store, [file("before", b"b"), file("big", data), file("after", b"a")])
    with seen.open("big") as opened:
        assert opened.read(10) == data[:10] and opened.seek(-5, 2) == 299_995 and opened.read() == data[-5:]
        assert opened.read(1) == b""


def test_what_is_no_file_cannot_be_read(store):
    seen = view(store, [file("d/f"), symlink("l", "d/f")])
    for path in ("d", "l"):
        with pytest.raises(BadRequest):
            seen.open(path)
    with pytest.raises(NotFound):
        seen.open("none")


# Against a real filesystem: the layers unpacked one on the other, as the spec describes it.

names = st.sampled_from(["a", "b", "a/a", "a/b", "b/a", "a/b/a", "a/b/b"])
changes = st.lists(
    st.tuples(st.sampled_from(["file", "folder", "link", "hard", "gone", "opaque"]), names, names), max_size=6
)


def apply(root: Path, wanted) -> list:
    """Make what the changes ask for, as far as it can be made, in the root; the layer that does the same."""
    layer: dict[str, tuple] = {}
    gone, opaque = [], []
    for kind, name, other in wanted:
        place = root / name
        above = list(Path(name).parents)[:-1]
        if any(str(one) in layer and layer[str(one)][0].kind != DIRECTORY for one in above):
            continue
        if kind == "gone":
            if not os.path.lexists(place) or any(
                path == name or path.startswith(f"{name}/") for path in [*layer, *gone, *opaque]
            ):
                continue
            if not all((root / one).is_dir() and not (root / one).is_symlink() for one in above):
                continue
            shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
            gone.append(str(Path(name).parent / f".wh.{Path(name).name}"))
            continue
        if kind == "opaque":
            if (
                not place.is_dir()
                or place.is_symlink()
                or any(path.startswith(f"{name}/") for path in [*layer, *gone, *opaque])
            ):
                continue
            if not all((root / one).is_dir() and not (root / one).is_symlink() for one in above):
                continue
            shutil.rmtree(place)
            place.mkdir()
            opaque.append(f"{name}/{OPAQUE}")
            continue
        target = layer.get(other)
        if kind == "hard" and (target is None or target[0].kind != FILE or other == name):
            continue
        if name in layer or any(path.startswith(f"{name}/") for path in [*layer, *gone, *opaque]):
            continue  # a layer that has something below a name has a folder there
        for one in above[::-1]:
            if (root / one).is_symlink() or not (root / one).is_dir():
                (root / one).unlink(missing_ok=True)
                (root / one).mkdir()
            layer.setdefault(str(one), folder(str(one)))
        if kind != "folder" and place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        elif place.is_symlink() or not place.is_dir():
            place.unlink(missing_ok=True)
        if kind == "file":
            data = f"{name} {len(layer)} {root.stat().st_mtime_ns}".encode()
            place.write_bytes(data)
            layer[name] = file(name, data)
        elif kind == "folder":
            place.mkdir(exist_ok=True)
            layer[name] = folder(name)
        elif kind == "link":
            place.symlink_to(other)
            layer[name] = symlink(name, other)
        else:
            os.link(root / other, place)
            layer[name] = hard(name, other)
    return [*layer.values(), *(file(path, b"") for path in gone + opaque)]


def on_disk(root: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        found[name] = os.readlink(path) if path.is_symlink() else None if path.is_dir() else path.read_bytes()
    return found


@settings(max_examples=150, deadline=None)
@given(st.lists(changes, min_size=1, max_size=4))
def test_a_view_is_what_unpacking_the_layers_gives(wanted):
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "root"
        root.mkdir()
        store = Store(Path(temporary) / "store")
        seen = view(store, *[apply(root, one) for one in wanted])
        shown = {
            path: entry.link if entry.kind == SYMLINK else None if entry.kind == DIRECTORY else content(seen, path)
            for path, entry in seen.entries.items()
        }
        assert shown == on_disk(root)
        for path, entry in seen.entries.items():
            if entry.kind == HARDLINK:
                assert seen.get(entry.link).kind == FILE and os.path.samefile(root / path, root / entry.link)
        store.close()
