"""Exercise checks. They look at the built image, not at a variable, and say what they saw.

check.that(client, "factory/flask_hello:mine", check.smaller_than("factory/flask_hello:single", by_megabytes=500),
           check.answers("Hello"), unlike="factory/flask_hello:single")

A check says "not attempted", "not yet: … (a hint from the image's state)" or "passed: … (what was checked)".

Wildcards in a path are those of `.dockerignore`: `*` and `?` stay within one folder, `**` is any number of folders, so that
"/usr/lib/gcc/**" is everything below it and "**/gcc*" such a name anywhere. A path starts at the root (`paths.matches`).
"""

from __future__ import annotations

import contextlib
import difflib
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import docker

from ..analysis.find import visible_at
from ..analysis.waste import waste
from ..builders import build
from ..dockerfiles.stages import entries_of
from ..engine import containers, peek
from ..errors import WorkshopError, translate_engine_loss
from ..labels import full_tag, history_entries, tags_of
from ..layer.files import files, sizes
from ..layer.source import is_read
from ..markup import news
from ..paths import matches, names_one
from ..units import shorten, size

__all__ = [
    "Verdict",
    "also",
    "answers",
    "brings_less_than",
    "fails_in",
    "has",
    "has_stage",
    "history_lacks",
    "lacks",
    "more_layers_than",
    "no_layer_has",
    "not_smaller_than",
    "prints",
    "prints_other_than",
    "runs_as",
    "same_files_as",
    "same_layer",
    "smaller_than",
    "that",
    "waste_below",
]

SIGN = {"passed": "✓", "not yet": "○", "not attempted": "–"}  # a colour alone says nothing to many

CONTENT = ["file", "symlink", "hard link"]  # kinds of entries that hold or lead to something to read

# A condition looks at an image: (True, what holds) or (False, what was seen and a hint).
Condition = Callable[[docker.DockerClient, str], tuple[bool, str]]


@dataclass(frozen=True)
class Verdict:
    """state: "not attempted", "not yet" or "passed"; words: what was seen."""

    state: str
    words: str

    def __repr__(self) -> str:
        return f"{self.state}: {self.words}"

    def _repr_html_(self) -> str:
        return news(self.state, SIGN[self.state], self.state, self.words)

    def __bool__(self) -> bool:
        return self.state == "passed"


@translate_engine_loss("the check")
def that(client: docker.DockerClient, image: str, *conditions: Condition, unlike: str | None = None) -> Verdict:
    """Check an image against conditions, in order; the first one that does not hold is reported.

    unlike: the image that the exercise starts from: the same layers and configuration mean that nothing was attempted.
    """
    try:
        mine = client.api.inspect_image(image)
    except docker.errors.ImageNotFound:
        return Verdict("not attempted", f"the engine has no image {image} yet.")
    if image in build.outdated:
        return Verdict(
            "not yet", f"the last build of {image} did not finish; what the engine has is from an earlier attempt."
        )
    if unlike and _same(client, mine, unlike) and _stages(client, image) == _stages(client, unlike):
        return Verdict("not attempted", f"{image} is still the same as {unlike}.")
    held = []
    for condition in conditions:
        try:
            holds, words = condition(client, image)
        except WorkshopError as error:
            holds, words = False, error.what
        if not holds:
            return Verdict("not yet", words)
        held.append(words)
    return Verdict("passed", "; ".join(held) + ".")


def also(image: str, *conditions: Condition) -> Condition:
    """Conditions that hold of another image: where an exercise has two results."""

    def condition(client, _):
        verdict = that(client, image, *conditions)
        return bool(verdict), f"{image}: {verdict.words.removesuffix('.')}" if verdict else verdict.words

    return condition


def _same(client: docker.DockerClient, mine: dict, other: str) -> bool:
    try:
        theirs = client.api.inspect_image(other)
    except docker.errors.ImageNotFound:
        return False

    def facts(image):
        config = image["Config"] or {}
        return [
            image["RootFS"],
            *(config.get(key) for key in ("Cmd", "Entrypoint", "Env", "User", "WorkingDir", "ExposedPorts")),
        ]

    return facts(mine) == facts(theirs)


def smaller_than(other: str, by_megabytes: float = 0) -> Condition:
    """The image's layers hold less than the other's, by so many MB (10^6 bytes)."""

    def condition(client, image):
        table = sizes(client, [image, other]).set_index("image")["bytes"]
        seen = f"{image} is {size(table[image])}, {other} is {size(table[other])}"
        if saves(table[image], table[other], by_megabytes):
            return True, f"{seen}: {(table[other] - table[image]) / 1e6:,.1f} MB smaller"
        return False, f"{seen}. {_heaviest(client, image)}: is that needed after the build?"

    return condition


def saves(less: int, more: int, megabytes: float) -> bool:
    """True if the one is smaller than the other by so many MB or more, and by one byte at least."""
    return more > less and more - less >= megabytes * 1e6


def not_smaller_than(other: str) -> Condition:
    """The image's layers hold at least as much as the other's: what was deleted is still shipped."""

    def condition(client, image):
        table = sizes(client, [image, other]).set_index("image")["bytes"]
        seen = f"{image} ships {size(table[image])}, {other} {size(table[other])}"
        return (
            (True, seen) if table[image] >= table[other] else (False, f"{seen}: did you change more than you had to?")
        )

    return condition


def has(path: str, at_least_megabytes: float = 0) -> Condition:
    """A file that can be seen in the image, of at least so many MB (10^6 bytes).

    path: wildcards may be in it, `*` within a folder and `**` across folders. One without any is looked for as a program in
    the image would: links among its folders are followed.
    """

    def condition(client, image):
        found = _content(client, image, path)
        total = sum(found.values())
        if found and total < at_least_megabytes * 1e6:
            return False, f"{path} is there, but it has {size(total)}, not {at_least_megabytes:g} MB."
        if found:
            return True, f"{next(iter(found))} is there ({size(total)})"
        return False, f"no {path} in {image}. {_nearest(client, image, path)}"

    return condition


def lacks(path: str) -> Condition:
    """No file of that path can be seen in the image; as for `has`, wildcards may be in it."""

    def condition(client, image):
        if found := _content(client, image, path):
            return False, f"{next(iter(found))} can still be seen in {image}."
        return True, f"{path} cannot be seen"

    return condition


def no_layer_has(path: str, as_in: str | None = None) -> Condition:
    """No layer has a file of that path, whether it can still be seen or not; as for `has`, wildcards may be in it.

    as_in: another image that has such a file; then no file of the same content may be in any layer either,
    whatever its name.
    """

    def condition(client, image):
        read = files(client, [image, as_in] if as_in else image)
        there = read[read["kind"].isin(CONTENT)]
        named = there[[matches(one, path) for one in there["path"]]]
        contents = set(named.loc[(named["image"] == as_in) & (named["bytes"] > 0), "digest"])
        own = there[there["image"] == image]
        leaks = own[own.index.isin(named.index) | own["digest"].isin(contents)]
        if leaks.empty:
            return True, f"no layer of {image} has {path}, visible or not"
        return False, _leak(read[read["image"] == image], leaks.iloc[0], path)

    return condition


def history_lacks(text: str) -> Condition:
    """The text is not in what `docker history` and `docker inspect` show of the image: lines, variables, labels."""

    def condition(client, image):
        for entry in history_entries(client, image):
            if text in (entry["CreatedBy"] or ""):
                line = _short(entry["CreatedBy"].replace(text, "(here)"))
                return False, f"the history of {image} says it in plain text: {line}."
        config = client.api.inspect_image(image)["Config"] or {}
        for word in ("Env", "Labels", "Cmd", "Entrypoint"):
            if text in str(config.get(word)):
                return False, f"{word} of {image} says it in plain text, as `docker inspect` shows."
        return True, f"the history of {image} does not say it"

    return condition


def is_below(count: int, megabytes: float) -> bool:
    """True for fewer bytes than so many MB; for none at all in any case."""
    return count < megabytes * 1e6 or not count


def waste_below(megabytes: float) -> Condition:
    """The image ships less than so many MB (10^6 bytes) that nobody can see."""

    def condition(client, image):
        found = waste(files(client, image))
        total = found["bytes"].sum()
        if is_below(total, megabytes):
            return True, f"{size(total)} of {image} cannot be seen"
        lines = found.groupby(["layer", "created_by"], observed=True)["bytes"].sum()
        layer, line = lines.idxmax()
        return False, (
            f"{size(total)} of what {image} ships cannot be seen, and the aim is under {megabytes:g} MB. "
            f"{size(lines.max())} of it is in layer {layer}: {_short(line)}."
        )

    return condition


def brings_less_than(other: str, megabytes: float) -> Condition:
    """The layers that the other image does not have are less than so many MB (10^6 bytes, as tars, not compressed).

    That is what a machine that has the other image must still fetch.
    """

    def condition(client, image):
        table = sizes(client, [image, other]).set_index("image")
        new = int(table.loc[image, "tar"] - table.loc[image, "shared"])
        seen = f"{size(new)} of {image} is in layers that {other} does not have"
        if new < megabytes * 1e6 or not new:
            return True, seen
        theirs = client.api.inspect_image(other)["RootFS"]["Layers"]
        found = files(client, image)
        found = found[~found["diff_id"].isin(theirs)]
        layer, line = found.groupby(["layer", "created_by"], observed=True)["bytes"].sum().idxmax()
        return False, f"{seen}, and the aim is under {megabytes:g} MB. Most of it is layer {layer}: {_short(line)}."

    return condition


def more_layers_than(other: str, by: int = 1) -> Condition:
    """The image has more layers than the other, by at least so many."""

    def condition(client, image):
        table = sizes(client, [image, other]).set_index("image")["layers"]
        seen = f"{image} has {table[image]} layers, {other} has {table[other]}"
        if table[image] >= table[other] + by:
            return True, seen
        return False, f"{seen}. {_in_one_layer(client, image, other)}"

    return condition


def has_stage(name: str, *conditions: Condition) -> Condition:
    """The build that made the image also has a stage of this name before its last, and that stage meets the conditions."""

    def condition(client, image):
        names = _stage_names(client, image)
        if name not in names:
            listed = ", ".join(names) or "none"
            return False, f"the stages before the last FROM are: {listed}. The exercise asks for one called {name}."
        for of_stage in conditions:
            holds, words = of_stage(client, f"{full_tag(image)}.{name}")
            if not holds:
                return False, f"in the stage {name}: {words}"
        return True, f"there is a stage {name}"

    return condition


def same_files_as(other: str) -> Condition:
    """The same files to be seen as in the other image, whatever recipe and cache they came from.

    Of a compiled Python module only the size counts: it holds the time at which its source was installed (PEP 3147).
    """

    def condition(client, image):
        ours, theirs = (_contents(files(client, name)) for name in (image, other))
        if (path := first_difference(ours, theirs)) is None:
            return True, f"{image} ships the same {len(ours):,} files as {other}"
        what = "is new" if path not in theirs else "is missing" if path not in ours else "is another one"
        return False, f"{path} {what}, compared with {other}: nothing new should cross the gate."

    return condition


def same_layer(other: str, path: str) -> Condition:
    """The layers that bring the files of that path are layers that the other image has, too: what made them did not run again.

    path: of files that can be seen; as for `has`, wildcards may be in it.
    """

    def condition(client, image):
        read = files(client, [image, other])
        own = read[(read["image"] == image) & read["visible"] & read["kind"].isin(CONTENT)]
        found = own[[matches(one, path) for one in own["path"]]]
        if found.empty:
            return False, f"no {path} in {image}. {_nearest(client, image, path)}"
        theirs = read[read["image"] == other]
        new = found[~found["diff_id"].isin(theirs["diff_id"])]
        if new.empty:
            return True, f"{found.iloc[0]['path']} is in a layer that {other} has, too"
        layer = own[own["diff_id"] == new.iloc[0]["diff_id"]]
        ours, before = (
            _exactly(rows) for rows in (layer, theirs[theirs["visible"] & theirs["path"].isin(layer["path"])])
        )
        name = new.iloc[0]["path"]
        changed = name if ours[name] != before.get(name) else first_difference(ours, before)
        why = f"in it, {changed} has other bytes" if changed else "its files are the same, byte for byte, but newer"
        line = _short(new.iloc[0]["created_by"])
        return False, f"{name} is in a layer that {other} does not have: {line} ran again; {why}."

    return condition


def _exactly(entries) -> dict[str, tuple]:
    """{path: (kind, content)}, to the byte."""
    plain = entries[entries["kind"].isin(CONTENT)]
    return {
        path: (kind, digest or link)
        for path, kind, digest, link in zip(*(plain[name] for name in ("path", "kind", "digest", "linkname")))
    }


def first_difference(ours: dict[str, tuple], theirs: dict[str, tuple]) -> str | None:
    """The first path that is not the same in both, or None. What is new comes first: it crossed a gate."""
    changed = sorted(path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path))
    return min(changed, key=lambda path: (path in theirs, changed.index(path)), default=None)


def _contents(entries) -> dict[str, tuple]:
    """{path: (kind, content)} of an image's visible entries but folders."""
    seen = entries[entries["visible"] & (entries["kind"] != "directory")]
    return {
        path: (kind, count if path.endswith(".pyc") else digest or link)
        for path, kind, count, digest, link in zip(
            *(seen[name] for name in ("path", "kind", "bytes", "digest", "linkname"))
        )
    }


def fails_in(other: str, beyond: str) -> Condition:
    """Some RUN that the image adds to `beyond` fails in a container of `other`: a test that fails where nothing is to be found.

    What it needs from the image's configuration, ENV and WORKDIR, goes with it.
    """

    def condition(client, image):
        added = entries_of(client, image)[len(entries_of(client, beyond)) :]
        commands = ran(entry.text for entry in added)
        if not commands:
            return False, f"{image} runs nothing that {beyond} does not run: a test needs a RUN."
        set_up = settings(client.api.inspect_image(image)["Config"])
        for command in commands:
            if "(exit code" in containers.run(client, other, ["sh", "-c", f"{set_up}\n{command}"]):
                return True, f"`{shorten(command, 60)}` fails in {other}, as it should"
        return False, f"`{shorten(commands[-1], 60)}` does not fail in {other} either, where nothing is installed."

    return condition


def ran(lines: Iterable[str]) -> list[str]:
    """The commands of a history's RUN lines. The classic builder writes down those in brackets as they are, without RUN."""
    split = [line.partition(" ") for line in lines]
    return [
        rest if word == "RUN" else word + space + rest
        for word, space, rest in split
        if word == "RUN" or not word.isupper()
    ]


def settings(config: dict) -> str:
    """An image's ENV and WORKDIR as lines of a shell, but for PATH, which is another image's own."""
    exported = [f"export {shlex.quote(line)}" for line in config.get("Env") or [] if not line.startswith("PATH=")]
    folder = shlex.quote(config.get("WorkingDir") or "/")
    return "\n".join([*exported, f"mkdir -p {folder} && cd {folder}"])


def prints(text: str) -> Condition:
    """A container of the image prints this text."""

    def condition(client, image):
        seen = containers.run(client, image)
        if text in seen:
            return True, f"it prints {text!r}"
        return False, f"it prints {seen[-200:]!r}, which does not contain {text!r}.{containers.no_loader(seen)}"

    return condition


def prints_other_than(text: str) -> Condition:
    """A container of the image prints something, and not this text."""

    def condition(client, image):
        seen = containers.run(client, image)
        if seen.strip() and text not in seen and "(exit code" not in seen:
            return True, f"it prints {seen.strip()[:80]!r}"
        if "(exit code" in seen:
            return False, f"the command failed, {seen.strip()[-80:]!r}: look at the CMD line."
        return False, f"it prints {seen.strip()[:80]!r}: still the old words, or none of yours."

    return condition


def answers(text: str, path: str = "/", port: int = 5000) -> Condition:
    """The image's web app answers over HTTP, and the answer contains this text."""

    def condition(client, image):
        found = containers.answer(client, image, path, port)
        if found.status == 200 and text in found.text:
            return True, f"it answers {found.text.strip()[:60]!r}"
        return False, f"it answers {found.status} {found.text.strip()[:60]!r}, not {text!r}."

    return condition


def runs_as(*, other_than: str = "root") -> Condition:
    """The image's configured user is not that one."""

    def condition(client, image):
        user = (client.api.inspect_image(image)["Config"].get("User") or "root").split(":")[0]
        user = "root" if user == "0" else user
        return (
            (True, f"it runs as {user}")
            if user != other_than
            else (False, f"it runs as {user}. Which word changes that?")
        )

    return condition


def _stage_names(client, image: str) -> list[str]:
    return sorted(_stages(client, image))


def _stages(client, image: str) -> dict[str, list[str]]:
    """{name: diff ids} of the stages that came before the last in the image's build, by the tags they are kept under."""
    prefix = f"{full_tag(image)}."
    listed = client.api.images(name=prefix.rsplit(":", 1)[0])
    tags = [tag for one in listed for tag in tags_of(client, one) if tag.startswith(prefix)]
    return {tag.removeprefix(prefix): client.api.inspect_image(tag)["RootFS"]["Layers"] for tag in tags}


def _content(client, image: str, pattern: str) -> dict[str, int]:
    """{path: bytes} of what can be read in the image under a pattern; of one path the engine is asked, if it can tell."""
    if not names_one(pattern):
        found = _visible(client, image, pattern)
        return {path: int(count) for path, count in zip(found["path"], found["bytes"])}
    path = f"/{pattern.removeprefix('/')}"
    if not is_read(client, image):
        with contextlib.suppress(peek.CannotTell):
            seen = peek.peek(client, image, path)
            return {path: seen.bytes} if seen and seen.kind in CONTENT else {}
    found = visible_at(files(client, image), path)
    return {path: found[1]} if found and found[0] in CONTENT else {}


def _visible(client, image: str, pattern: str):
    found = files(client, image)
    found = found[found["visible"] & found["kind"].isin(CONTENT)]
    return found[[matches(path, pattern) for path in found["path"]]]


def _in_one_layer(client, image: str, other: str) -> str:
    """Why there is no layer more: what is new in the image shares one with something that the other has, too."""
    mine, theirs = _visible(client, image, "**"), set(_visible(client, other, "**")["path"])
    is_new = ~mine["path"].isin(theirs)
    for _, new in mine[is_new].sort_values("bytes", ascending=False).iterrows():
        beside = mine[~is_new & (mine["layer"] == new["layer"]) & ~mine["from_base"]]
        if len(beside):
            return (
                f"One line made both {beside.iloc[0]['path']} and {new['path']}, so they share a layer: "
                "each line that makes files has a layer of its own."
            )
    return "Which Dockerfile words make a layer?"


def _leak(own, leak, path: str) -> str:
    """Where a file is that should not be in any layer, who put it there, and what became of it."""
    also = "" if matches(leak["path"], path) else f", which holds what {path} held"
    words = f"layer {leak['layer']} has {leak['path']} ({size(leak['bytes'])}){also}. "
    words += f"It was shipped by {_short(leak['created_by'])}"
    if leak["visible"]:
        return f"{words}, and everybody can see it."
    by = own.loc[own["layer"] == leak["hidden_by_layer"], "created_by"].iloc[0]
    return f"{words}; layer {leak['hidden_by_layer']} ({_short(by)}) only hides it."


def _short(line: str) -> str:
    return shorten(" ".join(str(line).split()), 80)


def _heaviest(client, image: str) -> str:
    found = files(client, image)
    plain = found[found["kind"] == "file"]
    by_layer = plain.groupby(["layer", "created_by"], observed=True)["bytes"].sum().sort_values()
    (_, created_by), count = by_layer.index[-1], by_layer.iloc[-1]
    return f"Its heaviest layer ({size(count)}) was made by {_short(created_by)}"


def _nearest(client, image: str, path: str) -> str:
    found = _visible(client, image, "**")
    entries = files(client, image)
    gone = entries[entries["hidden_by"] == "deleted"]
    gone = gone[[matches(one, path) for one in gone["path"]]]
    if len(gone):
        line = entries.loc[entries["layer"] == gone.iloc[-1]["hidden_by_layer"], "created_by"].iloc[0]
        return f"It was there, until a later layer deleted it: {shorten(line, 60)}."
    same_name = found[found["path"].str.endswith("/" + path.rpartition("/")[2])]["path"]
    close = difflib.get_close_matches(
        path, list(same_name) or list(found["path"]), n=1, cutoff=0.0 if len(same_name) else 0.8
    )
    return f"It has {close[0]}." if close else "Nothing of that name is in it."


def __dir__() -> list[str]:
    """Tab completion offers the checks."""
    return __all__
