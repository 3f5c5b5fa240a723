"""Pull, push, login and inspect: the OCI distribution spec, and Docker's own conventions.

Owns what is said to registries and how their refusals are worded. May import store, reference_grammar, errors.
"""

from .inspection import inspect
from .login import login
from .pull import pull
from .push import push

__all__ = ["inspect", "login", "pull", "push"]
