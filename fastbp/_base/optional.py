"""Optional packages, imported on use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Extras of fastbp that are not called like the module they bring.
EXTRAS = {"distributed": "dask", "matplotlib": "plot", "pyarrow": "parquet"}


def scipy(module: str, user: str) -> Any:
    """Return a module of SciPy. If SciPy is missing, the ImportError names `user` and how to install it."""
    return load(f"scipy.{module}", "SciPy", user)


def load(module: str, name: str, user: str) -> Any:
    """Return a module of the package called `name`, an extra of fastbp; ImportError as for `scipy`.

    In lower case, `name` is what pip installs.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ImportError as error:
        extra = EXTRAS.get(package, package)
        command = f'pip install "fastbp[{extra}]", or pip install {name.lower()}'
        message = f"{user} needs {name} ({error}): {command}"
        raise ImportError(message, name=package) from error
