"""`python3 binder/pocket_engine …`: makes the package importable from wherever it lies, then runs the command."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Python puts the folder that it runs onto sys.path, where `run`, `api` or `build` would stand in for other packages.
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry or ".").resolve() != HERE)]

from pocket_engine.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
