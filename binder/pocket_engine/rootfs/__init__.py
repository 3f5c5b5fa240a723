"""Root filesystems: unpacked from layers when something has to run, and read back as a new layer.

Owns what lies in <store>/trees and in each container's root folder. May import store, inode_birth_time, errors.
"""

from .manager import Roots
from .root_filesystem import Tree, settle

__all__ = ["Roots", "Tree", "settle"]
