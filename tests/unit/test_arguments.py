"""The door before every public function: what is wrong ends in a sentence, what is right goes through. No engine is asked.

Functions and arguments are found, nobody lists them here. What is surely wrong for an argument, its annotation says; what
may be right or wrong must end in a result or in a sentence, never in a traceback from inside.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import inspect
import re
import types
from pathlib import Path, PurePosixPath

import docker
import numpy as np
import pandas as pd
import pytest
import workshop
from drawn import no_footer  # noqa: F401
from hand import archive_of, frame_of
from workshop import arguments, charts, check, kinds
from workshop.builders import build as building
from workshop.builders.steps import Step, steps_frame


class Asked(BaseException):
    """A call has got as far as the engine."""


class Client(docker.DockerClient):
    """A client whose every use is told. No answer is made up: there is none."""

    def __init__(self) -> None:
        pass

    def __getattribute__(self, name: str):
        if name == "api" or (name in dir(docker.DockerClient) and not name.startswith("_")):
            raise Asked(name)
        return super().__getattribute__(name)


CLIENT = Client()
FILES = frame_of(
    [{"a/": None, "a/b": b"12", "c": b"345"}, {"c": b"6789"}, {"a/.wh.b": b""}],
    ["COPY . .", "RUN echo 6789 > /c", "RUN rm /a/b"],
)
SIZES = pd.DataFrame({"image": ["a", "b"], "layers": 1, "files": 2, "bytes": [10, 20], "tar": [512, 1024]}).assign(
    compressed=[5, 6], engine=[30, 40], shared=0
)
GATE = pd.DataFrame(
    {"stage": ["builder", "stage-1"], "path": ["/a", "/b"], "bytes": [1, 2], "fate": ["shipped", "made here"]}
).assign(landed=["/a", None])
STEPS = steps_frame([Step(1, "a", 1, "FROM scratch", "base", 0.0, 0.1, 0.1)])
HELLO = building.Build("sha256:" + "1" * 64, "hand", 1.0, {"a": "sha256:1"}, {"a": "hand"}, STEPS, "FROM scratch\n")
RECIPE = workshop.dockerfile("hello")
BENCH = workshop.workbench("hello")

# A right value for every argument: by its name, or by function and name, as kinds.KINDS has it.
RIGHT = {
    "client": CLIENT,
    "image": "hand",
    "images": ["hand", "other:1"],
    "layer": 0,
    "read.path": "/c",
    "files": FILES,
    "a": "hand",
    "b": ("hand", 1),
    "changes": workshop.diff(FILES, "hand", ("hand", 1)),
    "depth": 2,
    "app": "hello",
    "tidy.app": "hello",
    "dockerfile": "Dockerfile",
    "dockerfile.name": "Dockerfile",
    "target": None,
    "tag": "factory/hello:mine",
    "buildargs": {"VERSION": "1"},
    "secrets": {"token": "s3cret"},
    "builder": "buildkit",
    "build": HELLO,
    "builds": {"hand": HELLO},
    "reruns.builds": {"a recipe": {"an edit": HELLO}},
    "word": "hand",
    "bench": BENCH,
    "edit.path": "notes.md",
    "old": "",
    "new": "a line",
    "recording": "hand",
    "command": ["ls", "-l"],
    "module": "app",
    "path": "/",
    "port": 5000,
    "patience": 1,
    "frame": FILES,
    "by_image.frame": SIZES,
    "column": "bytes",
    "paths": "/a/*",
    "line": "RUN",
    "but": ["/a", "/b"],
    "sizes": SIZES,
    "costs.with_and_without_base.sizes": workshop.costs.on_bases(SIZES, {"b": "a"}),
    "least": 0,
    "most": 1000,
    "count": 5,
    "guess": 5,
    "measured": 6,
    "unit": "MB",
    "claims": "I can say so.",
    "conclusions": {"it is so": True},
    "figure": charts.sizes(SIZES),
    "footer": "an engine",
    "dockerfile_text": RECIPE,
    "text": "Hello",
    "name_or_index": "builder",
    "charts.contents.by": "directory",
    "charts.opened.loaded": ["/c"],
    "charts.gate.frame": GATE,
    "charts.layers.frame": workshop.layers(FILES),
    "charts.waterfall.frame": workshop.layers(FILES),
    "charts.sizes.frame": SIZES,
    "charts.meanings.frame": SIZES,
    "charts.pull.frame": workshop.costs.pull_times(SIZES),
    "charts.left_to_pull.frame": workshop.costs.with_and_without_base(workshop.costs.on_bases(SIZES, {"b": "a"})),
    "charts.waste.frame": workshop.waste_by_line(FILES),
    "charts.timeline.frame": workshop.timeline(HELLO),
    "charts.reruns.frame": workshop.reruns({"a recipe": {"an edit": HELLO}}),
    "other": "other:1",
    "as_in": "other:1",
    "beyond": "other:1",
    "unlike": "other:1",
    "name": "builder",
    "other_than": "root",
    "conditions": check.has("/c"),
    "megabytes": 5,
    "by_megabytes": 5,
    "at_least_megabytes": 5,
    "by": 1,
    "costs.on_bases.base_of": {"b": "a"},
    "speeds": [10, 100],
    "speed": 10,
    "storage": 0.1,
    "egress": 0.1,
    "versions": 30,
    "pulls": 1000,
    "names": ["busybox:1.37"],
    **dict.fromkeys(("bases", "quiet", "compressed", "nocache"), True),
}

# (a value, what an annotation must have in it for the value to be right)
WRONG = [
    (None, "None"),
    (True, "bool"),
    (7, "int|float"),
    (float("nan"), "object"),
    (float("inf"), "object"),
    (5j, "object"),
    (b"bytes", "object"),
    (object(), "object"),
    ([None], "object"),
    ([b"bytes"], "object"),
    ([["nested"]], "object"),
    ({1: None}, "object"),
    ({"key": b"bytes"}, "object"),
    ("text", "str|Path"),
    ("", "object"),
    ("a\0b", "object"),
    ("\udc80", "object"),
    (FILES, "DataFrame"),
    (pd.DataFrame(), "DataFrame"),
    (FILES["path"], "list|Iterable|tuple"),
    (workshop.table(SIZES), "object"),
    (HELLO, "Build|str|list|Path|tuple|Iterable"),
    (CLIENT, "DockerClient"),
    (docker, "object"),
    (int, "Callable|Condition"),
    (check.has, "Callable"),
    ([check.has("/c")], "object"),
    (Path("nowhere"), "Path|str|list|tuple|Iterable"),
]
EMPTY_IS_RIGHT = {"line", "word", "old", "new", "unit", "footer", "dockerfile_text", "charts.set_footer.text"}

# What may be right for one argument, and wrong for another.
TEXTS = [
    "builder",
    "directory",
    "hand",
    "hand\n",
    "a b",
    "Upper",
    "ä",
    "~",
    "~no-such-user",
    ".",
    "..",
    "-1",
    "10",
    "[",
    "**",
]
TEXTS += ["$x$", "a:b:c", "x" * 300, "/" + "x" * 300, "/nowhere", "./nowhere", "FROM scratch", "FROM a\nFROM b AS c\n"]
NUMBERS = [
    -1,
    0,
    1,
    10**30,
    10**400,
    -(10**400),
    1e300,
    -0.5,
    np.int64(3),
    np.float64(2.5),
    np.True_,
    pd.NA,
    pd.NaT,
    ...,
]
LISTS = [[], {}, (), set(), ["hand", "hand"], ("hand", 0), ("hand", 99), ("hand",), ("hand", "0"), {"key": "value"}]
LISTS += [np.str_("A B"), RECIPE, collections.Counter("ab"), collections.OrderedDict(a=1), np.str_("hand")]
LISTS += [
    ["/a", 1],
    range(3),
    np.array([1.0]),
    [0],
    [0, -1],
    ["10"],
    Path("."),
    Path("/"),
    Path("~no-such-user/x"),
    iter(["hand"]),
]
FRAMES = [
    SIZES,
    GATE,
    STEPS,
    pd.DataFrame(),
    workshop.waste(FILES),
    workshop.layers(FILES),
    workshop.waste_by_line(FILES),
]
FRAMES += [FILES.iloc[:0], SIZES.iloc[:0], workshop.costs.pull_times(SIZES).assign(seconds=None)]
FRAMES += [pd.concat([frame, frame]) for frame in (SIZES, FILES, GATE)] + [pd.concat([SIZES, SIZES], axis=1)]
FRAMES += [SIZES.assign(bytes=value) for value in ("10", None, -1, float("inf"), float("nan"))]
FRAMES += [SIZES.assign(compressed="5"), SIZES.assign(compressed=0), SIZES.assign(image=None), SIZES.assign(image=1)]
FRAMES += [FILES.assign(path=pd.Categorical(range(len(FILES)))), FILES.assign(image=None)]
FRAMES += [FILES.assign(**{name: None}) for name in ("mode", "hidden_by_layer")]
FRAMES += [FILES.astype({name: object}).assign(**{name: ["x", *FILES[name][1:]]}) for name in ("layer", "visible")]
FRAMES += [workshop.waste_by_line(FILES).assign(cause=None), SIZES.assign(image=["a", None])]
FRAMES += [FILES.assign(path=1), FILES.assign(visible=1), FILES.assign(layer=None), FILES.assign(kind=2)]
FRAMES += [GATE.assign(fate=None), GATE.assign(stage=1), GATE.assign(path=None), GATE.assign(landed=5)]
FRAMES += [
    workshop.layers(FILES).assign(**{name: value}) for name in ("wasted", "from_base") for value in ("x", None, 2)
]
FRAMES += [workshop.layers(FILES).assign(created_by=5), workshop.waste_by_line(FILES).assign(cause=0)]
# What may be right for one argument, and wrong for another.
ODD = [value for value, _ in WRONG] + TEXTS + NUMBERS + LISTS + FRAMES


def public(module: types.ModuleType = workshop, prefix: str = "workshop.") -> dict[str, types.FunctionType]:
    """{as a learner writes it: the function} of all that a learner may call."""
    found = {}
    for name in module.__all__:
        value = getattr(module, name)
        if isinstance(value, types.ModuleType):
            found |= public(value, f"{prefix}{name}.")
        elif inspect.isfunction(value):
            found[prefix + name] = value
    return found


PUBLIC = public()
PLACES = [(called, name) for called in PUBLIC for name in inspect.signature(PUBLIC[called]).parameters]
places = pytest.mark.parametrize("called, name", PLACES, ids=[f"{called}-{name}" for called, name in PLACES])


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch, tmp_path):
    """No call of these changes what another test sees, and relative paths lead nowhere."""
    monkeypatch.setattr(building, "outdated", set())
    monkeypatch.delenv("FACTORY_FLOOR_ENGINE", raising=False)
    monkeypatch.chdir(tmp_path)


def right(called: str, name: str):
    own = f"{called.removeprefix('workshop.')}.{name}"
    return Path("kit.tar") if own == "bases.save_kit.path" else RIGHT.get(own, RIGHT.get(name, ...))


def call(called: str, **instead):
    """Call a function with right values but for these."""
    given, keywords = [], {}
    for parameter in inspect.signature(PUBLIC[called]).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            keywords |= {"storage": instead.get(parameter.name, 0.2)}
            continue
        value = instead[parameter.name] if parameter.name in instead else right(called, parameter.name)
        if parameter.kind is parameter.KEYWORD_ONLY:
            keywords[parameter.name] = value
        else:
            given.append(value)
    return PUBLIC[called](*given, **keywords)


@places
def test_every_argument_has_a_kind_an_annotation_and_a_right_value(called, name):
    """For a new public function this says what is missing: a kind in workshop/kinds.py, and a right value here."""
    assert arguments.kind_at(called, name), f"{name} of {called}() is of no kind"
    parameter = inspect.signature(PUBLIC[called]).parameters[name]
    assert parameter.annotation is not parameter.empty, f"{name} of {called}() has no annotation"
    assert name in ("path", "settings") or right(called, name) is not ..., f"{name} of {called}() has no right value"


@pytest.mark.parametrize("called", PUBLIC)
def test_right_values_go_through(called):
    with contextlib.suppress(Asked):
        if called == "workshop.connect":  # nobody answers here, which is no fault of the argument
            with pytest.raises(workshop.WorkshopError, match="DOCKER_HOST"):
                call(called)
        else:
            call(called)


@places
def test_what_is_surely_wrong_is_told_at_the_door(called, name, capsys):
    annotation = str(inspect.signature(PUBLIC[called]).parameters[name].annotation)
    own = f"{called.removeprefix('workshop.')}.{name}"
    wrong = [value for value, admitted in WRONG if not re.search(rf"\b({admitted}|object)\b", annotation)]
    if {own, name} & EMPTY_IS_RIGHT:
        wrong = [value for value in wrong if not isinstance(value, str) or value]
    default = inspect.signature(PUBLIC[called]).parameters[name].default
    for value in wrong:
        if value is default:
            continue
        with pytest.raises(workshop.WorkshopError) as told:
            call(called, **{name: value})
        said = str(told.value)
        assert len(said.splitlines()) == 2 and len(said) < 700, said
        if name != "figure":  # what a figure of ours is, in_words() says
            said_of = "storage" if name == "settings" else name
            assert said.startswith(f"The argument {said_of} of {called}() has to be "), said


@places
def test_nothing_that_is_handed_over_ends_in_a_traceback(called, name, capsys):
    texts = ["$x$", "x" * 300]  # of what may be any text, no more: it costs a drawing each
    drawn = name == "footer"
    for value in texts + [value for value in ODD if not isinstance(value, str)] if drawn else ODD:
        with contextlib.suppress(workshop.WorkshopError, Asked):
            call(called, **{name: value})


WITH_CLIENT = sorted({called for called, name in PLACES if name == "client"})


@pytest.mark.parametrize("called", WITH_CLIENT)
def test_an_engine_that_is_gone_is_told_in_words_by_whatever_asks_it(called, tmp_path):
    gone = docker.DockerClient(base_url=f"unix://{tmp_path}/no.sock", version="1.41")
    with contextlib.suppress(workshop.WorkshopError):
        call(called, client=gone)


@pytest.mark.parametrize("called", PUBLIC)
def test_arguments_that_are_missing_unknown_or_too_many_are_told(called):
    for given, keywords in (([], {"colour": "red"}), ([CLIENT] * 30, {}), ([], {})):
        try:
            inspect.signature(PUBLIC[called]).bind(*given, **keywords)
        except TypeError:
            with pytest.raises(workshop.WorkshopError, match=re.escape(f"{called}() takes other arguments than these")):
                PUBLIC[called](*given, **keywords)


@pytest.mark.parametrize("called", PUBLIC)
def test_behind_its_door_a_function_keeps_its_name_signature_and_docstring(called):
    function = PUBLIC[called]
    inner = function.__wrapped__
    assert inspect.signature(function) == inspect.signature(inner)
    assert function.__doc__ == inner.__doc__ and function.__doc__
    assert function.__name__ == inner.__name__ and function.__module__ == inner.__module__
    assert called.rpartition(".")[2] in dir(
        workshop if called.count(".") == 1 else getattr(workshop, called.split(".")[1])
    )


def test_a_module_that_is_guarded_again_keeps_its_one_door():
    before = dict(vars(charts))
    arguments.guard(vars(charts), "workshop.charts.")
    assert all(vars(charts)[name] is before[name] for name in charts.__all__)


def test_the_sentence_says_what_was_given_what_is_wanted_and_where_it_comes_from():
    with pytest.raises(workshop.WorkshopError) as told:
        charts.waste(workshop.waste(FILES))
    assert str(told.value) == (
        "The argument frame of workshop.charts.waste() has to be a frame with the columns layer, created_by, cause, files, "
        "bytes, and a frame with the columns image, path, bytes, cause, layer, created_by, from_base, hi…, as workshop.waste() "
        "has it, was given: it has no files.\nSuch a frame comes from workshop.waste_by_line(files). Nothing was changed."
    )
    with pytest.raises(workshop.WorkshopError) as told:
        workshop.files("busybox:1.37", CLIENT)
    assert str(told.value) == (
        "The argument client of workshop.files() has to be the engine's client, and 'busybox:1.37' was given.\n"
        "client = workshop.connect() returns it, and it comes first: workshop.files(client, images). Nothing was changed."
    )
    with pytest.raises(
        workshop.WorkshopError, match="'Busy Box' in it is no image, no image is called that: lower case"
    ):
        workshop.sizes(CLIENT, ["busybox", "Busy Box"])


def test_a_build_stands_for_its_image(tmp_path):
    path = tmp_path / "hand.tar"
    path.write_bytes(archive_of([{"a": b"1"}], tag="hand"))
    assert workshop.diff(FILES, HELLO, (HELLO, 1)).equals(workshop.diff(FILES, "hand", ("hand", 1)))
    assert kinds.KINDS["other"].take(HELLO, {}) == "hand"
    assert kinds.KINDS["images"].take([HELLO, "b"], {}) == ["hand", "b"]
    by_id = pd.DataFrame({"image": [HELLO.image]})
    assert kinds.KINDS["a"].take(HELLO, {"files": by_id}) == HELLO.image


def test_a_recording_stands_for_no_image_and_its_steps_can_be_looked_at():
    recorded = dataclasses.replace(HELLO, recorded="recorded on an engine")
    for call in (workshop.gate, workshop.files, workshop.run):
        with pytest.raises(workshop.WorkshopError, match="it is a recording, whose images are on no engine"):
            call(CLIENT, recorded)
    assert workshop.ran(recorded) == [] and len(workshop.timeline(recorded)) == 1


@pytest.mark.parametrize("port, good", [(0, False), (1, True), (65535, True), (65536, False), (80.0, False)])
def test_a_port_is_one_that_there_is(port, good):
    with pytest.raises(Asked if good else workshop.WorkshopError):
        workshop.answer(CLIENT, "hand", port=port)


def test_rows_that_have_one_number_are_told_apart():
    twice = pd.concat([GATE, GATE.assign(stage="other")])
    assert charts.in_words(charts.gate(twice)) == charts.in_words(charts.gate(twice.reset_index(drop=True)))


OTHER_FORMS = {
    "numbers as objects": lambda frame: frame.astype({"bytes": object, "layer": object}),
    "numbers as categories": lambda frame: frame.astype({"bytes": "category", "hidden_by_layer": "category"}),
    "truths as objects": lambda frame: frame.astype({"visible": object}),
    "truths that may be missing": lambda frame: frame.astype({"visible": "boolean"}),
    "texts as categories": lambda frame: frame.astype({"path": "category"}),
    "a column that is the index, too": lambda frame: frame.set_index(["image", "path"], drop=False),
}


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_a_frame_in_another_form_is_the_same_frame(form):
    frame = OTHER_FORMS[form](FILES)
    measures = [workshop.waste, workshop.layers, workshop.directories, workshop.efficiency, workshop.as_one]
    for measure in [*measures, lambda files: workshop.diff(files, "hand", ("hand", 1))]:
        assert measure(frame).astype(object).equals(measure(FILES).astype(object))


def test_a_layer_of_which_no_row_is_left_ends_a_run_of_lines():
    assert workshop.as_one(FILES[FILES["kind"] == "file"]).empty


def test_what_is_handed_over_as_a_secret_is_never_shown(tmp_path):
    missing, folder = Path("~no-such-user/s3cret"), tmp_path
    for secrets in (b"s3cret", "s3cret", ["s3cret"], {"token": b"s3cret"}, {b"s3cret": ""}, {"token": "s3cret\0"}):
        with pytest.raises(workshop.WorkshopError) as told:
            workshop.build(CLIENT, folder, builder="buildkit", secrets=secrets)
        assert "s3cret" not in told.value.what
    with pytest.raises(workshop.WorkshopError, match="'token' is no text or a Path, nobody of that name has a home"):
        workshop.build(CLIENT, folder, builder="buildkit", secrets={"token": missing})


def test_a_secrets_path_may_begin_at_home_and_is_never_the_secret_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    taken = kinds.KINDS["secrets"].take({"a": Path("~/a"), "b": PurePosixPath("b"), "c": "~/c"}, {})
    assert taken == {"a": tmp_path / "a", "b": Path("b"), "c": "~/c"} and isinstance(taken["b"], Path)


@pytest.mark.parametrize(
    "name",
    ["busybox", "busybox:1.37", "factory/a_b__c:1.0-x", "LOCALHOST:5000/a/b:x", "sha256:" + "0f" * 32, "0f1e2d3c4b5a"]
    + ["gcr.io/distroless/python3-debian13:latest", "a@sha256:" + "1" * 64, "[::1]:5000/a", "a.b-c/d:" + "e" * 128],
)
def test_every_name_that_an_engine_takes_is_an_image(name):
    assert kinds.KINDS["image"].take(name, {}) == name


def test_what_a_dockerfile_names_is_no_argument():
    """A base of a name that no image has is the Dockerfile's fault: whoever looks for it says so, not the door of `ensure`."""
    with pytest.raises(Asked):
        workshop.build(CLIENT, "hello", "FROM Upper\nCOPY --from=Nothing /a /b\n")
