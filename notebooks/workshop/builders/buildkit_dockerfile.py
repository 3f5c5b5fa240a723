"""The Dockerfile as BuildKit gets it, and the build context that goes with it.

Three things are put in. A stage more, first, holds the build context: BuildKit reads the Dockerfile from the context that
came with the request, and applies no .dockerignore to that (frontend/dockerfile/builder), so `COPY . .` would take the
Dockerfile along, and every change of it would cost the cache. Each COPY, ADD or mounted context gets its files from there
instead; BuildKit's history does not tell `--from`, so the image's history is the learner's. Stages without a name get the
one that BuildKit would give them. And our label comes last, so that the history ends in it.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
import tempfile
from pathlib import Path
from typing import BinaryIO

from ..dockerfiles.syntax import Dockerfile, Instruction
from ..labels import LABEL
from .request import IN_CONTEXT, drops_itself, pack_context

CONTEXT = "factory-floor-context"  # the stage that holds the build context
FOLDER = "context"  # where in what is sent the context is
PRELUDE = f"FROM scratch AS {CONTEXT}\nCOPY {FOLDER}/ /\n"
SHIFT = PRELUDE.count("\n")


def written(parsed: Dockerfile, index: int, label: str) -> str:
    """The Dockerfile's text as far as a stage. Line numbers grow by SHIFT from the first FROM on."""
    lines = parsed.text.splitlines()
    end = parsed.stages[index + 1].line - 1 if index + 1 < len(parsed.stages) else len(lines)
    wanted = [one for one in parsed.instructions if one.line <= end]
    first = parsed.stages[0].line - 1
    text = lines[:first] + PRELUDE.splitlines()
    for one, after in zip(wanted, [*wanted[1:], None]):
        if one.line > first:
            block = lines[one.line - 1 : after.line - 1 if after else end]
            text += _rewritten(one, block, parsed)
    joined = "\n".join(text).rstrip()
    return f"{joined.removesuffix(chr(92))}\nLABEL {LABEL}={label}\n"  # a last backslash would swallow our line


def as_read(text: str) -> str:
    """What BuildKit calls a piece of work, without what `written` put in."""
    return text.replace(f" --from={CONTEXT}", "").replace(f",from={CONTEXT}", "")


def own_lines(message: str, parsed: Dockerfile) -> str:
    """An error's text with the line numbers of the learner's Dockerfile."""
    first = parsed.stages[0].line
    return re.sub(
        r"\bline (\d+)", lambda found: f"line {int(found[1]) - (SHIFT if int(found[1]) > first else 0)}", message
    )


def pack(folder: Path, dockerfile: str) -> tuple[BinaryIO, int]:
    """What is sent, an open file, with the build context in a folder of it; and the bytes of the context alone.

    BuildKit unpacks a request's body only if its first bytes look like an archive's, as those of gzip always do.
    """
    packed, count = pack_context(folder, None)
    body = tempfile.TemporaryFile()
    with packed, gzip.GzipFile(fileobj=body, mode="wb", compresslevel=1) as squeezed:
        with tarfile.open(fileobj=squeezed, mode="w|") as there, tarfile.open(fileobj=packed) as here:
            text = dockerfile.encode()
            entry = tarfile.TarInfo(IN_CONTEXT)
            entry.size = len(text)
            there.addfile(entry, io.BytesIO(text))
            top = tarfile.TarInfo(FOLDER)
            top.type, top.mode = tarfile.DIRTYPE, 0o755
            there.addfile(top)
            for member in here:
                if member.name == ".dockerignore" and drops_itself(folder):
                    continue
                member.name = f"{FOLDER}/{member.name}"
                member.pax_headers = {}
                if member.islnk():
                    member.linkname = f"{FOLDER}/{member.linkname}"
                there.addfile(member, here.extractfile(member) if member.isreg() else None)
    body.seek(0)
    return body, count


def _rewritten(one: Instruction, block: list[str], parsed: Dockerfile) -> list[str]:
    """An instruction's lines, comments after it included: as many as they were."""
    if one.word == "FROM" and not parsed.stages[one.stage].named:
        return [f"{one.text} AS {parsed.stages[one.stage].name}", *[""] * (len(block) - 1)]
    if one.word == "ADD" and not one.heredoc:
        return [_add(one), *[""] * (len(block) - 1)]
    text = "\n".join(block)
    if one.word == "COPY" and not one.heredoc and not any(flag.startswith("--from=") for flag in one.flags):
        text = re.sub(r"^(\s*COPY)\b", rf"\1 --from={CONTEXT}", text, count=1, flags=re.IGNORECASE)
    for flag in one.flags:
        text = text.replace(flag, _flag(flag, one, parsed), 1)
    return text.split("\n")


def _flag(flag: str, one: Instruction, parsed: Dockerfile) -> str:
    """A flag with our stage where it means the context, and a stage's name where it has its number."""
    kind = re.search(r"\btype=(\w+)", flag)
    if flag.startswith("--mount=") and "from=" not in flag and (kind is None or kind[1] == "bind"):
        return f"{flag},from={CONTEXT}"
    number = re.search(r"\bfrom=(\d+)\b", flag)
    known = number is not None and int(number[1]) in one.sources
    return flag.replace(number[0], f"from={parsed.stages[int(number[1])].name}") if known else flag


def _add(one: Instruction) -> str:
    """ADD takes no --from, so its sources are looked for in the folder."""
    text = one.text.split(maxsplit=1)[1].lstrip()
    for flag in one.flags:
        text = text.removeprefix(flag).lstrip()
    words = json.loads(text) if (listed := text.startswith("[")) else text.split()
    here = [word if re.match(r"\w+://|git@", word) else f"{FOLDER}/{word.lstrip('/')}" for word in words[:-1]]
    return " ".join(["ADD", *one.flags, json.dumps([*here, words[-1]]) if listed else " ".join([*here, words[-1]])])
