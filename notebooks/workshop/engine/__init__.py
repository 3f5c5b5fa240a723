"""The container engine: find one and connect, or start the pocket engine; run containers; remove what is ours.

Owns every call that is neither a build nor an export of layers.
May import: bases, charts (their footer names the engine), layer.cache (the cache folder), and the modules beside this folder.
"""
