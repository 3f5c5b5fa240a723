"""From an image's bytes to one frame of its files: archives and exports, tar layers, the cache of what was read, the merge.

Owns every format that an image is stored in. (Not called `layers`: `workshop.layers` is a function.)
May import: dockerfiles, and the modules beside this folder (archives, errors, labels, progress, units).
"""
