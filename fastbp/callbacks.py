"""Callbacks: functions that see a fit after each epoch, and may stop it.

A callback is a function of an `EpochState`, or an object with a method `on_epoch_end` that takes one. Those
of this module are immutable values. What they remember lives in the fit, so one value serves many fits.
"""

from __future__ import annotations

from _thread import get_ident  # not `threading`, which takes longer to import
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments
from fastbp._base.fields import flag, integer, number, text
from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp.exceptions import BusyError, DivergenceError, Error, ParameterError
from fastbp.history import History
from fastbp.layers import Layer
from fastbp.losses import Loss
from fastbp.optimizers import GradientOptimizer, Optimizer

__all__ = [
    "Callback",
    "EarlyStopping",
    "EpochState",
    "FittedNetwork",
    "OnEpochEnd",
    "ReduceLROnPlateau",
]


class FittedNetwork(Protocol):
    """The part of a network that callbacks may use during a fit; `fastbp.Network` documents it.

    All calls that change the network raise BusyError during the fit.
    """

    @property
    def history(self) -> History:
        """All epochs since the network was made or reset, those of this fit included."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Layers with their defaults filled in."""

    @property
    def loss(self) -> Loss:
        """Loss that the fit minimizes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the parameters."""

    @property
    def optimizer(self) -> Optimizer:
        """Current optimizer, to read."""

    @property
    def parameters(self) -> NDArray[Any]:
        """All weights and biases (P,), to read; a write changes the fit."""

    @property
    def weights(self) -> tuple[NDArray[Any], ...]:
        """Matrix W (n_in, n_out) per layer, views into `parameters`."""

    @property
    def biases(self) -> tuple[NDArray[Any], ...]:
        """Vector b (n_out,) per layer, views into `parameters`."""

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step, to read; `EpochState.learning_rate` can be set."""

    def predict(self, X: ArrayLike, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the outputs for X."""

    def predict_classes(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return the most probable class per row of X."""

    def evaluate(
        self, X: ArrayLike, y: ArrayLike, metrics: Any = None, *, sample_weight: ArrayLike | None = None
    ) -> dict[str, float]:
        """Return the loss and metrics of (X, y) by name."""

    def clone(self) -> Self:
        """Return an independent copy, which may be trained on."""


class HasLearningRate(Protocol):
    """An object whose learning rate can be set."""

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None: ...


class EpochState:
    """The state of a fit at the end of an epoch, which callbacks get.

    A callback may use the network as `FittedNetwork` lists: predict, evaluate and copy it, and read its
    history; calls that change the network raise BusyError. `keep` and setting `learning_rate` work in the
    fit's own thread and during the fit: they raise BusyError in another thread, and Error after the fit.

    Attributes
    ----------
    network : Network
        The network that is being trained, typed as `FittedNetwork`.
    history : History
        Record of this fit, this epoch included; `network.history` contains it, too.
    epochs : int
        Number of epochs requested.
    reason : str
        Why the fit is going to stop; "" if it is not.
    """

    def __init__(
        self,
        network: FittedNetwork,
        model: HasLearningRate,
        history: History,
        epochs: int,
        keep: Callable[[int], bool],
    ) -> None:
        self.network, self.history, self.epochs = network, history, epochs
        self.reason = ""
        self._model, self._keep = model, keep
        self._thread, self._is_over = get_ident(), False

    @property
    def epoch(self) -> int:
        """Index of the epoch, 0 for the first of the fit."""
        return len(self.history) - 1

    @property
    def metrics(self) -> dict[str, float]:
        """Entries of the epoch in the history: "loss", "validation_loss" and so on."""
        return self.history.row(self.epoch)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step; setting it ends a schedule and keeps the optimizer's state."""
        return self._model.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._check("setting the learning rate")
        self._model.learning_rate = rate

    def stop(self, reason: str = "callback") -> None:
        """Stop the fit after this epoch; the first `reason` given becomes `history.stopped`."""
        self.reason = self.reason or arguments.text("reason", reason) or "callback"

    def keep(self) -> None:
        """Keep the parameters, optimizer state and step count of this epoch as those that the fit ends with.

        The last call counts. If the fit raises an error, none does.

        Raises
        ------
        DivergenceError
            They are not finite.
        """
        self._check("keep")
        if not self._keep(len(self.history)):
            raise DivergenceError(f"the network's state is NaN or infinite after epoch {len(self.history)}")

    def close(self) -> None:
        """Refuse changes from now on, because the fit is over."""
        self._is_over = True

    def _check(self, what: str) -> None:
        if self._is_over:
            raise Error(f"{what} of a fit that is over, expected it during the fit, from a callback")
        if get_ident() != self._thread:
            raise BusyError(f"{what} of a fit in another thread, expected it from that fit's callbacks")


class OnEpochEnd(Protocol):
    """An object with a method that is called after each epoch."""

    def on_epoch_end(self, state: EpochState, /) -> object:
        """Look at the state; the return value is ignored."""


Function: TypeAlias = Callable[[EpochState], object]
Columns: TypeAlias = Mapping[str, bool]  # what a fit measures, each with whether greater is better


class Callback(Value, ABC):
    """Base class of the callbacks of this module: a value, which starts again in each fit."""

    @abstractmethod
    def begin(self, columns: Columns) -> Function:
        """Return the function to call after each epoch; ParameterError if the fit lacks a column."""

    def check(self, argument: str, optimizer: Optimizer) -> None:
        """Raise ParameterError for an optimizer that it cannot work with."""


class EarlyStopping(Callback):
    """Stop when a column of the history has not improved for `patience` epochs.

    Parameters
    ----------
    monitor : str
        Name of the column: "loss" or, with validation data, "validation_loss" or "validation_" and the name
        of a metric. It decides whether lower or higher is better.
    patience : int, >= 1
        Number of epochs without improvement after which the fit stops.
    min_delta : float, >= 0
        An improvement is a value that is better than the best one by more than this.
    relative : bool
        Whether min_delta is multiplied by |best value|.
    restore_best : bool
        Whether the fit ends with the parameters, optimizer state and step count of the best epoch, whatever
        ends it, unless it raises. The history keeps all epochs.
    """

    monitor: str = text(default="validation_loss")
    patience: int = integer(default=10, at_least=1)
    min_delta: float = number(default=0.0, at_least=0)
    relative: bool = flag(default=False)
    restore_best: bool = flag(default=False)

    def begin(self, columns: Columns, reason: str = "early_stopping") -> Function:
        """Return the function to call after each epoch; `reason` becomes `history.stopped`."""
        plateau = Plateau(self.monitor, columns, self.min_delta, self.relative)

        def on_epoch_end(state: EpochState) -> None:
            plateau.look(state.metrics)
            if plateau.length == 0 and self.restore_best:
                state.keep()
            if plateau.length >= self.patience:
                state.stop(reason)

        return on_epoch_end


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by `factor` whenever a column has not improved for `patience` epochs.

    As in Keras without a cooldown; PyTorch waits one epoch longer. The first change ends a schedule.
    `LevenbergMarquardt` has no learning rate: ParameterError.

    Parameters
    ----------
    monitor : str
        Name of the column, as for `EarlyStopping`.
    factor : float, > 0 and < 1
    patience : int, >= 1
        Number of epochs without improvement after which the rate is lowered.
    min_delta : float, >= 0
        An improvement is a value that is better than the best one by more than this.
    relative : bool
        Whether min_delta is multiplied by |best value|.
    min_learning_rate : float, >= 0
        The lowest rate.
    """

    monitor: str = text(default="validation_loss")
    factor: float = number(default=0.1, above=0, below=1)
    patience: int = integer(default=10, at_least=1)
    min_delta: float = number(default=0.0, at_least=0)
    relative: bool = flag(default=False)
    min_learning_rate: float = number(default=0.0, at_least=0)

    def check(self, argument: str, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, GradientOptimizer):
            raise ParameterError(
                f"{argument} is {self} with the optimizer {optimizer}, expected one that has a learning rate"
            )

    def begin(self, columns: Columns) -> Function:
        plateau = Plateau(self.monitor, columns, self.min_delta, self.relative)

        def on_epoch_end(state: EpochState) -> None:
            plateau.look(state.metrics)
            if plateau.length >= self.patience:
                plateau.length = 0
                rate = max(self.factor * state.learning_rate, self.min_learning_rate)
                if 0 < rate < state.learning_rate:
                    state.learning_rate = rate

        return on_epoch_end


class Plateau:
    """Counter of the epochs since a column of the history last improved, or since `length` was set to 0."""

    def __init__(self, monitor: str, columns: Columns, min_delta: float, relative: bool) -> None:
        self._column = monitor
        self._sign = -1 if arguments.choice("monitor", monitor, columns) else 1
        self._min_delta, self._relative = min_delta, relative
        self._best: float | None = None
        self.length = 0

    def look(self, metrics: Mapping[str, float]) -> None:
        """Count an epoch; NaN and infinity are no improvement."""
        value = self._sign * metrics[self._column]
        best = self._best
        needed = self._min_delta * (abs(best) if self._relative and best is not None else 1)
        if isfinite(value) and (best is None or best - value > needed):
            self._best, self.length = value, 0
        else:
            self.length += 1


Callbacks: TypeAlias = Function | OnEpochEnd | Sequence[Function | OnEpochEnd]


def begin(callbacks: Any, columns: Columns, optimizer: Optimizer) -> list[Function]:
    """Return the functions to call after each epoch, for one callback or a sequence of them."""
    listed = list(callbacks) if isinstance(callbacks, Sequence) else [callbacks]
    return [_begin(f"callbacks[{i}]", callback, columns, optimizer) for i, callback in enumerate(listed)]


def _begin(argument: str, callback: Any, columns: Columns, optimizer: Optimizer) -> Function:
    if isinstance(callback, Callback):
        callback.check(argument, optimizer)
        return callback.begin(columns)
    function: Function = getattr(callback, "on_epoch_end", callback)
    if isinstance(callback, type) or not callable(function):
        raise ParameterError(
            f"{argument} is {shown(callback)}, "
            "expected a function of the state or an object with on_epoch_end"
        )
    return function
