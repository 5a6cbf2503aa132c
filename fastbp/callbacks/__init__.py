"""Callbacks: functions and objects that a fit calls at certain moments, and that may stop it.

A callback is a function of an `EpochState`, which is called after every epoch, or an object with some of
the methods `on_fit_begin`, `on_epoch_begin`, `on_batch_end`, `on_epoch_end` and `on_fit_end`, each of which
takes one. Those of this package are immutable values, except `Diagnose`, which may hold data. What values
remember is in an object that `begin` makes for each fit, so one value serves many fits.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from fastbp.callbacks._averaging import (
    ExponentialMovingAverage,
    StochasticWeightAveraging,
    WeightAveraging,
)
from fastbp.callbacks._base import (
    AnyCallback,
    Begins,
    Callback,
    Columns,
    Function,
    OnBatchEnd,
    OnEpochBegin,
    OnEpochEnd,
    OnFitBegin,
    OnFitEnd,
    Watcher,
)
from fastbp.callbacks._checkpoint import Checkpoint
from fastbp.callbacks._hooks import Callbacks
from fastbp.callbacks._loggers import CSVLogger, TensorBoard
from fastbp.callbacks._plateau import EarlyStopping, ReduceLROnPlateau
from fastbp.callbacks._state import EpochState, FittedNetwork, Sample

__all__ = [
    "AnyCallback",
    "Begins",
    "CSVLogger",
    "Callback",
    "Callbacks",
    "Checkpoint",
    "Columns",
    "Diagnose",
    "EarlyStopping",
    "EpochState",
    "ExponentialMovingAverage",
    "FittedNetwork",
    "Function",
    "OnBatchEnd",
    "OnEpochBegin",
    "OnEpochEnd",
    "OnFitBegin",
    "OnFitEnd",
    "RecordPath",
    "ReduceLROnPlateau",
    "Sample",
    "StochasticWeightAveraging",
    "TensorBoard",
    "Watcher",
    "WeightAveraging",
]

_MODULES = {"Diagnose": "_diagnose", "RecordPath": "_path"}  # that are loaded on first use

if _TYPE_CHECKING:
    from fastbp.callbacks._diagnose import Diagnose
    from fastbp.callbacks._path import RecordPath
else:

    def __getattr__(name: str) -> _Any:
        """Load a callback on first use."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(_import_module(f"{__name__}.{_MODULES[name]}"), name))


def __dir__() -> list[str]:
    return sorted(__all__)
