"""packages(): which packages an image holds, read from the layers' own databases, with the layer that brought each."""

from __future__ import annotations

import csv
import re
from email.parser import HeaderParser

import docker
import pandas as pd

FOUND = ["manager", "name", "version", "bytes", "database"]
COLUMNS = ["image", "manager", "name", "version", "bytes", "layer", "created_by"]

# deb: dpkg's status file, or one file a package where there is no dpkg (distroless); apk's installed database, at its
# old place and at its new one; Python: "Recording installed projects" (PyPA specification).
_DPKG = re.compile(r"/var/lib/dpkg/(status|status\.d/(?!.*\.md5sums$)[^/]+)$")
_APK = re.compile(r"/(usr/)?lib/apk/db/installed$")
_PYTHON = re.compile(r"/[^/]+\.dist-info/(METADATA|RECORD)$|/[^/]+\.egg-info(/PKG-INFO)?$")


def is_database(path: str) -> bool:
    """True for a file that says what is installed."""
    if path.endswith(("/METADATA", "/RECORD", "-info", "/PKG-INFO")):
        return bool(_PYTHON.search(path))
    return path.startswith(("/var/lib/dpkg/status", "/lib/apk/", "/usr/lib/apk/")) and bool(
        _DPKG.match(path) or _APK.match(path)
    )


def parse(databases: dict[str, bytes]) -> list[list]:
    """Rows in the order of FOUND, from {path: content} of one layer's databases."""
    rows = []
    for path, content in databases.items():
        text = content.decode("utf-8", "replace")
        if _DPKG.match(path):
            rows += [[*row, path] for row in _dpkg(text)]
        elif _APK.match(path):
            rows += [[*row, path] for row in _apk(text)]
        elif not path.endswith("/RECORD"):
            record = databases.get(path.removesuffix("METADATA") + "RECORD", b"")
            rows += [[*row, path] for row in _python(text, record.decode("utf-8", "replace"))]
    return rows


def packages(client: docker.DockerClient | None, images) -> pd.DataFrame:
    """Every package that an image's visible databases name, in the order of manager and name.

    images: as for `files`. Columns image, manager ("dpkg", "apk", "python"), name, version, bytes (installed, as the
    database says it; 0 where it does not), layer and created_by (the layer that brought this version). A package whose
    files were copied without its database is not found: nothing in the image names it.
    """
    from .inventory import files
    from .shelf import Shelf

    read, shelf = files(client, images), Shelf()
    rows = []
    for image, own in read.groupby("image", observed=True, sort=False):
        databases = own[own["visible"] & own["path"].map(is_database)]
        visible = set(zip(databases["layer"], databases["path"]))
        lines = own.drop_duplicates("layer").set_index("layer")["created_by"]
        first: dict[tuple, int] = {}
        for layer, diff_id in own.drop_duplicates("layer")[["layer", "diff_id"]].itertuples(index=False):
            found = shelf.packages(diff_id)
            now = {(manager, name, version, path): size for manager, name, version, size, path in found}
            rewritten = {path for *_, path in now}
            # A database is rewritten whole: what it no longer names has to be brought again to count as brought.
            first = {key: at for key, at in first.items() if key[3] not in rewritten or key in now}
            for key in now:
                first.setdefault(key, layer)
            for key, size in now.items():
                if (layer, key[3]) in visible:
                    rows.append((image, *key[:3], size, first[key], lines[first[key]]))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.sort_values(["image", "manager", "name"], kind="stable", ignore_index=True)


def _dpkg(text: str) -> list[tuple]:
    """Packages in a dpkg status file: paragraphs of fields (deb822); Installed-Size is in KiB."""
    rows = []
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(Package|Version|Status|Installed-Size): *(.*)$", paragraph, re.M))
        if (
            "Package" in fields
            and fields.get("Status", "installed").endswith("installed")
            and "not-installed" not in fields.get("Status", "")
        ):
            size = fields.get("Installed-Size", "0")
            rows.append(
                ("dpkg", fields["Package"], fields.get("Version", ""), int(size) * 1024 if size.isdigit() else 0)
            )
    return rows


def _apk(text: str) -> list[tuple]:
    """Packages in apk's database: P name, V version, I installed size in bytes."""
    rows = []
    for paragraph in text.split("\n\n"):
        fields = dict(re.findall(r"^([PVI]):(.*)$", paragraph, re.M))
        if "P" in fields:
            size = fields.get("I", "0")
            rows.append(("apk", fields["P"], fields.get("V", ""), int(size) if size.isdigit() else 0))
    return rows


def _python(metadata: str, record: str) -> list[tuple]:
    """The project that a METADATA or PKG-INFO file is about; RECORD lists its files with their sizes."""
    about = HeaderParser().parsestr(metadata)
    if not about["Name"]:
        return []
    try:
        sizes = [row[2] for row in csv.reader(record.splitlines()) if len(row) == 3]
    except csv.Error:
        sizes = []
    return [("python", about["Name"], about["Version"] or "", sum(int(size) for size in sizes if size.isdigit()))]
