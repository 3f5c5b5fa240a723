"""The comparison itself: it sees what two views of a filesystem do not agree on, and excuses what it says it does."""

from __future__ import annotations

import io
import tarfile

import agreement
import pytest
from hand import link

FILE = ("/etc/a", "file", 3, 0o644, 0, 0, "", "sha256:1")
OTHERS = [(1, "symlink"), (2, 4), (3, 0o4644), (4, 7), (5, 7), (6, "x"), (7, "sha256:2")]


def view(*rows: tuple):
    return agreement._view(rows)


@pytest.mark.parametrize("field, other", OTHERS)
def test_the_comparison_sees_every_field(field, other):
    changed = (*FILE[:field], other, *FILE[field + 1 :])
    found = agreement.differences(view(FILE), view(changed))
    assert agreement.FIELDS[field - 1] in set(found["field"])
    assert agreement.differences(view(FILE), view(FILE)).empty


def test_the_comparison_sees_what_only_one_side_has():
    folder = ("/var", "directory", 0, 0o755, 0, 0, "", "")
    assert list(agreement.differences(view(FILE, folder), view(FILE))["ours"]) == ["listed"]
    assert list(agreement.differences(view(FILE), view(FILE, folder))["engine"]) == ["there"]
    assert list(agreement.differences(view(FILE, FILE), view(FILE))["ours"]) == ["listed twice"]


def test_only_the_engines_own_and_implicit_folders_are_excused():
    made = [(path, "file", 0, 0o755, 0, 0, "", "") for path in sorted(agreement.REPLACED)]
    parent = ("/etc", "directory", 0, 0o755, 0, 0, "", "")
    assert agreement.differences(view(FILE), view(FILE, parent, *made)).empty
    hosts = ("/etc/hosts", "file", 9, 0o600, 1, 1, "", "sha256:3")
    assert agreement.differences(view(FILE, hosts), view(FILE, *made)).empty
    assert list(agreement.differences(view(FILE, hosts), view(FILE))["path"]) == ["/etc/hosts"]


def test_an_export_is_read_with_its_hard_links_resolved():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("a")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"abc"))
        archive.addfile(link(tarfile.LNKTYPE, "a", "b"))
    pieces = [packed.getvalue()[at : at + 1000] for at in range(0, len(packed.getvalue()), 1000)]
    with tarfile.open(fileobj=agreement.Chunks(pieces), mode="r|") as merged:
        first, second = agreement._members(merged)
    assert first[0] == "/a" and second[0] == "/b" and first[1:] == second[1:] and first[2] == 3
