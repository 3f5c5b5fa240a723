"""The factory that a Dockerfile describes, drawn as a figure to walk through step by step.

Owns the drawing: plan (what stands where in which hall), layout, shapes, icons, labels, words, animation, figure.
May import: charts.style, dockerfiles, and the modules beside workshop's folders.
"""
