"""What an image costs: seconds for a pull, and dollars for a month in a registry. Arithmetic on measured sizes."""

from __future__ import annotations

from collections.abc import Iterable

import ipywidgets
import pandas as pd

from ..errors import WorkshopError
from .tables import Table

__all__ = [
    "HABITS",
    "PRICES",
    "SPEEDS",
    "monthly_cost",
    "on_bases",
    "price_panel",
    "pull_times",
    "with_and_without_base",
]

SPEEDS = (10, 100, 1000)  # Mbit/s: a weak link, a good household line, a data centre

# A private repository of Amazon ECR in US East, in US dollars, from its public price page
# (https://aws.amazon.com/ecr/pricing/), as other pages quoted it in March 2026. 1 GB is taken as 10^9 bytes.
# "egress" is to the internet, up to 10 TB; pulls within the same region are free there. Free allowances are left out.
PRICES = {"storage": 0.10, "egress": 0.09}  # dollars per GB and month; dollars per GB
HABITS = {"versions": 30, "pulls": 1000}  # versions kept; pulls a month, each by an empty machine

KNOBS = {  # name → (its label, the highest value, a step)
    "storage": ("storage: $ per GB and month", 0.5, 0.01),
    "egress": ("pulls: $ per GB", 0.5, 0.01),
    "versions": ("versions kept", 365, 1),
    "pulls": ("pulls a month", 10_000, 100),
}


def pull_times(sizes: pd.DataFrame, speeds: Iterable[float] = SPEEDS) -> pd.DataFrame:
    """How long the transfer of each image takes: columns image, speed ("10 Mbit/s"), seconds.

    sizes: columns image, compressed (bytes), as from `sizes(..., compressed=True)`. speeds: in Mbit/s (10^6 bits per
    second). Only the transfer counts: no waiting for the registry, no unpacking.
    """
    transferred = _column(sizes, "compressed")
    speeds = list(speeds)
    if wrong := [speed for speed in speeds if not speed > 0]:
        raise WorkshopError(f"{wrong[0]} Mbit/s is no speed: nothing would ever arrive.", "Give numbers above 0.")
    rows = [
        (image, f"{speed:g} Mbit/s", count * 8 / (speed * 1e6))
        for speed in speeds
        for image, count in zip(sizes["image"], transferred)
    ]
    return pd.DataFrame(rows, columns=["image", "speed", "seconds"])


def on_bases(sizes: pd.DataFrame, base_of: dict[str, str]) -> pd.DataFrame:
    """The images without their bases, and how much of a pull the base is: the columns of `sizes` and base, on_top.

    sizes: as from `sizes(..., compressed=True)`, of the images and of their bases. base_of: {image: its base}; an image
    that is not in it has none. base, on_top: compressed bytes of the base's layers, and of those above them.
    """
    whole = dict(zip(sizes["image"], _column(sizes, "compressed")))
    if missing := [base for base in base_of.values() if base not in whole]:
        raise WorkshopError(f"The base {missing[0]} is not in these sizes.", "Weigh the bases with the images.")
    own = sizes[~sizes["image"].isin(base_of.values())].reset_index(drop=True)
    base = [whole[base_of[image]] if image in base_of else 0 for image in own["image"]]
    return own.assign(base=base, on_top=own["compressed"] - base)


def with_and_without_base(sizes: pd.DataFrame, speed: float = SPEEDS[0]) -> pd.DataFrame:
    """Seconds of a pull at one speed: columns image, speed, empty disk, base is there (seconds, to a tenth).

    sizes: as from `on_bases`. speed: in Mbit/s. See `pull_times`.
    """
    found = pull_times(sizes, [speed]).rename(columns={"seconds": "empty disk"})
    left = pull_times(sizes.assign(compressed=_column(sizes, "on_top")), [speed])
    return found.assign(**{"base is there": left["seconds"]}).round(1)


def monthly_cost(
    sizes: pd.DataFrame,
    storage: float = PRICES["storage"],
    egress: float = PRICES["egress"],
    versions: float = HABITS["versions"],
    pulls: float = HABITS["pulls"],
) -> pd.DataFrame:
    """Dollars for a month: columns image, stored, pulled (bytes), storage, egress, month (dollars).

    sizes: columns image, compressed (bytes) and, if there is one, base (compressed bytes of the layers that come from
    the base image). A registry keeps a layer once, so the base is stored once for all versions, and the rest of each
    version anew. A pull transfers all of it. storage: dollars per GB (10^9 bytes) and month; egress: dollars per GB.
    """
    whole = _column(sizes, "compressed")
    base = sizes["base"] if "base" in sizes else 0
    stored, pulled = base + versions * (whole - base), pulls * whole
    frame = pd.DataFrame({"image": sizes["image"], "stored": stored, "pulled": pulled})
    frame["storage"], frame["egress"] = stored / 1e9 * storage, pulled / 1e9 * egress
    return frame.assign(month=frame["storage"] + frame["egress"])


class PricePanel:
    """The monthly cost as a table, and sliders for prices and habits that change it.

    In a notebook the table is an ordinary output, which stays where no program runs; the sliders come below it.
    """

    def __init__(self, sizes: pd.DataFrame, **settings: float):
        if unknown := [name for name in settings if name not in KNOBS]:
            raise WorkshopError(f"There is no {unknown[0]!r} to set.", f"There are: {', '.join(KNOBS)}.")
        self.sizes, self.settings = sizes, PRICES | HABITS | settings
        monthly_cost(sizes, **self.settings)  # an unsuitable frame is told at once
        self.sliders = _sliders(self.settings)
        self._shown = None
        for name, slider in self.sliders.items():
            slider.observe(lambda change, name=name: self.set(**{name: change["new"]}), "value")

    @property
    def cost(self) -> pd.DataFrame:
        """As from `monthly_cost`, with the present settings."""
        return monthly_cost(self.sizes, **self.settings)

    def set(self, **settings: float) -> None:
        """Change settings; the table on the page follows."""
        self.settings |= settings
        if self._shown is not None:
            self._shown.update(self._table())

    def __repr__(self) -> str:
        return repr(self._table())

    def _table(self) -> Table:
        cost = self.cost
        return Table(
            pd.DataFrame(
                {
                    "image": cost["image"],
                    "stored": cost["stored"].map(_gigabytes),
                    "storage": cost["storage"].map(_dollars),
                    "pulled": cost["pulled"].map(_gigabytes),
                    "pulls": cost["egress"].map(_dollars),
                    "a month": cost["month"].map(_dollars),
                }
            )
        )

    def _ipython_display_(self) -> None:
        from IPython.display import display

        self._shown = display(self._table(), display_id=True)
        display(ipywidgets.VBox(list(self.sliders.values())))


def price_panel(sizes: pd.DataFrame, **settings: float) -> PricePanel:
    """What a month costs, as a table with sliders below it.

    sizes: as for `monthly_cost`. settings: where the sliders start: storage and egress (dollars), versions, pulls.
    """
    return PricePanel(sizes, **settings)


def _sliders(settings: dict[str, float]) -> dict:
    """A slider a setting."""
    look = {"style": {"description_width": "16em"}, "layout": {"width": "38em"}}
    return {
        name: (ipywidgets.IntSlider if isinstance(step, int) else ipywidgets.FloatSlider)(
            value=settings[name], min=0, max=max(most, settings[name]), step=step, description=label, **look
        )
        for name, (label, most, step) in KNOBS.items()
    }


def _column(sizes: pd.DataFrame, name: str) -> pd.Series:
    if name not in sizes:
        raise WorkshopError(
            f"These sizes have no column {name!r}.", "workshop.sizes(client, images, compressed=True) measures it."
        )
    return sizes[name]


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:,.2f} GB"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}"


def __dir__() -> list[str]:
    """Tab completion offers what a learner may call."""
    return __all__
