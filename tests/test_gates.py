"""gate(): file by file, what crossed from the stages to the final image. Figures worked out by hand."""

import pytest
import workshop
from workshop.dockerfiles import parse
from workshop.gates import _copy_from


@pytest.fixture
def built(client, busybox, app):
    (app / "local.txt").write_text("local")  # 5 bytes
    recipe = """FROM busybox:1.37 AS maker
RUN mkdir -p /out/sub && printf 1234567 > /out/product && printf x > /out/sub/same && printf 123 > /shavings
FROM busybox:1.37
COPY --from=maker /out /opt
COPY local.txt /local.txt
RUN printf 12 > /made
CMD ["true"]
"""
    return workshop.build(client, app, recipe)


def test_shipped_files_say_where_they_landed(client, built):
    gate = workshop.gate(client, built)
    shipped = gate[gate["fate"] == "shipped"].set_index("path")
    assert shipped["landed"].to_dict() == {"/out/product": "/opt/product", "/out/sub/same": "/opt/sub/same"}
    assert shipped["bytes"].sum() == 8 and set(shipped["stage"]) == {"maker"}


def test_what_stays_behind_is_everything_else_of_the_stage(client, built, busybox):
    gate = workshop.gate(client, built)
    left = gate[gate["fate"] == "left behind"]
    assert left[left["path"] == "/shavings"]["bytes"].tolist() == [3]
    in_base = workshop.sizes(client, [busybox])["files"][0]
    assert len(left) == in_base + 1


def test_the_final_stages_own_files_say_where_they_came_from(client, built, busybox):
    gate = workshop.gate(client, built)
    final = gate[gate["stage"] == "stage-1"]
    by_fate = final.groupby("fate")["path"].agg(list)
    assert by_fate["from the context"] == ["/local.txt"] and by_fate["made here"] == ["/made"]
    assert len(by_fate["from the base"]) == workshop.sizes(client, [busybox])["files"][0]


def test_a_file_equal_to_one_of_the_base_has_not_crossed(client, busybox, app):
    recipe = "FROM busybox:1.37 AS a\nRUN mkdir /out && printf y > /out/y && cp /etc/passwd /copy\nFROM busybox:1.37\nCOPY --from=a /out /\n"
    gate = workshop.gate(client, workshop.build(client, app, recipe))
    assert gate[gate["fate"] == "shipped"]["path"].tolist() == ["/out/y"]


def test_equal_files_are_paired_by_their_paths(client, busybox, app):
    recipe = "FROM busybox:1.37 AS a\nRUN mkdir -p /o/p /o/q && touch /o/p/__init__.py /o/q/__init__.py\nFROM busybox:1.37\nCOPY --from=a /o /lib/x\n"
    gate = workshop.gate(client, workshop.build(client, app, recipe))
    shipped = gate[gate["fate"] == "shipped"].set_index("path")["landed"].to_dict()
    assert shipped == {"/o/p/__init__.py": "/lib/x/p/__init__.py", "/o/q/__init__.py": "/lib/x/q/__init__.py"}


def test_a_build_of_one_stage_has_no_gate(client, busybox, app):
    gate = workshop.gate(client, workshop.build(client, app, "FROM busybox:1.37\nRUN printf 1 > /one\n"))
    assert set(gate["fate"]) == {"from the base", "made here"}


def test_a_middle_stage_that_only_passes_things_on(client, busybox, app):
    recipe = """FROM busybox:1.37 AS first
RUN printf abc > /abc
FROM busybox:1.37 AS second
COPY --from=first /abc /abc
FROM scratch
COPY --from=second /abc /abc
"""
    gate = workshop.gate(client, workshop.build(client, app, recipe))
    shipped = gate[gate["fate"] == "shipped"]
    assert shipped[["stage", "path"]].values.tolist() == [["second", "/abc"]]


def test_what_is_no_build_is_refused_in_words(client):
    with pytest.raises(workshop.WorkshopError, match="what workshop.build"):
        workshop.gate(client, "factory/hello")


def test_copy_from_reads_names_numbers_and_several_sources():
    parsed = parse("FROM a AS One\nFROM b\nCOPY --from=one /x y/ /z\n")
    assert _copy_from("COPY --chown=1 --from=one /x y/ /z", parsed) == ("One", ["/x", "/y"])
    assert _copy_from("COPY --from=0 /x /z", parsed) == ("One", ["/x"])
    assert _copy_from("COPY --from=busybox /x /z", parsed) == (None, ["/x"])
    assert _copy_from("COPY x /z", parsed) == (None, [])
