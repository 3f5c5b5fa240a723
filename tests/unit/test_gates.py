"""What a COPY --from names, and what lies below it."""

import pytest
from workshop.dockerfiles.copy_from import copy_from, is_below
from workshop.dockerfiles.syntax import parse


def test_copy_from_reads_names_numbers_and_several_sources():
    lines = [
        "COPY --chown=1 --from=one /x y/ /z",
        "COPY --from=0 /x /z",
        "COPY --from=busybox /x /z",
        "COPY x /z",
        'COPY --from=one ["/a b", "/c", "/z"]',
        "RUN cp --from=one /x",
    ]
    parsed = parse("FROM a AS One\nFROM b\n" + "\n".join(lines))
    named, number, image, context, listed, run = parsed.instructions[2:]
    assert copy_from(named, parsed) == ("One", ["/x", "/y"])
    assert copy_from(number, parsed) == ("One", ["/x"])
    assert copy_from(image, parsed) == (None, ["/x"])
    assert copy_from(context, parsed) == (None, []) == copy_from(run, parsed)
    assert copy_from(listed, parsed) == ("One", ["/a b", "/c"])


@pytest.mark.parametrize(
    "path, top, below",
    [
        ("/a/b", "/", True),
        ("/a/b", "/a", True),
        ("/ab", "/a", False),
        ("/a", "/a/b", False),
        ("/w/x.whl", "/w/*.whl", True),
        ("/w/d/x.whl", "/w/*.whl", False),
        ("/w/d/x", "/w/*", True),
        ("/p/one/x", "/p/*/x", True),
        ("/p/one/y", "/p/*/x", False),
        ("/w/b", "/w/[^a]", True),
        ("/w/a", "/w/[^a]", False),
    ],
)
def test_a_wildcard_stays_within_its_folder(path, top, below):
    assert is_below(path, top) is below
