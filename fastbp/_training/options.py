"""The options of a fit that go with any data, checked."""

from __future__ import annotations

from math import inf
from typing import Literal

from fastbp._base.arguments import integer, number, verbosity
from fastbp._model import Model
from fastbp.callbacks import Callbacks, Columns, EarlyStopping, EpochState, Function, _hooks
from fastbp.optimizers import LevenbergMarquardt, Optimizer


class Options:
    """The arguments of `Network.fit` that say how long to train and what to show, checked."""

    def __init__(
        self,
        *,
        epochs: int,
        tol: float | None,
        patience: int,
        gradient_tol: float | None,
        max_seconds: float | None,
        verbose: int | Literal["auto"],
    ) -> None:
        """Set the options as Python's own numbers; ParameterError if one is out of range."""
        self.epochs = integer("epochs", epochs, at_least=1, below=2**32)
        self.tol = None if tol is None else number("tol", tol, at_least=0)
        self.patience = integer("patience", patience, at_least=1)
        self.gradient_tol = None if gradient_tol is None else number("gradient_tol", gradient_tol, above=0)
        self.max_seconds = inf if max_seconds is None else number("max_seconds", max_seconds, above=0)
        self.verbose = verbosity(verbose)

    def begin_callbacks(self, given: Callbacks | None, columns: Columns, model: Model) -> _hooks.Hooks:
        """Return the functions to call: for these options, then those of the user's callbacks."""
        hooks = _hooks.begin(given, columns, model.optimizer, model.remembered)
        functions: list[Function] = []
        if self.gradient_tol is not None:
            functions.append(at_minimum(model, self.gradient_tol))
        stopping = {} if hooks.restores else early_stopping(model.optimizer, columns)
        if self.tol is not None:
            by_tol = EarlyStopping("loss", self.patience, self.tol, relative=True)
            stopping = {"tol": by_tol} | stopping  # which is asked first
        for reason, callback in stopping.items():
            watcher = callback.begin(columns, reason)
            hooks.watchers.append((reason, watcher.state))
            functions.append(watcher.on_epoch_end)
        hooks.on_epoch_end[:0] = functions
        return hooks


def early_stopping(optimizer: Optimizer, columns: Columns) -> dict[str, EarlyStopping]:
    """Return the callback that `max_fail` asks for, by its reason, if there are validation data."""
    if "validation_loss" not in columns or not isinstance(optimizer, LevenbergMarquardt):
        return {}
    if optimizer.bayesian or optimizer.max_fail is None:
        return {}
    return {"early_stopping": EarlyStopping("validation_loss", optimizer.max_fail, restore_best=True)}


def at_minimum(model: Model, gradient_tol: float) -> Function:
    """Return the callback that stops when no gradient element is larger than `gradient_tol` in magnitude."""

    def on_epoch_end(state: EpochState) -> None:
        gradients = model.engine.gradients
        largest = max(float(gradients.max()), -float(gradients.min()))  # without a temporary vector
        if largest <= gradient_tol:  # False for NaN
            state.stop("gradient_tol")

    return on_epoch_end
