"""What is different between two images, or between two layers: `diff()`."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from ..errors import WorkshopError
from ..layer import merge
from ..layer.layer import KINDS

COLUMNS = ["path", "change", "kind", "bytes_a", "bytes_b", "moved_from", "what"]

_CONTENT = ["same_kind", "digest", "target"]  # what makes an entry another one …
_METADATA = ["permissions", "uid", "gid", "xattrs"]  # … and what only makes it look different
_NUMBERS = ["bytes", "permissions", "uid", "gid"]
_NOTHING = f"sha256:{hashlib.sha256(b'').hexdigest()}"


def diff(files: pd.DataFrame, a: str | tuple[str, int], b: str | tuple[str, int]) -> pd.DataFrame:
    """What is different in b, compared with a; one row a path, sorted by path. What is the same is not listed.

    files: as from `files()`. a, b: an image's name, for what can be seen in it in the end (a stage is an image, too), or
    (image, layer) for what one layer holds, seen or not. Two layers of one image, the lower one first, are laid over one
    another: what the upper one does not mention is still there (OCI image specification, "Applying Changesets"), and
    only what it whites out or replaces is removed. Any other two are compared entry by entry.

    Columns: path, change, kind (in b; of what was removed, in a), bytes_a, bytes_b (0 where there is no such file; a hard
    link has 0, its bytes stand at its file), moved_from, what ("mode 644 → 755, owner 0:0 → 1000:0"). change is
        "changed"    content, kind or link target differ
        "metadata"   content is the same; mode, owner or extended attributes differ
        "moved"      the content of a removed file under another path; of several, the one whose path ends most alike
        "added", "removed"
    A hard link counts as the file that it is another name of. A symlink's mode means nothing and is not compared.

    Raises WorkshopError for an image or a layer that `files` does not have.
    """
    rows_a, rows_b = _rows(files, a), _rows(files, b)
    if _is_above(b, a):
        rows_b = _laid_over(rows_a, rows_b)
    both = _comparable(rows_a).merge(
        _comparable(rows_b), on="path", how="outer", suffixes=("_a", "_b"), indicator="side"
    )
    numbers = [f"{name}_{end}" for name in _NUMBERS for end in "ab"]
    both[numbers] = both[numbers].fillna(0).astype("int64")
    changed, metadata = _unlike(both, _CONTENT), _unlike(both, _METADATA)
    both["change"] = np.select(
        [both["side"] == "right_only", both["side"] == "left_only", changed, metadata],
        ["added", "removed", "changed", "metadata"],
        default="",
    )
    changes = _with_moved(both[both["change"] != ""])
    changes["kind"] = changes["kind_b"].where(changes["change"] != "removed", changes["kind_a"])
    in_both = ~changes["change"].isin(["added", "removed"])
    changes["what"] = ""
    changes.loc[in_both, "what"] = [_what(row) for row in changes[in_both].to_dict("records")]
    return changes[COLUMNS].sort_values("path", ignore_index=True)


def of_image(files: pd.DataFrame, image: str) -> pd.DataFrame:
    """The rows of one image, by any of its names. Raises WorkshopError, and says which images there are."""
    own = files[files["image"] == files.attrs.get("aliases", {}).get(image, image)]
    if own.empty:
        known = ", ".join(map(str, dict.fromkeys(files["image"]))) or "none"
        raise WorkshopError(
            f"These files are not of an image named {image}.",
            f"They are of: {known}. For another one, call files() with its name, too.",
        )
    return own


def _rows(files: pd.DataFrame, wanted: str | tuple[str, int]) -> pd.DataFrame:
    """The visible rows of an image, or all rows of (image, layer)."""
    if isinstance(wanted, str):
        own = of_image(files, wanted)
        return own[own["visible"]]
    image, layer = wanted
    own = of_image(files, image)
    rows = own[own["layer"] == layer]
    if rows.empty:
        numbers = ", ".join(str(number) for number in sorted(own["layer"].unique()))
        raise WorkshopError(
            f"{image} has no layer {layer}, or nothing in it.", f"Layers of it that hold something: {numbers}."
        )
    return rows


def _is_above(upper, lower) -> bool:
    both_layers = not isinstance(upper, str) and not isinstance(lower, str)
    return both_layers and upper[0] == lower[0] and upper[1] > lower[1]


def _laid_over(lower: pd.DataFrame, upper: pd.DataFrame) -> pd.DataFrame:
    """What can be seen of two layers with nothing below them."""
    number = {kind: number for number, kind in enumerate(KINDS)}
    cause, _ = merge.hidden([(rows["path"].tolist(), rows["kind"].map(number).tolist()) for rows in (lower, upper)])
    return pd.concat([lower, upper])[np.array(cause) == merge.VISIBLE]


def _comparable(rows: pd.DataFrame) -> pd.DataFrame:
    """Entries, one a path (of a name that a tar has twice, the later one counts), in the columns that are compared."""
    kind = rows["kind"].astype(str)
    rows = rows.assign(kind=kind)[~kind.isin(["whiteout", "opaque"])].drop_duplicates("path", keep="last")
    is_file = (rows["kind"] == "hard link") & (rows["digest"] != "")
    rows["same_kind"], rows["target"] = rows["kind"].mask(is_file, "file"), rows["linkname"].mask(is_file, "")
    rows["permissions"] = (rows["mode"] & 0o7777).mask(rows["kind"] == "symlink", 0o777)  # symlink(7)
    return rows[["path", "kind", "bytes", "digest", "xattrs", "uid", "gid", "same_kind", "target", "permissions"]]


def _unlike(both: pd.DataFrame, names: list[str]) -> np.ndarray:
    unlike = [both[f"{name}_a"].to_numpy() != both[f"{name}_b"].to_numpy() for name in names]
    return (both["side"] == "both").to_numpy() & np.logical_or.reduce(unlike)


def _with_moved(changes: pd.DataFrame) -> pd.DataFrame:
    """The rows with each pair of a removed and an added file of the same content as one row, "moved"."""
    removed, added = changes[changes["change"] == "removed"], changes[changes["change"] == "added"]
    pairs = _pairs(dict(zip(removed["path"], removed["digest_a"])), dict(zip(added["path"], added["digest_b"])))
    moved = added[added["path"].isin(pairs)].copy()
    moved["change"], moved["moved_from"] = "moved", moved["path"].map(pairs)
    sources = removed.set_index("path").loc[moved["moved_from"]]
    for name in (name for name in changes if name.endswith("_a")):
        moved[name] = sources[name].to_numpy()
    left = changes[~changes["path"].isin({*pairs, *pairs.values()})].assign(moved_from="")
    return pd.concat([left, moved], ignore_index=True)


def _pairs(gone: dict[str, str], came: dict[str, str]) -> dict[str, str]:
    """{new path: old path} of what is in both under the same digest, given as {path: digest}.

    From the longest tail of a path that two can have in common down to none at all; so it takes time in proportion to
    the number of files, however many are the same.
    """
    usable = (set(gone.values()) & set(came.values())) - {"", _NOTHING}
    old = {path: path.split("/")[1:] for path, digest in sorted(gone.items()) if digest in usable}
    new = {path: path.split("/")[1:] for path, digest in sorted(came.items()) if digest in usable}
    pairs: dict[str, str] = {}
    longest = min(max(map(len, side.values()), default=0) for side in (old, new))
    for length in range(longest, -1, -1):
        waiting: dict[tuple, list[str]] = {}
        for path, parts in reversed(old.items()):
            waiting.setdefault((gone[path], *parts[len(parts) - length :]), []).append(path)
        for path, parts in list(new.items()):
            same = waiting.get((came[path], *parts[len(parts) - length :])) if length <= len(parts) else None
            if same:
                pairs[path] = same.pop()
                del new[path], old[pairs[path]]
    return pairs


def _what(row: dict) -> str:
    """What differs between the two sides, as text."""
    parts = []
    if row["same_kind_a"] != row["same_kind_b"]:
        parts.append(f"{row['kind_a']} → {row['kind_b']}")
    elif row["digest_a"] != row["digest_b"]:
        parts.append("content")
    elif row["target_a"] != row["target_b"]:
        parts.append(f"target {row['target_a']} → {row['target_b']}")
    if row["permissions_a"] != row["permissions_b"] and "symlink" not in (row["kind_a"], row["kind_b"]):
        parts.append(f"mode {row['permissions_a']:o} → {row['permissions_b']:o}")
    if (row["uid_a"], row["gid_a"]) != (row["uid_b"], row["gid_b"]):
        parts.append(f"owner {row['uid_a']}:{row['gid_a']} → {row['uid_b']}:{row['gid_b']}")
    if row["xattrs_a"] != row["xattrs_b"]:
        parts.append(f"extended attributes {row['xattrs_a'] or 'none'} → {row['xattrs_b'] or 'none'}")
    return ", ".join(parts)
