"""build(): one Dockerfile through a builder of the engine, followed step by step, every stage kept.

Owns the request, the build context, the two builders (classic; BuildKit with its session), how each one's log is read, what
a failed build says, and what a build ran, when, and after which edit.
May import: bases, engine, dockerfiles, analysis, and the modules beside this folder.
"""
