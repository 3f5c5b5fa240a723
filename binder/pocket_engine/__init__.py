"""A small container engine in user space: the part of the Docker Engine API that the Docker SDK uses.

No daemon, no root, no kernel privileges. Builds Dockerfiles into real layers in a content-addressed store and runs
containers through bubblewrap (as root) or PRoot (otherwise). It is no security boundary: what runs in it runs as the
user who started it, with that user's files and network within reach of a determined program.
"""

VERSION = "0.1.0"
API_VERSION = "1.44"  # docs.docker.com/reference/api/engine/version/v1.44
MIN_API_VERSION = "1.24"
