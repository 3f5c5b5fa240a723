"""Dockerfile words in factory words: one counterpart for each, and one sentence for each step."""

from __future__ import annotations

import pandas as pd

from ...dockerfiles.syntax import Dockerfile, Instruction, parse
from ..style import shorten

# Dockerfile word → (its factory counterpart, what it means in plain words)
FACTORY = {
    "FROM": ("the building you rent", "starts a stage from an image, with every tool that is already in it"),
    "WORKDIR": ("the workbench", "the directory in which every later step, and the finished product, works"),
    "COPY": ("goods in", "brings files from your folder (the build context) into the stage"),
    "COPY --from": ("through the gate", "brings only the named files from another stage; nothing else follows them"),
    "ADD": ("goods in, unpacked", "like COPY, but also fetches URLs and unpacks local archives"),
    "RUN": ("a machine at work", "runs a command now, while building; what it leaves on disk becomes a layer"),
    "ENV": ("a notice on the wall", "a variable that every later step, and the finished product, can read"),
    "ARG": ("a line on the order form", "a variable known while building only; the build history still shows it"),
    "EXPOSE": ("the sign at the counter", "notes which port the product serves; it opens none"),
    "CMD": ("the switch on the box", "what runs when the container starts, unless the customer says otherwise"),
    "ENTRYPOINT": ("the motor in the box", "what always runs when the container starts; CMD gives it its settings"),
    "USER": ("the badge", "who does the work from here on, and who the finished product runs as"),
    "LABEL": ("the label on the box", "facts about the image, for people and programs; no effect on what runs"),
    "VOLUME": ("the customer's own shelf", "a directory whose data is kept outside the container's own layer"),
    "HEALTHCHECK": ("the quality inspector", "a command that tests the running product every so often"),
    "SHELL": ("the foreman's language", "the shell that reads the RUN lines after it"),
    "STOPSIGNAL": ("the stop button", "the signal that asks the running product to stop"),
    "ONBUILD": ("a note for the next tenant", "a step that happens only in images built from this one"),
    "MAINTAINER": ("the old nameplate", "who made it; LABEL has replaced it"),
}
_UNKNOWN = ("a station of its own", "an instruction that this picture has no counterpart for")


def words_of(dockerfile_text: str) -> pd.DataFrame:
    """The words that a Dockerfile uses, in order of first use; COPY --from counts as a word of its own.

    Columns word, line (where it stands: "4" or "4, 9"), factory (its counterpart), meaning. Raises WorkshopError, naming
    the line, for a text that is no Dockerfile.
    """
    lines: dict[str, list[str]] = {}
    for step in parse(dockerfile_text).instructions:
        lines.setdefault(word_of(step), []).append(str(step.line))
    rows = [(word, ", ".join(at), *FACTORY.get(word, _UNKNOWN)) for word, at in lines.items()]
    return pd.DataFrame(rows, columns=["word", "line", "factory", "meaning"])


def word_of(step: Instruction) -> str:
    """The instruction's word; COPY --from is a word of its own."""
    return "COPY --from" if step.word == "COPY" and step.sources else step.word


def counterpart(step: Instruction) -> str:
    """The factory counterpart of a step's word."""
    return FACTORY.get(word_of(step), _UNKNOWN)[0]


def sentence(step: Instruction, dockerfile: Dockerfile) -> str:
    """What happens at this station, in factory words."""
    tell = _TELL.get(word_of(step))
    text = tell(step, dockerfile) if tell else _upper_first("{}: {}.".format(*FACTORY.get(word_of(step), _UNKNOWN)))
    last_word = step.word in ("CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL")
    if last_word and step.stage not in dockerfile.shipped:
        text += " Here it goes nowhere: this hall is not the one that is shipped."
    return text


def _upper_first(text: str) -> str:
    """Dockerfile words in it keep their capitals."""
    return text[:1].upper() + text[1:]


def _from(step: Instruction, dockerfile: Dockerfile) -> str:
    stage = dockerfile.stage_of(step)
    called = f" This hall is called “{stage.name}”." if stage.named else ""
    if stage.parent is not None:
        return f"No new building: this hall carries on where “{dockerfile.stages[stage.parent].name}” stopped.{called}"
    if stage.base == "scratch":
        return f"An empty plot: scratch has no tools, no shell, not one file.{called}"
    if stage.index in dockerfile.shipped:
        return f"Rent the building {stage.base}. It ships with the product, so its size is your size.{called}"
    return f"Rent the building {stage.base}, with every tool that is in it.{called}"


def _workdir(step: Instruction, dockerfile: Dockerfile) -> str:
    return f"The workbench: from here on everybody works at {_last(step)}."


def _copy(step: Instruction, dockerfile: Dockerfile) -> str:
    goods, to = _goods(step), _last(step)
    if "<<" in step.text:
        return f"Goods in: a note written in the Dockerfile itself becomes {to}."
    if goods == ".":
        goods = "all of your folder that .dockerignore lets through"
    to = "the workbench" if to in (".", "./") else to
    return f"Goods in: {goods} {'go' if ' and ' in goods else 'goes'} to {to}."


def _gate(step: Instruction, dockerfile: Dockerfile) -> str:
    goods, to = _goods(step), _last(step)
    to = "the workbench" if to in (".", "./") else to
    if not isinstance(step.source, int):
        return f"Delivered from another factory: {goods} from the image {step.source}, put at {to}."
    here = dockerfile.stages[step.source].name
    return f"Through the gate: only {goods} leaves “{here}”, and is put at {to}. The rest stays where it is."


def _run(step: Instruction, dockerfile: Dockerfile) -> str:
    command = shorten(" ".join(step.args), 70)
    text = f"A machine works once, now: {command}. What it leaves on disk becomes a layer."
    if step.source is not None:
        lender = step.source if isinstance(step.source, str) else dockerfile.stages[step.source].name
        text += f" It borrows from “{lender}” while it works."
    return text


def _arg(step: Instruction, dockerfile: Dockerfile) -> str:
    where = "The order form, before any hall opens" if step.stage is None else "A line on the order form"
    return f"{where}: {' '.join(step.args)}. Known while building only, and the build history still shows it."


def _expose(step: Instruction, dockerfile: Dockerfile) -> str:
    return f"The sign at the counter: served at port {' and '.join(step.args)}. A sign opens no door."


def _cmd(step: Instruction, dockerfile: Dockerfile) -> str:
    return f"The switch on the box: {_command(step)} runs when the customer turns it on."


def _entrypoint(step: Instruction, dockerfile: Dockerfile) -> str:
    return f"The motor in the box: {_command(step)} always runs, whatever the customer adds."


def _user(step: Instruction, dockerfile: Dockerfile) -> str:
    return f"The badge: from here on, and in the finished product, “{_last(step)}” does the work."


def _env(step: Instruction, dockerfile: Dockerfile) -> str:
    return f"A notice on the wall: {shorten(step.text[4:].strip(), 70)}. Later steps and the product can read it."


_TELL = {
    "FROM": _from,
    "WORKDIR": _workdir,
    "COPY": _copy,
    "COPY --from": _gate,
    "RUN": _run,
    "ARG": _arg,
    "EXPOSE": _expose,
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "USER": _user,
    "ENV": _env,
}


def _last(step: Instruction) -> str:
    return step.args[-1] if step.args else "nowhere"


def _goods(step: Instruction) -> str:
    """What is carried: all arguments but the last."""
    goods = step.args[:-1]
    return shorten(" and ".join(goods) if len(goods) < 3 else f"{goods[0]} and {len(goods) - 1} more", 60)


def _command(step: Instruction) -> str:
    return shorten(" ".join(step.args), 70) or "nothing"


def fate(number: int, dockerfile: Dockerfile) -> str:
    """What becomes of a hall when the line has run."""
    if number == len(dockerfile.stages) - 1:
        base = dockerfile.stages[number].base
        ground = "" if base == "scratch" else f"the building {base} and "
        return f"The box is packed: {ground}all that this hall took in or made is the image."
    if number in dockerfile.shipped:
        return f"All of “{dockerfile.stages[number].name}” goes into the box: the last hall carries on from it."
    if number in dockerfile.needed():
        return f"What passed no gate stays behind in “{dockerfile.stages[number].name}”: its tools, its sources, its scraps."
    return f"Nobody asks for anything from “{dockerfile.stages[number].name}”: BuildKit skips this hall."


def finding(dockerfile: Dockerfile) -> str:
    """The picture's title: how many halls, and what crosses into the image."""
    stages, shipped = dockerfile.stages, dockerfile.shipped
    halls = "One hall" if len(stages) == 1 else f"{len(stages)} halls"
    crossing = [
        (stages[step.source], _goods(step))
        for step in dockerfile.instructions
        if step.stage in shipped and step.word == "COPY" and isinstance(step.source, int) and step.source not in shipped
    ]
    if len(stages) == 1:
        base = stages[0].base
        ships = "only what you bring in ships" if base == "scratch" else f"all of {base} ships too"
        return f"{halls}, no gate: {ships}"
    if len(crossing) == 1:
        source, goods = crossing[0]
        return f"{halls}, one gate: only {goods} leaves “{source.name}”, the rest stays behind"
    if crossing:
        every = list(dict.fromkeys(goods for _, goods in crossing))
        named = f"{every[0]} and {every[1]}" if len(every) == 2 else f"{every[0]} and {len(every) - 1} more"
        return f"{halls}: only {named} cross into the image, the rest stays behind"
    if (parent := stages[-1].parent) is not None:
        below = stages[parent].name
        return f"{halls}, no gate: the last one carries on from “{below}” and ships all of it"
    lenders = {
        source
        for step in dockerfile.instructions
        if step.stage in shipped and step.word == "RUN"
        for source in step.sources
        if isinstance(source, int) and source not in shipped
    }
    if lenders:
        lent = " and ".join(f"“{stages[number].name}”" for number in sorted(lenders))
        return f"{halls}, no COPY between them: a RUN that ships looks into {lent} and keeps what it writes itself"
    return f"{halls}, no gate: nothing of the others reaches the image"
