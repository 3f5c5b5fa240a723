"""The kinds of things that public functions are handed, by the argument's name: KINDS.

A kind takes a value or says what is wrong with it (Unfit). What it takes it hands on in one form: a Build stands for its
image wherever one is wanted, one image for a list of one, a Path for its text.
"""

from __future__ import annotations

import functools
import math
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path, PurePath
from typing import Any

import docker
import numpy as np
import pandas as pd
from docker.models.images import Image

from .analysis.find import MEANINGS
from .builders.build import Build
from .errors import CONNECTION_ERRORS
from .layer.files import COLUMNS
from .layer.source import is_path
from .lesson import check
from .units import shorten

RECORDING = "it is a recording, whose images are on no engine"

# From a value, and the arguments before it by name, to the value that is handed on. Raises Unfit.
Take = Callable[[Any, Mapping[str, Any]], Any]


class Unfit(Exception):
    """A value is not of its kind. The text says what is wrong with it, where there is more to say than what is wanted."""


@dataclass(frozen=True)
class Kind:
    """wanted: goes on after "has to be". remedy: how to get one; {call} stands for how the function is called.

    secret: what was given is never shown, as a notebook keeps what it has shown.
    """

    wanted: str
    take: Take
    remedy: str = "It is called like this: {call}."
    secret: bool = False


def _text(given: Any, others: Mapping[str, Any], empty: bool = False, path: bool = False) -> str:
    """empty: no text at all will do. path: so will a Path, which is handed on as its text."""
    if path and isinstance(given, PurePath):
        given = given.as_posix()
    if not isinstance(given, str):
        raise Unfit()
    if not given.strip() and not empty:
        raise Unfit("there is nothing in it")
    if re.search(r"[\0\ud800-\udfff]", given):
        raise Unfit("it holds what is no character")
    return given


def _secret(given: Any, others: Mapping[str, Any]) -> str | Path:
    """A Path stays one: it says that the secret is in that file."""
    if not isinstance(given, PurePath):
        return _text(given, others, empty=True)
    if "\0" in str(given):
        raise Unfit("it holds what is no character")
    return _at_home(str(given))


def _address(given: Any, others: Mapping[str, Any]) -> str:
    if not _text(given, others).startswith("/"):
        raise Unfit("it begins without a slash")
    return given


def _file(given: Any, others: Mapping[str, Any]) -> str:
    text = _text(given, others, path=True)
    if not PurePath(text).name:
        raise Unfit("that is a folder")
    _at_home(text)
    return text


def _at_home(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise Unfit("nobody of that name has a home here") from None


def _number(
    given: Any, others: Mapping[str, Any], least: float = -math.inf, most: float = math.inf, whole: bool = False
) -> Any:
    if isinstance(given, str):
        raise Unfit("a number stands without quotes")
    if isinstance(given, (bool, np.bool_)) or not isinstance(given, Integral if whole else Real):
        raise Unfit()
    size = _as_float(given)
    if not math.isfinite(size) or not least <= size <= most:
        raise Unfit()
    return given


def _as_float(given: Real) -> float:
    try:
        return float(given)
    except OverflowError:  # a whole number may have any length
        raise Unfit("that is too large to reckon with") from None


def _truth(given: Any, others: Mapping[str, Any]) -> Any:
    if not isinstance(given, (bool, np.bool_)):
        raise Unfit()
    return given


def _callable(given: Any, others: Mapping[str, Any]) -> Any:
    if not callable(given):
        raise Unfit()
    return given


def _word(given: Any, others: Mapping[str, Any]) -> Any:
    """Anything: what is no number is compared as a word."""
    if isinstance(given, Real):
        _as_float(given)
    return _text(given, others, empty=True) if isinstance(given, str) else given


def _anything(given: Any, others: Mapping[str, Any]) -> Any:
    return given


def _either(given: Any, others: Mapping[str, Any], takes: tuple[Take, ...]) -> Any:
    """What one of several kinds takes; the last one says what is wrong."""
    for take in takes[:-1]:
        try:
            return take(given, others)
        except Unfit:
            continue
    return takes[-1](given, others)


def _list(given: Any, others: Mapping[str, Any], one: Take, noun: str, alone: bool = True) -> list:
    """Any iterable, as a list. alone: a single value stands for a list of one."""
    if isinstance(given, pd.DataFrame):
        raise Unfit('a frame is no list, but a column of it is: frame["image"]')
    if isinstance(given, Mapping):
        raise Unfit("a dict is no list, but its values are: list(….values())")
    if isinstance(given, (str, bytes, PurePath, Build, Image)) or not isinstance(given, Iterable):
        if not alone:
            raise Unfit()
        return [one(given, others)]
    items = []
    for item in given:
        try:
            items.append(one(item, others))
        except Unfit as unfit:
            why = f", {unfit}" if str(unfit) else ""
            raise Unfit(f"{shown(item)} in it is no {noun}{why}") from None
    return items


def _dict(given: Any, others: Mapping[str, Any], one: Take, noun: str, secret: bool = False) -> dict[str, Any]:
    """A dict with texts as keys. secret: neither a value nor a key that may be one is shown."""
    if not isinstance(given, Mapping):
        raise Unfit()
    items = {}
    for key, value in given.items():
        if not isinstance(key, str):
            raise Unfit("a key of it is no text" if secret else f"its key {shown(key)} is no text")
        try:
            items[key] = one(value, others)
        except Unfit as unfit:
            what = "" if secret else f", {shown(value)},"
            why = f", {unfit}" if str(unfit) else ""
            raise Unfit(f"what it has for {key!r}{what} is no {noun}{why}") from None
    return items


def _client(given: Any, others: Mapping[str, Any]) -> docker.DockerClient:
    if not isinstance(given, docker.DockerClient):
        raise Unfit()
    return given


def _build(given: Any, others: Mapping[str, Any], here: bool = False) -> Build:
    """here: its images are on an engine, which a recording's are not."""
    if not isinstance(given, Build):
        raise Unfit()
    if here and given.recorded:
        raise Unfit(RECORDING)
    return given


def _bench(given: Any, others: Mapping[str, Any]) -> Path:
    if not isinstance(given, (str, PurePath)):
        raise Unfit()
    return _at_home(_text(given, others, path=True))


def _condition(given: Any, others: Mapping[str, Any]) -> Any:
    """A condition of `check`, or one of the learner's own; not the function of `check` that makes one."""
    name = getattr(given, "__name__", "")
    if name in check.__all__ and given is getattr(check, name):
        raise Unfit(f"it has to be called, check.{name}(…)")
    if isinstance(given, check.Verdict):
        raise Unfit("that is what check.that() says in the end")
    return _callable(given, others)


# An image's name: a registry and a repository, a tag, a digest; or an id (distribution/reference, "Grammar").
REFERENCE = re.compile(
    r"([\w.:\[\]-]+/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:\w[\w.-]{0,127})?(@[A-Za-z0-9+._-]+:[0-9a-fA-F]{32,})?",
    re.ASCII,
)


def _image(given: Any, others: Mapping[str, Any], archive: bool = False) -> Any:
    """A name or an id, as text. archive: also the path of an archive, which stays as it is."""
    if isinstance(given, Build):
        return _name_of(given, others)
    if isinstance(given, Image):
        return given.tags[0] if given.tags else given.id
    path = isinstance(given, PurePath)
    text = _text(given, others, path=True)
    if path or is_path(text):
        if not archive:
            raise Unfit("it is a path, and images are looked for in the engine")
        _at_home(text)
        return given
    if not REFERENCE.fullmatch(text):
        raise Unfit("no image is called that: lower case, no spaces, one colon before the version")
    return given


def _name_of(build: Build, others: Mapping[str, Any]) -> str:
    """The tag of a build; the image's id, if by now the tag means what a later build made."""
    _build(build, others, here=True)
    if (frame := others.get("files")) is not None:
        return build.image if build.image in set(frame["image"]) else build.tag
    if (client := others.get("client")) is None:
        return build.tag
    try:
        return build.tag if client.api.inspect_image(build.tag)["Id"] == build.image else build.image
    except (docker.errors.DockerException, *CONNECTION_ERRORS):
        return build.tag  # whoever looks at the image says what is wrong


def _tag(given: Any, others: Mapping[str, Any]) -> str:
    return given.tag if isinstance(given, Build) else _text(given, others)


def _image_of_frame(given: Any, others: Mapping[str, Any]) -> str:
    """As text: an archive may call its images by names that an engine would not take."""
    return _image(given, others) if isinstance(given, (Build, Image)) else _text(given, others)


def _image_or_layer(given: Any, others: Mapping[str, Any]) -> Any:
    """An image of a frame, or (image, layer)."""
    if isinstance(given, Integral):
        raise Unfit("a layer is named with its image")
    if not isinstance(given, (tuple, list)):
        return _image_of_frame(given, others)
    if len(given) != 2:
        raise Unfit("a layer is a pair")
    return _image_of_frame(given[0], others), _number(given[1], others, least=0, whole=True)


def _by(given: Any, others: Mapping[str, Any]) -> str:
    if _text(given, others) != "directory" and given not in others["frame"]:
        raise Unfit(f"the frame has {', '.join(map(str, others['frame']))}")
    return given


# A column that one function's frame has and the others' have not → that function. The first that fits counts.
MAKERS = {
    "diff_id": "workshop.files()",
    "hidden_by_line": "workshop.waste()",
    "fate": "workshop.gate()",
    "change": "workshop.diff()",
    "manager": "workshop.packages()",
    "dive_wasted": "workshop.efficiency()",
    "saved": "workshop.as_one()",
    "cause": "workshop.waste_by_line()",
    "base is there": "workshop.costs.with_and_without_base()",
    "speed": "workshop.costs.pull_times()",
    "month": "workshop.costs.monthly_cost()",
    "shared": "workshop.sizes()",
    "wasted": "workshop.layers()",
    "directory": "workshop.directories()",
    "recorded": "workshop.timeline()",
    "again": "workshop.reruns()",
    "instruction": "build.steps",
}

# What the columns hold, in whichever frame they are.
NUMBERS = {
    *("layer", "bytes", "bytes_a", "bytes_b", "files", "wasted", "tar", "compressed", "engine", "shared", "on_top"),
    *("empty disk", "base is there"),
    *("seconds", "mode", "uid", "gid", "hidden_by_layer", "began", "ended", "steps", "ran"),
}  # 0 or more
LEAST = {"hidden_by_layer": -1}  # of what can be seen
TEXTS = {
    "path",
    "stage",
    "fate",
    "kind",
    "change",
    "cause",
    "instruction",
    "status",
    "recipe",
    "edit",
    "again",
    "build",
}


def _frame(
    given: Any,
    others: Mapping[str, Any],
    columns: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    one_row: tuple[str, ...] = (),
    gaps: bool = False,
) -> pd.DataFrame:
    """A frame that has these columns. one_row: those that tell its rows apart. gaps: numbers may be missing.

    Where two rows have one number, as in what `pd.concat` makes, they are numbered anew.
    """
    if isinstance(given, pd.Series):
        raise Unfit("that is one column of a frame")
    if not isinstance(given, pd.DataFrame):
        raise Unfit()
    if missing := [name for name in columns if name not in given]:
        raise Unfit(f"it has no {', '.join(missing[:3])}{' and more' if len(missing) > 3 else ''}")
    used = [name for name in (*columns, *optional) if name in given]
    if twice := [name for name in used if isinstance(given[name], pd.DataFrame)]:
        raise Unfit(f"it has the column {twice[0]} twice")
    for name in used if len(given) else ():
        if wrong := _wrong_in(given[name], name, gaps):
            raise Unfit(f"its column {name} holds {wrong}")
    if plain := {name: _plain(given[name], name) for name in used if _is_wrapped(given[name], name)}:
        given = given.assign(**plain)
    if one_row and given.duplicated(list(one_row)).any():
        raise Unfit(f"it has several rows for one {' and '.join(one_row)}")
    if not set(given.index.names).isdisjoint(given.columns):  # as set_index(…, drop=False) makes it
        given = given.rename_axis(index=[None] * given.index.nlevels)
    return given if given.index.is_unique or not columns else given.reset_index(drop=True)


def _wrong_in(column: pd.Series, name: str, gaps: bool) -> str:
    """What a column holds and should not, or ""."""
    if name in NUMBERS:
        known = column.dropna() if gaps else column
        real = pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_complex_dtype(known)
        numeric = real or all(isinstance(one, Real) for one in known)
        if not numeric or not known.astype(float).between(LEAST.get(name, 0), 2**63, inclusive="left").all():
            return f"what is no number of {LEAST.get(name, 0)} or more"
    if name in TEXTS:
        texts = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
        if column.hasnans or pd.api.types.infer_dtype(texts, skipna=False) != "string":
            return "what is no text"
    if name == "image" and column.hasnans:
        return "a gap"
    if name == "visible" and column.dtype != bool:
        if column.hasnans or pd.api.types.infer_dtype(column.astype(object)) != "boolean":
            return "what is neither True nor False"
    return ""


def _is_wrapped(column: pd.Series, name: str) -> bool:
    """True for numbers and truths that are stored as objects or as categories: pandas does not reckon with these."""
    wrapped = column.dtype == object or isinstance(column.dtype, pd.CategoricalDtype)
    return wrapped and name in NUMBERS or name == "visible" and column.dtype != bool


def _plain(column: pd.Series, name: str) -> pd.Series:
    return column.astype(bool) if name == "visible" else pd.to_numeric(column.astype(object))


def _of(take: Callable, **options: Any) -> Take:
    return functools.partial(take, **options)


def frame(
    maker: str, *columns: str, optional: tuple[str, ...] = (), one_row: tuple[str, ...] = (), gaps: bool = False
) -> Kind:
    """The kind of a frame. maker: which call returns one."""
    has = f" with the columns {shorten(', '.join(columns), 70)}" if columns else ""
    per = f", a row for each {' and '.join(one_row)}" if one_row else ""
    take = _of(_frame, columns=columns, optional=tuple(optional), one_row=one_row, gaps=gaps)
    return Kind(f"a frame{has}{per}", take, f"Such a frame comes from {maker}.")


CONNECT = "client = workshop.connect() returns it, and it comes first: {call}."
NAMED = 'A tag, an id or what workshop.build() returned will do, such as "factory/hello:mine": {call}.'
ARCHIVES = f"{NAMED[:-1]}; or the path of an archive."
FILES = "workshop.files(client, image)"
MEASURED = "workshop.sizes(client, images)"
COMPRESSED = "workshop.sizes(client, images, compressed=True)"

text = Kind("a text", _text)
any_text = Kind("a text", _of(_text, empty=True))
truth = Kind("True or False", _truth)
amount = Kind("a number of 0 or more", _of(_number, least=0))
count = Kind("a whole number of 0 or more", _of(_number, least=0, whole=True))
word_or_number = Kind("a word or a number", _word)
cost = Kind("a number from 0 to 100 million", _of(_number, least=0, most=1e8))
one_image = Kind("the name of an image", _image, NAMED)
pattern = Kind("a path in the image", _of(_text, path=True), 'Such as "/app/app.py", with wildcards "/usr/lib/gcc/**".')
address = Kind("the path of a web address", _address, 'It begins with a slash, such as "/".')
own_layers = frame(
    "workshop.layers(files)",
    *("image", "layer", "created_by", "bytes"),
    optional=("from_base", "wasted"),
    one_row=("image", "layer"),
)
one_or_layer = Kind(
    "an image of the frame, or (image, layer)",
    _image_or_layer,
    'Such as "factory/hello:mine", or ("factory/hello:mine", 0).',
)

# By an argument's name; by function and name ("charts.waste.frame") where it means something of its own.
KINDS: dict[str, Kind] = {
    "client": Kind("the engine's client", _client, CONNECT),
    "image": one_image,
    "images": Kind("an image, or a list of them", _of(_list, one=_image, noun="image"), NAMED),
    "files.images": Kind(
        "an image, or a list of them", _of(_list, one=_of(_image, archive=True), noun="image"), ARCHIVES
    ),
    "packages.images": Kind(
        "an image, or a list of them", _of(_list, one=_of(_image, archive=True), noun="image"), ARCHIVES
    ),
    "read.image": Kind("an image", _of(_image, archive=True), ARCHIVES),
    "layer": count,
    "path": pattern,
    "files": frame(FILES, *COLUMNS),
    "directories.files": frame(FILES, "path", "kind", "bytes", "visible"),
    "visible.files": frame(FILES, "kind", "visible"),
    "depth": Kind("a whole number of 1 or more", _of(_number, least=1, whole=True)),
    "as_one.image": Kind("an image of the frame", _image_of_frame, NAMED),
    "a": one_or_layer,
    "b": one_or_layer,
    "changes": frame("workshop.diff(files, a, b)", "path", "change", "bytes_a", "bytes_b"),
    # building and running
    "app": Kind("an app's name or a folder", _of(_text, path=True), 'Such as "hello", or "." for the current folder.'),
    "dockerfile": Kind(
        "a Dockerfile's name or its text",
        _of(_text, path=True),
        'Such as "Dockerfile.multi", or workshop.dockerfile(app).',
    ),
    "dockerfile.name": Kind("a Dockerfile's name", _of(_text, path=True), 'Such as "Dockerfile.multi".'),
    "target": Kind("a stage's name or number", _of(_either, takes=(count.take, _text))),
    "tag": Kind("a name for the image", _tag, 'Such as "factory/hello:mine".'),
    "buildargs": Kind(
        "a dict of texts", _of(_dict, one=_of(_text, empty=True), noun="text"), 'Such as {"VERSION": "1"}.'
    ),
    "secrets": Kind(
        "a dict of texts or Paths",
        _of(_dict, one=_secret, noun="text or a Path", secret=True),
        'Such as {"token": "s3cret"}, or {"token": pathlib.Path("token.txt")}.',
        secret=True,
    ),
    "nocache": truth,
    "builder": Kind("the name of a builder", _text, 'There are "classic" and "buildkit".'),
    "build": Kind("what workshop.build() returned", _build, "build = workshop.build(client, app), then {call}."),
    "gate.build": Kind(
        "what workshop.build() returned", _of(_build, here=True), "build = workshop.build(client, app), then {call}."
    ),
    "builds": Kind(
        "what workshop.build() returned, or a dict of such",
        _of(_either, takes=(_build, _of(_dict, one=_build, noun="build"))),
        'Such as {"before": before, "after": after}: {call}.',
    ),
    "reruns.builds": Kind(
        "a dict of recipes, each a dict of builds",
        _of(_dict, one=_of(_dict, one=_build, noun="build"), noun="dict of builds"),
        'Such as {"two stages": {"a comment": build}}: {call}.',
    ),
    "word": any_text,
    "bench": Kind("a workbench", _bench, "bench = workshop.workbench(app) makes one: {call}."),
    "edit.path": Kind("a file in the workbench", _file, 'Such as "app.py".'),
    "old": any_text,
    "new": any_text,
    "recording": text,
    "command": Kind(
        "a text or a list of texts",
        _of(_either, takes=(_text, _of(_list, one=_of(_text, empty=True), noun="text", alone=False))),
        'Such as "ls -l /", or ["ls", "-l", "/"].',
    ),
    "module": text,
    "answer.path": address,
    "check.answers.path": address,
    "port": Kind("a port, 1 to 65535", _of(_number, least=1, most=65535, whole=True)),
    "patience": Kind("a number of seconds", _of(_number, least=0)),
    "tidy.app": Kind("an app's name", _text, 'Such as "hello", or nothing for all of them.'),
    "bases": truth,
    "quiet": truth,
    "compressed": truth,
    # picking and telling
    "frame": frame("workshop.files(), workshop.sizes() or another helper"),
    "find.frame": frame("workshop.files(), workshop.gate() or workshop.diff()", optional=("path",)),
    "by_image.frame": frame(f"{MEASURED} or workshop.layers(files)", "image"),
    "column": text,
    "paths": Kind("a pattern for paths", _of(_text, path=True), 'One after the other: "/app/*", "**/bin/*".'),
    "line": any_text,
    "but": Kind(
        "a pattern for paths, or a list of them",
        _of(_list, one=_of(_text, path=True), noun="pattern"),
        'Such as "/app/*".',
    ),
    "sizes_between.sizes": frame(MEASURED, "image", optional=tuple(MEANINGS), one_row=("image",), gaps=True),
    "least": amount,
    "most": amount,
    "count": Kind("a number of bytes", _number),
    "guess": word_or_number,
    "measured": word_or_number,
    "unit": any_text,
    "claims": text,
    "conclusions": Kind(
        "a dict of claims",
        _of(_dict, one=_of(_either, takes=(count.take, _truth)), noun="True or False"),
        'Such as {"it answers": True}.',
    ),
    "figure": Kind("a figure", _anything),  # in_words() says what a figure of ours is
    # charts
    "footer": any_text,
    "dockerfile_text": Kind("a Dockerfile's text", _of(_text, empty=True), "workshop.dockerfile(app) returns it."),
    "charts.set_footer.text": Kind(
        "a text, or a function that returns one", _of(_either, takes=(_callable, any_text.take))
    ),
    "name_or_index": Kind("a stage's name or number", _of(_either, takes=(_of(_number, whole=True), _text))),
    "charts.contents.frame": frame("workshop.visible(files)", "path", "bytes"),
    "charts.contents.by": Kind('"directory", or a column of the frame', _by),
    "charts.opened.frame": frame("workshop.visible(files)", "path", "bytes"),
    "charts.opened.loaded": Kind(
        "a list of paths",
        _of(_list, one=_of(_text, path=True), noun="path", alone=False),
        "workshop.loaded(client, image) returns it.",
    ),
    "charts.gate.frame": frame("workshop.gate(client, build)", "stage", "path", "bytes", "fate"),
    "charts.layers.frame": own_layers,
    "charts.waterfall.frame": own_layers,
    "charts.sizes.frame": frame(MEASURED, "image", "bytes", one_row=("image",)),
    "charts.meanings.frame": frame(MEASURED, "image", optional=(*MEANINGS, "shared"), one_row=("image",), gaps=True),
    "charts.pull.frame": frame(
        "workshop.costs.pull_times(sizes)", "image", "speed", "seconds", one_row=("image", "speed"), gaps=True
    ),
    "charts.left_to_pull.frame": frame(
        "workshop.costs.with_and_without_base(sizes)",
        *("image", "speed", "empty disk", "base is there"),
        one_row=("image",),
    ),
    "charts.timeline.frame": frame(
        "workshop.timeline(builds)",
        *("build", "stage", "instruction", "status", "began", "ended"),
        optional=("recorded",),
        gaps=True,
    ),
    "charts.reruns.frame": frame(
        "workshop.reruns(builds)",
        *("recipe", "edit", "steps", "ran", "seconds"),
        optional=("again",),
        one_row=("recipe", "edit"),
    ),
    "charts.waste.frame": frame(
        "workshop.waste_by_line(files)", *("layer", "created_by", "cause", "files", "bytes"), optional=("image",)
    ),
    # checks
    "other": one_image,
    "as_in": one_image,
    "beyond": one_image,
    "unlike": one_image,
    "text": text,
    "name": text,
    "other_than": text,
    "conditions": Kind("a condition", _condition, 'Such as check.has("/app/app.py"), one after the other.'),
    "megabytes": amount,
    "by_megabytes": amount,
    "at_least_megabytes": amount,
    "by": count,
    # costs and bases
    "sizes": frame(COMPRESSED, "image", "compressed", one_row=("image",)),
    "costs.with_and_without_base.sizes": frame(
        "workshop.costs.on_bases(sizes, base_of)", "image", "compressed", "on_top", one_row=("image",)
    ),
    "costs.on_bases.base_of": Kind(
        "a dict, {image: its base}",
        _of(_dict, one=_text, noun="image"),
        "workshop.base_of(client, images) returns it.",
    ),
    "speeds": Kind("a list of numbers", _of(_list, one=_number, noun="number", alone=False), "In Mbit/s: [10, 100]."),
    "speed": Kind("a number of Mbit/s", _number),
    **dict.fromkeys(("storage", "egress", "versions", "pulls", "settings"), cost),
    "names": Kind(
        "the name of a base image, or a list of them", _of(_list, one=_image, noun="image"), 'Such as ["busybox:1.37"].'
    ),
    "bases.save_kit.path": Kind("a file to write", _file, 'Such as "class-kit.tar".'),
}


def kind_of(called: str, name: str) -> Kind | None:
    """The kind of an argument: this function's own, else that of all arguments of the name."""
    return KINDS.get(f"{called}.{name}") or KINDS.get(name)


class _Short(reprlib.Repr):
    """Values in one short line, whatever they are."""

    maxstring = 60

    def repr_instance(self, x: Any, level: int) -> str:
        for kind in (str, list, tuple, set, dict):
            if isinstance(x, kind):  # of a type of its own, such as NumPy's texts
                return getattr(self, f"repr_{kind.__name__}")(x, level)
        return repr(x) if isinstance(x, (bytes, Real)) or x is None else shown(x)


def shown(given: Any) -> str:
    """A value in a few words."""
    if isinstance(given, pd.DataFrame):
        maker = next((f", as {maker} has it," for column, maker in MAKERS.items() if column in given), "")
        return f"a frame with the columns {shorten(', '.join(map(str, given)), 60) or '(none)'}{maker}"
    if isinstance(given, Build):
        return f"the build of {given.tag}"
    if isinstance(given, PurePath):
        return f"the path {shorten(str(given), 60)}"
    if given is None or isinstance(given, (str, bytes, Real, list, tuple, set, dict)):
        return _Short().repr(given)
    return f"{given.__name__} itself" if hasattr(given, "__name__") else f"a {type(given).__name__}"
