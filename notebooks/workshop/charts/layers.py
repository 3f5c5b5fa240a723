"""In which layer of an image the bytes are."""

from __future__ import annotations

import re

import pandas as pd
import plotly.graph_objects as go

from ..dockerfiles.history import instruction
from ..labels import PREFIX
from .style import (
    BASE,
    FINAL,
    INK,
    finish,
    legend_in_words,
    megabytes,
    name_rows,
    percent,
    plural,
    safe,
    shorten,
    shorten_left,
    tint,
    wrap,
)

# A base's line that says no more than that files came: its own name says more.
WORDLESS = re.compile(r"(COPY|ADD) (to )?\S+|\(no instruction recorded\)")


def layers(frame: pd.DataFrame, footer: str = "") -> go.Figure:
    """One bar an image, one segment a layer, the base-most at the left; the heaviest layer has a thick outline.

    frame: columns image, layer (0 is the base-most), created_by, bytes; optional from_base (bool): grey, hatched.
    """
    frame = frame.sort_values("layer", kind="stable").reset_index(drop=True)
    frame["from_base"] = frame["from_base"].fillna(False).astype(bool) if "from_base" in frame else False
    texts = [plain(instruction(text)) for text in frame["created_by"]]
    base = frame.attrs.get("base", "the base image")
    frame["wordless"] = [below and bool(WORDLESS.fullmatch(text)) for text, below in zip(texts, frame["from_base"])]
    frame["instruction"] = [base if wordless else text for text, wordless in zip(texts, frame["wordless"])]
    images = list(dict.fromkeys(frame["image"]))
    totals = frame.groupby("image")["bytes"].sum()
    longest = max([1, *totals])
    heaviest = frame["bytes"].idxmax() if len(frame) else None

    figure = go.Figure()
    for position, row in frame.iterrows():
        colour = BASE if row.from_base else FINAL
        heavy = position == heaviest
        shade = 0.55 if heavy else (0.2, 0.34)[row.layer % 2]  # neighbours differ without a second hue
        wide = row.bytes / longest
        text = f"{safe(shorten(row.instruction, int(wide * 44)))}<br>{megabytes(row.bytes)}" if wide > 0.16 else ""
        figure.add_bar(
            x=[int(row.bytes)],
            y=[images.index(row.image)],
            orientation="h",
            width=0.62,
            marker={
                "color": tint(colour, shade),
                "line": {"color": INK if heavy else "white", "width": 2.5 if heavy else 1},
                "pattern": {
                    "shape": "/" if row.from_base else "",
                    "bgcolor": tint(colour, shade),
                    "fgcolor": tint(colour, shade + 0.2),
                    "size": 9,
                    "solidity": 0.12,
                },
            },
            text=[f"<b>{text}</b>" if heavy and text else text],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            textfont={"size": 11, "color": INK},
            hovertext=[
                f"<b>{safe(str(row.image))}</b>, layer {row.layer}"
                + (" (from the base image)" if row.from_base else "")
                + f"<br>{megabytes(row.bytes)}, {percent(row.bytes, totals[row.image])} of the image"
                + f"<br>{wrap(row.instruction, 70)}"
            ],
            hoverinfo="text",
        )
    for position, image in enumerate(images):
        figure.add_annotation(
            x=int(totals[image]),
            y=position,
            text=f" {megabytes(totals[image])}",
            showarrow=False,
            xanchor="left",
            font={"size": 13},
        )
    labels = [shorten_left(str(image).removeprefix(PREFIX), 26) for image in images]
    figure.update_layout(barmode="stack")
    figure.update_xaxes(range=[0, longest * 1.35], visible=False, fixedrange=True)
    name_rows(figure, labels)
    title, words = _finding(frame, totals, heaviest)
    left = 24 + round(8 * max([4, *map(len, labels)]))
    if frame["from_base"].any():
        legend_in_words(figure, "grey, hatched: from the base image; blue: added by this Dockerfile", down=1)
    return finish(figure, title, words, footer, 12 + 64 * max(1, len(images)), left, bottom=26)


def plain(text: str) -> str:
    """Without what every long RUN begins with, so that what it is about comes first."""
    return re.sub(r"^RUN (?:set -\w+( -o pipefail)?(;| &&)\s*|apt-get (-\S+ )*update( -\S+)*(;| &&)\s*)+", "RUN ", text)


def _finding(frame: pd.DataFrame, totals: pd.Series, heaviest: int | None) -> tuple[str, str]:
    """The title, and the sentence: the heaviest layer, then every image's total."""
    if heaviest is None:
        return "No layer at all: there is nothing in it", "There is no layer to show."
    row = frame.loc[heaviest]
    if not row.bytes:
        return "Layers, but no bytes in them", "Every layer is empty: 0 bytes."
    share = f"{percent(row.bytes, totals[row.image])} of {row.image}"
    where = f"one layer of {row.instruction}" if row.wordless else f"one layer: {shorten(row.instruction, 48)}"
    title = f"{share} is in {where}"
    counts = frame.groupby("image", sort=False).size()
    each = "; ".join(f"{image} has {plural(n, 'layer')}, {megabytes(totals[image])}" for image, n in counts.items())
    base = frame.loc[frame["from_base"], "bytes"].sum()
    came = f", {megabytes(base)} of it from the base" if base and len(counts) == 1 else ""
    return title, f"{title} ({megabytes(row.bytes)}); {each}{came}."
