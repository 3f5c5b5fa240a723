"""The Dockerfiles of the lessons."""

from __future__ import annotations

from pathlib import Path

from corpus.case import Case

APPS = Path(__file__).resolve().parents[3] / "sample_apps"
# Byte code holds the time of its source; the others hold the time of the installation, or a list of byte code's sums.
OF_THE_MOMENT = (
    "*.pyc",
    "*/RECORD",
    "etc/shadow*",
    "etc/passwd*",
    "var/log/*",
    "var/cache/*",
    "var/lib/apt/*",
    "var/lib/dpkg/*",
)
LOCKS_AND_CACHES = ("etc/.pwd.lock", "var/cache/*", "var/lib/dpkg/*")


def sample(dockerfile: Path, **more) -> Case:
    context = {path.name: path.read_bytes() for path in sorted(dockerfile.parent.iterdir()) if path.is_file()}
    return Case(
        name=f"{dockerfile.parent.name}_{dockerfile.name}".replace("Dockerfile", "sample").replace(".", "_"),
        dockerfile=dockerfile.read_text(),
        context=context,
        **more,
    )


CASES = [
    sample(
        dockerfile,
        network="host",
        differs=("said",),
        volatile=OF_THE_MOMENT,
        copied_up=LOCKS_AND_CACHES,
        reason_for_difference="package managers tell how fast they were, and write down when",
    )
    for dockerfile in sorted(APPS.glob("*/Dockerfile*"))
]
