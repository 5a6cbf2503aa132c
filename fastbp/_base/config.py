"""`show_config`: prints versions, instruction set, compiler and threads."""

import platform

import numpy as np

from fastbp import _core
from fastbp._base.cpus import available_cpus
from fastbp._version import __version__


def show_config() -> None:
    """Print the versions, the compiler and the instruction set in use: what a bug report should contain."""
    rows = {
        "fastbp": __version__,
        "ISA": f"{_core.isa()} (this machine runs {', '.join(_core.available_isas())})",
        "compiler": _core.COMPILER,
        "threads": f"{_core.threads()} (this process may use {available_cpus()} CPUs)",
        "NumPy": np.__version__,
        "Python": platform.python_version(),
        "platform": platform.platform(),
    }
    for name, value in rows.items():
        print(f"{name:9} {value}")
