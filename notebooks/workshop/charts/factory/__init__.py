"""The factory that a Dockerfile describes, drawn as a figure to walk through step by step.

Owns the drawing: layout (what stands where in which hall), shapes, icons, labels, words, animation, figure.
May import: charts.style, dockerfiles, and the modules beside workshop's folders.
"""
