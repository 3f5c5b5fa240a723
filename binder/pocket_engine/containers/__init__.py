"""Containers: created from images, started, watched, read, stopped and removed."""

from .manager import Containers

__all__ = ["Containers"]
