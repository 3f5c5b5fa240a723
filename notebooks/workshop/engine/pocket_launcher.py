"""Where no engine answers, on Linux: start the pocket engine, a program of its own, and say who uses it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import WorkshopError
from ..layer import cache

PROGRAM = Path(__file__).resolve().parents[3] / "binder" / "pocket_engine"
CHOICE = "FACTORY_FLOOR_ENGINE"  # "pocket": this engine, whatever else there is
STORE = "FACTORY_FLOOR_POCKET_STORE"  # a folder to use for its images
PATIENCE = 30.0  # seconds until it must answer
SILENCE = 2.0  # seconds until waiting is mentioned
LONGEST = 107  # bytes of a unix socket's path, unix(7)
CANNOT = "Cannot start: "  # how the engine's log says why it cannot

REMEDY = "Mend that, or start Docker or Podman, then run this cell again."
NOTICE = "Started the pocket engine. What you build runs as you: it is no security boundary."
WHEN_LOST = (
    "The pocket engine starts again by itself: run this cell again, and if that does not help, "
    "first the cell with `workshop.connect()`."
)


def chosen() -> bool:
    """True if FACTORY_FLOOR_ENGINE names the pocket engine and DOCKER_HOST nothing, which would come first."""
    choice = os.environ.get(CHOICE, "")
    if choice not in ("", "pocket"):
        raise WorkshopError(
            f"{CHOICE} is {choice!r}, but the only engine that it can name is 'pocket'.",
            "Unset it and restart the kernel; another engine is chosen with DOCKER_HOST.",
        )
    return choice == "pocket" and not os.environ.get("DOCKER_HOST")


def start(*, quiet: bool = False) -> str:
    """The URL of this user's pocket engine, started if it does not run; this process counts as its user from now on.

    Raises WorkshopError, with the engine's own words, if it cannot run here.
    """
    if sys.platform != "linux":
        raise WorkshopError("The pocket engine runs on Linux only.", "Install Docker Desktop or Podman.")
    if not PROGRAM.is_dir():
        raise WorkshopError(
            f"The pocket engine is not where it should be, at {PROGRAM}.", "Get the whole repository, not one folder."
        )
    try:
        folder = run_folder()
        address = folder / "pocket.sock"
        _register(folder)
        if not _answers(address):
            _launch(folder, address, quiet)
    except OSError as error:
        raise WorkshopError(
            f"The pocket engine needs folders that it can write to: {error.strerror or error}: {error.filename}.",
            f"Make room there, or set {STORE} to a folder on another disk, then run this cell again.",
        ) from None
    return f"unix://{address}"


def store() -> Path:
    """Where the engine keeps its images: beside the layers that the workshop has read, unless named."""
    named = os.environ.get(STORE)
    return Path(named).expanduser().resolve() if named else cache.folder().absolute() / "pocket"


def run_folder() -> Path:
    """The folder of the engine's socket, log and list of users: mode 0700, and ours. One for each store.

    Raises WorkshopError if a folder with the name is another user's.
    """
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nowhere")
    ours = _owner(runtime) == os.getuid()
    folder = runtime / "factory-floor" if ours else cache.folder().absolute() / "run"
    usual = Path.home() / ".cache/factory-floor/pocket"
    part = "" if store() == usual else hashlib.sha256(os.fsencode(store())).hexdigest()[:12]
    if len(os.fsencode(folder / part / "pocket.sock")) > LONGEST:
        folder = Path(f"/tmp/factory-floor-{os.getuid()}")  # not TMPDIR, which may be the long one
    return _private(_private(folder) / part)


def _private(folder: Path) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
        raise WorkshopError(
            f"{folder} should be a folder of yours, for the pocket engine's socket, but is somebody else's.",
            f"Remove it, or set {STORE} and XDG_RUNTIME_DIR to folders of your own and restart the kernel.",
        )
    if stat.S_IMODE(about.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder


def _owner(folder: Path) -> int | None:
    try:
        return folder.stat().st_uid
    except OSError:
        return None


def _answers(address: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(address))
            connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: pocket\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _launch(folder: Path, address: Path, quiet: bool) -> None:
    """Start the program in a session of its own, which outlives this process, and wait until it answers.

    Of several that are started at once, all but one see the other and end with status 0.
    """
    log = folder / "engine.log"
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > 1_000_000:
            log.unlink()
    command = [sys.executable, str(PROGRAM), "--socket", str(address), "--store", str(store()), "--keep"]
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(handle, "ab") as output:
        before = os.fstat(handle).st_size
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )
    threading.Thread(target=process.wait, daemon=True).start()  # so that it is no zombie when it ends before us
    start, silent = time.monotonic(), not quiet
    while not _answers(address):
        waited = time.monotonic() - start
        if process.returncode or waited > PATIENCE:
            raise _start_error(log, before, process.returncode)
        if waited > SILENCE and silent:
            print("Starting the pocket engine …", flush=True)
            silent = False
        time.sleep(0.05)
    if not quiet and _leader(folder) == process.pid:
        print(NOTICE, flush=True)


def _leader(folder: Path) -> int | None:
    """The process that keeps the engine."""
    try:
        return int((folder / "pocket.lock").read_text())
    except (OSError, ValueError):
        return None


def _start_error(log: Path, before: int, status: int | None) -> WorkshopError:
    text = log.read_bytes()[before:].decode("utf-8", "replace").strip().splitlines()
    reasons = [line.removeprefix(CANNOT) for line in text if line.startswith(CANNOT)]
    if reasons:
        return WorkshopError(f"The pocket engine cannot run here: {reasons[-1]}", REMEDY)
    what = "ended at once" if status else f"does not answer after {PATIENCE:.0f} seconds"
    last = "\n".join(f"  {line}" for line in text[-5:])
    return WorkshopError(
        f"The pocket engine was started but {what}.\n{last}".rstrip(),
        f"All that it says is in {log}. Run this cell again.",
    )


def _register(folder: Path) -> None:
    """Register this process, and the Jupyter server that it is a kernel of, so that the engine stays for them."""
    holders = _private(folder / "holders")
    with _locked(folder / "holders.lock"):
        for pid in {os.getpid(), _jupyter(os.getpid()) or os.getpid()}:
            if fields := _fields(pid):
                new = holders / f".{pid}"
                new.write_text(f"{fields[19]}\n")  # field 22 of proc(5): tells it from a later process of the same id
                new.replace(holders / str(pid))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl  # not there on Windows, where this module is imported, too

    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _jupyter(pid: int) -> int | None:
    """The nearest process above this one whose program is Jupyter."""
    while (fields := _fields(pid)) and (pid := int(fields[1])) > 0:
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:3]
            if any(word.rpartition(b"/")[2].startswith(b"jupyter") for word in words):
                return pid
    return None


def _fields(pid: int) -> list[str]:
    """What proc(5) says of a process, after its name: state, parent, …; empty if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
