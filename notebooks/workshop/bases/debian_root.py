"""The Debian root filesystems that stand-ins start from: made on the host with mmdebstrap, imported into the engine."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import docker

from ..errors import WorkshopError
from ..labels import LABEL, STAND_IN_ROOT, labels
from .known import DEBIAN, in_engine, labels_of
from .long_work import Estimate, Part, Report, alone_with, follow

RELEASES = {"bookworm": "12", "trixie": "13"}  # whose packages there are stand-ins of, and the number
SCRIPT = Path(__file__).parent / "recipes" / "debian-root.sh"
MAIN, SECURITY = "http://deb.debian.org/debian", "http://deb.debian.org/debian-security"
KEYRING = "usr/share/keyrings/debian-archive-keyring.gpg"
PARTS = (  # of the making of a stand-in, as mmdebstrap announces them
    Part("I: ", 5, "Debian root: fetching packages"),
    Part("I: extracting archives", 4, "Debian root: extracting archives"),
    Part("I: installing", 8, "Debian root: installing packages"),
    Part("I: creating tarball", 3, "Debian root: packing it"),
)

_CONFIG = ("ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 'CMD ["bash"]')


class StandInError(WorkshopError):
    """A stand-in could not be made."""


def lacks() -> str | None:
    """None if the root can be made on this host; otherwise what that needs, and what to do."""
    if not shutil.which("mmdebstrap") and not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return "Debian's tools: use a Debian or Ubuntu host, or a network with a registry."
    fakechroot = shutil.which("fakeroot") and shutil.which("fakechroot")
    if os.getuid() != 0 and not fakechroot and not (shutil.which("newuidmap") and _user_namespaces()):
        return (
            "a root filesystem, which this user may not make: "
            "`sudo apt-get install fakeroot fakechroot`, and try again."
        )
    return None


def root(release: str) -> str:
    """The name of the root that is made from this release's packages."""
    return f"factory-floor/debian:{release}"


def recipe(release: str) -> str:
    """sha256 (hex) of what the root is made from."""
    return sha256(SCRIPT.read_text(encoding="utf-8"), release, *_CONFIG)


def ensure(client: docker.DockerClient, release: str, report: Report, estimate: Estimate | None = None) -> str | None:
    """Make the release's root, unless it is there and current; returns the id of the one that it replaces, if any."""
    with alone_with(SCRIPT, report):
        image = in_engine(client, root(release))
        if labels_of(image).get(f"{LABEL}.recipe") == recipe(release):
            return None
        make(client, release, report, estimate)
        return image["Id"] if image else None


def make(client: docker.DockerClient, release: str, report: Report, estimate: Estimate | None = None) -> None:
    """Make the release's root on the host, and import it through the API. Raises StandInError."""
    with tempfile.TemporaryDirectory(prefix="factory-floor-", ignore_cleanup_errors=True) as folder:
        archive = bootstrap(folder, release, report, estimate)
        report("Debian root: importing it into the engine")
        own = labels(STAND_IN_ROOT, recipe=recipe(release)) | {DEBIAN: RELEASES[release]}
        changes = [*_CONFIG, "LABEL " + " ".join(f"{key}={value}" for key, value in own.items())]
        repository, tag = root(release).split(":")
        answer = client.api.import_image_from_file(archive, repository=repository, tag=tag, changes=changes)
    if '"error"' in answer:
        raise StandInError(f"The engine did not import the Debian root: {answer.strip().splitlines()[-1]}")


def bootstrap(folder: str, release: str, report: Report, estimate: Estimate | None = None) -> str:
    """The path of the root's tar archive, made in the folder. Raises StandInError."""
    os.chmod(folder, 0o755)  # without root, mmdebstrap works as a user of its own, who must get in here
    archive = f"{folder}/root.tar"
    program = subprocess.Popen(
        ["sh", str(SCRIPT), archive, release, *mirrors(), *_mmdebstrap(Path(folder))],
        # The tools that come with mmdebstrap are beside it, where one had to be unpacked.
        env={**os.environ, "TMPDIR": folder, "PATH": f"{os.environ.get('PATH', os.defpath)}:{folder}/usr/bin"},
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        tail = follow(program.stderr or (), "Debian root", report, estimate or Estimate(PARTS))
    except BaseException:
        os.killpg(program.pid, signal.SIGTERM)  # mmdebstrap removes what it unpacked
        raise
    finally:
        program.wait()
    if program.returncode:
        raise StandInError(
            "mmdebstrap could not make the Debian root: " + " / ".join(tail),
            f"It needs {' and '.join(mirrors())}, and the right to mount.",
        )
    return archive


def _mmdebstrap(folder: Path) -> list[str]:
    """How to call mmdebstrap here: the host's, or one unpacked into folder; with Debian's keys, also on Ubuntu."""
    missing = [] if shutil.which("mmdebstrap") else ["mmdebstrap"]
    if not Path("/", KEYRING).exists():
        missing.append("debian-archive-keyring")
    try:
        if missing:
            subprocess.run(["apt-get", "download", "-q", *missing], cwd=folder, check=True, capture_output=True)
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package.name, "."], cwd=folder, check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        raise StandInError(
            f"apt-get could not download {' and '.join(missing)}: {error.stderr.decode().strip()}",
            "`sudo apt-get update`, and try again.",
        ) from None
    program = f"{folder}/usr/bin/mmdebstrap" if "mmdebstrap" in missing else "mmdebstrap"
    return [program, f"--keyring={folder}/{KEYRING}"] if "debian-archive-keyring" in missing else [program]


def mirrors() -> tuple[str, str]:
    """Where the host's apt gets Debian's packages and its security updates, if a container can get them there, too."""
    if not shutil.which("apt-get"):
        return MAIN, SECURITY
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    addresses = re.findall(r"^Debian (http://(?!localhost|127\.)\S+?)/?$", listed, re.MULTILINE)
    main = [address for address in addresses if address.endswith("/debian")]
    security = [address for address in addresses if address.endswith("security")]
    return (main or [MAIN])[0], (security or [SECURITY])[0]


def _user_namespaces() -> bool:
    return subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False).returncode == 0


def sha256(*parts: str | bytes) -> str:
    """sha256 (hex) of all the parts."""
    encoded = (part.encode() if isinstance(part, str) else part for part in parts)
    return hashlib.sha256(b"\0".join(encoded)).hexdigest()
