"""What the notebooks may call. DataFrames are the currency, Plotly figures the pictures."""

from . import bases, charts
from .analysis.diff import diff
from .analysis.directories import directories
from .analysis.dive import efficiency
from .analysis.layers import layers
from .analysis.waste import as_one, waste, waste_by_line
from .builders.build import Build, build, dockerfile
from .engine.connect import connect
from .engine.containers import answer, loaded, run
from .engine.tidy import tidy
from .errors import EngineLost, WorkshopError
from .layer.files import files, sizes
from .layer.source import read
from .lesson import check
from .lesson.predict import conclude, in_words, recap, score, table
from .measure import gate, packages
from .units import size

__all__ = [
    "Build",
    "EngineLost",
    "WorkshopError",
    "answer",
    "as_one",
    "bases",
    "build",
    "charts",
    "check",
    "conclude",
    "connect",
    "diff",
    "directories",
    "dockerfile",
    "efficiency",
    "files",
    "gate",
    "in_words",
    "layers",
    "loaded",
    "packages",
    "read",
    "recap",
    "run",
    "score",
    "size",
    "sizes",
    "table",
    "tidy",
    "waste",
    "waste_by_line",
]


def __dir__() -> list[str]:
    """Tab completion offers what a learner may call, not the modules behind it."""
    return __all__
