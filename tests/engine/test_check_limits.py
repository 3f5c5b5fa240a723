"""A check exactly at its limit: what "smaller", "at least" and "less than" mean, to the byte."""

from __future__ import annotations

import uuid

import pytest
import workshop
from hand import archive_of
from workshop.lesson import check


@pytest.fixture(scope="module")
def image(client):
    """image(layer, …): the name of an image of layers written by hand, each {path: bytes}; removed afterwards."""
    repository, names = f"factory/test-{uuid.uuid4().hex[:8]}", []

    def image(*layers: dict) -> str:
        names.append(f"{repository}:{len(names)}")
        client.images.load(archive_of([dict(layer) for layer in layers], kind="legacy", tag=names[-1]))
        return names[-1]

    yield image
    for name in names:
        client.api.remove_image(name)


MB = 10**6


@pytest.fixture(scope="module")
def images(image):
    """(3 MB, 1 MB, 1 MB of other content, one byte less than 1 MB)"""
    contents = [b"3" * 3 * MB, b"1" * MB, b"o" * MB, b"1" * (MB - 1)]
    return [image({"f": content}) for content in contents]


def holds(client, name: str, condition) -> bool:
    return check.that(client, name, condition).state == "passed"


def test_smaller_by_exactly_so_much_is_enough_and_equal_is_not_smaller(client, images):
    three, one, other, less = images
    assert holds(client, one, check.smaller_than(three, by_megabytes=2))
    assert not holds(client, one, check.smaller_than(three, by_megabytes=2.000001))
    assert not holds(client, one, check.smaller_than(other))
    assert holds(client, less, check.smaller_than(one))


def test_equal_is_not_smaller_and_one_byte_less_is(client, images):
    _, one, other, less = images
    assert holds(client, one, check.not_smaller_than(other))
    assert not holds(client, less, check.not_smaller_than(one))


def test_at_least_so_much_is_met_by_exactly_that(client, images):
    _, one, _, less = images
    assert holds(client, one, check.has("/f", at_least_megabytes=1))
    assert not holds(client, less, check.has("/f", at_least_megabytes=1))


def test_waste_of_exactly_the_limit_is_not_below_it(client, image):
    wasteful = image({"f": b"1" * MB}, {".wh.f": b""})
    assert not holds(client, wasteful, check.waste_below(1))
    assert holds(client, wasteful, check.waste_below(1.000001))
    assert holds(client, image({"f": b"1"}), check.waste_below(0)), "nothing is never too much"


def test_what_is_new_is_counted_as_tar_and_exactly_the_limit_is_too_much(client, image):
    base = {"b": b"base"}
    lower, both = image(base), image(base, {"f": b"1" * MB})
    sizes = workshop.sizes(client, [lower, both]).set_index("image")
    new = int(sizes.loc[both, "tar"] - sizes.loc[both, "shared"])
    assert new == sizes.loc[both, "tar"] - sizes.loc[lower, "tar"] and MB < new < MB + 20_000
    assert not holds(client, both, check.brings_less_than(lower, new / MB))
    assert holds(client, both, check.brings_less_than(lower, (new + 1) / MB))
    assert holds(client, lower, check.brings_less_than(both, 0)), "nothing is never too much"


def test_exactly_one_layer_more_is_more_by_one_and_not_by_two(client, image):
    one, two = image({"a": b"1"}), image({"a": b"1"}, {"b": b"2"})
    assert holds(client, two, check.more_layers_than(one)) and holds(client, two, check.more_layers_than(one, by=1))
    assert not holds(client, two, check.more_layers_than(one, by=2))
    assert not holds(client, one, check.more_layers_than(one))


def test_where_one_line_made_two_files_no_word_for_layers_is_missing(client, image):
    one, both, elsewhere = image({"a": b"1"}), image({"a": b"1", "b": b"2"}), image({"b": b"2"})
    more = check.more_layers_than(one)
    assert "One line made both /a and /b, so they share a layer" in more(client, both)[1]
    assert "Which Dockerfile words" in more(client, one)[1] and "Which Dockerfile words" in more(client, elsewhere)[1]


def test_of_images_that_share_a_base_no_more_is_shared_than_there_is(client, image):
    base = {"b": b"base" * 1000}
    names = [image(base, {"own": content}) for content in (b"1", b"22", b"333" * 5000)]
    sizes = workshop.sizes(client, names)
    assert (sizes["shared"] <= sizes["tar"]).all()
    assert sizes["shared"].nunique() == 1 and 4000 < sizes["shared"].iloc[0] < sizes["tar"].min()
    assert workshop.sizes(client, names[:1])["shared"].tolist() == [0], "an image shares nothing with itself"
