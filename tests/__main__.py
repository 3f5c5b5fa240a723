"""`python3 tests [LEVEL] [options of pytest]`: sets up `.venv` the first time, then runs that level, or all of them.

LEVEL   what it runs                                          what it needs
unit    the workshop and the pocket engine by themselves, 1 min nothing
lessons every notebook, compared with its stored outputs      an engine
engine  the workshop on an engine                             an engine
shapes  Dockerfiles of public shapes, by `docker build`, too  Docker 28, buildx
pocket  the pocket engine, and its builds beside Docker's     Linux; Docker for the comparison
pages   the lessons in JupyterLab, in a browser               an engine, Chromium
lint    ruff's format and checks, mypy's types                nothing

Without a LEVEL: all but lint; what this machine cannot run is skipped, and the end says why. Everything else is pytest's:
`python3 tests unit -k waste`, `python3 tests tests/engine/test_tidy.py`. Programs of their own, not tests: refresh.py (runs
notebooks and stores their outputs), record.py (records what needs BuildKit), support/agreement.py, support/fuzz_reader.py,
pocket/fuzz_pocket_api.py, pocket/kill_pocket.py and benchmarks/; each says at its top how it is called.
"""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
LEVELS = {
    "unit": ["tests/unit", "-m", "not slow"],
    "lessons": ["notebooks", "tests/lessons"],
    "engine": ["tests/engine", "-m", "not shapes"],
    "shapes": ["tests/engine/test_shapes.py"],
    "pocket": ["tests/pocket"],
    "pages": ["tests/pages"],
}
LINT = (["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy"])  # of what pyproject.toml names


def main(arguments):
    """Returns the exit code: pytest's, or 130 after Ctrl-C."""
    if sys.version_info < (3, 11):  # this file has to parse on such a Python, environment.py need not
        print(
            "This is Python %d.%d; Factory Floor needs 3.11 or newer. Install one from python.org or your system's "
            "packages and start with that, for instance `python3.11 tests`. Nothing was changed." % sys.version_info[:2]
        )
        return 1
    sys.path.insert(0, os.path.join(ROOT, "notebooks"))
    import environment

    level, rest = arguments[:1], arguments[1:]
    work = run_pytest
    if level == ["lint"]:
        work = run_lint
    elif level and level[0] in LEVELS:
        level = LEVELS[level[0]] + ["-rs"]
    elif not level:
        level = ["-rs"]
    return environment.command(HERE, ["requirements.txt", "tests/requirements.txt"], work, level + rest)


def run_pytest(arguments):
    """Runs pytest in this process from the repository root."""
    import pytest

    class Interruption:
        """Tells Ctrl-C from pytest's other reasons for exit code 2."""

        seen = False

        def pytest_keyboard_interrupt(self, excinfo):
            self.seen = self.seen or excinfo.errisinstance(KeyboardInterrupt)

    os.chdir(ROOT)
    os.environ["FACTORY_FLOOR_PROGRESS"] = "plain"
    interruption = Interruption()
    code = int(pytest.main(arguments, plugins=[interruption]))
    return 130 if interruption.seen else code


def run_lint(_):
    """Runs each of LINT, all of them whatever the first says; the exit code is 1 if any had something to say."""
    os.chdir(ROOT)
    codes = []
    for program in LINT:
        print("$ " + " ".join(program), flush=True)
        codes.append(subprocess.call([sys.executable, "-m"] + program))
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
