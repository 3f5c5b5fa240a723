"""`docker pull`: a registry's image into the store."""

from __future__ import annotations

import contextlib
import io
import json
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from urllib.parse import urlsplit

from .. import reference_grammar
from ..errors import BadRequest, EngineError, NotFound
from ..reference_grammar import Repository, joined
from ..store.blobs import Blobs
from ..store.images import Image, Images
from ..store.layers import Layers
from . import platforms
from .blob_download import CHUNK, BlobStream
from .client import INDEXES, Client, Manifest
from .mirrors import first_source
from .progress import CombinedEvent, Say, counter, step, stream_messages

PARALLEL = 3  # layers at a time, as Docker
NESTED = 3  # indexes within indexes
CONFIGS = (
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.oci.image.config.v1+json",
    "application/octet-stream",
    "",
)


def pull(
    images: Images,
    layers: Layers,
    blobs: Blobs,
    name: str,
    tag_or_digest: str = "",
    *,
    auth: dict | None = None,
    platform: str | None = None,
    mirrors: Sequence[str] = (),
    stop: threading.Event,
) -> Generator[dict, None, None]:
    """Docker's progress messages while an image comes; without tag or digest all of the repository's tags.

    auth: the decoded X-Registry-Auth; platform: "os/arch[/variant]", else this machine's; mirrors: addresses of Docker
    Hub's mirrors, asked first and without credentials. Raises EngineError, worded as Docker; nothing is tagged then.
    """
    repository, reference = reference_grammar.split(name, tag_or_digest)
    wanted = platforms.parse_platform(platform) if platform else None

    def work(say: Say, halt: threading.Event) -> None:
        def fetch(base: str | None, known: dict | None) -> None:
            with Client(repository, auth=known, doing="pull", stop=CombinedEvent(halt), base=base) as client:
                for one_reference in [reference] if reference else client.tags():
                    _Pull(images, layers, client, one_reference, wanted, say).run()

        def tell(mirror: str, error: EngineError) -> None:
            host = urlsplit(mirror).netloc
            say({"status": f"The mirror {host} did not serve it, asking the next: {error.message}"})

        first_source(repository, auth, mirrors, fetch, tell)

    return stream_messages(work, stop)


class _Pull:
    """One tag or digest from one source."""

    def __init__(
        self,
        images: Images,
        layers: Layers,
        client: Client,
        reference: str,
        wanted: platforms.Platform | None,
        say: Say,
    ):
        self.images, self.layers, self.client, self.say = images, layers, client, say
        self.reference, self.wanted = reference, wanted
        self.name: Repository = client.name
        self.shown = joined(self.name.familiar, reference)

    def run(self) -> None:
        by_digest = bool(reference_grammar.DIGEST.fullmatch(self.reference))
        ident = joined(self.name.full, self.reference) if by_digest else self.reference
        before = self._present()
        if before and self._is_current(before):
            self.say({"status": f"Pulling from {self.name.path}", "id": ident})
            return self._done(before[1], newer=False)
        found = self.client.manifest(self.reference)
        self.say({"status": f"Pulling from {self.name.path}", "id": ident})
        manifest = self._for_platform(found)
        config, descriptors = _parts(manifest, self.shown)
        raw = self.client.small_blob(config)
        diff_ids = self._diff_ids(raw, len(descriptors), chosen=manifest is not found)
        with self.images.lease() as leased:
            leased.update(diff_ids)
            self._fetch(list(zip(diff_ids, descriptors)))
            image = self.images.add_config(raw)
            if not by_digest:
                self.images.tag(image.id, self.shown)
            self.images.remember(image.id, self.name.familiar, found.digest)
        self._done(found.digest, newer=not before or before[0].id != image.id)

    def _present(self) -> tuple[Image, str] | None:
        """(image, digest it was pulled by) that this reference stands for in the store, or None."""
        with contextlib.suppress(NotFound):
            image = self.images.find(self.shown)
            for known in self.images.digests(image.id):
                name, _, digest = known.partition("@")
                if name == self.name.familiar:
                    return image, digest
            return image, ""
        return None

    def _is_current(self, before: tuple[Image, str]) -> bool:
        """Whether the registry still has under this name what the store has, and it is for the platform asked for."""
        image, digest = before
        described = platforms.platform_of(image.config)
        if not digest or self.wanted and not (described and platforms.matches(described, self.wanted)):
            return False
        return digest == self.reference or digest == self.client.digest_of(self.reference)

    def _for_platform(self, found: Manifest) -> Manifest:
        for _ in range(NESTED):
            if found.media_type not in INDEXES:
                return found
            entry = platforms.choose_manifest(found.content, self.wanted or platforms.host_platform(), self.shown)
            digest = str(entry.get("digest"))
            if not reference_grammar.DIGEST.fullmatch(digest):
                raise BadRequest(f"{self.shown}: the index names a manifest by {digest!r}, not by a sha256 digest")
            found = self.client.manifest(digest)
        raise BadRequest(f"{self.shown}: an index within an index within an index holds no image")

    def _diff_ids(self, raw: bytes, layers: int, chosen: bool) -> list[str]:
        """The diff ids of a config that is sound and for the platform asked for."""
        try:
            config = json.loads(raw)
            diff_ids = config["rootfs"]["diff_ids"] or []
            sound = len(diff_ids) == layers and all(reference_grammar.DIGEST.fullmatch(diff_id) for diff_id in diff_ids)
            described = platforms.platform_of(config)
        except (ValueError, LookupError, TypeError, AttributeError):
            sound = False
        if not sound:
            raise BadRequest(f"{self.shown}: the image's config does not list the layers that its manifest has")
        wanted = self.wanted or (platforms.host_platform() if chosen else None)
        if wanted and described and not platforms.matches(described, wanted):
            raise NotFound(
                f"image with reference {self.shown} was found but does not match the specified platform: "
                f"wanted {wanted}, actual: {described}"
            )
        return diff_ids

    def _fetch(self, wanted: list[tuple[str, dict]]) -> None:
        """The layers that the store does not have; the first that fails stops the others."""
        missing: dict[str, dict] = {}
        for diff_id, descriptor in wanted:
            there = self.layers.has(diff_id)
            self.say(step("Already exists" if there else "Pulling fs layer", descriptor["digest"]))
            if not there:
                missing.setdefault(diff_id, descriptor)
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="layer") as pool:
            running = [pool.submit(self._layer, *layer) for layer in missing.items()]
            done, unfinished = wait(running, return_when=FIRST_EXCEPTION)
            if unfinished:
                self.client.stop.set()
            failures = [error for future in done if (error := future.exception())]
        if failures:
            raise failures[0]

    def _layer(self, diff_id: str, descriptor: dict) -> None:
        digest, size = descriptor["digest"], descriptor["size"]
        with BlobStream(self.client, digest, size, counter(self.say, "Downloading", digest, size)) as stream:
            try:
                self.layers.add(io.BufferedReader(stream, CHUNK), stop=self.client.stop, expected=diff_id)
            except BadRequest:
                stream.finish()  # whose fault is it? Bytes that were damaged on their way have another digest
                raise
            stream.finish()
        self.say(step("Verifying Checksum", digest))
        self.say(step("Download complete", digest))
        self.say(step("Pull complete", digest))

    def _done(self, digest: str, newer: bool) -> None:
        what = "Downloaded newer image" if newer else "Image is up to date"
        self.say({"status": f"Digest: {digest}"})
        self.say({"status": f"Status: {what} for {self.shown}"})


def _parts(manifest: Manifest, shown: str) -> tuple[str, list[dict]]:
    """The digest of an image manifest's config, and its layers' descriptors; BadRequest for other artifacts."""
    try:
        config, descriptors = manifest.content["config"], manifest.content["layers"] or []
        digests = [str(descriptor["digest"]) for descriptor in [config, *descriptors]]
        sound = all(isinstance(descriptor["size"], int) and descriptor["size"] >= 0 for descriptor in descriptors)
        kind = str(config.get("mediaType") or "")
    except (LookupError, TypeError, AttributeError):
        raise BadRequest(f"{shown}: the manifest names no config or no layers, so it is no image's") from None
    if kind not in CONFIGS:
        raise BadRequest(f"{shown} is no container image: its config is of the unsupported media type {kind}")
    if not sound or not all(reference_grammar.DIGEST.fullmatch(digest) for digest in digests):
        raise BadRequest(f"{shown}: the manifest has a descriptor without a size or a sha256 digest")
    return digests[0], descriptors
