"""The Dockerfile as BuildKit gets it, and the build context that goes with it.

Three things are put in. A stage more, first, holds the build context: BuildKit reads the Dockerfile from the context that
came with the request, and applies no .dockerignore to that (frontend/dockerfile/builder), so `COPY . .` would take the
Dockerfile along, and every change of it would cost the cache. Each COPY, ADD or mounted context gets its files from there
instead; BuildKit's history does not tell `--from`, so the image's history is the learner's. Stages without a name get the
one that BuildKit would give them. And our label comes last, so that the history ends in it.
"""

from __future__ import annotations

import gzip
import json
import re
import tarfile
import tempfile
from pathlib import Path
from typing import BinaryIO

from .. import archives
from ..dockerfiles.syntax import Dockerfile, Instruction
from ..labels import LABEL
from .request import DOCKERFILE_NAME, ignores_itself, pack_context

CONTEXT_STAGE = "factory-floor-context"  # the stage that holds the build context
CONTEXT_FOLDER = "context"  # where in what is sent the context is
FIRST_STAGE = [f"FROM scratch AS {CONTEXT_STAGE}", f"COPY {CONTEXT_FOLDER}/ /"]


def rewrite(parsed: Dockerfile, index: int, label: str) -> str:
    """The Dockerfile's text as far as a stage. Line numbers grow by the length of FIRST_STAGE from the first FROM on."""
    lines = parsed.text.splitlines()
    end = parsed.stages[index + 1].line - 1 if index + 1 < len(parsed.stages) else len(lines)
    wanted = [instruction for instruction in parsed.instructions if instruction.line <= end]
    before = parsed.stages[0].line - 1  # lines before the first FROM
    text = lines[:before] + FIRST_STAGE
    for instruction, after in zip(wanted, [*wanted[1:], None]):
        if instruction.line > before:
            block = lines[instruction.line - 1 : after.line - 1 if after else end]
            text += _rewrite_block(instruction, block, parsed)
    joined = "\n".join(text).rstrip()
    return f"{joined.removesuffix(chr(92))}\nLABEL {LABEL}={label}\n"  # a last backslash would swallow our line


def without_context_stage(text: str) -> str:
    """What BuildKit calls a piece of work, without what `rewrite` put in."""
    return text.replace(f" --from={CONTEXT_STAGE}", "").replace(f",from={CONTEXT_STAGE}", "")


def renumber(message: str, parsed: Dockerfile) -> str:
    """An error's text with the line numbers of the learner's Dockerfile."""
    first = parsed.stages[0].line

    def as_written(found: re.Match[str]) -> str:
        line = int(found[1])
        return f"line {line - len(FIRST_STAGE) if line > first else line}"

    return re.sub(r"\bline (\d+)", as_written, message)


def pack_body(folder: Path, dockerfile: str) -> tuple[BinaryIO, int]:
    """What is sent, an open file, with the build context in a folder of it; and the bytes of the context alone.

    BuildKit unpacks a request's body only if its first bytes look like an archive's, as those of gzip always do.
    """
    context, count = pack_context(folder, None)
    body = tempfile.TemporaryFile()
    with context, gzip.GzipFile(fileobj=body, mode="wb", compresslevel=1) as compressed:
        with tarfile.open(fileobj=compressed, mode="w|") as target, tarfile.open(fileobj=context) as source:
            archives.add(target, DOCKERFILE_NAME, dockerfile.encode())
            archives.add(target, CONTEXT_FOLDER, None)
            for member in source:
                if member.name == ".dockerignore" and ignores_itself(folder):
                    continue
                member.name = f"{CONTEXT_FOLDER}/{member.name}"
                member.pax_headers = {}
                if member.islnk():
                    member.linkname = f"{CONTEXT_FOLDER}/{member.linkname}"
                target.addfile(member, source.extractfile(member) if member.isreg() else None)
    body.seek(0)
    return body, count


def _rewrite_block(instruction: Instruction, block: list[str], parsed: Dockerfile) -> list[str]:
    """An instruction's lines, comments after it included: as many as they were."""
    word, plain = instruction.word, not instruction.heredoc
    stage = parsed.stages[instruction.stage or 0]
    if word == "FROM" and not stage.named:
        return [f"{instruction.text} AS {stage.name}", *[""] * (len(block) - 1)]
    if word == "ADD" and plain:
        return [_rewrite_add(instruction), *[""] * (len(block) - 1)]
    text = "\n".join(block)
    if word == "COPY" and plain and not any(flag.startswith("--from=") for flag in instruction.flags):
        text = re.sub(r"^(\s*COPY)\b", rf"\1 --from={CONTEXT_STAGE}", text, count=1, flags=re.IGNORECASE)
    for flag in instruction.flags:
        text = text.replace(flag, _rewrite_flag(flag, instruction, parsed), 1)
    return text.split("\n")


def _rewrite_flag(flag: str, instruction: Instruction, parsed: Dockerfile) -> str:
    """A flag with our stage where it means the context, and a stage's name where it has its number."""
    kind = re.search(r"\btype=(\w+)", flag)
    if flag.startswith("--mount=") and "from=" not in flag and (kind is None or kind[1] == "bind"):
        return f"{flag},from={CONTEXT_STAGE}"
    number = re.search(r"\bfrom=(\d+)\b", flag)
    if number is None or int(number[1]) not in instruction.sources:
        return flag
    return flag.replace(number[0], f"from={parsed.stages[int(number[1])].name}")


def _rewrite_add(instruction: Instruction) -> str:
    """ADD takes no --from, so its sources are looked for in the folder."""
    text = instruction.text.split(maxsplit=1)[1].lstrip()
    for flag in instruction.flags:
        text = text.removeprefix(flag).lstrip()
    words = json.loads(text) if (listed := text.startswith("[")) else text.split()
    *sources, destination = words
    sources = [word if re.match(r"\w+://|git@", word) else f"{CONTEXT_FOLDER}/{word.lstrip('/')}" for word in sources]
    arguments = [*sources, destination]
    return " ".join(["ADD", *instruction.flags, json.dumps(arguments) if listed else " ".join(arguments)])
