"""`python tests/pocket/kill_pocket.py [rounds] [seed]`: kill -9 the pocket engine at random moments of builds.

After each kill the engine starts again on the same store; every image that a build reported as finished must be there
with layers that are what their digests say, nothing half-made may be left, and the next build must be right.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import docker

sys.path.insert(0, str(Path(__file__).parent))
from corpus.case import tar  # noqa: E402
from engines import Pocket  # noqa: E402

DOCKERFILE = """\
FROM busybox:1.37 AS builder
COPY part /part
RUN cat /part /part > /twice && dd if=/dev/urandom of=/noise bs=64k count=40
FROM busybox:1.37
COPY --from=builder /twice /twice
RUN wc -c < /twice > /size
CMD ["cat", "/size"]
"""
LONGEST = 1.2  # seconds into a build at which the engine is killed


def build(client: docker.DockerClient, word: str) -> str:
    """Builds with this content; the image's id."""
    context = io.BytesIO(tar({"Dockerfile": DOCKERFILE, "part": word * 1000}))
    image, _ = client.images.build(fileobj=context, custom_context=True, tag=f"kill/x:{word}", rm=True)
    return image.id


def wrong(client: docker.DockerClient, store: Path, finished: dict[str, str]) -> list[str]:
    """What is not as it must be: finished images {tag's word: id}, their layers, what half-made builds left."""
    found = []
    for word, image_id in finished.items():
        try:
            image = client.images.get(f"kill/x:{word}")
        except docker.errors.ImageNotFound:
            found.append(f"the finished image kill/x:{word} is gone")
            continue
        if image.id != image_id:
            found.append(f"kill/x:{word} is another image")
        for diff_id in image.attrs["RootFS"]["Layers"]:
            blob = store / "blobs" / "sha256" / diff_id.removeprefix("sha256:")
            if not blob.exists() or hashlib.sha256(blob.read_bytes()).hexdigest() != blob.name:
                found.append(f"the layer {diff_id} of kill/x:{word} is damaged")
    for folder in ("tmp", "work", "trees"):
        if left := list((store / folder).glob("*")):
            found.append(f"{folder} holds {len(left)} half-made things")
    return found


def run(rounds: int, seed: int, base: bytes, folder: Path) -> list[str]:
    """The problems met in so many kills; [] if there were none. base: an archive with busybox:1.37."""
    chance, finished, problems = random.Random(seed), {}, []
    engine = Pocket(folder)
    client = engine.start()
    client.images.load(base)
    for number in range(rounds):
        word = f"w{number}"

        def attempt(client=client, word=word) -> None:
            with contextlib.suppress(Exception):  # the engine is killed under it, which is what this is about
                finished[word] = build(client, word)

        thread = threading.Thread(target=attempt)
        thread.start()
        time.sleep(chance.uniform(0, LONGEST))
        engine.kill()
        thread.join(60)
        client = engine.start()
        problems += [f"round {number}: {one}" for one in wrong(client, folder / "store", finished)]
        if number % 10 == 9:
            sure = build(client, f"sure{number}")
            said = client.containers.run(sure, remove=True).decode().strip()
            if said != str(2 * 1000 * len(f"sure{number}")):
                problems.append(f"round {number}: the next build made {said!r}")
        if problems:
            break
    engine.stop()
    return problems


def main() -> int:
    rounds, seed = (int(word) for word in [*sys.argv[1:], *["200", "1"][len(sys.argv) - 1 :]])
    base = b"".join(docker.from_env().api.get_image("busybox:1.37"))
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        problems = run(rounds, seed, base, Path(folder))
        print(
            f"{rounds} kills (seed {seed}) in {time.monotonic() - began:.0f} s: {problems or 'nothing lost, nothing damaged'}"
        )
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
