"""Pictures of what was measured: each function takes a frame (or a Dockerfile's text) and returns a Plotly figure.

    charts.sizes(frame)      which image is how large            columns image, bytes
    charts.layers(frame)     where in an image the bytes are     columns image, layer, created_by, bytes[, from_base]
    charts.gate(frame)       what crossed, what stayed behind    columns stage, path, bytes, fate, landed
    charts.contents(frame)   which directory holds the bytes     columns path, bytes
    charts.opened(frame, …)  what of it is opened                columns path, bytes; and the paths that are opened
    charts.waterfall(frame)  what each layer of one adds         columns as of layers[, wasted], one image
    charts.waste(frame)      which line ships for nobody         columns layer, created_by, cause, files, bytes
    charts.meanings(frame)   what "size" means, five times       columns image, bytes, tar, compressed, engine, shared
    charts.pull(frame)       how long a pull takes               columns image, speed, seconds
    charts.left_to_pull(…)   what is left of it with a base      columns image, speed, empty disk, base is there
    charts.timeline(frame)   when each step was at work      columns build, stage, instruction, status, began, ended
    charts.reruns(frame)     what each edit makes run again  columns recipe, edit, steps, ran, seconds
    charts.floor(text)       the factory that a Dockerfile describes, to walk through step by step
    charts.words_of(text)    its words, as a table

Every title states what the frame says, and `charts.in_words(figure)` is the same in one sentence, for whoever cannot
see the picture; `charts.show(figure)` shows both. `charts.set_footer(text)` names engine and base images under every
figure made after it.

Owns every picture and its sentence. May import: dockerfiles, analysis (its words
and what is pure), and the modules beside this folder (errors, labels, markup, units).
"""

from . import plotly_setup  # first  # noqa: F401
from .contents import contents, opened
from .factory.figure import floor
from .factory.words import words_of
from .gate import gate
from .layers import layers
from .left_to_pull import left_to_pull
from .meanings import meanings
from .pull import pull
from .reruns import reruns
from .show import show
from .sizes import sizes
from .style import in_words, megabytes, set_footer, stage_colour
from .timeline import timeline
from .waste import waste
from .waterfall import waterfall

__all__ = [
    "contents",
    "floor",
    "gate",
    "in_words",
    "layers",
    "left_to_pull",
    "meanings",
    "megabytes",
    "opened",
    "pull",
    "reruns",
    "set_footer",
    "show",
    "sizes",
    "stage_colour",
    "timeline",
    "waste",
    "waterfall",
    "words_of",
]


def __dir__() -> list[str]:
    """Tab completion offers what a learner may call."""
    return __all__
