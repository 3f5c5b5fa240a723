"""Networks that intercept TLS: notice it, and put the certificates this machine trusts into the base images."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import certifi
import docker
import requests

from ..archives import tar_of
from ..errors import WorkshopError
from ..labels import CA_LAYER, LABEL, STAND_IN, label_without_from, labels, on_base
from .known import MADE_FOR, labels_of
from .long_work import Report

CA_FILE = "FACTORY_FLOOR_CA"  # a bundle to use, or "none"
PROBE = "https://pypi.org/simple/"  # what pip will ask inside a build
IN_IMAGE = "/usr/local/share/ca-certificates/factory-floor.crt"

# Each tool has a variable of its own.
VARIABLES = (
    "SSL_CERT_FILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
)

# Bases in which nothing is ever downloaded stay as they are.
NOT_NEEDED = ("busybox:", "gcr.io/distroless/")


@functools.cache
def bundle() -> bytes | None:
    """The certificates (PEM) to put into base images, or None where this network does not intercept TLS.

    Interception shows when a public site's certificate fails against certifi's list and passes against the machine's.
    """
    chosen = os.environ.get(CA_FILE)
    if chosen == "none":
        return None
    if chosen:
        try:
            return Path(chosen).read_bytes()
        except OSError as error:
            raise WorkshopError(
                f"{CA_FILE} names {chosen}, which cannot be read: {error.strerror}.", "Mend it."
            ) from None
    if _reaches(certifi.where()) is not False:
        return None  # trusted as it is, or there is no network to say
    return next((pem for pem in _machine_bundles() if pem.strip()), None)


def _reaches(bundle_file: str) -> bool | None:
    """True: the certificate is trusted; False: it is not; None: no answer."""
    try:
        requests.head(PROBE, verify=bundle_file, timeout=5)
        return True
    except requests.exceptions.SSLError:
        return False
    except (requests.exceptions.RequestException, OSError):
        return None


def _machine_bundles() -> Iterator[bytes]:
    """What this machine trusts, as PEM: the variables that tools honour first, then the system's own store."""
    files = [os.environ.get(name, "") for name in VARIABLES]
    files += ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"]
    for name in dict.fromkeys(files):
        if name and Path(name).is_file() and _reaches(name):
            yield Path(name).read_bytes()
    store = ssl.create_default_context().get_ca_certs(binary_form=True)  # macOS and Windows keep no file
    yield "".join(ssl.DER_cert_to_PEM_cert(certificate) for certificate in store).encode()


def add_layer(client: docker.DockerClient, name: str, origin: str, report: Report) -> bool:
    """Put the certificates into the base image `name` as one labelled layer on top; True if that was needed.

    report(text) is called with progress. Only for images that the workshop brought into the engine itself.
    """
    pem = bundle() if needed_for(name) else None
    if pem is None:
        return False
    digest = hashlib.sha256(pem).hexdigest()
    about = client.api.inspect_image(name)
    present, triggers = labels_of(about), (about.get("Config") or {}).get("OnBuild") or []
    if present.get(f"{LABEL}.ca") == digest:
        return True
    report("adding your network's certificates")
    kind = STAND_IN if present.get(LABEL) == STAND_IN else CA_LAYER
    own = labels(kind, ca=digest, **{"from": origin}) | {MADE_FOR: name} | on_base(client, name)
    env = dict.fromkeys(VARIABLES, IN_IMAGE)
    if triggers:
        label_without_from(client, name, own, name, env, tar_of({IN_IMAGE.strip("/"): pem}))
        return True
    lines = [f"FROM {name}", f"COPY factory-floor.crt {IN_IMAGE}"]
    lines += ["ENV " + " ".join(f"{variable}={value}" for variable, value in env.items())]
    context = tar_of({"Dockerfile": "\n".join(lines).encode(), "factory-floor.crt": pem})
    stream = client.api.build(
        fileobj=io.BytesIO(context),
        custom_context=True,
        tag=name,
        rm=True,
        forcerm=True,
        decode=True,
        labels=own,
    )
    for message in stream:
        if "error" in message:
            raise WorkshopError(
                f"The certificates could not be put into {name}: {message['error']}", "Run the cell again."
            )
    return True


def needed_for(name: str) -> bool:
    """True if this network intercepts TLS and something is downloaded in builds on this base image."""
    return not name.startswith(NOT_NEEDED) and bundle() is not None
