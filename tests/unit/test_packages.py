"""packages(): which layer brought a package, by the databases in the layers."""

from __future__ import annotations

import importlib.metadata
import sysconfig
from pathlib import Path

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


def test_what_a_project_vendors_is_not_installed():
    about = b"Name: %b\nVersion: 1\n"
    layer = {
        "lib/python3/site-packages/setuptools-1.dist-info/METADATA": about % b"setuptools",
        "lib/python3/site-packages/setuptools/_vendor/wheel-1.dist-info/METADATA": about % b"wheel",
        "lib/python3/site-packages/deep/inside/other-1.egg-info/PKG-INFO": about % b"other",
        "app/_vendor/hidden-1.dist-info/METADATA": about % b"hidden",
        "app/flask-1.dist-info/METADATA": about % b"flask",  # pip install --target=/app
        "lib/python3/dist-packages/old-1.egg-info": about % b"old",
    }
    assert [name for name, _ in found(layer)] == ["flask", "old", "setuptools"]


def test_of_this_environment_those_are_named_that_python_finds():
    """The oracle is importlib.metadata, on the real folder that the tests run from."""
    folder = Path(sysconfig.get_path("purelib"))
    files = [*folder.rglob("*.dist-info/METADATA"), *folder.rglob("*.egg-info/PKG-INFO")]
    rows = package_databases.parse({str(path): path.read_bytes() for path in files})
    known = {one.metadata["Name"] for one in importlib.metadata.distributions(path=[str(folder)])}
    assert {row[1] for row in rows} == known and len(files) > 100
