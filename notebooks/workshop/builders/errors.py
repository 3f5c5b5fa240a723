"""What a failed build says: the Dockerfile's line, the command, its last words, and a hint where the cause is common."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import docker

from ..dockerfiles.syntax import Dockerfile, Instruction, Stage
from ..errors import WorkshopError

LAST_LINES = 15

NEEDS_BUILDKIT = 'This needs BuildKit, which every Docker Engine has: leave out builder="classic" there.'

# What BuildKit puts in front of its reasons.
WRAPPING = re.compile(
    r"^(failed to (solve|create|compute|calculate)( with frontend| LLB definition| cache key| checksum of ref)?( [\w.:-]+)?: )+"
)

# What an engine says when another build made the same image, or a prune took a layer away, while it was at work: containerd's,
# Docker's and Podman's stores name things of their own, which no line of a Dockerfile can mend.
COLLISION = re.compile(
    r"\b(snapshot|image|layer|content|lease|manifest|blob)\b.*already exists|AlreadyExists|(layer|image) not known"
    r"|No such image|(?<![@\w])sha256:[0-9a-f]{12,}.*(not found|does not exist|no such file)",
    re.IGNORECASE,
)
# What a program or a missing file is at fault for, whatever words are in the command.
NO_COLLISION = re.compile(
    r"non-zero code|exit (status|code)|did not complete|(COPY|ADD) failed|checksum of ref|build context"
)

# (what the output or the engine says, what it means and what to do); the first that fits is shown.
HINTS = (
    (
        r"no space left on device|ENOSPC",
        "The engine's disk is full. `workshop.tidy(client)` removes what this workshop made.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|self.signed certificate|unknown authority",
        "This network intercepts TLS. Point SSL_CERT_FILE at your organisation's CA bundle, restart the kernel, and let "
        "`workshop.bases.renew(client)` put it into the base images.",
    ),
    (
        r"Temporary failure in name resolution|Name or service not known|Could not resolve|bad address|EAI_AGAIN"
        r"|Network is unreachable|NewConnectionError|Temporary failure resolving",
        "The build has no network: is this machine online, and may containers reach the outside?",
    ),
    (
        r"network bridge not found",
        "This engine was started without a network for containers (--bridge=none), and BuildKit wants one for RUN: "
        'workshop.build(…, builder="classic") does without.',
    ),
    (
        r"No matching distribution found|Could not find a version|Unable to locate package|has no installation candidate"
        r"|no such package|npm (ERR!|error) 404",
        "No such package or version. Check the spelling; apt wants `apt-get update` in the same RUN.",
    ),
    (r"^COPY (.* )?-from", "A flag takes two dashes: --from=stage."),
    (
        r"^COPY .*--from=(.|\n)*(file does not exist|not found|no such file)",
        "That stage has no such file. Which line of it makes the file, and where?",
    ),
    (
        r"COPY failed|ADD failed|file not found in build context|forbidden path outside the build context|no source files"
        r"|copier: stat|no items matching glob|^(COPY|ADD) (.|\n)*\"\S*\"( not found)?: not found",
        "That file is not in the build context. Only files in the app's folder that .dockerignore lets through can be "
        "copied; a stage's own files need `COPY --from=stage`.",
    ),
    (
        r"invalid from flag value|pull access denied .*(stage|builder)",
        "`--from` names neither an earlier stage nor an image.",
    ),
    (
        r"docker/dockerfile\b.*(no such host|failed to do request)",
        "The line `# syntax=…` asks for a frontend from a registry, which this machine cannot reach: leave that line out.",
    ),
    (
        r"secret \S+( not found)?: not found",  # BuildKit of 20.10 says it twice
        "The build was given no such secret: workshop.build(…, secrets={id: text or path}).",
    ),
    (r"[Uu]nknown flag", "This engine's builder is older than that flag: leave it out, or use a newer engine."),
    (
        r"--mount option requires BuildKit|the --\w+ option requires BuildKit|[Hh]eredoc|dockerfile parse error.*<<",
        NEEDS_BUILDKIT,
    ),
    (
        r"not found$|not found\)|: not found|executable file not found|(non-zero code:|exit status|exit code:) 127",
        "That command is not in this image. Which base has it, or is it misspelt?",
    ),
    (r"Permission denied|permission denied", "The step's user may not do that. Which USER is in force there?"),
    (r"(non-zero code:|exit status|exit code:) 137|Killed", "The step was killed: most likely it ran out of memory."),
)


class BuildError(WorkshopError):
    """A build step failed. line and command: where (None if before the first step); output: its last lines; hint: or ""."""

    def __init__(
        self, what: str, remedy: str, state: str, line: int | None, command: str, output: list[str], hint: str
    ):
        super().__init__(what, remedy, state)
        self.line, self.command, self.output, self.hint = line, command, output, hint

    def __str__(self) -> str:
        lines = [self.what]
        if self.output:
            many = f"Its last {len(self.output)} lines:" if len(self.output) > 1 else "It said:"
            lines += [many, *(f"    {line}" for line in self.output)]
        if self.hint:
            lines.append(f"Hint: {self.hint}")
        return "\n".join([*lines, " ".join(part for part in (self.remedy, self.state) if part)])


def hint(*texts: str) -> str:
    """The first hint whose signs occur in the texts, or ""."""
    everything = "\n".join(texts)
    return next((advice for signs, advice in HINTS if re.search(signs, everything, re.MULTILINE | re.IGNORECASE)), "")


def failed(
    message: str, instruction: Instruction | None, output: list[str], kept: bool, begun: bool = False
) -> BuildError:
    """The error for a message of the builder's stream. kept: whether the good steps stay cached. begun: whether there are any."""
    last = output[-LAST_LINES:]
    if is_collision(message):
        return collided(message, instruction)
    if instruction is None:
        where = "The build failed, at none of its steps" if begun else "The build failed before its first step"
        line, command = None, ""
    else:
        where, line, command = f"Line {instruction.line} of the Dockerfile failed", instruction.line, instruction.text
    code = re.search(r"(?:returned a non-zero code:|exit status|exit code:) (\d+)", message)
    why = f"exit code {code[1]}" if code else message.strip()
    what = f"{where} ({why}):\n    {command}" if command else f"{where}: {why}"
    state = "The steps before it are cached, so a next build is quick." if kept else "Nothing was tagged."
    remedy = "Mend that line and run the cell again." if command else "Run the cell again."
    return BuildError(what, remedy, state, line, command, last, hint(command, message, *last))


def is_collision(message: str) -> bool:
    """True for what the engine says when something else was changing its store at the same time."""
    return bool(COLLISION.search(message)) and not NO_COLLISION.search(message)


def collided(message: str, instruction: Instruction | None = None) -> BuildError:
    """The error for a build that something else on the engine got in the way of. No line of the Dockerfile is wrong."""
    where = f" at line {instruction.line}" if instruction else ""
    what = f"Something else got in the way of this build{where}, and the Dockerfile is not at fault: {message.strip()}"
    remedy = (
        "Another build of the same at the same time does that, or a prune: wait for its end, then run the cell again."
    )
    line, command = (instruction.line, instruction.text) if instruction else (None, "")
    return BuildError(what, remedy, "Nothing was tagged.", line, command, [], "")


def no_such_source(name: str, dockerfile: Dockerfile, reason: WorkshopError) -> WorkshopError:
    """The error for a `--from` that names no stage, and no image that could be had either."""
    stages = ", ".join(stage.name if stage.named else f"number {stage.index}" for stage in dockerfile.stages)
    return WorkshopError(
        f"`--from={name}` names neither an earlier stage (there are: {stages}) nor an image that can be had here.",
        "Mend the name and run the cell again.",
        reason.state,
    )


def refuse_heredocs(dockerfile: Dockerfile) -> None:
    """Raise BuildError for a heredoc: some classic builders take `RUN <<EOF` and then silently run nothing."""
    for step in dockerfile.instructions:
        if step.heredoc:
            what = f"Line {step.line} of the Dockerfile uses a heredoc:\n    {step.text}"
            remedy = f"{_without_heredoc(step)}, and run the cell again."
            raise BuildError(what, remedy, "Nothing was built.", step.line, step.text, [], hint("heredoc"))


# Flags that Docker's classic builder takes without a word and does not heed (moby, builder/dockerfile, dispatchCopy and
# dispatchAdd): what was to stay out would be copied, and a download's checksum not looked at.
UNHEEDED = ("--exclude", "--parents", "--checksum", "--keep-git-dir", "--unpack")


def unheeded(dockerfile: Dockerfile, stages: Collection[int]) -> BuildError | None:
    """The error for a flag that the classic builder would pass over. stages: the numbers of those that are built."""
    for step in dockerfile.instructions:
        for flag in step.flags if step.word in ("COPY", "ADD") and step.stage in stages else ():
            if flag.partition("=")[0] in UNHEEDED:
                what = f"Line {step.line} of the Dockerfile has a flag that the classic builder passes over:\n    {step.text}"
                remedy = f"Leave {flag.partition('=')[0]} out, and run the cell again."
                return BuildError(what, remedy, "Nothing was built.", step.line, step.text, [], hint("heredoc"))
    return None


def refuse_no_names(dockerfile: Dockerfile, stages: Collection[int]) -> None:
    """Raise WorkshopError for a FROM whose variables leave no image's name (distribution/reference, "Grammar").

    stages: the numbers of those that are built.
    """
    for stage in (dockerfile.stages[index] for index in stages):
        if stage.parent is None and not re.match(r"[A-Za-z0-9]([\w./:@-]*[A-Za-z0-9_])?$", stage.base):
            raise WorkshopError(
                f"Line {stage.line} of the Dockerfile builds on {stage.base!r}, which is no image's name.",
                "A variable in a FROM line needs an ARG line before the first FROM, with a default or a value in buildargs.",
                "Nothing was built.",
            )


def refuse_same_names(dockerfile: Dockerfile, target: int) -> None:
    """Raise WorkshopError if two stages up to the target go by one name, by which each would be kept.

    The classic builder refuses that; BuildKit warns (build check "DuplicateStageName"), and means the later one.
    """
    seen: dict[str, Stage] = {}
    for stage in dockerfile.stages[: target + 1]:
        first = seen.setdefault(stage.name.lower(), stage)
        if first is not stage:
            raise WorkshopError(
                f"Two stages are called {stage.name}, on line {first.line} and on line {stage.line} of the Dockerfile.",
                "Give each a name of its own: FROM image AS name.",
                "Nothing was built.",
            )


def _without_heredoc(step: Instruction) -> str:
    """How a line does without its heredoc: commands are joined, and a file is one of the folder's."""
    if step.word == "RUN":
        return "Write it with && and \\ instead"
    return f"Put the text into a file of the app's folder instead and {step.word} that"


def refuse_secrets(secrets: Iterable[str]) -> None:
    """Raise WorkshopError for secrets, which the classic builder has no way to pass to a step."""
    if names := ", ".join(secrets):
        what = f"The classic builder passes no secrets to a build ({names})."
        raise WorkshopError(what, NEEDS_BUILDKIT, "Nothing was built.")


def refused(error: docker.errors.APIError, dockerfile: Dockerfile) -> BuildError:
    """The error for a build that the engine refused outright, such as one whose Dockerfile it cannot parse."""
    return _refused(str(error.explanation or error), dockerfile)


def _refused(message: str, dockerfile: Dockerfile) -> BuildError:
    if is_collision(message):
        return collided(message)
    found = re.search(r"line (\d+)", message)
    line = int(found[1]) if found else None
    command = next((step.text for step in dockerfile.instructions if step.line == line), "")
    what = f"The engine refused the build: {message.strip()}"
    remedy = "Mend the Dockerfile and run the cell again."
    return BuildError(what, remedy, "Nothing was built.", line, command, [], hint(message))


def not_sent(reason: Exception) -> WorkshopError:
    """The error for a build that the engine could not be sent something for."""
    if isinstance(reason, WorkshopError):
        return WorkshopError(reason.what, reason.remedy, reason.state or "Nothing was built.")
    what = f"The engine could not be sent what this build needs: {reason}."
    return WorkshopError(what, "Run the cell again.", "Nothing was built.")


def buildkit_failed(
    message: str, instruction: Instruction | None, output: list[str], dockerfile: Dockerfile, begun: bool = False
) -> BuildError:
    """The error for a build that failed on BuildKit. Its messages begin with what it was doing, layer by layer."""
    if is_collision(message):
        return collided(message, instruction)
    message = WRAPPING.sub("", message)
    if instruction or "parse error" not in message:
        return failed(message, instruction, output, kept=instruction is not None, begun=begun)
    if not any(step.heredoc for step in dockerfile.instructions):
        return _refused(message, dockerfile)
    step = next(step for step in dockerfile.instructions if step.heredoc)
    what = f"This engine's BuildKit does not know heredocs, as line {step.line} has one:\n    {step.text}"
    remedy = f"{_without_heredoc(step)}, or use Docker Engine 23 or newer."
    return BuildError(what, remedy, "Nothing was built.", step.line, step.text, [], "")
