"""A pocket engine of the tests' own."""

from engines import pocket, pocket_engine_of_tests  # noqa: F401
