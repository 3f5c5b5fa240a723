"""One build: its stages in order, each step announced, looked up in the cache, or done."""

from __future__ import annotations

import datetime
import re
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

from e2b_dockerfile_utils import PatternMatcher

from .. import reference_grammar
from ..engine_services import EngineServices
from ..errors import BadRequest, EngineError, Interrupted, NoSpace, NotFound, no_space
from ..registry import pull
from ..rootfs import RootFilesystem
from ..store.entries import DIRECTORY
from ..store.images import Image
from . import commit_and_cache, config_instructions, dockerfile, run_instruction, stage_users
from .build_context import BuildContext, temporary_folder
from .commit_and_cache import EMPTY, nop_command
from .copy_step import CopyStep
from .dockerfile import Plan, Stage, Step
from .options_and_state import PATH, PREDEFINED, BuildOptions, StageState
from .upper_dir import UpperDir
from .variable_expansion import expand


class Build:
    """Made for one build. `run` does it."""

    def __init__(
        self,
        engine: EngineServices,
        context: Path | None,
        options: BuildOptions,
        say: Callable[[dict], None],
        stop: threading.Event,
    ):
        self.engine, self.options, self.say, self.stop = engine, options, say, stop
        self.images, self.layers = engine.images, engine.layers
        self._archive = context
        self.context: BuildContext | None = None
        self.finished_stages: list[StageState] = []
        self.global_args: dict[str, str] = {}  # ARGs ahead of the first FROM
        self.consumed_build_args: set[str] = set()  # build arguments that some ARG took
        self.rootfs: RootFilesystem | None = None
        self.total = self.number = 0
        self._quiet = False  # a trigger does not say which image it made

    def run(self) -> str:
        with temporary_folder(self.engine.work) as folder, self.images.lease() as self.leased:
            self.folder = Path(folder)
            try:
                with no_space(self.engine.folder):
                    return self._build()
            except NoSpace:  # what is only kept makes room for the next attempt
                self.engine.rootfs_manager.drop_unused()
                raise
            finally:
                if self.rootfs:
                    self.engine.rootfs_manager.release(self.rootfs)

    def _build(self) -> str:
        if self._archive is not None:
            self.context = BuildContext(self._archive, self.folder)
        plan = dockerfile.parse(self._text()).up_to_target(self.options.target)
        self._hide_ignored()
        if self.options.labels:
            plan.stages[-1].steps += [_label_step(*pair) for pair in sorted(self.options.labels.items())]
        self.total = plan.count()
        for words in plan.warnings:
            self._stream(f"\x1b[91m{words}\x1b[0m")
        self._take_global_args(plan)
        for stage in plan.stages:
            self._stage(stage)
        self._warn_unused()
        image = self.finished_stages[-1].image
        assert image
        self._stream(f"Successfully built {_short(image)}\n")
        for tag in self.options.tags:
            self.images.tag(image, tag)
            self._stream(f"Successfully tagged {_full(tag)}\n")
        return image

    # What is built, from what

    def _text(self) -> str:
        if self.options.dockerfile_text is not None:
            return self.options.dockerfile_text
        name = self.options.dockerfile or "Dockerfile"
        try:
            data = self.context.read(name.lstrip("/")) if self.context else b""
        except KeyError:
            raise BadRequest(f"Cannot locate specified Dockerfile: {name}") from None
        if not data.strip():
            raise BadRequest(f"the Dockerfile ({name}) cannot be empty")
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise BadRequest(f"the Dockerfile ({name}) is not UTF-8 text") from None

    def _hide_ignored(self) -> None:
        """The client leaves out what .dockerignore names, but for two files that the builder itself needs."""
        if not self.context or ".dockerignore" not in self.context.entries:
            return
        try:
            matcher = PatternMatcher(self.context.read(".dockerignore").decode("utf-8", "replace").splitlines())
        except ValueError:
            return  # the client has refused it, or has its own reading of it
        for name in (".dockerignore", self.options.dockerfile or "Dockerfile"):
            if matcher.matches(name):
                self.context.remove(name)

    def _take_global_args(self, plan: Plan) -> None:
        for step in plan.global_args:
            self._announce(step)
            for name, default in _arguments(step, self.global_args):
                self.global_args[name] = self._argument(name, default) or ""

    def _argument(self, name: str, default: str | None) -> str | None:
        if name in self.options.buildargs:
            self.consumed_build_args.add(name)
            given = self.options.buildargs[name]
            return default if given is None else given
        return default

    def _warn_unused(self) -> None:
        unused = sorted(set(self.options.buildargs) - self.consumed_build_args - PREDEFINED)
        if unused:
            self._stream(f"[Warning] One or more build-args [{' '.join(unused)}] were not consumed\n")

    # Stages

    def _stage(self, stage: Stage) -> None:
        if stage.name and any(finished.name == stage.name for finished in self.finished_stages):
            raise BadRequest(f"{stage.name} stage name already used")
        self._announce(stage.start)
        state = StageState(stage.name)
        base = expand(stage.base, self._predefined() | self.global_args, stage.start.escape)
        if not base:
            raise BadRequest(f"base name ({stage.base}) should not be blank")
        earlier = dockerfile.find_stage(self.finished_stages, base) if not base.isdecimal() else None
        if earlier is not None:
            image_id = self.finished_stages[earlier].image
            self._begin(state, self.images.find(image_id) if image_id else None)
        elif base.lower() == "scratch":
            self._begin(state, None)
        else:
            self._begin(state, self.image(base))
        triggers = list(state.config.get("OnBuild") or [])
        if triggers:
            state.config["OnBuild"] = None
            self._stream(f"# Executing {len(triggers)} build trigger{'s' if len(triggers) > 1 else ''}\n")
        self._quiet = True
        for trigger in triggers:
            self._step(dockerfile.parse_instruction(trigger), state)
        self._quiet = False
        self._stream(f" ---> {_short(state.image or '')}\n")
        for step in stage.steps:
            self._announce(step)
            self._step(step, state)
        if state.image is None:
            raise BadRequest("No image was generated. Is your Dockerfile empty?")
        self.finished_stages.append(state)
        self.say({"aux": {"ID": state.image}})

    def _begin(self, state: StageState, image: Image | None) -> None:
        if image is None:
            state.config = {**commit_and_cache.empty_config(), "Env": [f"PATH={PATH}"]}
            return
        state.image = image.id
        state.diff_ids = image.diff_ids
        state.config = {**commit_and_cache.empty_config(), **(image.config.get("config") or {}), "Image": image.id}
        if not any(pair.startswith("PATH=") for pair in state.config.get("Env") or []):
            state.config["Env"] = [f"PATH={PATH}", *(state.config.get("Env") or [])]

    def image(self, name: str) -> Image:
        """An image of the store, pulled if it is not there. Raises NotFound, BadRequest."""
        if not self.options.pull:
            try:
                return self.images.find(name)
            except NotFound:
                pass
        repository, tag = reference_grammar.split(name)
        messages = pull(
            self.images,
            self.layers,
            self.engine.blobs,
            repository.familiar,
            tag or "latest",
            platform=self.options.platform or None,
            mirrors=self.engine.mirrors,
            stop=self.stop,
        )
        for message in messages:
            self.say(message)
        return self.images.find(name)

    # Steps

    def _step(self, step: Step, state: StageState) -> None:
        if self.stop.is_set():
            raise Interrupted("The build was stopped.")
        if step.name == "ARG":
            self._arg(step, state)
        elif step.name == "RUN":
            self._run(step, state)
        elif step.name in ("COPY", "ADD"):
            self._copy(step, state)
        elif step.name == "WORKDIR":
            self._workdir(step, state)
        else:
            if step.name == "HEALTHCHECK" and (before := state.config.get("Healthcheck")):
                self._stream(f"Note: overriding previous HEALTHCHECK: [{' '.join(before['Test'])}]\n")
            comment = config_instructions.BY_NAME[step.name](step, state)
            self._commit(state, nop_command(state, f" {comment}"))

    def _arg(self, step: Step, state: StageState) -> None:
        comments = []
        for name, default in _arguments(step, state.variables()):
            comments.append(name if default is None else f"{name}={default}")
            value = self._argument(name, self.global_args.get(name) if default is None else default)
            if value is not None:
                state.args[name] = value
        self._commit(state, nop_command(state, f" ARG {' '.join(comments)}"))

    def _run(self, step: Step, state: StageState) -> None:
        if "mount" in step.flags:
            raise BadRequest(
                "the --mount option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn how to "
                "build images with BuildKit enabled"
            )
        argv = run_instruction.run_argv(step, state)
        cmd = run_instruction.history_command(
            argv, state, [name for name in self._predefined() if name not in state.args]
        )
        if self._cached(state, cmd):
            return
        with _ContainerMessages(self, state):
            rootfs = self._stage_rootfs(state)
            extra = {name: value for name, value in self._predefined().items() if name not in state.env()}
            changed = run_instruction.run(
                self.engine.runner, rootfs, argv, state, extra, self._stream, self.stop, self.engine.work
            )
            layer = rootfs.commit(**changed)
            self.leased.add(layer.diff_id)
            image = commit_and_cache.commit(self.images, state, cmd, layer.diff_id)
            if layer.diff_id == EMPTY:
                rootfs.diff_ids = rootfs.diff_ids[:-1]
        self._step_done(image.id)

    def _copy(self, step: Step, state: StageState) -> None:
        copy_step = CopyStep(self, step, state)
        cmd = nop_command(state, copy_step.comment)
        if self._cached(state, cmd):
            return
        upper = UpperDir(self.layers.view(state.diff_ids).entries)
        copy_step.apply(upper)
        layer = upper.write(self.layers)
        self.leased.add(layer.diff_id)
        image = commit_and_cache.commit(self.images, state, cmd, layer.diff_id)
        self._step_done(image.id)

    def _workdir(self, step: Step, state: StageState) -> None:
        comment = config_instructions.workdir(step, state)
        cmd = nop_command(state, comment)
        if self._cached(state, cmd):
            return
        view = self.layers.view(state.diff_ids)
        upper = UpperDir(view.entries)
        path = upper.resolve(state.config["WorkingDir"])
        entry = view.entries.get(path)
        if path and entry and entry.kind != DIRECTORY:
            raise BadRequest(f"Cannot mkdir: /{path} is not a directory")
        try:
            upper.make_folders(path, (0, 0), self._age(state))
        except NotADirectoryError:
            raise BadRequest(f"lstat /{path}: not a directory") from None
        with _ContainerMessages(self, state):
            diff_id = upper.write(self.layers).diff_id if upper.new_entries else None
            image = commit_and_cache.commit(self.images, state, cmd, diff_id)
        self._step_done(image.id)

    def _age(self, state: StageState) -> float:
        """When the image below was made: a new folder gets that time, so that the same step makes the same layer."""
        created = self.images.find(state.image).config.get("created") if state.image else None
        return datetime.datetime.fromisoformat(re.sub(r"\.\d+", "", created)).timestamp() if created else 0.0

    def _commit(self, state: StageState, cmd: list[str]) -> None:
        if self._cached(state, cmd):
            return
        with _ContainerMessages(self, state):
            image = commit_and_cache.commit(self.images, state, cmd, None)
        self._step_done(image.id)

    def _cached(self, state: StageState, cmd: list[str]) -> bool:
        if self.options.nocache or state.cache_busted:
            return False
        found = commit_and_cache.find_cached(self.images, state, cmd)
        if found is None:
            state.cache_busted = True
            return False
        state.image, state.diff_ids = found.id, found.diff_ids
        self.images.touch(found.id)
        self._stream(" ---> Using cache\n")
        self._step_done(found.id)
        return True

    # The stage's root filesystem, made when the first RUN needs it

    def _stage_rootfs(self, state: StageState) -> RootFilesystem:
        wanted = tuple(state.diff_ids)
        if self.rootfs and self.rootfs.diff_ids == wanted[: len(self.rootfs.diff_ids)]:
            for diff_id in wanted[len(self.rootfs.diff_ids) :]:
                self.rootfs.add(diff_id)
            return self.rootfs
        if self.rootfs:
            self.engine.rootfs_manager.release(self.rootfs)
            self.rootfs = None
        self.rootfs = self.engine.rootfs_manager.create(wanted, stop=self.stop)
        return self.rootfs

    # What is said

    def _step_done(self, image: str) -> None:
        self.leased.add(image)
        if not self._quiet:
            self._stream(f" ---> {_short(image)}\n")

    def _announce(self, step: Step) -> None:
        self.number += 1
        self._stream(f"Step {self.number}/{self.total} : {step.text}")
        self._stream("\n")

    def _stream(self, text: str) -> None:
        if text:
            self.say({"stream": text})

    def _predefined(self) -> dict[str, str]:
        return {
            name: value for name, value in self.options.buildargs.items() if name in PREDEFINED and value is not None
        }

    def reader(self, state: StageState) -> stage_users.ReadFile:
        """Reads the stage's files, for names of users."""
        return stage_users.file_reader(self.layers.view(state.diff_ids))


def build(
    engine: EngineServices,
    context: Path | None,
    options: BuildOptions,
    say: Callable[[dict], None],
    stop: threading.Event,
) -> str:
    """Build, and return the image's id.

    context: the build context as a tar, compressed or not. say: gets the messages of Docker's build stream. Raises
    EngineError in Docker's words: BadRequest (what the Dockerfile or context has wrong), run_instruction.Failed (a RUN's program
    failed, .code), NoSpace, Interrupted once `stop` is set. Images of finished steps stay, as the cache of the next build.
    """
    return Build(engine, context, options, say, stop).run()


class _ContainerMessages:
    """A step that Docker does in a container says so, and its end, too."""

    def __init__(self, build: Build, state: StageState):
        self._build, self._state, self._name = build, state, ""

    def __enter__(self) -> None:
        self._state.container = secrets.token_hex(32)  # the image names it
        self._name = self._state.container[:12]
        self._build._stream(f" ---> Running in {self._name}\n")

    def __exit__(self, kind, error, trace) -> None:
        if kind is None or (self._build.options.forcerm and isinstance(error, EngineError)):
            self._build._stream(f"Removing intermediate container {self._name}\n")


def _arguments(step: Step, variables: dict[str, str]) -> list[tuple[str, str | None]]:
    """(name, default) of an ARG."""
    found = []
    for word in step.args:
        name, equals, default = word.partition("=")
        name = expand(name, {}, step.escape)
        if not name:
            raise BadRequest("ARG names can not be blank")
        found.append((name, expand(default, variables, step.escape) if equals else None))
    return found


def _label_step(name: str, value: str) -> Step:
    """A label of the request is a step of its own, after the Dockerfile's."""
    return Step("LABEL", f"LABEL {name}={value}", (_quote(name), _quote(value), "="))


def _quote(text: str) -> str:
    """A word that comes out of `expand` as it went in."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _short(image: str) -> str:
    return image.removeprefix("sha256:")[:12]


def _full(tag: str) -> str:
    return tag if re.search(r":[^/]+$", tag) else f"{tag}:latest"
