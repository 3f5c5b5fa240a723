"""A frame to be read in a notebook: figures to the right and in one piece, text to the left and whole."""

from __future__ import annotations

import math
import re

import pandas as pd

from ..markup import as_html
from ..units import short_digests, size

pd.options.display.html.use_mathjax = False  # in a frame that pandas shows, too, `$` is a dollar or a variable

IN_BYTES = {  # columns of the workshop's frames
    "tar",
    "compressed",
    "engine",
    "shared",
    "wasted",
    "saved",
    "base",
    "on_top",
}
DIGESTS = ("digest", "diff_id")  # columns of digests begin like this
FIGURE = re.compile(r"[$−-]?\d[\d.,]*( ?(%|bytes?|[kMG]?B|[kMG]bit/s|min|s|times))?( \d+ s)?")  # 4 min 49 s, $0.05
# Characters: what is longer may be broken anywhere, else a path would push the other columns out of the cell.
WHOLE = 32


class Table:
    """A frame to be read in a notebook. Its styles stand in the cells, so that they hold where style sheets are stripped."""

    def __init__(self, frame: pd.DataFrame):
        self.frame = frame.copy()
        for column in frame:
            in_bytes = column in IN_BYTES or str(column).startswith("bytes")
            if in_bytes and pd.api.types.is_numeric_dtype(frame[column]):
                self.frame[column] = [size(count) if math.isfinite(count) else "" for count in frame[column]]
            if str(column).startswith(DIGESTS):
                self.frame[column] = short_digests(frame[column])
        if "hidden_by_layer" in self.frame:  # of what is hidden by none, `files` says -1
            self.frame["hidden_by_layer"] = ["" if layer == -1 else layer for layer in self.frame["hidden_by_layer"]]

    def __repr__(self) -> str:
        return self.frame.to_string(index=False)

    def _repr_html_(self) -> str:
        styles = [_style(self.frame.iloc[:, number]) for number in range(self.frame.shape[1])]
        head = "".join(
            f'<th style="{style.split(";")[0]}; white-space: nowrap">{as_html(column)}</th>'
            for style, column in zip(styles, self.frame.columns)
        )
        rows = [
            "".join(f'<td style="{style}">{as_html(value)}</td>' for style, value in zip(styles, row))
            for row in self.frame.itertuples(index=False, name=None)
        ]
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def table(frame: pd.DataFrame) -> Table:
    """A frame to be read: bytes as MB, digests short, figures to the right, text whole and to the left, no index."""
    return Table(frame)


def _style(column: pd.Series) -> str:
    """The style of a column's cells."""
    texts = [str(value) for value in column]
    if pd.api.types.is_bool_dtype(column):
        return "text-align: left; white-space: nowrap"
    if texts and all(FIGURE.fullmatch(text) for text in texts):
        return "text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums"
    if all(len(text) <= WHOLE and "\n" not in text for text in texts):
        return "text-align: left; white-space: pre"
    return "text-align: left; white-space: pre-wrap; overflow-wrap: anywhere"
