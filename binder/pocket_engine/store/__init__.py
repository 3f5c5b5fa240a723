"""What is kept on disk: blobs by digest, layers by diff id, images by id, names.

Owns the files of the store, and how layers, OCI layouts and docker-archives are read and written.
May import reference_grammar, errors.
"""

from .store import Store

__all__ = ["Store"]
