"""files(): every entry of every layer of the images asked for, as one DataFrame; and what follows from it at once."""

from __future__ import annotations

import docker
import pandas as pd

from . import merge, shelf
from .archive import ENTRY, read_archive
from .errors import WorkshopError, watching
from .history import instruction
from .panel import Panel
from .units import seconds, size

COLUMNS = ["image", "layer", "diff_id", "created_by", *ENTRY, "visible", "hidden_by", "hidden_by_layer"]


@watching("the export of an image")
def files(client: docker.DockerClient, images: str | list[str]) -> pd.DataFrame:
    """Every entry of every layer, read from the layers themselves.

    images: names or ids. Columns: image (as asked for), layer (0 is the lowest), diff_id, created_by (the instruction),
    path, kind ("file", "directory", "symlink", "hard link", "device", "fifo", "whiteout", "opaque"), size (bytes), mode,
    uid, gid, linkname, digest (SHA-256 of a file's content), visible (in the merged filesystem), hidden_by ("deleted",
    "overwritten", "opaque"), hidden_by_layer. Shared layers are exported once, and a layer that was read before is not
    exported again.

    Raises WorkshopError if an image is not there, EngineLost if the engine goes away.
    """
    names = [images] if isinstance(images, str) else list(dict.fromkeys(images))
    wanted = {name: _inspect(client, name)["RootFS"].get("Layers") or [] for name in names}
    known = shelf.Shelf()
    new = [name for name, diff_ids in wanted.items() if diff_ids and not known.has(diff_ids)]
    if new:
        _export(client, new, known)
    frames = [_frame(name, diff_ids, known) for name, diff_ids in wanted.items()]
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=COLUMNS)
    for column in ("image", "kind", "created_by", "diff_id"):
        frame[column] = frame[column].astype("category")
    return frame


def layers(files: pd.DataFrame) -> pd.DataFrame:
    """One row per layer of each image: columns image, layer, created_by, files (count), bytes (of the files in it)."""
    plain = files[files["kind"] == "file"]
    keys = ["image", "layer", "created_by"]
    every = files[keys].drop_duplicates().set_index(keys)
    found = plain.groupby(keys, observed=True)["size"].agg(files="count", bytes="sum")
    return (
        every.join(found)
        .fillna(0)
        .astype({"files": int, "bytes": int})
        .reset_index()
        .sort_values(keys[:2], ignore_index=True)
    )


def sizes(client: docker.DockerClient, images: str | list[str]) -> pd.DataFrame:
    """How large images are, by their layers' own bytes.

    Columns: image, layers (count), files (count of visible files), bytes (of all files in all layers: what is stored and
    shipped, uncompressed), engine (bytes that the engine itself reports; engines count differently).
    """
    images = [images] if isinstance(images, str) else list(dict.fromkeys(images))
    read = files(client, images)
    rows = []
    for image in images:
        own = read[read["image"] == image]
        plain = own[own["kind"] == "file"]
        engine = _inspect(client, image)["Size"]
        rows.append((image, own["layer"].nunique(), int(plain["visible"].sum()), int(plain["size"].sum()), engine))
    return pd.DataFrame(rows, columns=["image", "layers", "files", "bytes", "engine"])


def directories(files: pd.DataFrame, depth: int = 2) -> pd.DataFrame:
    """Visible bytes by folder, largest first: columns directory, files, bytes. depth: how many path parts count."""
    plain = files[(files["kind"] == "file") & files["visible"]]
    top = plain["path"].map(
        lambda path: (
            "/".join(path.split("/")[: depth + 1]) if path.count("/") > depth else path.rpartition("/")[0] or "/"
        )
    )
    grouped = plain.groupby(top.rename("directory"))["size"].agg(files="count", bytes="sum")
    return grouped.sort_values("bytes", ascending=False).reset_index()


def _inspect(client: docker.DockerClient, name: str) -> dict:
    try:
        return client.api.inspect_image(name)
    except docker.errors.ImageNotFound:
        raise WorkshopError(f"The engine has no image {name}.", "Run the cell that builds it first.") from None


def _export(client: docker.DockerClient, names: list[str], known: shelf.Shelf) -> None:
    what = names[0] if len(names) == 1 else f"{len(names)} images"
    with Panel(f"Reading {what}") as panel:
        panel.row("save", f"the layers of {', '.join(names)}", detail="the engine is packing them")
        read = 0

        def counted(chunks):
            nonlocal read
            for chunk in chunks:
                read += len(chunk)
                panel.row("save", detail=f"{size(read)} came from the engine")
                yield chunk

        # The SDK's get_image takes one name; the endpoint takes several, and then sends a shared layer once.
        answer = client.api._get(client.api._url("/images/get"), params={"names": names}, stream=True)
        client.api._raise_for_status(answer)
        with answer:
            found, configs = read_archive(counted(answer.iter_content(1 << 18)), what)
        known.put(found, configs)
        row = panel.rows["save"]
        panel.summary = f"Read the layers of {what} in {seconds(row.age())}"


def _frame(name: str, diff_ids: list[str], known: shelf.Shelf) -> pd.DataFrame:
    contents = [known.entries(diff_id) for diff_id in diff_ids]
    hidden = merge.hidden(contents)
    instructions = known.instructions(diff_ids)
    parts = []
    for number, (diff_id, entries) in enumerate(zip(diff_ids, contents)):
        part = pd.DataFrame(entries, columns=ENTRY)
        fate = [hidden.get((number, index), ("", -1)) for index in range(len(entries))]
        part["hidden_by"] = [cause for cause, _ in fate]
        part["hidden_by_layer"] = [by for _, by in fate]
        part["visible"] = (part["hidden_by"] == "") & ~part["kind"].isin(["whiteout", "opaque"])
        part.insert(0, "created_by", instruction(instructions[number]))
        part.insert(0, "diff_id", diff_id)
        part.insert(0, "layer", number)
        part.insert(0, "image", name)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)
