"""What a lesson's first cell shows at once: the package behind it, with pandas and Plotly, takes a second or more to load.

Standard library alone, and called before everything else is imported.
"""

import sys

WORDS = "Opening the workshop …"


def say() -> None:
    """Print the first words, in a notebook only: a program or a test that imports the package hears nothing."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if type(shell).__name__ == "ZMQInteractiveShell":
        print(WORDS, flush=True)
