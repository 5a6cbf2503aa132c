"""Optional packages, imported on use."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def scipy(module: str, user: str) -> Any:
    """Return a module of SciPy. If SciPy is missing, the ImportError names `user` and how to install it."""
    try:
        return import_module(f"scipy.{module}")
    except ImportError as error:
        message = f'{user} needs SciPy ({error}): pip install "fastbp[scipy]", or pip install scipy'
        raise ImportError(message, name="scipy") from error
