"""What a registry is asked for, by the OCI distribution spec and Docker's own conventions."""

from .inspection import inspect
from .login import login
from .pull import pull
from .push import push

__all__ = ["inspect", "login", "pull", "push"]
