"""Multi-layer perceptrons on the CPU: a C core behind a small Python package that needs only NumPy.

    net = fastbp.Network([64, 64, 10], loss="cross_entropy", optimizer=fastbp.Adam(learning_rate=1e-3))
    history = net.fit(X, y, epochs=30, batch_size=32, validation_data=(Xv, yv))
    probabilities = net.predict(Xv)

The modules `activations`, `losses`, `optimizers`, `schedules`, `initializers`, `metrics`, `callbacks` and
`splits` list what a network can be built from and trained with. `fastbp.reference` has the same network in
plain NumPy, `fastbp.inspect` shows and judges the derivatives of a network, and `fastbp.datasets` and
`fastbp.plot` help with examples.
"""

try:
    from fastbp import _core as _core
except ImportError as error:
    if error.name != f"{__name__}._core":  # something else is missing, for example NumPy
        raise
    raise ImportError(
        f"fastbp is not built for this Python in {__path__[0]}: build it first, with `make .venv/package` or "
        "`pip install -e .` in the source folder; if fastbp is installed elsewhere, leave that folder"
    ) from None

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from fastbp import _moved as _moved
from fastbp import activations, callbacks, initializers, losses, metrics, optimizers, schedules, splits
from fastbp._base.threads import get_num_threads, set_num_threads, threads
from fastbp._version import __version__
from fastbp.activations import CELU, ELU, CustomActivation, LeakyReLU
from fastbp.exceptions import (
    BusyError,
    DataError,
    DivergenceError,
    DTypeError,
    Error,
    ModelFileError,
    ParameterError,
    ShapeError,
    ShardError,
    UnknownArgumentError,
)
from fastbp.history import History
from fastbp.layers import Dense
from fastbp.losses import (
    MAE,
    MSE,
    BinaryCrossEntropy,
    CrossEntropy,
    CustomLoss,
    GaussianNLL,
    HalfSSE,
    Hinge,
    Huber,
    LogCosh,
    Poisson,
    Quantile,
    Quantiles,
)
from fastbp.network import Network, load
from fastbp.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    IRprop,
    LevenbergMarquardt,
    Lion,
    NAdam,
    Quickprop,
    RAdam,
    RMSprop,
)
from fastbp.splits import ShuffledSplit, StratifiedSplit

__all__ = [
    "CELU",
    "ELU",
    "MAE",
    "MSE",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "BinaryCrossEntropy",
    "BusyError",
    "CrossEntropy",
    "CustomActivation",
    "CustomLoss",
    "DTypeError",
    "DataError",
    "Dense",
    "DivergenceError",
    "Error",
    "GaussianNLL",
    "HalfSSE",
    "Hinge",
    "History",
    "Huber",
    "IRprop",
    "LeakyReLU",
    "LevenbergMarquardt",
    "Lion",
    "LogCosh",
    "ModelFileError",
    "NAdam",
    "Network",
    "ParameterError",
    "Poisson",
    "Quantile",
    "Quantiles",
    "Quickprop",
    "RAdam",
    "RMSprop",
    "ShapeError",
    "ShardError",
    "ShuffledSplit",
    "StratifiedSplit",
    "UnknownArgumentError",
    "__version__",
    "activations",
    "callbacks",
    "cross_validate",
    "explain",
    "fit_many",
    "get_num_threads",
    "initializers",
    "load",
    "losses",
    "metrics",
    "minimize",
    "optimizers",
    "schedules",
    "set_num_threads",
    "show_config",
    "splits",
    "threads",
]

# packages, and functions with their modules, that are loaded on first use
_ROOMS = ("dask", "datasets", "inspect", "io", "plot", "reference", "sklearn")
_FUNCTIONS = {
    "cross_validate": "_many",
    "explain": "_explain",
    "fit_many": "_many",
    "minimize": "_scipy",
    "show_config": "_base.config",
}

if _TYPE_CHECKING:
    from fastbp import dask as dask
    from fastbp import datasets as datasets
    from fastbp import inspect as inspect
    from fastbp import io as io
    from fastbp import plot as plot
    from fastbp import reference as reference
    from fastbp import sklearn as sklearn
    from fastbp._base.config import show_config
    from fastbp._explain import explain
    from fastbp._many import cross_validate, fit_many
    from fastbp._scipy import minimize
else:

    def __getattr__(name: str) -> _Any:
        """Load a package, a function or a moved module on first use."""
        if name in _FUNCTIONS:
            found = getattr(_import_module(f"{__name__}.{_FUNCTIONS[name]}"), name)
            return globals().setdefault(name, found)
        if name in _ROOMS:
            return _import_module(f"{__name__}.{name}")
        if f"{__name__}.{name}" in _moved.MOVED:
            return _moved.present(f"{__name__}.{name}", stacklevel=3)
        modules = (activations, callbacks, losses, metrics, optimizers, schedules)
        there = [module.__name__ for module in modules if name in module.__all__]
        hint = f": it is in {there[0]}" if there else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
