"""The command line: which socket or port, which store, how long to stay."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from . import VERSION, engine_log
from .endpoints import ClaimedEndpoint, TcpPort, UnixSocket, claim, private_folder
from .errors import EngineError
from .supervisor import run_supervised

TOKEN = "FACTORY_FLOOR_POCKET_TOKEN"  # where `ps` does not show it
ABOUT = """\
The pocket engine: the part of the Docker Engine API that the Docker SDK for Python uses, in user space.
It builds Dockerfiles into real layers and runs containers without root and without a daemon. It is no security
boundary: what runs in it runs as you.

  python3 binder/pocket_engine --socket ~/pocket/pocket.sock --store ~/pocket/store --idle 0
  DOCKER_HOST=unix://$HOME/pocket/pocket.sock jupyter lab
"""
LIFE = """\
It ends by itself when none of the processes that registered with it lives any more, no container runs, no request is
under way, and --idle seconds have passed since the last one. SIGTERM and Ctrl-C end it cleanly at any time.
Exit status: 0 ended, or one runs here already; 1 could not start, or died too often; 2 wrong options.
"""


def options(argv: list[str] | None = None) -> argparse.Namespace:
    """The options of the command; leaves the program with status 2 for such as make no sense."""
    parser = argparse.ArgumentParser(
        prog="pocket_engine", description=ABOUT, epilog=LIFE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--socket", type=Path, metavar="PATH", help="unix socket to serve on, in a folder that is yours alone (0700)"
    )
    where.add_argument("--port", type=int, metavar="N", help="TCP port of 127.0.0.1 to serve on; needs a token")
    parser.add_argument(
        "--token", metavar="T", help=f"what requests to the port must bear; better given in the variable {TOKEN}"
    )
    parser.add_argument(
        "--store", type=Path, metavar="FOLDER", required=True, help="folder for images and containers; made if missing"
    )
    parser.add_argument(
        "--idle", type=float, default=60, metavar="SECONDS", help="end after so long without use (60); 0: stay"
    )
    parser.add_argument(
        "--limit", type=float, default=20, metavar="GB", help="most that the store may hold, in 10^9 bytes (20)"
    )
    parser.add_argument(
        "--runner", choices=("bubblewrap", "proot"), help="what runs containers; left out: what works here"
    )
    parser.add_argument(
        "--mirror",
        action="append",
        default=[],
        metavar="URL",
        help="mirror of Docker Hub to pull from first, may be "
        "given several times; asked in this order, then Docker Hub (the Docker daemon's registry-mirrors)",
    )
    parser.add_argument(
        "--keep", action="store_true", help="start again when killed by a signal, at most 5 times a minute"
    )
    parser.add_argument("--verbose", action="store_true", help="log every request")
    parser.add_argument("--version", action="version", version=f"pocket engine {VERSION}")
    found = parser.parse_args(argv)
    found.token = found.token or os.environ.pop(TOKEN, None)
    if found.port is not None and not found.token:
        parser.error(f"--port needs --token (or {TOKEN}): every user of this machine can reach a port")
    if found.port is not None and not 0 < found.port < 65536:
        parser.error("--port is a number from 1 to 65535")
    if found.idle < 0 or found.limit <= 0:
        parser.error("--idle is at least 0, and --limit more than 0")
    return found


def main(argv: list[str] | None = None) -> int:
    """Run an engine until it ends; returns the exit status."""
    chosen = options(argv)
    engine_log.start(verbose=chosen.verbose)
    os.umask(0o022)  # what containers inherit, as in Docker; what must be private is made so by its maker
    try:
        store = private_folder(chosen.store)
        endpoint = UnixSocket(chosen.socket) if chosen.socket else TcpPort(chosen.port, store)
        claimed = claim(endpoint)
    except EngineError as error:
        return engine_log.cannot_start(error.message)
    if claimed is None:
        print(f"A pocket engine runs already and answers at {endpoint}: it is left as it is.", flush=True)
        return 0
    with claimed:
        serve = partial(_serve, chosen, claimed, store)
        return run_supervised(serve) if chosen.keep else serve()


def _serve(chosen: argparse.Namespace, claimed: ClaimedEndpoint, store: Path) -> int:
    # Imported here, so that --help works without aiohttp and the process that keeps the engine stays small.
    try:
        from .server import run

        options = dict(runner=chosen.runner, mirrors=chosen.mirror, token=chosen.token, idle=chosen.idle)
        return run(claimed, store, limit=int(chosen.limit * 10**9), **options)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("pocket_engine"):
            raise
        return engine_log.cannot_start(
            f"The Python package {error.name} is missing: `pip install -r requirements.txt` gets it."
        )
    except EngineError as error:
        return engine_log.cannot_start(error.message)
    except KeyboardInterrupt:
        return 130
