"""The Docker Engine API over HTTP: one module of routes for each part of the API, and what they share.

Owns paths, query parameters, JSON bodies, streams and status codes.
May import engine, builder, containers, registry, store, engine_log, errors.
"""
