"""Training beyond one machine, with Dask."""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from fastbp._base.optional import load as _load
from fastbp.dask._evaluation import evaluate
from fastbp.dask._fit import fit
from fastbp.dask._fit_many import fit_many
from fastbp.dask._scaling import adapt

__all__ = ["DaskMLPClassifier", "DaskMLPRegressor", "adapt", "evaluate", "fit", "fit_many"]

# what needs scikit-learn, with its module; loaded on first use
_ESTIMATORS = {"DaskMLPClassifier": "_classifier", "DaskMLPRegressor": "_regressor"}

if _TYPE_CHECKING:
    from fastbp.dask._classifier import DaskMLPClassifier
    from fastbp.dask._regressor import DaskMLPRegressor
else:

    def __getattr__(name: str) -> _Any:
        """Load an estimator on first use."""
        if name not in _ESTIMATORS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        _load("sklearn.base", "scikit-learn", f"{__name__}.{name}")
        found = getattr(_import_module(f"{__name__}.{_ESTIMATORS[name]}"), name)
        return globals().setdefault(name, found)


def __dir__() -> list[str]:
    return [*__all__]
