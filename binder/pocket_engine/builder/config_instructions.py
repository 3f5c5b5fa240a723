"""The instructions that only configure: what each does to an image's configuration, and how the history names it.

Each takes the step with its variables replaced and returns the comment for the history, or None where nothing is
committed. Wording and rules: moby, builder/dockerfile/dispatchers.go; Dockerfile reference.
"""

from __future__ import annotations

import posixpath
import re

from ..errors import BadRequest
from . import healthcheck_instruction
from .dockerfile import Step
from .options_and_state import StageState
from .variable_expansion import expand, expand_words

_SIGNALS = re.compile(
    r"(?i)(SIG)?(HUP|INT|QUIT|ILL|TRAP|ABRT|IOT|BUS|FPE|KILL|USR1|SEGV|USR2|PIPE|ALRM|TERM|STKFLT|CHLD|CLD|CONT|STOP"
    r"|TSTP|TTIN|TTOU|URG|XCPU|XFSZ|VTALRM|PROF|WINCH|IO|POLL|PWR|SYS|RTMIN(\+\d+)?|RTMAX(-\d+)?)"
)


def env(step: Step, state: StageState) -> str:
    before = state.variables()  # ENV a=1 b=$a sees the old a (Dockerfile reference, "Environment replacement")
    pairs, current = [], dict(pair.partition("=")[::2] for pair in state.config.get("Env") or [])
    for name, value in _pairs(step, before):
        current[name] = value
        pairs.append(f"{name}={value}")
    state.config["Env"] = [f"{name}={value}" for name, value in current.items()]
    return "ENV " + " ".join(pairs)


def label(step: Step, state: StageState) -> str:
    pairs = _pairs(step, state.variables())
    state.config["Labels"] = {**(state.config.get("Labels") or {}), **dict(pairs)}
    return "LABEL " + " ".join(f"{name}={value}" for name, value in pairs)


def _pairs(step: Step, variables: dict[str, str]) -> list[tuple[str, str]]:
    words = [expand(word, variables, step.escape) for word in step.args]
    pairs = list(zip(words[::3], words[1::3]))
    if step.name == "ENV" and not all(name for name, _ in pairs):
        raise BadRequest("ENV names can not be blank")
    return pairs


def maintainer(step: Step, state: StageState) -> str:
    state.config["author"] = expand(step.args[0], state.variables(), step.escape)
    return f"MAINTAINER {state.config['author']}"


def expose(step: Step, state: StageState) -> str:
    words = sorted(expanded for word in step.args for expanded in expand_words(word, state.variables(), step.escape))
    ports = sorted({port for word in words for port in _ports(word)})
    state.config["ExposedPorts"] = {**(state.config.get("ExposedPorts") or {}), **{port: {} for port in ports}}
    return "EXPOSE " + " ".join(words)


def _ports(word: str) -> list[str]:
    """ "80", "80/udp", "8000-8010", and "8080:80", whose first half means nothing here (go-connections, nat)."""
    found = re.fullmatch(r"(?:[\d.]*:)*(\d+)(?:-(\d+))?(?:/(\w+))?", word)
    if not found:
        raise BadRequest(f"Invalid containerPort: {word}")
    first, last, protocol = int(found[1]), int(found[2] or found[1]), (found[3] or "tcp").lower()
    if protocol not in ("tcp", "udp", "sctp"):
        raise BadRequest(f"Invalid proto: {protocol}")
    if not 0 < first <= last < 65536:
        raise BadRequest(f"Invalid containerPort: {word}")
    return [f"{port}/{protocol}" for port in range(first, last + 1)]


def volume(step: Step, state: StageState) -> str:
    names = [expand(word, state.variables(), step.escape).strip() for word in step.args]
    if not all(names):
        raise BadRequest("VOLUME specified can not be an empty string")
    state.config["Volumes"] = {**(state.config.get("Volumes") or {}), **{name: {} for name in names}}
    return f"VOLUME {_go_list(names)}"


def user(step: Step, state: StageState) -> str:
    state.config["User"] = expand(step.args[0], state.variables(), step.escape)
    return f"USER {state.config['User']}"


def workdir(step: Step, state: StageState) -> str:
    path = expand(step.args[0], state.variables(), step.escape)
    if not path:
        raise BadRequest("cannot normalize nothing")
    if not path.startswith("/"):  # an absolute one stays as it was written
        path = posixpath.normpath(posixpath.join("/", state.config.get("WorkingDir") or "/", path))
    state.config["WorkingDir"] = path
    return f"WORKDIR {state.config['WorkingDir']}"


def command(step: Step, state: StageState) -> str:
    words = _words(step, state)
    state.config["Cmd"], state.cmd_set = words or None, True
    return f"CMD {healthcheck_instruction.go_quoted_list(words)}"


def entrypoint(step: Step, state: StageState) -> str:
    words = _words(step, state)
    state.config["Entrypoint"] = words or None
    if not state.cmd_set:  # the base's CMD was for the base's ENTRYPOINT
        state.config["Cmd"] = None
    return f"ENTRYPOINT {healthcheck_instruction.go_quoted_list(words)}"


def _words(step: Step, state: StageState) -> list[str]:
    if step.json:
        return list(step.args)
    return [*state.shell(), *(word for word in step.args[:1] if word)]


def shell(step: Step, state: StageState) -> str:
    if not step.args:
        raise BadRequest("SHELL requires at least one argument")
    state.config["Shell"] = list(step.args)
    return f"SHELL {_go_list(step.args)}"


def stopsignal(step: Step, state: StageState) -> str:
    name = expand(step.args[0], state.variables(), step.escape)
    if not (_SIGNALS.fullmatch(name) or (name.isdecimal() and 0 < int(name) < 65)):
        raise BadRequest(f"Invalid signal: {name}")
    state.config["StopSignal"] = name
    return f"STOPSIGNAL {name}"


def onbuild(step: Step, state: StageState) -> str:
    trigger = " ".join(step.args)
    state.config["OnBuild"] = [*(state.config.get("OnBuild") or []), trigger]
    return f"ONBUILD {trigger}"


def healthcheck(step: Step, state: StageState) -> str:
    state.config["Healthcheck"] = check = healthcheck_instruction.parse(step.args, step.flags, step.json)
    return f"HEALTHCHECK {healthcheck_instruction.go_quoted(check)}"


def _go_list(words) -> str:
    """Go's %v of a list of strings."""
    return "[" + " ".join(words) + "]"


BY_NAME = {
    "ENV": env,
    "LABEL": label,
    "MAINTAINER": maintainer,
    "EXPOSE": expose,
    "VOLUME": volume,
    "USER": user,
    "CMD": command,
    "ENTRYPOINT": entrypoint,
    "SHELL": shell,
    "STOPSIGNAL": stopsignal,
    "ONBUILD": onbuild,
    "HEALTHCHECK": healthcheck,
}
