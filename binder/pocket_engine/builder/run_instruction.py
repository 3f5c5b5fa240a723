"""RUN: a program in the stage's root filesystem, its output as it comes, its changes as a layer."""

from __future__ import annotations

import codecs
import os
import select
import subprocess
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from ..errors import BadRequest, Interrupted
from ..rootfs import RootFilesystem, wait_for_clock_tick
from ..runtime.jobs import Job, Mount
from ..runtime.runner import Process, Runner
from . import stage_users
from .build_context import temporary_folder
from .dockerfile import Step
from .options_and_state import PATH, StageState

Say = Callable[[str], None]


class RunFailed(BadRequest):
    """The program of a RUN ended with another status than 0."""

    def __init__(self, argv: list[str], code: int):
        super().__init__(f"The command '{' '.join(argv)}' returned a non-zero code: {code}")
        self.code = code


def run_argv(step: Step, state: StageState) -> list[str]:
    """What RUN runs: the words of its exec form, or the shell with the text of its shell form."""
    if step.json:
        return list(step.args)
    text = step.args[0] if step.args else ""
    if not text:
        return state.shell()
    if step.heredocs:
        return [*state.shell(), _with_heredocs(step, text)]
    return [*state.shell(), text]


def _with_heredocs(step: Step, text: str) -> str:
    """A heredoc alone is the script itself; beside a command, the shell reads it (Dockerfile reference, "Here-Documents")."""
    if len(step.heredocs) == 1 and len(text.split()) == 1 and not step.heredocs[0].content.startswith("#!"):
        return step.heredocs[0].content
    if len(step.heredocs) == 1 and len(text.split()) == 1:
        interpreter = step.heredocs[0].content.splitlines()[0][2:].strip()
        return f"{interpreter} /dev/stdin <<'POCKET_EOF'\n{step.heredocs[0].content}POCKET_EOF\n"
    return "\n".join([text, *(part for doc in step.heredocs for part in (doc.content.rstrip("\n"), doc.name))]) + "\n"


def history_command(argv: list[str], state: StageState, given: Iterable[str] = ()) -> list[str]:
    """The command as history and cache have it: classic builders put the ARGs that it sees in front."""
    env = state.env()
    seen = sorted(f"{name}={value}" for name, value in state.args.items() if name not in env)
    return [f"|{len(seen)}", *seen, *argv] if seen or any(name not in env for name in given) else argv


def run(
    runner: Runner,
    rootfs: RootFilesystem,
    argv: list[str],
    state: StageState,
    extra: dict[str, str],
    say: Say,
    stop: threading.Event,
    folder: Path,
) -> dict:
    """Run it to its end. Returns what Tree.commit needs: owners and user.

    extra: variables that are there for this step only. Raises Failed, BadRequest where it cannot start, Interrupted.
    """
    user = stage_users.stage_user(state.config.get("User") or "", rootfs)
    env = {"PATH": PATH, "HOSTNAME": state.container[:12], **extra, **state.args, **state.env()}
    env.setdefault("HOME", user.home)
    env = {name: value for name, value in env.items() if value is not None}
    with temporary_folder(folder) as scratch:
        job = Job(
            root=rootfs.path,
            argv=argv,
            env=env,
            scratch=Path(scratch),
            cwd=state.config.get("WorkingDir") or "/",
            uid=user.uid,
            gid=user.gid,
            groups=tuple(user.groups),
            hostname=env["HOSTNAME"],
            mounts=_volumes(rootfs, state, Path(scratch)),
        )
        wait_for_clock_tick()
        code, owners = _run_to_end(runner, job, rootfs, say, stop)
    if code:
        raise RunFailed(argv, code)
    return {"owners": owners, "user": (user.uid, user.gid)}


def _volumes(rootfs: RootFilesystem, state: StageState, folder: Path) -> tuple[Mount, ...]:
    """What a RUN writes into a volume is lost (Dockerfile reference, VOLUME): it gets a copy of the image's folder."""
    mounts = []
    view = rootfs.layers.view(rootfs.diff_ids)
    for number, name in enumerate(state.config.get("Volumes") or {}):
        path = view.resolve(name)
        inside = rootfs.path / path
        if not path or os.path.islink(inside) or (inside.exists() and not inside.is_dir()):
            continue
        inside.mkdir(parents=True, exist_ok=True)
        copy = folder / f"volume-{number}"
        subprocess.run(["cp", "-a", "--", inside, copy], check=True, stdin=subprocess.DEVNULL)
        mounts.append(Mount(copy, f"/{path}", False))
    return tuple(mounts)


def _run_to_end(runner: Runner, job: Job, rootfs: RootFilesystem, say: Say, stop: threading.Event) -> tuple[int, dict]:
    out, out_end = os.pipe2(os.O_CLOEXEC)
    err, err_end = os.pipe2(os.O_CLOEXEC)
    try:
        process = runner.start(job, stdin=None, stdout=out_end, stderr=err_end)
    except BaseException:
        os.close(out)
        os.close(err)
        raise
    finally:
        os.close(out_end)
        os.close(err_end)
    try:
        _pass_on({out: say, err: lambda text: say(f"\x1b[91m{text}\x1b[0m")}, process, stop)  # red, as Docker has it
        code = process.wait()
        return code, process.owners(rootfs.owner((job.uid, job.gid)))
    finally:
        os.close(out)
        os.close(err)
        if process.poll() is None:
            process.kill()
            process.wait()


def _pass_on(pipes: dict[int, Say], process: Process, stop: threading.Event) -> None:
    """Output as it comes, until the program has ended: what it left in the background may keep a pipe open."""
    decoders = {pipe: codecs.getincrementaldecoder("utf-8")("replace") for pipe in pipes}
    poll = select.poll()
    for pipe in pipes:
        poll.register(pipe, select.POLLIN | select.POLLHUP)
    ended, open_pipes = False, set(pipes)
    while open_pipes:
        if stop.is_set():
            raise Interrupted("The build was stopped.")
        ready = poll.poll(0 if ended else 50)
        for pipe, _ in ready:
            data = os.read(pipe, 1 << 16)
            if not data:
                poll.unregister(pipe)
                open_pipes.discard(pipe)
            elif text := decoders[pipe].decode(data):
                pipes[pipe](text)
        if not ready:
            if ended:
                return
            ended = process.poll() is not None
