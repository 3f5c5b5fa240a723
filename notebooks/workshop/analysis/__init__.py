"""What can be said of images from the frame of their files: waste, differences, what crossed the gate, packages.

Owns the rules of counting. Pure: nothing here talks to an engine or reads a disk; `measure.py` fetches what is needed.
May import: layer (the frame's constants and the merge), dockerfiles, and the modules beside this folder.
"""
