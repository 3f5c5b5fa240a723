"""The classic builder: a Dockerfile and its build context become layers and an image.

Owns the instructions, the build cache and the messages of a build.
May import engine_services, rootfs, runtime, registry, store, passwd, reference_grammar, errors.
"""

from .builder import build
from .options_and_state import BuildOptions

__all__ = ["BuildOptions", "build"]
