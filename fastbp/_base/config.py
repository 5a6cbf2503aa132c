"""`show_config`: prints versions, instruction set, compiler, threads and caches."""

import platform

import numpy as np

from fastbp import _core
from fastbp._base.cpus import available_cpus
from fastbp._base.shown import memory
from fastbp._version import __version__


def show_config() -> None:
    """Print what a bug report should contain: versions, compiler, instruction set, threads and caches."""
    l1, l2, l3 = _core.caches()
    rows = {
        "fastbp": __version__,
        "ISA": f"{_core.isa()} (this machine runs {', '.join(_core.available_isas())})",
        "compiler": _core.COMPILER,
        "threads": f"{_core.threads()} (this process may use {available_cpus()} CPUs)",
        "caches": f"L1 {memory(l1)}, L2 {memory(l2)}, L3 {memory(l3)} per core",
        "NumPy": np.__version__,
        "Python": platform.python_version(),
        "platform": platform.platform(),
    }
    for name, value in rows.items():
        print(f"{name:9} {value}")
