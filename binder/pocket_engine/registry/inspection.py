"""What a name stands for in a registry, looked at without a pull (docker-py's get_registry_data)."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence

from .. import reference_grammar
from .client import INDEXES, Client, Manifest
from .mirrors import first_source
from .pull import CONFIGS


def inspect(name: str, *, auth: dict | None = None, mirrors: Sequence[str] = (), stop: threading.Event) -> dict:
    """{"Descriptor": {"mediaType", "digest", "size" in bytes}, "Platforms": [{"architecture", "os", …}]}.

    DistributionInspect of the Docker Engine API; of the manifest, or of the index where the name stands for one.
    auth: the decoded X-Registry-Auth; mirrors: as mirrors.checked gives them. Raises EngineError.
    """
    repository, reference = reference_grammar.split(name)

    def look(base: str | None, known: dict | None) -> dict:
        with Client(repository, auth=known, doing="inspect", stop=stop, base=base) as client:
            found = client.manifest(reference or "latest")
            about = {"mediaType": found.media_type, "digest": found.digest, "size": found.size}
            return {"Descriptor": about, "Platforms": _platforms(client, found)}

    return first_source(repository, auth, mirrors, look)


def _platforms(client: Client, found: Manifest) -> list[dict]:
    """Of an index those of its entries, attestations included, as Docker has it; of an image the one of its config.

    [] for what is no image, where Docker has null. Docker leaves the config of an OCI image unread; here it is read.
    """
    if found.media_type in INDEXES:
        entries = found.content.get("manifests")
        return [_platform(entry.get("platform")) for entry in entries or () if isinstance(entry, dict)]
    config = found.content.get("config")
    if not isinstance(config, dict) or str(config.get("mediaType") or "") not in CONFIGS:
        return []
    digest = str(config.get("digest"))
    try:
        platform = _platform(
            json.loads(client.small_blob(digest)) if reference_grammar.DIGEST.fullmatch(digest) else None
        )
    except ValueError:
        return []
    return [platform] if platform["architecture"] or platform["os"] else []


def _platform(described: object) -> dict:
    """The fields of a platform (OCI image spec, "Image Index"); of those not given, only the first two are there."""
    described = described if isinstance(described, dict) else {}
    needed = {key: str(described.get(key) or "") for key in ("architecture", "os")}
    return needed | {key: described[key] for key in ("os.version", "os.features", "variant") if described.get(key)}
