"""What the measurements have shown: lines that the tests compare, which a notebook shows as findings."""

from __future__ import annotations

from ..markup import as_markdown, news


class Conclusions:
    """Claims, and whether each holds. A claim that does not hold is a finding, too: nothing went wrong."""

    def __init__(self, claims: dict[str, bool]):
        self.claims = {claim: bool(holds) for claim, holds in claims.items()}

    def __repr__(self) -> str:
        return "\n".join(f"{claim}: {holds}" for claim, holds in self.claims.items())

    def _repr_html_(self) -> str:
        return "".join(
            news("passed", "✓", "found", claim) if holds else news("measured", "≠", "not so here", claim)
            for claim, holds in self.claims.items()
        )


def conclude(conclusions: dict[str, bool]) -> None:
    """Show what the measurements have shown, in words that do not vary from machine to machine; the tests compare them."""
    from IPython.display import display

    display(Conclusions(conclusions))


def recap(*claims: str):
    """What the learner can now claim, as a list to look at in the notebook. Markdown; a dollar sign stays one."""
    from IPython.display import Markdown

    return Markdown("\n".join(f"- {as_markdown(claim)}" for claim in claims))
