"""What is kept on disk: blobs by digest, layers by diff id, images by id, names.

Owns the store's folder but for its trees and containers, and the formats of tar archives, OCI layouts and docker-archives.
May import reference_grammar, errors.
"""

from .store import Store

__all__ = ["Store"]
