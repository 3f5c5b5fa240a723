"""The base images: each one made available from the best place that has it, and what was done said plainly."""

from .kit import save_kit
from .known import BASES, summary, table
from .resolve import NotToBeHad, Outcome, ensure, renew

__all__ = ["BASES", "NotToBeHad", "Outcome", "ensure", "renew", "save_kit", "summary", "table"]


def __dir__() -> list[str]:
    """Tab completion offers what a learner may call."""
    return __all__
