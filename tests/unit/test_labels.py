"""What is ours: an image's own history and labels say so, and nothing that a program printed or a base has left in it."""

from __future__ import annotations

import pytest
from workshop.bases.known import MADE_FOR, is_made_for
from workshop.builders import classic_leftovers
from workshop.labels import HISTORY, IMAGE, LABEL, STAGE, STAND_IN_ROOT, UNSAID, familiar, is_own, unsaid

BELOW = ['/bin/sh -c #(nop)  CMD ["sh"]', "/bin/sh -c #(nop) ADD file:0a1b in / "]
OURS = {LABEL: IMAGE}  # on every image below: on a child of ours it is inherited


@pytest.mark.parametrize(
    "line",
    [
        "/bin/sh -c #(nop)  LABEL factory-floor=image",
        "/bin/bash -o pipefail -c #(nop)  LABEL factory-floor=image",
        "bash #(nop) LABEL factory-floor=image",
        '/bin/sh -c #(nop) LABEL "factory-floor"="image"',
        "LABEL factory-floor=image",
        "LABEL factory-floor.stand-in-for=x factory-floor=image",
    ],
)
def test_an_image_that_ends_in_our_label_is_ours(line):
    assert is_own(IMAGE, [line, *BELOW], OURS)
    assert is_own(IMAGE, ["/bin/sh -c #(nop)  LABEL factory-floor.more=1", line, *BELOW], OURS)
    assert not is_own(STAGE, [line, *BELOW], {LABEL: STAGE})
    assert not is_own(IMAGE, ["/bin/sh -c #(nop)  USER nobody", line, *BELOW], OURS)
    assert not is_own(IMAGE, ["/bin/sh -c #(nop)  LABEL mine=1", line, *BELOW], OURS)


@pytest.mark.parametrize(
    "line",
    [
        "/bin/sh -c grep 'LABEL factory-floor=image ' Dockerfile",
        "RUN /bin/sh -c echo LABEL factory-floor=image # buildkit",
        "/bin/sh -c echo '#(nop)  LABEL factory-floor=image'",
        "COPY LABEL factory-floor=image /x # buildkit",
        "ENV HINT=LABEL factory-floor=image",
        "/bin/sh -c #(nop)  LABEL mine=1 factory-floor=image",
        "",
    ],
)
def test_what_only_speaks_of_our_label_is_not_ours(line):
    assert not is_own(IMAGE, [line, *BELOW], OURS)


def test_where_no_line_tells_of_a_label_the_length_of_the_history_does():
    said = OURS | {HISTORY: "2"}
    assert is_own(IMAGE, BELOW, said)
    assert not is_own(IMAGE, ["USER nobody", *BELOW], said) and not is_own(IMAGE, BELOW[1:], said)
    assert not is_own(STAGE, BELOW, said) and not is_own(IMAGE, BELOW, OURS) and not is_own(IMAGE, [], OURS)


@pytest.mark.parametrize(
    "name, short",
    [
        ("docker.io/library/python:3.11", "python:3.11"),
        ("index.docker.io/library/python", "python"),
        ("library/python:3.11", "python:3.11"),
        ("docker.io/somebody/app", "somebody/app"),
        ("library/somebody/app", "library/somebody/app"),
        ("gcr.io/library/python:3.11", "gcr.io/library/python:3.11"),
        ("localhost:5000/docker.io/x", "localhost:5000/docker.io/x"),
        ("python:3.11", "python:3.11"),
    ],
)
def test_a_name_that_is_spelled_out_is_the_same_image(name, short):
    assert familiar(name) == short


def test_a_root_of_stand_ins_was_imported_and_has_one_entry():
    assert is_own(STAND_IN_ROOT, [""], {LABEL: STAND_IN_ROOT})
    assert not is_own(STAND_IN_ROOT, ["/bin/sh -c apt-get update", ""], {LABEL: STAND_IN_ROOT})


@pytest.mark.parametrize("time_stamp", ["0001-01-01T00:00:00Z", "", None, "9999-12-31T00:00:00Z", "yesterday?"])
def test_an_image_without_a_date_was_not_made_since_a_build_began(time_stamp):
    """So it is never removed as that build's."""
    assert classic_leftovers.nanoseconds(time_stamp) < 0
    assert classic_leftovers.nanoseconds("1970-01-01T01:00:00.000000007+01:00") == 7


@pytest.mark.parametrize("own, triggers", [({"mine": "1"}, []), ({}, ["RUN true"]), ({"mine": "1"}, ["RUN true"])])
def test_what_no_line_tells_was_there_when_we_built_or_makes_the_image_somebodys(own, triggers):
    """BuildKit writes no line for `--label` and for ONBUILD: such an image has the history of ours, to the letter."""
    line = "/bin/sh -c #(nop)  LABEL factory-floor=image"
    for ours in ([line, *BELOW], OURS), (BELOW, OURS | {HISTORY: "2"}):
        history, labels = ours
        assert is_own(IMAGE, history, labels) and not is_own(IMAGE, history, labels | own, triggers)
        digest = unsaid(history, labels | own, triggers)
        assert is_own(IMAGE, history, labels | own | {UNSAID: digest}, triggers), "it was there when we built"
        assert not is_own(IMAGE, history, labels | own | {UNSAID: digest, "more": "2"}, triggers)
        assert not is_own(IMAGE, history, labels | {UNSAID: digest}), "it is gone"
    assert not is_own(STAND_IN_ROOT, [""], {LABEL: STAND_IN_ROOT} | own, triggers)


def test_what_a_line_tells_is_not_unsaid():
    history = ['/bin/sh -c #(nop)  LABEL maker="Ada"', "LABEL team=1", "/bin/sh -c #(nop)  ONBUILD RUN true", *BELOW]
    own = {"maker": "Ada", "team": "1", LABEL: IMAGE, HISTORY: "9", "io.buildah.version": "1"}
    assert unsaid(history, own, ["RUN true"]) == ""
    assert unsaid(history, {"maker": "Ada", "other": "1"}) and unsaid(history, {}, ["RUN false"])


def test_a_base_is_known_by_the_name_that_it_was_made_for_last():
    """What it is built on may be a stand-in, whose label it inherits."""
    stand_in, with_certificates = {f"{LABEL}.stand-in-for": "busybox:1.37"}, {MADE_FOR: "team/base:1"}
    assert is_made_for("busybox:1.37", stand_in) and not is_made_for("team/base:1", stand_in)
    assert is_made_for("team/base:1", stand_in | with_certificates)
    assert not is_made_for("busybox:1.37", stand_in | with_certificates)
    assert is_made_for("busybox:1.37", {}) and not is_made_for("team/base:1", {})
