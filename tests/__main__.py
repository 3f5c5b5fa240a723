"""`python3 tests [options of pytest]`: sets up `.venv` the first time, then runs every notebook and every test."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


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

    return environment.command(HERE, ["requirements.txt", "tests/requirements.txt"], run_pytest, arguments)


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
