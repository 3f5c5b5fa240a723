"""Wildcards: the same in every check and helper."""

import pytest
from workshop.paths import followed, matches, names_one

GCC = "/usr/lib/gcc/x86_64-linux-gnu/12/cc1"


@pytest.mark.parametrize(
    "pattern, path, named",
    [
        ("/etc/passwd", "/etc/passwd", True),
        ("etc/passwd", "/etc/passwd", True),  # the first slash may be left out …
        ("passwd", "/etc/passwd", False),  # … and does not make it a name to look for anywhere
        ("/passwd", "/etc/passwd", False),
        ("**/passwd", "/etc/passwd", True),
        ("**/passwd", "/passwd", True),  # no folder counts as any number of folders
        ("/**/passwd", "/a/b/passwd", True),
        ("/etc/*", "/etc/passwd", True),
        ("/etc/*", "/etc", False),
        ("/usr/lib/gcc/*", GCC, False),  # stays within its folder
        ("/usr/lib/gcc/**", GCC, True),
        ("/usr/lib/gcc/", GCC, True),
        ("/usr/lib/gcc", GCC, False),
        ("/usr/lib/gcc/**", "/usr/lib/gcc", False),  # what is in it, as in .gitignore
        ("*/gcc*", "/usr/bin/gcc-12", False),
        ("**/gcc*", "/usr/bin/gcc-12", True),
        ("**/gcc*", GCC, False),  # the folder has such a name, the file in it has not
        ("**/gcc*/**", GCC, True),
        ("/install/**/flask/app.py", "/install/lib/python3.11/site-packages/flask/app.py", True),
        ("/install/*/flask/app.py", "/install/lib/python3.11/site-packages/flask/app.py", False),
        ("/a/**/b", "/a/b", True),
        ("/a/**/b/**/c", "/a/x/b/y/z/c", True),
        ("/a/**/b/**/c", "/a/x/y/z/c", False),
        ("/t?o", "/two", True),
        ("/t?o", "/t/o", False),
        ("/x.py[co]", "/x.pyc", True),
        ("/x.py[!c]", "/x.pyc", False),
        ("/x.py[^c]", "/x.pyo", True),
        ("/*", "/.hidden", True),
        ("/README*", "/readme.md", False),
        ("**", "/any/where", True),
        ("/", "/any/where", True),
        ("/a**b", "/a/b", False),  # not a name of its own between slashes: a plain *
        ("/a.b", "/aXb", False),
        ("", "/a", False),
    ],
)
def test_what_a_pattern_names(pattern, path, named):
    assert matches(path, pattern) is named


LINKS = {
    "/bin": "usr/bin",
    "/lib": "/usr/lib",
    "/a": "b",
    "/b": "a",
    "/deep/up": "../../../usr",
    "/twice": "bin/../../lib",
    "/usr/lib/self": ".",
}


@pytest.mark.parametrize(
    "path, place",
    [
        ("/bin/sh", "/usr/bin/sh"),
        ("/bin", "/bin"),  # the last part is what is asked for
        ("/lib/self/self/x", "/usr/lib/x"),
        ("/deep/up/bin/sh", "/usr/bin/sh"),  # nothing leads out of the image
        ("/twice/x", "/usr/lib/x"),
        ("/a/x", None),
        ("/a", "/a"),
        ("/nothing/at/all", "/nothing/at/all"),
        ("plain", "/plain"),
    ],
)
def test_links_on_the_way_are_followed_inside_of_the_image(path, place):
    assert followed(path, LINKS.get) == place


@pytest.mark.parametrize("pattern", ["/etc/passwd", "etc/passwd", "/..a/b.."])
def test_what_names_one_path(pattern):
    assert names_one(pattern)


@pytest.mark.parametrize(
    "pattern", ["", "/", "/etc/", "/e?c", "/**/x", "/*.py", "/[ab]", "/a//b", "/a/../b", "./a", "/a/."]
)
def test_what_does_not_name_one_path_or_not_by_its_own_name(pattern):
    assert not names_one(pattern)
