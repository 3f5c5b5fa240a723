"""gate(): file by file, what crossed from the stages to the final image. Figures worked out by hand."""

import pytest
import workshop
from at_hand import need_buildkit


@pytest.fixture(scope="module", params=["classic", "buildkit"])
def builder(request, client):
    if request.param == "buildkit":
        need_buildkit(client)
    return request.param


def gate_of(client, app, recipe, builder, **more):
    return workshop.gate(client, workshop.build(client, app, recipe, builder=builder, **more))


def own(gate):
    """What did not come with a base image, as {(stage, path): (bytes, fate, landed)}."""
    rows = gate[~gate["from_base"]][["stage", "path", "bytes", "fate", "landed"]]
    return {(stage, path): rest for stage, path, *rest in rows.itertuples(index=False, name=None)}


def of_base(client):
    """How many files the base image shows, hard links included: the official BusyBox is one file under many names."""
    read = workshop.files(client, ["busybox:1.37"])
    return int((read["visible"] & read["kind"].isin(["file", "hard link"])).sum())


@pytest.fixture(scope="module")
def built(client, busybox, shared_app, builder):
    (shared_app / "local.txt").write_text("local")  # 5 bytes
    recipe = """FROM busybox:1.37 AS maker
RUN mkdir -p /out/sub && printf 1234567 > /out/product && printf x > /out/sub/same && printf 123 > /shavings
FROM busybox:1.37
COPY --from=maker /out /opt
COPY local.txt /local.txt
RUN printf 12 > /made
CMD ["true"]
"""
    tag = f"factory/{shared_app.name}:{builder}"
    return workshop.build(client, shared_app, recipe, tag=tag, builder=builder)


def test_shipped_files_say_where_they_landed(client, built):
    gate = workshop.gate(client, built)
    shipped = gate[gate["fate"] == "shipped"].set_index("path")
    assert shipped["landed"].to_dict() == {"/out/product": "/opt/product", "/out/sub/same": "/opt/sub/same"}
    assert shipped["bytes"].sum() == 8 and set(shipped["stage"]) == {"maker"}


def test_what_stays_behind_is_everything_else_of_the_stage(client, built, busybox):
    gate = workshop.gate(client, built)
    left = gate[gate["fate"] == "left behind"]
    assert left[left["path"] == "/shavings"]["bytes"].tolist() == [3]
    assert len(left) == of_base(client) + 1
    assert left["from_base"].sum() == of_base(client)


def test_the_final_stages_own_files_say_where_they_came_from(client, built, busybox):
    gate = workshop.gate(client, built)
    final = gate[gate["stage"] == "stage-1"]
    by_fate = final.groupby("fate")["path"].agg(list)
    assert by_fate["from the context"] == ["/local.txt"] and by_fate["made here"] == ["/made"]
    assert len(by_fate["from the base"]) == of_base(client) == final["from_base"].sum()
    assert gate.attrs["base"] == "busybox:1.37"


def test_a_file_equal_to_one_of_the_base_has_not_crossed(client, busybox, app, builder):
    recipe = (
        "FROM busybox:1.37 AS a\n"
        "RUN mkdir /out && printf y > /out/y && cp /etc/passwd /copy\n"
        "FROM busybox:1.37\n"
        "COPY --from=a /out /\n"
    )
    gate = gate_of(client, app, recipe, builder)
    assert gate[gate["fate"] == "shipped"]["path"].tolist() == ["/out/y"]


def test_equal_files_are_paired_by_their_paths(client, busybox, app, builder):
    recipe = (
        "FROM busybox:1.37 AS a\n"
        "RUN mkdir -p /o/p /o/q && touch /o/p/__init__.py /o/q/__init__.py\n"
        "FROM busybox:1.37\n"
        "COPY --from=a /o /lib/x\n"
    )
    gate = gate_of(client, app, recipe, builder)
    shipped = gate[gate["fate"] == "shipped"].set_index("path")["landed"].to_dict()
    assert shipped == {"/o/p/__init__.py": "/lib/x/p/__init__.py", "/o/q/__init__.py": "/lib/x/q/__init__.py"}


def test_a_build_of_one_stage_has_no_gate(client, busybox, app, builder):
    gate = gate_of(client, app, "FROM busybox:1.37\nRUN printf 1 > /one\n", builder)
    assert set(gate["fate"]) == {"from the base", "made here"}


def test_a_middle_stage_that_only_passes_things_on(client, busybox, app, builder):
    recipe = """FROM busybox:1.37 AS first
RUN printf abc > /abc
FROM busybox:1.37 AS second
COPY --from=first /abc /abc
FROM scratch
COPY --from=second /abc /abc
"""
    gate = gate_of(client, app, recipe, builder)
    shipped = gate[gate["fate"] == "shipped"]
    assert shipped[["stage", "path"]].values.tolist() == [["second", "/abc"]]


def test_what_is_no_build_is_refused_in_words(client):
    with pytest.raises(workshop.WorkshopError, match="what workshop.build"):
        workshop.gate(client, "factory/hello")


def test_what_a_final_stage_inherits_is_shipped_where_it_was(client, busybox, app, builder):
    recipe = """FROM busybox:1.37 AS base
RUN printf 12345 > /five && printf 1 > /replaced && printf 12 > /deleted
FROM base
RUN printf 123 > /replaced && rm /deleted && printf 1234 > /four
"""
    gate = gate_of(client, app, recipe, builder)
    assert own(gate) == {
        ("base", "/five"): [5, "shipped", "/five"],
        ("base", "/replaced"): [1, "left behind", None],
        ("base", "/deleted"): [2, "left behind", None],
        ("stage-1", "/replaced"): [3, "made here", "/replaced"],
        ("stage-1", "/four"): [4, "made here", "/four"],
    }
    came = gate[gate["from_base"]]
    assert len(came) == of_base(client) and set(came["stage"]) == {"base"} and set(came["fate"]) == {"shipped"}
    assert gate.attrs["base"] == "busybox:1.37"


def test_a_chain_lists_every_file_in_the_stage_that_brought_it_once_for_each_place(client, busybox, app, builder):
    (app / "local.txt").write_text("123456")
    recipe = """FROM busybox:1.37 AS base
WORKDIR /w
RUN printf 1 > /one && printf 12 > /two
FROM base AS maker
RUN printf 123 > /three && printf 1234 > /four
FROM base AS final
ENV A=1
COPY --from=maker /three /two /opt/
COPY local.txt /
RUN printf 12345 > /five
"""
    gate = gate_of(client, app, recipe, builder)
    inherited = gate["landed"] == "/two"  # and from there it was copied to a second place
    assert own(gate[inherited]) == {("base", "/two"): [2, "shipped", "/two"]}
    assert own(gate[~inherited]) == {
        ("base", "/one"): [1, "shipped", "/one"],
        ("base", "/two"): [2, "shipped", "/opt/two"],
        ("maker", "/three"): [3, "shipped", "/opt/three"],
        ("maker", "/four"): [4, "left behind", None],
        ("final", "/local.txt"): [6, "from the context", "/local.txt"],
        ("final", "/five"): [5, "made here", "/five"],
    }
    assert not gate.duplicated(["stage", "path", "landed"]).any()


def test_a_copy_from_a_stage_ships_what_that_stage_inherited(client, busybox, app, builder):
    recipe = """FROM busybox:1.37 AS base
RUN mkdir /out && printf 1 > /out/low
FROM base AS top
RUN printf 12 > /out/high
FROM scratch
COPY --from=top /out /in
COPY --from=top /etc/passwd /passwd
"""
    gate = gate_of(client, app, recipe, builder)
    assert own(gate) == {
        ("base", "/out/low"): [1, "shipped", "/in/low"],
        ("top", "/out/high"): [2, "shipped", "/in/high"],
    }
    passwd = gate[gate["from_base"] & (gate["fate"] == "shipped")]
    assert passwd[["stage", "path", "landed"]].values.tolist() == [["base", "/etc/passwd", "/passwd"]]


def test_what_an_inherited_stage_had_copied_is_listed_with_its_maker(client, busybox, app, builder):
    recipe = """FROM busybox:1.37 AS maker
RUN printf 123 > /product && printf 1 > /shaving
FROM busybox:1.37 AS runtime
COPY --from=maker /product /app/product
RUN printf 12 > /own
FROM runtime AS production
CMD ["true"]
"""
    gate = gate_of(client, app, recipe, builder)
    assert own(gate) == {
        ("maker", "/product"): [3, "shipped", "/app/product"],
        ("maker", "/shaving"): [1, "left behind", None],
        ("runtime", "/own"): [2, "shipped", "/own"],
    }


def test_what_comes_from_an_image_outside_is_no_stages(client, busybox, app, builder):
    recipe = """FROM busybox:1.37 AS maker
RUN printf 1 > /one
FROM scratch
COPY --from=busybox:1.37 /etc/passwd /etc/group /from/
COPY --from=0 /one /one
"""
    gate = gate_of(client, app, recipe, builder)
    final = gate[gate["stage"] == "stage-1"].set_index("path")["fate"].to_dict()
    assert final == {"/from/passwd": "from another image", "/from/group": "from another image"}
    assert own(gate)["maker", "/one"] == [1, "shipped", "/one"]


def test_globs_links_and_unpacked_archives(client, busybox, app, builder):
    import io
    import tarfile

    with tarfile.open(app / "kit.tar", "w") as packed:
        entry = tarfile.TarInfo("kit/in")
        entry.size = 4
        packed.addfile(entry, io.BytesIO(b"abcd"))
    recipe = """FROM busybox:1.37 AS maker
RUN mkdir -p /d/deep /real && printf 1 > /d/a.x && printf 12 > /d/b.x && printf 123 > /d/c.y && printf 12 > /d/deep/b.x
RUN printf 12345 > /real/five && ln -s /real /short && touch /d/empty.x && ln /real/five /real/hard
FROM scratch
COPY --from=maker /d/*.x /x/
COPY --from=maker /short/five /five
COPY --from=maker /real/hard /hard
ADD kit.tar /
"""
    gate = own(gate_of(client, app, recipe, builder))
    assert {key[1]: value[2] for key, value in gate.items() if value[1] == "shipped"} == {
        "/d/a.x": "/x/a.x",
        "/d/b.x": "/x/b.x",
        "/d/empty.x": "/x/empty.x",
        "/real/five": "/five",
        "/real/hard": "/hard",
    }
    assert {key[1] for key, value in gate.items() if value[1] == "left behind"} == {"/d/c.y", "/d/deep/b.x"}
    assert gate["stage-1", "/kit/in"] == [4, "from the context", "/kit/in"]


def test_lines_that_look_alike_are_not_mixed_up(client, busybox, app, builder):
    """The history says neither which stage a COPY was from, nor which of two equal lines made a layer."""
    (app / "x").write_text("1234")
    recipe = """FROM busybox:1.37 AS one
RUN printf 1 > /x
FROM busybox:1.37 AS two
RUN printf 12 > /x
FROM busybox:1.37
SHELL ["/bin/ash", "-c"]
RUN true
ARG WHERE=/b
LABEL some=label
COPY --from=one /x /a/
COPY --from=two /x $WHERE/
COPY x /c/
RUN printf 123 > /made
RUN ["/bin/sh", "-c", "printf 12345 > /listed"]
LABEL some=other
"""
    assert own(gate_of(client, app, recipe, builder)) == {
        ("one", "/x"): [1, "shipped", "/a/x"],
        ("two", "/x"): [2, "shipped", "/b/x"],
        ("stage-2", "/c/x"): [4, "from the context", "/c/x"],
        ("stage-2", "/made"): [3, "made here", "/made"],
        ("stage-2", "/listed"): [5, "made here", "/listed"],
    }


def test_an_earlier_target_is_the_final_image(client, busybox, app, builder):
    recipe = "FROM busybox:1.37 AS a\nRUN printf 1 > /one\nFROM a AS b\nRUN printf 12 > /two\nFROM a\nRUN true\n"
    gate = own(gate_of(client, app, recipe, builder, target="b"))
    assert gate == {("a", "/one"): [1, "shipped", "/one"], ("b", "/two"): [2, "made here", "/two"]}


@pytest.mark.parametrize("builder", ["buildkit"], indirect=True)
def test_a_mount_and_a_linked_copy_on_buildkit(client, busybox, app, builder):
    if client.version()["Version"].startswith("20."):
        pytest.skip("its frontend is older than --link")
    recipe = """FROM busybox:1.37 AS maker
RUN printf 1 > /one && printf 12 > /two && printf 123 > /three
FROM busybox:1.37 AS unused
RUN printf 1234 > /four
FROM busybox:1.37
RUN --mount=type=bind,from=maker,target=/m cp /m/one /copied
COPY --link --from=maker /two /two
"""
    assert own(gate_of(client, app, recipe, builder)) == {
        ("maker", "/one"): [1, "left behind", None],
        ("maker", "/two"): [2, "shipped", "/two"],
        ("maker", "/three"): [3, "left behind", None],
        ("stage-2", "/copied"): [1, "made here", "/copied"],
    }


def test_a_base_whose_name_goes_to_another_image_after_the_build_is_still_the_base(client, busybox, app, builder):
    base = f"{app.name}-base:1"
    client.api.tag(busybox, f"{app.name}-base", "1")
    try:
        made = workshop.build(client, app, f"FROM {base}\nRUN echo {app.name} > /x\n", builder=builder)
        before = workshop.gate(client, made)
        other = workshop.build(client, app, f"FROM scratch\nENV A={app.name}\n", tag=f"factory/{app.name}:other")
        client.api.tag(other.tag, f"{app.name}-base", "1")
        assert workshop.gate(client, made).equals(before)
        assert set(before.loc[before["path"] != "/x", "fate"]) == {"from the base"}
    finally:
        client.api.remove_image(base)
