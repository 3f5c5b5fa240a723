"""What a build was asked to do, and where it stands."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # as Docker sets it where an image has none
PREDEFINED = {  # build arguments that need no ARG, and that neither history nor cache knows (Dockerfile reference, ARG)
    name
    for word in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (word, word.lower())
}


@dataclass(frozen=True)
class BuildOptions:
    """As the parameters of POST /build."""

    dockerfile: str = "Dockerfile"
    dockerfile_text: str | None = None
    tags: Sequence[str] = ()
    target: str = ""
    buildargs: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    nocache: bool = False
    pull: bool = False
    rm: bool = True
    forcerm: bool = False
    network: str = ""
    platform: str = ""
    cache_from: Sequence[str] = ()


@dataclass
class StageState:
    """One stage under way: the image so far, and the configuration that the next image gets."""

    name: str
    image: str | None = None  # id; None before the first image of a stage from scratch
    config: dict = field(default_factory=dict)
    diff_ids: list[str] = field(default_factory=list)
    base_config: dict = field(default_factory=dict)  # of the image that this stage began from
    args: dict[str, str] = field(default_factory=dict)  # declared by ARG in this stage, with their values
    container: str = ""  # id of what this step runs in
    cache_busted: bool = False  # one step missed: those after it are not looked up
    cmd_set: bool = False  # CMD came in this stage: ENTRYPOINT does not reset it

    def env(self) -> dict[str, str]:
        """The variables of ENV."""
        return dict(pair.partition("=")[::2] for pair in self.config.get("Env") or [])

    def variables(self) -> dict[str, str]:
        """What the words of an instruction may name: ENV wins over ARG (Dockerfile reference, "Using ARG variables")."""
        return {**self.args, **self.env()}

    def shell(self) -> list[str]:
        """The words that a shell form is appended to."""
        return list(self.config.get("Shell") or ["/bin/sh", "-c"])

    def copy_config(self) -> dict:
        return copy.deepcopy(self.config)
