"""Containers: created from images, started, watched, read, stopped and removed.

Owns <store>/containers, published ports and what `inspect`, `ps`, `logs` and `cp` show.
May import engine_services, rootfs, runtime, store, passwd, engine_log, procfs, errors.
"""

from .manager import Containers

__all__ = ["Containers"]
