"""The classic builder: a Dockerfile and its build context become layers and an image.

Owns the instructions, the build cache and the messages of a build. May import rootfs, runtime, registry, store, passwd, errors.
"""

from .builder import build
from .options_and_state import Options

__all__ = ["Options", "build"]
