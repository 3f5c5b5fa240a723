"""Layers and archives written by hand, so that a test can say to the byte what must come out."""

from __future__ import annotations

import hashlib
import json
import tarfile
import tempfile
from pathlib import Path

from workshop.archives import tar_of


def link(kind: bytes, target: str, name: str = "x") -> tarfile.TarInfo:
    """A link, device or the like, e.g. link(tarfile.SYMTYPE, "/target")."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def named(layer: dict) -> dict:
    """The layer with each TarInfo under the name that it stands under."""
    for name, content in layer.items():
        if isinstance(content, tarfile.TarInfo):
            content.name = name
    return layer


def archive_of(
    layers: list,
    history: list[dict] | None = None,
    kind: str = "docker",
    pack=lambda layer: layer,
    tag: str | None = None,
) -> bytes:
    """An archive as an engine saves it.

    layers: each a dict for `tar_of`, or the bytes of a tar. kind: "legacy" (Docker 20.10), "docker" (25 and newer: both
    manifest.json and index.json), "oci" (an OCI layout only). pack: what compresses a layer.
    """
    tars = [layer if isinstance(layer, bytes) else tar_of(named(layer)) for layer in layers]
    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in tars]
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    if history is not None:
        config["history"] = history
    config = json.dumps(config).encode()
    packed = [pack(layer) for layer in tars]
    blob = lambda content: f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"  # noqa: E731
    names = [f"{number}/layer.tar" if kind == "legacy" else blob(one) for number, one in enumerate(packed)]
    config_name = f"{hashlib.sha256(config).hexdigest()}.json" if kind == "legacy" else blob(config)
    entries = dict(zip(names, packed)) | {config_name: config}
    if kind != "legacy":
        described = lambda content, media: {  # noqa: E731
            "mediaType": media,
            "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
            "size": len(content),
        }
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": described(config, "application/vnd.oci.image.config.v1+json"),
                "layers": [described(one, "application/vnd.oci.image.layer.v1.tar") for one in packed],
            }
        ).encode()
        index = {"schemaVersion": 2, "manifests": [described(manifest, "application/vnd.oci.image.manifest.v1+json")]}
        if tag:
            index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": tag}
        entries |= {
            blob(manifest): manifest,
            "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
            "index.json": json.dumps(index).encode(),
        }
    if kind != "oci":
        entries["manifest.json"] = json.dumps(
            [{"Config": config_name, "RepoTags": [tag] if tag else None, "Layers": names}]
        ).encode()
    return tar_of(entries)


def frame_of(layers: list, instructions: list[str] | None = None, image: str = "hand"):
    """The frame of `workshop.files()` for layers written by hand; instructions: one a layer."""
    import workshop

    history = [{"created_by": text} for text in instructions] if instructions else None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hand.tar"
        path.write_bytes(archive_of(layers, history, tag=image))
        return workshop.files(None, path)
