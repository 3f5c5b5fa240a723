"""directories(): which folders of an image hold its bytes."""

from __future__ import annotations

import pandas as pd


def directories(files: pd.DataFrame, depth: int = 2) -> pd.DataFrame:
    """Visible bytes by folder, largest first: columns directory, files, bytes. depth: how many path parts count."""
    plain = files[(files["kind"] == "file") & files["visible"]]
    top = plain["path"].map(
        lambda path: (
            "/".join(path.split("/")[: depth + 1]) if path.count("/") > depth else path.rpartition("/")[0] or "/"
        )
    )
    grouped = plain.groupby(top.rename("directory"))["bytes"].agg(files="count", bytes="sum")
    return grouped.sort_values("bytes", ascending=False).reset_index()
