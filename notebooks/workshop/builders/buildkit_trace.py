"""What BuildKit's stream says, understood: which line of the Dockerfile did what, when, and what it printed.

The engine wraps each of BuildKit's own messages in base64 as {"id": "moby.buildkit.trace", "aux": …}. It is a protocol buffer,
`StatusResponse` in moby/buildkit, api/services/control/control.proto:

    StatusResponse { 1 repeated Vertex; 2 repeated VertexStatus; 3 repeated VertexLog }
    Vertex         { 1 digest; 2 repeated inputs; 3 name; 4 cached; 5 started; 6 completed; 7 error }
    VertexStatus   { 1 id; 2 vertex; … }          for example "writing image sha256:…"
    VertexLog      { 1 vertex; 2 timestamp; 3 stream; 4 msg }
    Timestamp      { 1 seconds; 2 nanoseconds }   google/protobuf/timestamp.proto

A vertex is one piece of work, named "[builder 2/4] RUN …" by the frontend (frontend/dockerfile/dockerfile2llb, prefixCommand).
Work that two stages have in common is one vertex, under one stage's name; lines that write metadata only have none.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from ..dockerfiles.syntax import Dockerfile, Instruction
from .buildkit_dockerfile import CONTEXT, as_read
from .classic_log import ANSI, Step
from .wire import fields

KEPT = 1 << 16  # bytes of a step's output that are kept for its last lines
WORK = ("RUN", "COPY", "ADD", "WORKDIR")  # lines that have a vertex; FROM has one, too, if it names an image
MADE = re.compile(r"(?:writing image|exporting manifest) (sha256:[0-9a-f]{64})")
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
        return as_read(re.sub(r"^\[[^\]]*\] (LINK )?", "", self.name))

    @property
    def seconds(self) -> float:
        return max(self.completed - self.started, 0.0) if self.completed else 0.0

    def _label(self) -> list[str]:
        found = re.match(r"\[([^\]]*)\] ", self.name)
        return found[1].split() if found else []


class Trace:
    """A build as told so far. `feed` it every message of the stream."""

    def __init__(self, parsed: Dockerfile, target: int):
        self.parsed, self.target = parsed, target
        self.needed = parsed.needed(target)
        self.vertices: dict[str, Vertex] = {}  # by digest, each as last told
        self.work: dict[int, list[str]] = {}  # {number of the instruction, from 0: digests of its vertices}
        self.made: list[str] = []  # ids of images as the engine begins to write them
        self.image = ""  # the result's id
        self.failure = ""  # the builder's last word, if it failed
        self.foreign = False  # another builder answers
        self.bytes: dict[int, int] = {}  # {number of the instruction: what the history says that it added}
        self._output: dict[str, bytes] = {}

    def feed(self, message: dict) -> list[Vertex]:
        """Take in one message of the stream, decoded. Returns the vertices that it tells about."""
        if "error" in message or "errorDetail" in message:
            self.failure = message.get("error") or message["errorDetail"].get("message", "")
        if re.match(r"(\[\d+/\d+\] )?step \d+/\d+", message.get("stream", ""), re.IGNORECASE):
            self.foreign = True
        if message.get("id") == "moby.image.id":
            self.image = message["aux"]["ID"]
        return self._status(base64.b64decode(message["aux"])) if message.get("id") == "moby.buildkit.trace" else []

    def instruction_of(self, vertex: Vertex) -> int | None:
        """The number of the instruction that a vertex works on; None if it is no line of the Dockerfile."""
        return next((number for number, digests in self.work.items() if vertex.digest in digests), None)

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
        begun = [number for number, digests in self.work.items() if any(self.vertices[one].started for one in digests)]
        return f"step {max(begun) + 1} of the build" if begun else "the build"

    def done(self, number: int) -> bool:
        """True if all that is known to belong to an instruction is done."""
        return all(self.vertices[one].completed for one in self.work[number])

    def lines(self) -> list[Step]:
        """The steps: every line of the Dockerfile as far as the target."""
        steps, before = [], "cached"
        for number, one in enumerate(self.parsed.instructions):
            if one.stage is not None and one.stage > self.target:
                break
            name = "" if one.stage is None else self.parsed.stages[one.stage].name
            before = self._status_of(number, one, before)
            spent = sum(self.vertices[digest].seconds for digest in self.work.get(number, []))
            step = Step(number + 1, name, one.line, one.text, before, 0.0, round(spent, 3))
            step.bytes = self.bytes.get(number, 0)
            steps.append(step)
        return steps

    def _status_of(self, number: int, one: Instruction, before: str) -> str:
        """A line that writes metadata only goes with the line before it; one whose work another stage did is cached."""
        if one.stage is not None and one.stage not in self.needed:
            return "skipped"
        if one.word == "FROM":
            return "base"
        if number in self.work:
            return "cached" if all(self.vertices[digest].cached for digest in self.work[number]) else "run"
        return "cached" if one.word in WORK or before in ("base", "skipped") else before

    def _status(self, data: bytes) -> list[Vertex]:
        told = []
        for number, value in fields(data):
            if number == 1:
                vertex = _vertex(value)
                self.vertices[vertex.digest] = vertex
                self._place(vertex)
                told.append(vertex)
            elif number == 2:
                found = MADE.match(_text(dict(fields(value)).get(1, b"")))
                self.made += [found[1]] if found and found[1] not in self.made else []
            elif number == 3:
                log = dict(fields(value))
                digest = _text(log.get(1, b""))
                self._output[digest] = (self._output.get(digest, b"") + log.get(4, b""))[-KEPT:]
                told += [self.vertices[digest]] if digest in self.vertices else []
        return told

    def _place(self, vertex: Vertex) -> None:
        """Find the instruction of a new vertex: by its words or, where BuildKit changed them, by its number.

        BuildKit replaces variables in the text and shortens heredocs; a base's ONBUILD lines shift the numbers.
        """
        if not vertex.number or vertex.stage == CONTEXT or self.instruction_of(vertex) is not None:
            return
        words, lines = vertex.text.split(), self._stage_lines(vertex)
        counted = lines[vertex.number - 1 : vertex.number]
        same = [one for one in lines if one[1].text.split() == words]
        alike = [one for one in counted if one[1].word == words[0].upper()]
        if best := [one for one in counted if one in same] or same or alike:
            self.work.setdefault(best[0][0], []).append(vertex.digest)

    def _stage_lines(self, vertex: Vertex) -> list[tuple[int, Instruction]]:
        """Numbered instructions of the vertex's stage that have a vertex. A Dockerfile's only stage is not named."""
        index = next((one.index for one in self.parsed.stages if one.name.lower() == vertex.stage), self.target)
        own = [(number, one) for number, one in enumerate(self.parsed.instructions) if one.stage == index]
        stage = self.parsed.stages[index]
        from_image = stage.parent is None and stage.base.lower() != "scratch"
        return [one for one in own if one[1].word in WORK or (one[1].word == "FROM" and from_image)]


def _vertex(data: bytes) -> Vertex:
    told = dict(fields(data))
    return Vertex(
        _text(told.get(1, b"")),
        _text(told.get(3, b"")),
        bool(told.get(4)),
        _time(told.get(5)),
        _time(told.get(6)),
        _text(told.get(7, b"")),
    )


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _time(value: bytes | None) -> float:
    told = dict(fields(value or b""))
    return told.get(1, 0) + told.get(2, 0) / 1e9
