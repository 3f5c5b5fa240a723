"""The one model of a Dockerfile: its instructions, its stages, what they copy, and the history that a build left of them.

Owns the words of Dockerfiles and of history entries. (Not called `dockerfile`: `workshop.dockerfile` is a function.)
May import: the modules beside this folder (errors, labels, units) only.
"""
