"""Pulling from and pushing to a registry, by the OCI distribution spec and Docker's own conventions."""

from .pull import pull
from .push import push

__all__ = ["pull", "push"]
