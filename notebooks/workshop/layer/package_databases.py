"""The package databases in a layer: which files they are, and what they name."""

from __future__ import annotations

import csv
import re
from email.parser import HeaderParser

COLUMNS = ["manager", "name", "version", "bytes", "database"]

# deb: dpkg's status file, or one file a package where there is no dpkg (distroless); apk's installed database, at its
# old place and at its new one; Python: "Recording installed projects" (PyPA specification).
_DPKG = re.compile(r"/var/lib/dpkg/(status|status\.d/(?!.*\.md5sums$)[^/]+)$")
_APK = re.compile(r"/(usr/)?lib/apk/db/installed$")
_PYTHON = re.compile(r"/[^/]+\.dist-info/(METADATA|RECORD)$|/[^/]+\.egg-info(/PKG-INFO)?$")
# What a project brings along inside of itself (setuptools/_vendor) is not installed: Python finds projects in the folders
# of sys.path, not below them (importlib.metadata), and the files are in the RECORD of the project that they came with.
_VENDORED = re.compile(r"/(site|dist)-packages/[^/]+/(.+/)?[^/]+\.(dist|egg)-info\b|/_vendor/")


def is_database(path: str) -> bool:
    """True for a file that says what is installed."""
    if path.endswith(("/METADATA", "/RECORD", "-info", "/PKG-INFO")):
        return bool(_PYTHON.search(path)) and not _VENDORED.search(path)
    return path.startswith(("/var/lib/dpkg/status", "/lib/apk/", "/usr/lib/apk/")) and bool(
        _DPKG.match(path) or _APK.match(path)
    )


def parse(databases: dict[str, bytes]) -> list[list]:
    """Rows in the order of COLUMNS, from {path: content} of one layer's files; those that are no database are passed over."""
    rows = []
    for path, content in databases.items():
        text = content.decode("utf-8", "replace")
        if _DPKG.match(path):
            rows += [[*row, path] for row in _dpkg(text)]
        elif _APK.match(path):
            rows += [[*row, path] for row in _apk(text)]
        elif is_database(path) and not path.endswith("/RECORD"):
            record = databases.get(path.removesuffix("METADATA") + "RECORD", b"")
            rows += [[*row, path] for row in _python(text, record.decode("utf-8", "replace"))]
    return rows


def _dpkg(text: str) -> list[tuple]:
    """Packages in a dpkg status file: paragraphs of fields (deb822); Installed-Size is in KiB."""
    rows = []
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(Package|Version|Status|Installed-Size): *(.*)$", paragraph, re.M))
        if "Package" in fields and fields.get("Status", "installed").split()[-1:] == ["installed"]:
            size = fields.get("Installed-Size", "0")
            count = int(size) * 1024 if size.isdigit() else 0
            rows.append(("dpkg", fields["Package"], fields.get("Version", ""), count))
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
