"""Packages that fastbp can do without: imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def scipy(module: str, user: str) -> Any:
    """Return a module of SciPy for `user`; ImportError, which says how to get it, where it is missing."""
    try:
        return import_module(f"scipy.{module}")
    except ImportError as error:
        message = f'{user} needs SciPy ({error}): pip install "fastbp[scipy]", or pip install scipy'
        raise ImportError(message, name="scipy") from error
