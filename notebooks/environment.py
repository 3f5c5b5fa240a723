"""The environment both commands run in: `.venv`, made once from the requirement files, reused until they change.

Standard library only, because this runs before anything is installed.
"""

import contextlib
import errno
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import installer

MEGABYTES = 500  # what an environment takes on disk
MARKER = "factory-floor.json"  # written last: an environment without it is half-made
OURS = "factory-floor.made-here"  # written first: a folder without it is somebody else's
INSIDE = "FACTORY_FLOOR_INSIDE"  # tells the restarted command that it already runs in the environment

# What pip says (lower case; it has the last word), and what that means to the person who waits.
CAUSES = (
    (r"no space left|errno 28\b|disk quota", "The disk is full: free some (an environment takes about 500 MB)"),
    (
        r"certificate.verify.failed",
        "Python does not trust the package index's certificate, as on networks that inspect "
        "TLS: set PIP_CERT to the file with your organisation's CA certificate",
    ),
    (r"proxyerror|tunnel connection failed|407 proxy", "The proxy refused the connection: check HTTPS_PROXY"),
    (
        r"newconnectionerror|name resolution|name or service|getaddrinfo|connection refused|unreachable|timed out|"
        r"max retries",
        "The package index does not answer: check the network (and pip's index setting, if you have one)",
    ),
    (
        r"from versions: none",
        "pip finds no index that has what is needed: check the network and pip's settings "
        "(PIP_NO_INDEX, PIP_INDEX_URL)",
    ),
    (
        r"no matching distribution|resolutionimpossible",
        "The package index has no fitting set of packages for Python "
        "%d.%d: try another Python, 3.11 or newer" % sys.version_info[:2],
    ),
    (r"winerror (5|32)\b", "A program still uses the environment: close JupyterLab"),
    (
        r"ensurepip is not available",
        "This Python cannot make environments: its venv module is incomplete. On Debian and Ubuntu run "
        "`sudo apt-get install python3-venv`, elsewhere install Python from python.org",
    ),
    (r"permission denied|read-only file system", "The folder cannot be written to: copy it to a place of your own"),
)


class Problem(Exception):
    """What happened, what to do and what state things are in, in plain words. `code` is the exit code."""

    def __init__(self, words, code=1):
        super().__init__(words)
        self.code = code


def python_of(venv):
    """Path of the environment's own Python."""
    return Path(_path("scripts", venv), "python.exe" if os.name == "nt" else "python")


def state(venv, requirements):
    """Either "ready", or "lacks some" (a requirement file was never installed here), or "stale": to be made anew."""
    digests = {_name(venv, file): _digest(file) for file in requirements}
    record = _record(venv)
    installed = record.get("requirements", {})
    changed = any(installed.get(name, digest) != digest for name, digest in digests.items())
    if changed or record.get("made for") != _identity(venv):
        return "stale"
    return "ready" if set(digests) <= set(installed) else "lacks some"


def ensure(venv, requirements, megabytes=MEGABYTES):
    """Make `venv` hold what the requirement files ask for; at once when it does. Returns whether it was changed.

    Two calls at the same moment (in two processes) take turns. On failure or a stop signal a previous environment
    is put back, and nothing half-made stays. megabytes: free space needed to begin.
    Raises Problem (its code is 130 after Ctrl-C, 143 after SIGTERM).
    """
    venv = Path(venv)
    try:
        if state(venv, requirements) == "ready":
            return False
        with installer.stoppable(), only_one(venv.with_name(venv.name + ".lock")) as lock:
            _settle(venv)
            todo = state(venv, requirements)
            if todo == "lacks some":
                _add(venv, requirements, lock)
            elif todo == "stale":
                _rebuild(venv, requirements, megabytes, lock)
            return todo != "ready"
    except FileNotFoundError as error:
        raise Problem("%s is missing: this copy of the folder is incomplete, get it again." % error.filename) from None
    except OSError as error:
        raise Problem("%s, then start again. Nothing was changed." % _why(str(error), venv.parent)) from None
    except installer.Stopped as stop:
        raise Problem("Stopped. Nothing was changed.", 128 + stop.args[0]) from None


def command(folder, requirements, work, arguments):
    """Runs `work(arguments)` in the environment beside `folder` (which holds __main__.py), and returns its exit code.

    The first time, this process makes the environment and starts the folder again with its Python: on POSIX it becomes
    that process, so that signals reach it directly. Whatever goes wrong is said in words.
    """
    venv = Path(folder).parent / ".venv"
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a path that the terminal cannot show is no reason to fail
    try:
        if os.environ.pop(INSIDE, "") == str(venv):  # popped: a terminal inside JupyterLab starts afresh
            return work(arguments)
        ensure(venv, [venv.parent / name for name in requirements])
        return _enter([str(python_of(venv)), str(folder)] + list(arguments), venv)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return problem.code
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except ImportError as error:
        print(
            "The environment is damaged (%s): delete %s, then start again; it is made anew." % (error, venv),
            file=sys.stderr,
        )
        return 1


def _enter(line, venv):
    def in_front(value, name):
        return os.pathsep.join(filter(None, [str(value), os.environ.get(name, "")]))

    variables = dict(
        os.environ,
        VIRTUAL_ENV=str(venv),
        PATH=in_front(_path("scripts", venv), "PATH"),
        PYTHONPATH=in_front(venv.parent / "notebooks", "PYTHONPATH"),  # `import workshop`, from anywhere
        JUPYTER_PATH=in_front(venv / "share" / "jupyter", "JUPYTER_PATH"),
        JUPYTER_PREFER_ENV_PATH="1",
    )  # these two: the kernel of .venv, whatever the user has at home
    variables[INSIDE] = str(venv)
    variables.pop("PYTHONHOME", None)
    sys.stdout.flush()
    if os.name != "nt":
        os.execve(line[0], line, variables)
    process = subprocess.Popen(line, env=variables)
    while True:
        with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C reaches the child too, which stops in its own way
            return process.wait()


# ---- making it -------------------------------------------------------------------------------------------------------


def _rebuild(venv, requirements, megabytes, lock):
    free = shutil.disk_usage(str(venv.parent)).free // 10**6
    if free < megabytes:
        raise Problem(
            "Too little space: %d MB are free on the disk of %s, and an environment takes about %d MB. Free "
            "some, then start again. Nothing was changed." % (free, venv.parent, megabytes)
        )
    why = "again, because the requirements or the Python changed" if venv.exists() else "once"
    print("Setting up %s, %s: about %d MB, a minute or two." % (venv.name, why, MEGABYTES), flush=True)

    def begin():
        _remove(venv)
        venv.mkdir()
        (venv / OURS).touch()

    try:
        if venv.exists():
            os.rename(str(venv), str(_old(venv)))
        begin()
        _fill(venv, requirements, [], lock, begin)
        _write_record(venv, requirements)
    except (installer.Failed, OSError, installer.Stopped) as error:
        reason = _reason(error, venv.parent)
        with installer.deaf():
            _settle(venv)
        kept = "The previous environment was put back" if venv.exists() else "Nothing was left behind"
        raise Problem("%s %s; the next start tries again." % (reason, kept), _code(error)) from None
    with installer.deaf():
        _settle(venv)


def _settle(venv):
    """Leaves one whole environment or none: the finished one, else the previous one. Never removes another's."""
    if not _record(venv):
        if venv.exists() and not (venv / OURS).exists() and not _old(venv).exists():
            raise Problem(
                "There is a folder %s that this command did not make, so it leaves it alone. Move it away "
                "and start again, or run `pip install -r requirements.txt` in it and start `jupyter lab` "
                "there yourself. Nothing was changed." % venv
            )
        _remove(venv)
        if _old(venv).exists():
            os.rename(str(_old(venv)), str(venv))
    _remove(_old(venv))


def _add(venv, requirements, lock):
    """Installs the requirement files that are not there yet; pins what is there, so that undoing is deleting."""
    before, pins = _entries(venv), venv / "pins.txt"
    print("Adding to %s, once, what %s asks for." % (venv.name, _name(venv, requirements[-1])), flush=True)

    def undo():
        for path in _entries(venv) - before:
            _remove(path)

    try:
        pins.write_text("".join("%s==%s\n" % tuple(path.stem.split("-")[:2]) for path in _dist_infos(venv)))
        _fill(venv, requirements, ["-c", str(pins)], lock, undo)
        _write_record(venv, requirements)
    except (installer.Failed, OSError, installer.Stopped) as error:
        reason = _reason(error, venv.parent)
        with installer.deaf():
            undo()
            _remove(venv / "tmp")
        if isinstance(error, installer.Failed) and "conflicting dependencies" in error.args[0]:
            return _rebuild(venv, requirements, MEGABYTES, lock)
        raise Problem(reason + " The environment is as it was; the next start tries again.", _code(error)) from None
    finally:
        _remove(pins)


def _fill(venv, requirements, words, lock, undo):
    temporary, progress = venv / "tmp", installer.Progress()  # temporary files go when the environment goes
    folders = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))

    def run(doing, line, **variables):
        temporary.mkdir(exist_ok=True)
        progress.text = doing
        return installer.run(line, progress, lock, PYTHONUNBUFFERED="1", **folders, **variables)

    for file in requirements:
        words = words + ["-r", str(file)]
    installer.fill(venv, python_of(venv), words, run, undo)
    _remove(temporary)


def _reason(error, folder):
    if isinstance(error, installer.Stopped):
        return "Stopped."
    return _why(str(error.args[0] if isinstance(error, installer.Failed) else error), folder) + ", then start again."


def _code(error):
    return 128 + error.args[0] if isinstance(error, installer.Stopped) else 1


def _why(said, folder):
    if shutil.disk_usage(str(folder)).free < 2 * 10**6:
        said = "no space left"  # some tools only say that they failed
    for pattern, meaning in CAUSES:
        if re.search(pattern, said.lower()):
            return meaning
    lines = [line.strip(" .") for line in said.splitlines() if line.strip()] or ["no output"]
    return "Setting up failed (%s): correct that" % next((line for line in lines if "rror" in line), lines[-1])


# ---- what is there ---------------------------------------------------------------------------------------------------


def _record(venv):
    """What the marker of a whole environment says; {} when there is no marker, or no Python any more."""
    try:
        record = json.loads((Path(venv) / MARKER).read_text(encoding="utf-8"))
        return record if python_of(venv).exists() and isinstance(record["requirements"], dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write_record(venv, requirements):
    record = {"made for": _identity(venv), "requirements": {_name(venv, file): _digest(file) for file in requirements}}
    partial = Path(venv) / (MARKER + ".partial")
    partial.write_text(json.dumps(record, indent=1), encoding="utf-8")
    os.replace(str(partial), str(Path(venv) / MARKER))


def _identity(venv):
    """An environment fits one Python version and one place (its scripts hold its path)."""
    return ["%d.%d" % sys.version_info[:2], os.path.realpath(str(venv))]


def _name(venv, file):
    return Path(os.path.relpath(str(file), str(Path(venv).parent))).as_posix()


def _digest(file):
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    lines = [line.split(" #")[0].strip() for line in lines]  # a reworded comment is no reason to install again
    return hashlib.sha256("\n".join(line for line in lines if line and not line.startswith("#")).encode()).hexdigest()


def _path(kind, venv):
    return sysconfig.get_path(kind, "venv", {"base": str(venv), "platbase": str(venv)})


def _dist_infos(venv):
    return list(Path(_path("purelib", venv)).glob("[!~]*.dist-info"))  # ~: what pip could not remove


def _entries(venv):
    return {path for kind in ("purelib", "scripts") for path in Path(_path(kind, venv)).iterdir()}


def _old(venv):
    return venv.with_name(venv.name + ".old")


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(str(path), ignore_errors=True)
    elif path.exists() or path.is_symlink():  # a link that leads nowhere is there, too
        path.unlink()


# ---- turns ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def only_one(path):
    """Holds the lock file `path`, waiting for whoever has it; the system frees it when its process dies."""
    waited = None
    while True:
        file = open(str(path), "a+", encoding="utf-8")
        if _try_lock(file) and path.exists() and os.path.samestat(os.fstat(file.fileno()), os.stat(str(path))):
            break
        file.seek(0)
        waited = waited or installer.Progress(
            "waiting for another start that is setting up (process %s)" % (file.read().strip() or "unknown")
        )
        file.close()
        waited.tick()
        time.sleep(0.2)
    if waited:
        waited.close()
    try:
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file.fileno()
    finally:
        if os.name == "nt":  # there an open file cannot be deleted
            file.close()
        with contextlib.suppress(OSError):
            path.unlink()
        file.close()


def _try_lock(file):
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(4096)  # not the bytes that hold the process number: those stay readable
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # there on Windows
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)  # a filesystem without locks: go on
    return True
