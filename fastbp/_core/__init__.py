"""The native code: the one boundary between Python and the C core.

All modules here are linked into one shared object, that of `library`, because the C core has state, such as
its threads, that must exist only once. It is also quicker: the import opens one file instead of eight. Python
finds `library` by itself. The others are loaded from the same file, each one after those it imports.
"""

import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import module_from_spec
from types import ModuleType

from fastbp._core import library


def load(name: str) -> ModuleType:
    """Load a module of the shared object, unless it is loaded already."""
    full = f"{__name__}.{name}"
    if full not in sys.modules:
        loader = ExtensionFileLoader(full, library.__file__)
        sys.modules[full] = globals()[name] = module_from_spec(
            ModuleSpec(full, loader, origin=library.__file__)
        )
        loader.exec_module(globals()[name])
    return sys.modules[full]


for _name in ("arrays", "entries", "guard", "calls", "run", "settings", "engine"):
    load(_name)

from fastbp._core.arrays import (  # noqa: E402
    aligned_zeros,
    check_memory,
    first_bad_label,
    first_nonfinite,
    gathered,
    handed_out,
    hold,
    is_mapped,
    is_untouched,
    plain_and_finite,
    plain_rows,
    watch,
)
from fastbp._core.engine import Engine  # noqa: E402
from fastbp._core.entries import place_entries, take_columns  # noqa: E402
from fastbp._core.guard import Exchange, Guard, Snapshot, to_the_end  # noqa: E402
from fastbp._core.library import (  # noqa: E402
    ACTIVATIONS,
    COMPILER,
    LOSSES,
    MAX_THREADS,
    OPTIMIZERS,
    SCHEDULES,
    VECTOR_MATH,
    OwnThreads,
    activate,
    available_isas,
    caches,
    caches_in,
    cholesky,
    cholesky_solve,
    derivative,
    fail_allocation,
    inverse_trace,
    isa,
    limit_cpus,
    loss_curvature,
    orthonormal_columns,
    permutation,
    random_raw,
    scheduled_cpus,
    second_derivative,
    set_isa,
    set_threads,
    threads,
    vector_math,
)
from fastbp._core.run import Run, checked_progress  # noqa: E402

__all__ = [
    "ACTIVATIONS",
    "COMPILER",
    "LOSSES",
    "MAX_THREADS",
    "OPTIMIZERS",
    "SCHEDULES",
    "VECTOR_MATH",
    "Engine",
    "Exchange",
    "Guard",
    "OwnThreads",
    "Run",
    "Snapshot",
    "activate",
    "aligned_zeros",
    "available_isas",
    "caches",
    "caches_in",
    "check_memory",
    "checked_progress",
    "cholesky",
    "cholesky_solve",
    "derivative",
    "fail_allocation",
    "first_bad_label",
    "first_nonfinite",
    "gathered",
    "handed_out",
    "hold",
    "inverse_trace",
    "is_mapped",
    "is_untouched",
    "isa",
    "limit_cpus",
    "loss_curvature",
    "orthonormal_columns",
    "permutation",
    "place_entries",
    "plain_and_finite",
    "plain_rows",
    "random_raw",
    "scheduled_cpus",
    "second_derivative",
    "set_isa",
    "set_threads",
    "take_columns",
    "threads",
    "to_the_end",
    "vector_math",
    "watch",
]
