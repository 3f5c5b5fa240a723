"""Trees: filled from layers, changed as a job changes them, read back as a layer. Without and with privileges."""

from __future__ import annotations

import os
import shutil
import socket

import pytest
from pocket_engine.rootfs import RootfsManager, layer_diff, unused_pool, wait_for_clock_tick
from pocket_engine.store import Store
from pocket_engine.store.entries import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry


@pytest.fixture(params=[True, False], ids=["privileged", "ordinary"])
def roots(request, tmp_path):
    if request.param and os.getuid():
        pytest.skip("only root can give files away")
    store = Store(tmp_path / "store")
    yield RootfsManager(tmp_path / "trees", store.layers, request.param)
    store.close()


@pytest.fixture
def tree(roots):
    with roots.layers.writer() as writer:
        writer.add(Entry("d", DIRECTORY, 0o750, 5, 6))
        writer.add(Entry("d/a", FILE, 0o640, 7, 8, size=1), b"a")
        writer.add(Entry("d/b", HARDLINK, link="d/a"))
        writer.add(Entry("d/sub", DIRECTORY, 0o700, 5, 6))
        writer.add(Entry("d/sub/c", FILE, 0o4755, 0, 0, size=2), b"cc")
        writer.add(Entry("l", SYMLINK, 0o777, link="d/a"))
        base = writer.commit()
    with roots.create([base.diff_id]) as tree:
        wait_for_clock_tick()
        yield tree


def changed(tree, owners=None) -> dict[str, Entry]:
    return {entry.path: entry for entry in tree.layers.index(tree.commit(owners or {}).diff_id)}


def test_nothing_done_is_an_empty_layer(tree):
    assert changed(tree) == {}


def test_what_is_written_comes_with_the_folders_above_it_as_their_layer_has_them(tree):
    (tree.path / "d/new").write_text("new")
    found = changed(tree)
    assert list(found) == ["d", "d/new"]
    assert (found["d"].mode, found["d"].uid, found["d"].gid) == (0o750, 5, 6)
    assert (found["d/new"].size, found["d/new"].uid) == (3, 0)


def test_a_deletion_is_one_whiteout(tree):
    shutil.rmtree(tree.path / "d/sub")
    assert list(changed(tree)) == ["d", "d/.wh.sub"]


def test_a_folder_made_again_hides_what_was_in_it(tree):
    shutil.rmtree(tree.path / "d/sub")
    (tree.path / "d/sub").mkdir(mode=0o711)
    found = changed(tree)
    assert list(found) == ["d", "d/sub", "d/sub/.wh..wh..opq"] and found["d/sub/.wh..wh..opq"].mode == 0o711


def test_names_of_one_file_stay_names_of_one_file(tree):
    (tree.path / "d/a").write_text("other")
    found = changed(tree)
    assert found["d/a"].kind == FILE and (found["d/b"].kind, found["d/b"].link) == (HARDLINK, "d/a")


def test_a_mode_that_nobody_changed_is_the_layers(tree):
    os.utime(tree.path / "d/sub/c", (0, 0))
    assert changed(tree)["d/sub/c"].mode == 0o4755


def test_a_folder_that_was_closed_to_everybody_is_so_in_the_layer(tree):
    (tree.path / "shut").mkdir()
    (tree.path / "shut/in").write_text("x")
    os.chmod(tree.path / "shut/in", 0)
    os.chmod(tree.path / "shut", 0)
    found = changed(tree)
    assert (found["shut"].mode, found["shut/in"].mode, found["shut/in"].size) == (0, 0, 1)
    assert changed(tree) == {}


def test_a_second_layer_holds_what_came_since_the_first(tree):
    (tree.path / "one").write_text("1")
    assert list(changed(tree)) == ["one"]
    wait_for_clock_tick()
    (tree.path / "two").write_text("2")
    assert list(changed(tree)) == ["two"] and len(tree.diff_ids) == 3


def test_mount_points_are_no_part_of_a_layer(tree):
    (tree.path / "etc/hosts").write_text("127.0.0.1 me\n")
    (tree.path / "etc/kept").write_text("kept")
    assert "etc/hosts" not in changed(tree) and (tree.path / "proc").is_dir()


def test_a_chown_that_was_only_recorded_is_in_the_layer(tree):
    if tree.ledger.privileged:
        os.chown(tree.path / "d/a", 33, 44)
        owners = {}
    else:  # nothing of the file itself tells
        about = os.stat(tree.path / "d/a")
        owners = {(about.st_dev, about.st_ino): (33, 44)}
    found = changed(tree, owners)["d/a"]
    assert (found.uid, found.gid, found.mode) == (33, 44, 0o640)
    assert tree.owner((1, 2))((0, -1)) == (1, 2)


def test_a_layer_laid_over_a_tree_is_not_changed_by_it(tree):
    with tree.layers.writer() as writer:
        writer.add(Entry("d", DIRECTORY, 0o755, 5, 6))
        writer.add(Entry("d/.wh.sub", FILE, 0))
        writer.add(Entry("d/z", FILE, 0o644, size=1), b"z")
        over = writer.commit()
    tree.add(over.diff_id)
    assert sorted(os.listdir(tree.path / "d")) == ["a", "b", "z"] and changed(tree) == {}


# Trees that are kept for the next job


def listing(tree) -> dict[str, tuple]:
    """All that a job sees of each path, and what the next layer would say of its owner and mode."""
    found = {}
    for path, status in layer_diff.walk(tree.path):
        place, known = tree.path / path, tree.ledger.entry(path)
        content = place.read_bytes() if place.is_file() and not place.is_symlink() else b""
        link = os.readlink(place) if place.is_symlink() else ""
        owner = (known.uid, known.gid) if known else (status.st_uid, status.st_gid)
        mtime = status.st_mtime if path not in tree.mount_points else 0
        found[path] = (
            status.st_mode,
            tree.ledger.mode(path, status.st_mode),
            owner,
            content,
            link,
            mtime,
            status.st_nlink,
        )
    return found


def write(place, text="changed"):
    place.write_text(text)


DEEDS = {
    "nothing": lambda root: None,
    "a new file": lambda root: write(root / "d/new"),
    "a file written to": lambda root: write(root / "d/sub/c"),
    "a file of another mode": lambda root: (root / "d/sub/c").chmod(0o600),
    "a file removed": lambda root: (root / "d/sub/c").unlink(),
    "a file renamed": lambda root: (root / "d/sub/c").rename(root / "c"),
    "a folder of another mode": lambda root: (root / "d/sub").chmod(0o777),
    "a folder removed": lambda root: shutil.rmtree(root / "d/sub"),
    "a folder made again": lambda root: (
        shutil.rmtree(root / "d/sub"),
        (root / "d/sub").mkdir(),
        write(root / "d/sub/x"),
    ),
    "a folder renamed": lambda root: (root / "d/sub").rename(root / "else"),
    "a folder where a file was": lambda root: ((root / "d/sub/c").unlink(), (root / "d/sub/c").mkdir()),
    "a file where a folder was": lambda root: (shutil.rmtree(root / "d/sub"), write(root / "d/sub")),
    "a link where a folder was": lambda root: (shutil.rmtree(root / "d/sub"), (root / "d/sub").symlink_to("/etc")),
    "a link that leads elsewhere": lambda root: ((root / "l").unlink(), (root / "l").symlink_to("/")),
    "a tree of its own": lambda root: ((root / "a/b/c").mkdir(parents=True), write(root / "a/b/c/d")),
    "a place of the runner removed": lambda root: shutil.rmtree(root / "proc"),
    "a place of the runner filled": lambda root: write(root / "dev/x"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_tree_that_is_given_back_is_again_what_its_layers_say(roots, tree, deed):
    fresh = listing(tree)
    used = roots.create(tree.diff_ids)
    wait_for_clock_tick()
    DEEDS[deed](used.path)
    assert (listing(used) == fresh) == (deed == "nothing")
    roots.release(used)
    again = roots.create(tree.diff_ids)
    assert again is used, "it was kept"
    assert listing(again) == fresh
    assert changed(again) == {}
    roots.release(again)
    assert roots.drop_unused() == 1 and not again.folder.exists()


def test_all_that_was_done_at_once_is_undone(roots, tree):
    fresh, used = listing(tree), roots.create(tree.diff_ids)
    wait_for_clock_tick()
    for deed in (
        "a new file",
        "a file written to",
        "a link that leads elsewhere",
        "a tree of its own",
        "a folder renamed",
    ):
        DEEDS[deed](used.path)
    roots.release(used)
    assert listing(roots.create(tree.diff_ids)) == fresh


def test_a_tree_whose_files_of_several_names_have_changed_is_not_kept(roots, tree):
    used = roots.create(tree.diff_ids)
    wait_for_clock_tick()
    write(used.path / "d/a")
    roots.release(used)
    assert not used.folder.exists() and roots.drop_unused() == 0


def test_a_kept_tree_has_the_layers_that_its_jobs_made(roots, tree):
    used = roots.create(tree.diff_ids)
    wait_for_clock_tick()
    write(used.path / "d/more")
    used.commit({})
    wait_for_clock_tick()
    write(used.path / "d/not-committed")
    roots.release(used)
    assert roots.create(tree.diff_ids) is not used
    assert (again := roots.create(used.diff_ids)) is used
    assert (again.path / "d/more").exists() and not (again.path / "d/not-committed").exists()


def test_what_no_layer_takes_is_not_kept_either(roots, tree):
    """A socket: the layer has none, so the next job must not see it."""
    used = roots.create(tree.diff_ids)
    wait_for_clock_tick()
    folder = os.open(used.path / "d", os.O_PATH)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{folder}/s")  # a socket's path has room for 107 bytes
    os.close(folder)
    used.commit({})
    roots.release(used)
    again = roots.create(used.diff_ids)
    assert again is used and not (again.path / "d/s").exists()


def test_a_file_that_lost_a_name_and_was_given_away_has_changed(roots, tree):
    if not roots.privileged:
        pytest.skip("only root can give files away")
    (tree.path / "d/b").unlink()
    os.chown(tree.path / "d/a", 70, 80)
    found = changed(tree)
    assert (found["d/a"].uid, found["d/a"].gid) == (70, 80) and "d/.wh.b" in found


def test_a_file_that_only_lost_a_name_has_not(roots, tree):
    (tree.path / "d/b").unlink()
    assert list(changed(tree)) == ["d", "d/.wh.b"]


def test_no_more_is_kept_than_there_is_room_for(roots, tree, monkeypatch):
    monkeypatch.setattr(unused_pool, "MOST", 2)
    several = [roots.create(tree.diff_ids) for _ in range(3)]
    for one in several:
        roots.release(one)
    assert [one.folder.exists() for one in several] == [False, True, True]
    monkeypatch.setattr(unused_pool, "ROOM", 1)
    roots.release(roots.create(tree.diff_ids))
    assert roots.drop_unused() == 0


def test_a_tree_goes_where_it_is_wanted(roots, tree, tmp_path):
    used = roots.create(tree.diff_ids, tmp_path / "one/root")
    roots.release(used)
    assert not (tmp_path / "one/root").exists()
    again = roots.create(tree.diff_ids, tmp_path / "two/root")
    assert again is used and (tmp_path / "two/root/root/d/a").read_text() == "a"
    roots.sweep()
    assert (tmp_path / "two/root").exists()
