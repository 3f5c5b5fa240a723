"""Root filesystems: unpacked from layers when something has to run, and read back as a new layer.

Owns the folders of <store>/trees and those of containers' roots. May import store, inode_birth_time, errors.
"""

from .manager import RootfsManager
from .root_filesystem import RootFilesystem, wait_for_clock_tick

__all__ = ["RootFilesystem", "RootfsManager", "wait_for_clock_tick"]
