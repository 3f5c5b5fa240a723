"""The base images: each one made available from the best place that has it, and what was done said plainly.

Owns which images there are, where they are looked for, the class kit, the stand-ins and their recipes, CA certificates.
May import: the modules beside this folder (archives, errors, labels, progress, units).
"""

from .kit import save_kit
from .known import BASES, summary, table
from .resolve import Outcome, Unavailable, ensure, renew

__all__ = ["BASES", "Outcome", "Unavailable", "ensure", "renew", "save_kit", "summary", "table"]


def __dir__() -> list[str]:
    """Tab completion offers what a learner may call."""
    return __all__
