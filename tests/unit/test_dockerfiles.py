"""Reading Dockerfiles: stages, lines, and the images they need from outside."""

from pathlib import Path

import pytest
from workshop import WorkshopError
from workshop.builders import build as building
from workshop.builders import buildkit, classic, errors
from workshop.builders.request import BuildRequest
from workshop.dockerfiles import copy_from, syntax
from workshop.dockerfiles.stages import layers_below


def test_images_are_those_from_outside_each_once():
    parsed = syntax.parse(
        "ARG TAG=3.11\nARG NAME\nFROM python:${TAG}-slim AS one\nFROM one AS two\nFROM scratch\n"
        "COPY --from=one /a /a\nCOPY --from=0 /a /b\nCOPY --chown=1:1 --from=busybox:1.37 /c /c\nCOPY --from=TWO /d /d\n"
    )
    assert parsed.images() == ["python:3.11-slim", "busybox:1.37"]


def test_an_instruction_keeps_its_first_line_and_joins_the_rest():
    parsed = syntax.parse("# syntax comment\nFROM a\n\nRUN one \\\n    # in between\n    two\nCMD x\n")
    assert [(step.word, step.line) for step in parsed.instructions] == [("FROM", 2), ("RUN", 4), ("CMD", 7)]
    assert parsed.instructions[1].text == "RUN one two"


def test_a_stage_without_a_name_is_called_as_buildkit_calls_it():
    parsed = syntax.parse("FROM a\nFROM b AS Named\nFROM c\n")
    assert [stage.name for stage in parsed.stages] == ["stage-0", "Named", "stage-2"]
    assert [parsed.stage_index(target) for target in (None, "named", "0", "stage-2")] == [2, 1, 0, 2]


def test_a_default_in_the_reference_is_used():
    assert syntax.parse("FROM ${BASE:-busybox:1.37}\n").images() == ["busybox:1.37"]


def test_an_arg_before_the_first_from_may_name_another_one_and_stand_in_quotes():
    text = 'ARG TAG=3.11\nARG KIND="slim"\nARG BASE=python:${TAG}-$KIND\nFROM ${BASE}\nFROM "busybox:1.37"\n'
    assert syntax.parse(text).images() == ["python:3.11-slim", "busybox:1.37"]


def test_what_a_build_is_given_for_an_arg_decides_on_the_base():
    text = "ARG BASE=python:3.11\nARG TAG\nFROM ${BASE}\nFROM busybox:$TAG\n"
    assert syntax.parse(text, {"BASE": "python:3.11-slim", "TAG": "1.37"}).images() == [
        "python:3.11-slim",
        "busybox:1.37",
    ]
    request = building._request("hello", text, None, None, {"TAG": "1.36"}, False)
    assert request.parsed.images() == ["python:3.11", "busybox:1.36"]


@pytest.mark.parametrize("reference", ["$BASE", "${BASE:?which one}"])
def test_a_from_whose_variable_has_no_value_is_named_with_its_line(reference):
    with pytest.raises(WorkshopError, match="Line 2 of the Dockerfile"):
        syntax.parse(f"ARG BASE\nFROM {reference}\n")


def test_a_stage_without_a_name_can_be_copied_from_by_its_number_alone():
    parsed = syntax.parse("FROM a\nFROM stage-0\nCOPY --from=stage-0 /p /p\nCOPY --from=0 /p /p\n")
    assert parsed.stages[1].parent is None and parsed.images() == ["a", "stage-0"]
    assert [line.source for line in parsed.instructions] == [None, None, "stage-0", 0]


def test_a_base_that_is_another_image_by_now_is_told_and_its_files_are_not_counted_as_the_builds():
    assert layers_below("python:3.11", ["a", "b"], ["a", "b", "c"]) == 2
    for now in (["x", "y"], ["a", "y"], ["a", "b", "c", "d"]):
        with pytest.raises(WorkshopError, match="python:3.11 is another image now"):
            layers_below("python:3.11", now, ["a", "b", "c"])


def test_an_editors_mark_at_the_beginning_is_not_built():
    parsed = syntax.parse("\ufeffFROM a\nCOPY . .\n")
    assert "\ufeff" not in parsed.text


def test_a_missing_stage_is_named_with_those_there_are():
    with pytest.raises(WorkshopError, match="one, stage-1"):
        syntax.parse("FROM a AS one\nFROM b\n").stage_index("three")


def test_the_leaked_password_says_that_it_is_none():
    netrc = (building.SAMPLE_APPS / "leaky" / "netrc").read_bytes()
    assert b"made-up" in netrc and b"not-a-real-token" in netrc


def test_of_two_stages_with_one_name_the_later_is_meant():
    parsed = syntax.parse("FROM a AS x\nFROM b AS X\nFROM x\nCOPY --from=x /p /p\n")
    assert parsed.stages[2].parent == 1 and parsed.instructions[-1].source == 1


@pytest.mark.parametrize(
    "stage, path, made",
    [
        # the samples of the course
        (["WORKDIR /bench", "COPY widget.c .", "RUN mkdir /out && gcc -o /out/widget widget.c"], "/out/widget", 3),
        (["COPY r.txt .", "RUN pip install --target=/packages -r r.txt", "RUN python c.py > p.csv"], "/packages", 2),
        (["WORKDIR /app", "RUN python c.py > p.csv", "RUN sort -o p.csv p.csv", "RUN true"], "/app/p.csv", 3),
        # by the folder, by the WORKDIR, by what is below
        (["RUN pip wheel -w /wheels .", "RUN rm -r /wheels.old"], "/wheels/*.whl", 1),
        (["RUN make DESTDIR=/out/usr", "RUN true"], "/out", 1),
        (["WORKDIR /web", "COPY . .", "RUN npm run build"], "/web/dist", 3),
        (["WORKDIR /web", "RUN build --out dist", "RUN test"], "/web/dist/app.js", 2),
        (["WORKDIR /a", "WORKDIR b", "RUN touch c", "RUN true"], "/a/b/c", 3),
        # a COPY made it; a longer name is another
        (["COPY app.py /srv/", "RUN true"], "/srv/app.py", 1),
        (["ADD x.tar /srv", "RUN true"], "/srv", 1),
        (["RUN touch /x", "RUN touch /x.bak /x-y /z/x"], "/x", 1),
        # nothing names it: the last that can make files; none can: the base brought it
        (["RUN a", "RUN b", "ENV C=d"], "/elsewhere", 2),
        (["ENV A=b", "WORKDIR /c"], "/etc/passwd", 0),
    ],
)
def test_the_line_that_made_what_is_copied_is_found(stage, path, made):
    parsed = syntax.parse("\n".join(["FROM a AS source", *stage, "FROM b", f"COPY --from=source {path} /to", ""]))
    assert copy_from.maker(parsed.instructions[-1], parsed) == parsed.instructions[made]


def test_what_a_stage_was_built_upon_counts_and_an_image_has_no_line():
    parsed = syntax.parse(
        "FROM a AS one\nRUN touch /x\nFROM one AS two\nRUN touch /y\nFROM c\nCOPY --from=two /x /\nCOPY --from=img /z /\n"
    )
    made = [copy_from.maker(line, parsed) for line in parsed.instructions[-2:]]
    assert made == [parsed.instructions[1], None]


def test_only_the_stages_that_are_built_ask_for_images():
    text = (
        "FROM a AS one\nRUN x\nFROM gone/win:1 AS unneeded\nRUN x\nFROM one AS two\nCOPY --from=tools:1 /t /\n"
        "FROM two\nCOPY --from=gone/late:1 /t /\n"
    )
    parsed = syntax.parse(text)
    request = BuildRequest(Path("."), parsed, parsed.stage_index("two"), "t")
    assert parsed.images(classic.stages(request)) == ["a", "gone/win:1", "tools:1"]
    assert parsed.images(buildkit.stages(request)) == ["a", "tools:1"]
    assert parsed.images() == ["a", "gone/win:1", "tools:1", "gone/late:1"]


def test_the_platform_that_buildkit_sets_chooses_a_stage():
    text = "FROM a AS for-amd64\nFROM b AS for-arm64\nFROM for-${TARGETARCH}\n"
    parsed = syntax.parse(text, syntax.platform_arguments("linux/arm64"))
    assert parsed.stages[2].parent == 1 and parsed.needed() == [1, 2]
    assert syntax.platform_arguments("linux/arm/v7")["BUILDVARIANT"] == "v7"
    assert syntax.parse(text).stages[2].parent is None


def test_a_variable_that_leaves_no_name_is_told_by_its_line():
    with pytest.raises(WorkshopError, match=r"Line 2 of the Dockerfile builds on 'for-', which is no image's name"):
        errors.refuse_no_names(syntax.parse("FROM a AS x\nFROM for-${TARGETARCH}\n"), [0, 1])
    errors.refuse_no_names(syntax.parse("FROM a AS x\nFROM for-${TARGETARCH}\n"), [0])
    for name in (
        "scratch",
        "gcr.io/distroless/python3-debian13",
        "a@sha256:" + "0" * 64,
        "localhost:5000/a_b:1.2-x",
        "A",
    ):
        errors.refuse_no_names(syntax.parse(f"FROM {name}\n"), [0])
