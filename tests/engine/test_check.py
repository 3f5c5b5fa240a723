"""Checks and predictions: each state, in words."""

import pytest
import workshop
from workshop.lesson import check


@pytest.fixture(scope="module")
def images(client, busybox, shared_app):
    app = shared_app
    first = workshop.build(
        client, app, 'FROM busybox:1.37\nRUN echo one > /one\nCMD ["cat", "/one"]\n', tag=f"factory/{app.name}:first"
    )
    second = workshop.build(
        client,
        app,
        'FROM busybox:1.37\nRUN echo one > /one\nRUN head -c 9000000 /dev/zero > /two\nUSER 1000\nCMD ["echo", "2"]\n',
        tag=f"factory/{app.name}:second",
    )
    return first.tag, second.tag


def test_not_attempted_without_an_image_and_with_an_unchanged_one(client, images):
    first, _ = images
    assert check.that(client, "factory/no-such:image", check.has("/x")).state == "not attempted"
    same = check.that(client, first, check.has("/one"), unlike=first)
    assert same.state == "not attempted" and not same


@pytest.mark.parametrize(
    "condition, right, wrong",
    [
        (lambda a, b: check.smaller_than(b, by_megabytes=1.5), 0, 1),
        (lambda a, b: check.not_smaller_than(a), 1, None),
        (lambda a, b: check.has("/two"), 1, 0),
        (lambda a, b: check.lacks("/t?o"), 0, 1),
        (lambda a, b: check.more_layers_than(a), 1, 0),
        (lambda a, b: check.same_files_as(a), 0, 1),
        (lambda a, b: check.prints("one"), 0, 1),
        (lambda a, b: check.prints_other_than("one"), 1, 0),
        (lambda a, b: check.runs_as(other_than="root"), 1, 0),
    ],
)
def test_each_condition_can_hold_and_can_fail(client, images, condition, right, wrong):
    passed = check.that(client, images[right], condition(*images))
    assert passed.state == "passed" and passed and repr(passed).startswith("passed: ")
    if wrong is not None:
        failed = check.that(client, images[wrong], condition(*images))
        assert failed.state == "not yet" and not failed and repr(failed).startswith("not yet: ")


def test_a_hint_names_what_it_saw(client, images):
    first, second = images
    assert "RUN head -c 9000000" in check.that(client, second, check.smaller_than(first)).words
    assert "/one" in check.that(client, first, check.has("/opt/one")).words


def test_what_a_machine_must_still_fetch_is_held_against_a_limit(client, busybox, images):
    first, second = images
    client.api.tag(first, first.replace(":first", ":same"))
    seen = check.that(client, first.replace(":first", ":same"), check.brings_less_than(first, 1))
    assert seen.words.startswith("0 bytes")
    assert check.that(client, first, check.brings_less_than(busybox, 1))  # a small layer of its own
    found = check.that(client, second, check.brings_less_than(first, 5))
    assert found.state == "not yet" and "9.0 MB" in found.words and "layer 2: RUN head -c 9000000" in found.words


@pytest.fixture(scope="module")
def leaks(client, busybox, shared_app):
    """Images that have a secret: hidden by a later layer; under another name; in the history; nowhere."""
    app = shared_app
    (app / "token.txt").write_text("FAKE-TOKEN-1234")
    recipes = {
        "hidden": "COPY token.txt /app/\nRUN head -c 2000000 /dev/zero > /big\nRUN rm /app/token.txt /big\n",
        "renamed": "COPY token.txt /etc/harmless\n",
        "told": "ARG TOKEN=FAKE-TOKEN-1234\nRUN echo $TOKEN > /dev/null\n",
        "set": "ENV TOKEN=FAKE-TOKEN-1234\n",
        "clean": "RUN echo nothing > /nothing\n",
    }
    return {
        name: workshop.build(client, app, f"FROM busybox:1.37\n{recipe}", tag=f"factory/{app.name}:{name}").tag
        for name, recipe in recipes.items()
    }


def test_a_file_that_a_later_layer_deleted_is_still_in_a_layer(client, leaks):
    found = check.that(client, leaks["hidden"], check.no_layer_has("/app/*.txt"))
    assert found.state == "not yet"
    assert "/app/token.txt (15 bytes)" in found.words and "COPY" in found.words
    assert "(RUN rm /app/token.txt /big) only hides it" in found.words
    assert check.that(client, leaks["clean"], check.no_layer_has("/app/*.txt"))


def test_the_same_content_under_another_name_is_found(client, leaks):
    condition = check.no_layer_has("/app/token.txt", as_in=leaks["hidden"])
    found = check.that(client, leaks["renamed"], condition)
    assert found.state == "not yet"
    assert "/etc/harmless (15 bytes), which holds what /app/token.txt held" in found.words
    assert "everybody can see it" in found.words
    assert check.that(client, leaks["renamed"], check.no_layer_has("/app/token.txt"))
    assert check.that(client, leaks["clean"], condition)


@pytest.mark.parametrize("where, says", [("told", "history"), ("set", "in plain text")])
def test_a_secret_in_the_history_or_the_configuration_is_found_and_not_repeated(client, leaks, where, says):
    found = check.that(client, leaks[where], check.history_lacks("FAKE-TOKEN-1234"))
    assert found.state == "not yet" and says in found.words and "FAKE-TOKEN-1234" not in found.words
    assert check.that(client, leaks["hidden"], check.history_lacks("FAKE-TOKEN-1234"))


def test_waste_is_held_against_a_limit_and_the_hint_names_the_line(client, leaks):
    found = check.that(client, leaks["hidden"], check.waste_below(1))
    assert found.state == "not yet" and "RUN head -c 2000000" in found.words and "2.0 MB" in found.words
    assert check.that(client, leaks["hidden"], check.waste_below(3))
    assert "0 bytes" in check.that(client, leaks["clean"], check.waste_below(0.5)).words


def test_a_failed_build_does_not_let_an_earlier_attempt_pass(client, busybox, app):
    tag = workshop.build(client, app, "FROM busybox:1.37\nRUN touch /one\n").tag
    assert check.that(client, tag, check.has("/one"))
    with pytest.raises(workshop.WorkshopError):
        workshop.build(client, app, "FROM busybox:1.37\nRUN false\n", tag=tag)
    found = check.that(client, tag, check.has("/one"))
    assert found.state == "not yet" and "the last build" in found.words


def test_a_stage_is_looked_for_by_its_name(client, busybox, app):
    recipe = (
        "FROM busybox:1.37 AS one\nRUN echo 1 > /1\nFROM one AS two\nRUN echo 2 > /2\nFROM one\nCOPY --from=two /2 /3\n"
    )
    tag = workshop.build(client, app, recipe).tag
    assert check.that(client, tag, check.has_stage("two", check.has("/2")))
    assert "are: one, two" in check.that(client, tag, check.has_stage("test")).words
    assert "in the stage one: no /2" in check.that(client, tag, check.has_stage("one", check.has("/2"))).words


def test_an_app_that_never_answers_is_a_not_yet(client, images):
    found = check.that(client, images[0], check.answers("Hello"))
    assert found.state == "not yet" and "ended instead of answering" in found.words
