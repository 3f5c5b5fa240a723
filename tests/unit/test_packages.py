"""packages(): which layer brought a package, by the databases in the layers."""

from __future__ import annotations

from hand import frame_of
from workshop.analysis.packages import packages
from workshop.layer import package_databases

STATUS = "var/lib/dpkg/status"


def status(*names: str) -> bytes:
    return "".join(f"Package: {name}\nStatus: install ok installed\nVersion: 1\n\n" for name in names).encode()


def found(*layers: dict) -> list[tuple]:
    """(package, the layer that brought it), by the databases of layers written by hand."""
    files = frame_of(list(layers))
    diff_ids = files.drop_duplicates("layer").set_index("layer")["diff_id"]
    databases = {
        diff_ids[number]: package_databases.parse({f"/{path}": content for path, content in layer.items() if content})
        for number, layer in enumerate(layers)
    }
    table = packages(files, databases)
    return list(table[["name", "layer"]].itertuples(index=False, name=None))


def test_a_package_that_is_there_gone_and_there_again_came_with_the_last():
    """The sizes differ, so that each layer is one of its own."""
    there, gone, again = {STATUS: status("a", "b")}, {STATUS: status("a")}, {STATUS: status("b", "a")}
    assert found(there) == [("a", 0), ("b", 0)]
    assert found(there, gone) == [("a", 0)]
    assert found(there, gone, again) == [("a", 0), ("b", 2)]


def test_a_database_that_was_deleted_names_nothing():
    assert found({STATUS: status("a")}, {"var/lib/dpkg/.wh.status": b""}) == []


def test_another_version_came_with_the_layer_that_brought_it():
    newer = status("a").replace(b"Version: 1", b"Version: 2")
    assert found({STATUS: status("a", "b")}, {STATUS: newer + status("b")}) == [("a", 1), ("b", 0)]
