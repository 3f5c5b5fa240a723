"""The trace of a BuildKit build, read from its stream: which line of the Dockerfile did what, when, and what it printed.

The engine wraps each of BuildKit's own messages in base64 as {"id": "moby.buildkit.trace", "aux": …}. It is a protocol buffer,
`StatusResponse` in moby/buildkit, api/services/control/control.proto:

    StatusResponse { 1 repeated Vertex; 2 repeated VertexStatus; 3 repeated VertexLog; 4 repeated VertexWarning }
    Vertex         { 1 digest; 2 repeated inputs; 3 name; 4 cached; 5 started; 6 completed; 7 error }
    VertexStatus   { 1 id; 2 vertex; … }          for example "writing image sha256:…"
    VertexLog      { 1 vertex; 2 timestamp; 3 stream; 4 msg }
    VertexWarning  { 1 vertex; 2 level; 3 short; …; 7 repeated Range { 1 start { 1 line } } }
    Timestamp      { 1 seconds; 2 nanoseconds }   google/protobuf/timestamp.proto

A vertex is one piece of work, named "[builder 2/4] RUN …" by the frontend (frontend/dockerfile/dockerfile2llb, prefixCommand).
Work that two stages have in common is one vertex, under one stage's name; lines that write metadata only have none.
"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass

from ..dockerfiles.syntax import Dockerfile, Instruction
from .protobuf import Message
from .steps import ANSI, Step

OUTPUT_LIMIT = 1 << 16  # bytes of a step's output that are kept for its last lines
WITH_VERTEX = {"RUN", "COPY", "ADD", "WORKDIR"}  # lines that have a vertex; FROM has one, too, if it names an image
EXPORTED = re.compile(r"(?:writing image|exporting manifest) (sha256:[0-9a-f]{64})")
CANCELED = "context canceled"  # the error of what was stopped because something else failed


@dataclass(frozen=True)
class Vertex:
    """One piece of work. started, completed: seconds since 1970, 0 if not yet."""

    digest: str
    name: str = ""
    cached: bool = False
    started: float = 0.0
    completed: float = 0.0
    error: str = ""

    @property
    def stage(self) -> str:
        """The stage's name as "[builder 2/4] …" has it; "" where there is none."""
        words = [word for word in self._label()[:-1] if "/" not in word]  # "linux/amd64" can stand there, too
        return words[-1] if words else ""

    @property
    def number(self) -> int:
        """2 for "[builder 2/4] …"; 0 for work that is no line of the Dockerfile."""
        found = re.fullmatch(r"(\d+)/\d+", (self._label() or [""])[-1])
        return int(found[1]) if found else 0

    @property
    def text(self) -> str:
        """The instruction; COPY --link has a second vertex "LINK COPY …"."""
        return re.sub(r"^\[[^\]]*\] (LINK )?", "", self.name)

    @property
    def seconds(self) -> float:
        return max(self.completed - self.started, 0.0) if self.completed else 0.0

    def _label(self) -> list[str]:
        found = re.match(r"\[([^\]]*)\] ", self.name)
        return found[1].split() if found else []


class BuildkitTrace:
    """What BuildKit has said so far. `feed` it every message of the stream."""

    def __init__(self, parsed: Dockerfile, target: int) -> None:
        self.parsed, self.target = parsed, target
        self.needed = parsed.needed(target)
        self.vertices: dict[str, Vertex] = {}  # by digest, each as last reported
        self.digests: dict[int, list[str]] = {}  # {number of an instruction, from 0: its vertices}
        self.new_images: list[str] = []  # ids of images as the engine begins to write them
        self.image = ""  # the result's id
        self.failure = ""  # the builder's last word, if it failed
        self.warnings: list[str] = []  # what the builder has to say about the Dockerfile
        self.bytes: dict[int, int] = {}  # {number of the instruction: what the history says that it added}
        self._output: dict[str, bytes] = {}

    def feed(self, message: dict) -> list[Vertex]:
        """Take in one message of the stream, decoded. Returns the vertices that it tells about."""
        if "error" in message or "errorDetail" in message:
            self.failure = message.get("error") or message["errorDetail"].get("message", "")
        if message.get("id") == "moby.image.id":
            self.image = message["aux"]["ID"]
        return self._read_status(base64.b64decode(message["aux"])) if message.get("id") == "moby.buildkit.trace" else []

    def instruction_of(self, vertex: Vertex) -> int | None:
        """The number of the instruction that a vertex works on; None if it is no line of the Dockerfile."""
        return next((number for number, digests in self.digests.items() if vertex.digest in digests), None)

    def output(self, digest: str) -> list[str]:
        """The last lines that a vertex printed."""
        text = ANSI.sub("", self._output.get(digest, b"").decode(errors="replace"))
        return [line for line in text.splitlines() if line.strip()]

    def last_line(self, digest: str) -> str:
        """The end of the last line that a vertex printed, for the progress."""
        text = ANSI.sub("", self._output.get(digest, b"")[-400:].decode(errors="replace")).strip()
        return text.splitlines()[-1][-80:] if text else ""

    def failed(self) -> tuple[Instruction | None, list[str]]:
        """The instruction that failed, and its last lines."""
        for vertex in self.vertices.values():
            number = self.instruction_of(vertex)
            if vertex.error and CANCELED not in vertex.error and number is not None:
                return self.parsed.instructions[number], self.output(vertex.digest)
        return None, []

    def where(self) -> str:
        """The place in the build, for a sentence."""
        started = {digest for digest, vertex in self.vertices.items() if vertex.started}
        begun = [number for number, digests in self.digests.items() if started.intersection(digests)]
        return f"step {max(begun) + 1} of the build" if begun else "the build"

    def done(self, number: int) -> bool:
        """True if all that is known to belong to an instruction is done."""
        return all(self.vertices[digest].completed for digest in self.digests[number])

    def dockerfile_steps(self) -> list[Step]:
        """The steps: every line of the Dockerfile as far as the target."""
        steps: list[Step] = []
        status = "cached"
        for number, instruction in enumerate(self.parsed.instructions):
            if instruction.stage is not None and instruction.stage > self.target:
                break
            stage = "" if instruction.stage is None else self.parsed.stages[instruction.stage].name
            status = self._status_of(number, instruction, status)
            work = [self.vertices[digest] for digest in self.digests.get(number, [])]
            step = Step(number + 1, stage, instruction.line, instruction.text, status)
            step.seconds, step.bytes = round(sum(vertex.seconds for vertex in work), 3), self.bytes.get(number, 0)
            step.began = min((vertex.started for vertex in work if vertex.started), default=math.nan)
            step.ended = max((vertex.completed for vertex in work if vertex.completed), default=math.nan)
            steps.append(step)
        return steps

    def printed(self) -> dict[int, list[str]]:
        """{step: the last lines that its program printed}, of the steps that printed any."""
        said = {
            number + 1: [line for one in work for line in self.output(one)] for number, work in self.digests.items()
        }
        return {step: said[step] for step in sorted(said) if said[step]}

    def _status_of(self, number: int, instruction: Instruction, before: str) -> str:
        """A line that writes metadata only goes with the line before it; one whose work another stage did is cached."""
        if instruction.stage is not None and instruction.stage not in self.needed:
            return "skipped"
        if instruction.word == "FROM":
            return "base"
        if number in self.digests:
            cached = all(self.vertices[digest].cached for digest in self.digests[number])
            return "cached" if cached else "run"
        return "cached" if instruction.word in WITH_VERTEX or before in ("base", "skipped") else before

    def _read_status(self, data: bytes) -> list[Vertex]:
        """Take in a StatusResponse. Returns the vertices that it tells about."""
        mentioned = []
        for number, part in Message(data).messages():
            if number == 1:
                vertex = _vertex(part)
                self.vertices[vertex.digest] = vertex
                self._assign(vertex)
                mentioned.append(vertex)
            elif number == 2:
                exported = EXPORTED.match(part.text(1))
                if exported and exported[1] not in self.new_images:
                    self.new_images.append(exported[1])
            elif number == 3:
                digest = part.text(1)
                self._output[digest] = (self._output.get(digest, b"") + part.raw(4))[-OUTPUT_LIMIT:]
                mentioned += [self.vertices[digest]] if digest in self.vertices else []
            elif number == 4 and (warning := _warning(part)) not in self.warnings:
                self.warnings.append(warning)
        return mentioned

    def _assign(self, vertex: Vertex) -> None:
        """Find the instruction of a new vertex: by its words or, where BuildKit changed them, by its number.

        BuildKit replaces variables in the text and shortens heredocs; a base's ONBUILD lines shift the numbers.
        """
        if not vertex.number or self.instruction_of(vertex) is not None:
            return
        words = vertex.text.split()
        stages = [self._with_vertex(index) for index in self._called(vertex.stage)]
        at_number = [candidates[vertex.number - 1] for candidates in stages if vertex.number <= len(candidates)]
        same_text = [
            candidate for candidates in stages for candidate in candidates if candidate[1].text.split() == words
        ]
        same_word = [candidate for candidate in at_number if candidate[1].word == words[0].upper()]
        if best := [candidate for candidate in at_number if candidate in same_text] or same_text or same_word:
            new = next((number for number, _ in best if number not in self.digests), best[0][0])
            self.digests.setdefault(new if len(stages) > 1 else best[0][0], []).append(vertex.digest)

    def _called(self, name: str) -> list[int]:
        """The stages that BuildKit means by a name: more than one if a stage without a name goes by another's name.

        A Dockerfile's only stage is not named.
        """
        return [stage.index for stage in self.parsed.stages if stage.as_built == name] or [self.target]

    def _with_vertex(self, index: int) -> list[tuple[int, Instruction]]:
        """Numbered instructions of a stage that have a vertex."""
        stage = self.parsed.stages[index]
        from_image = stage.parent is None and stage.base.lower() != "scratch"
        words = WITH_VERTEX | ({"FROM"} if from_image else set())
        numbered = enumerate(self.parsed.instructions)
        return [(number, line) for number, line in numbered if line.stage == index and line.word in words]


def _vertex(part: Message) -> Vertex:
    started, completed = _time(part.message(5)), _time(part.message(6))
    return Vertex(part.text(1), part.text(3), bool(part.integer(4)), started, completed, part.text(7))


def _warning(part: Message) -> str:
    """A warning as a sentence that begins with its line: the linter puts it last, "Rule: what is wrong (line 3)"."""
    short = part.text(3)
    if found := re.fullmatch(r"(?s)(\w+): (.*) \(line (\d+)\)", short):
        return f"Line {found[3]}: {found[2]} ({found[1]})"
    line = part.message(7).message(1).integer(1)
    return f"Line {line}: {short}" if line else short


def _time(timestamp: Message) -> float:
    return timestamp.integer(1) + timestamp.integer(2) / 1e9
