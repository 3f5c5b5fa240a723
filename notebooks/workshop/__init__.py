"""What the notebooks may call. DataFrames are the currency, Plotly figures the pictures.

Wherever an image is asked for, its tag will do, its id, or what `build` returned.
"""

# ruff: noqa: E402  # the first words come before all that takes time
from . import opening

opening.say()

from . import arguments, bases, charts
from .analysis.diff import diff
from .analysis.directories import directories
from .analysis.dive import efficiency
from .analysis.find import by_image, diff_summary, find, sizes_between, visible
from .analysis.layers import layers
from .analysis.waste import as_one, waste, waste_by_line
from .builders.build import Build, build, builders_of, dockerfile
from .builders.rebuilds import printed, ran, reruns, side_by_side, timeline
from .charts import show
from .engine.connect import connect
from .engine.containers import answer, loaded, run
from .engine.tidy import tidy
from .errors import EngineLost, WorkshopError
from .layer.files import files, sizes
from .layer.source import read
from .lesson import check, costs
from .lesson.conclusions import conclude, recap
from .lesson.predict import in_words, score, second_opinion
from .lesson.recordings import on_buildkit
from .lesson.tables import table
from .lesson.workbench import edit, nonce, workbench
from .measure import base_of, gate, packages
from .units import size

__all__ = [
    "Build",
    "EngineLost",
    "WorkshopError",
    "answer",
    "as_one",
    "base_of",
    "bases",
    "build",
    "builders_of",
    "by_image",
    "charts",
    "check",
    "conclude",
    "connect",
    "costs",
    "diff",
    "diff_summary",
    "directories",
    "dockerfile",
    "edit",
    "efficiency",
    "files",
    "find",
    "gate",
    "in_words",
    "layers",
    "loaded",
    "nonce",
    "on_buildkit",
    "packages",
    "printed",
    "ran",
    "read",
    "recap",
    "reruns",
    "run",
    "score",
    "second_opinion",
    "show",
    "side_by_side",
    "size",
    "sizes",
    "sizes_between",
    "table",
    "tidy",
    "timeline",
    "visible",
    "waste",
    "waste_by_line",
    "workbench",
]

arguments.guard(globals())  # every function named above, and those of the modules among them


def __dir__() -> list[str]:
    """Tab completion offers what a learner may call, not the modules behind it."""
    return __all__
