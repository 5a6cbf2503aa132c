"""Callbacks: what looks at a fit after each epoch, and may stop it.

A callback is a function of an `EpochState`, or an object with a method `on_epoch_end` of one. Those of this
module are frozen values; what one of them remembers lives in the fit, so that it serves any number of fits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from fastbp import _core
from fastbp._base.arguments import choice, flag, integer, number, text
from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp.exceptions import BusyError, DivergenceError, Error, ParameterError
from fastbp.history import History

if TYPE_CHECKING:
    from fastbp.network import Network
    from fastbp.optimizers import Optimizer


class EpochState:
    """A fit at the end of an epoch.

    A callback may predict, evaluate and copy the network; calls that change it raise BusyError. `keep` and
    setting `learning_rate` work in the fit's own thread, during the fit: they raise BusyError in another
    thread, and Error after the fit.

    Attributes
    ----------
    network : Network
    history : History
        What this fit recorded so far, this epoch included; `network.history` has it, too.
    epochs : int
        What the fit was asked for.
    reason : str
        Why the fit is to stop, "" while it is not.
    """

    def __init__(
        self,
        network: Network,
        engine: _core.Engine,
        history: History,
        epochs: int,
        keep: Callable[[int], bool],
    ) -> None:
        self.network, self.history, self.epochs = network, history, epochs
        self.reason = ""
        self._engine, self._keep = engine, keep
        self._thread, self._is_over = get_ident(), False

    @property
    def epoch(self) -> int:
        """The index of the epoch, 0 for the first of the fit."""
        return len(self.history) - 1

    @property
    def metrics(self) -> dict[str, float]:
        """The epoch's entries in the history: "loss", "validation_loss" and so on."""
        return self.history.row(self.epoch)

    @property
    def learning_rate(self) -> float:
        """Of the next step; setting it ends a schedule, and leaves the optimizer's state as it is."""
        return self._engine.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._check("setting the learning rate")
        self._engine.learning_rate = number("learning_rate", rate, above=0)

    def stop(self, reason: str = "callback") -> None:
        """Let this epoch be the last; the first `reason` becomes `history.stopped`."""
        self.reason = self.reason or text("reason", reason) or "callback"

    def keep(self) -> None:
        """Let the fit end with the parameters, optimizer state and step count of this epoch.

        The last call counts; if the fit raises, none does.

        Raises
        ------
        DivergenceError
            They are not finite.
        """
        self._check("keep")
        if not self._keep(len(self.history)):
            raise DivergenceError(f"the network's state is NaN or infinite after epoch {len(self.history)}")

    def close(self) -> None:
        """Refuse changes from now on: the fit is over."""
        self._is_over = True

    def _check(self, what: str) -> None:
        if self._is_over:
            raise Error(f"{what} of a fit that is over, expected it during the fit, from a callback")
        if get_ident() != self._thread:
            raise BusyError(f"{what} of a fit in another thread, expected it from that fit's callbacks")


class OnEpochEnd(Protocol):
    """An object that is a callback."""

    def on_epoch_end(self, state: EpochState, /) -> object:
        """Look at the state; what is returned is ignored."""


Function: TypeAlias = Callable[[EpochState], object]
Columns: TypeAlias = Mapping[str, bool]  # what a fit measures, each with whether greater is better


class Callback(Value, ABC):
    """A value that begins afresh in each fit."""

    @abstractmethod
    def begin(self, columns: Columns) -> Function:
        """Return what is called after each epoch; ParameterError where the fit lacks a column."""

    def check(self, argument: str, optimizer: Optimizer) -> None:
        """Refuse an optimizer that it cannot work with."""


class Watching(Callback):
    """A value that waits for a column of the history to improve."""

    monitor: str
    patience: int
    min_delta: float
    relative: bool

    def __init__(
        self, monitor: str, patience: int, min_delta: float, relative: bool, **own: float | bool
    ) -> None:
        """Check and set what is watched, and set the fields of one's `own`, which are checked."""
        self._set(
            monitor=text("monitor", monitor),
            patience=integer("patience", patience, at_least=1),
            min_delta=number("min_delta", min_delta, at_least=0),
            relative=flag("relative", relative),
            **own,
        )

    def plateau(self, columns: Columns) -> Plateau:
        """Return the count of the epochs without improvement, at its beginning."""
        return Plateau(self.monitor, columns, self.min_delta, self.relative)


class EarlyStopping(Watching):
    """Stop when a column of the history has not improved for `patience` epochs.

    Parameters
    ----------
    monitor : str
        "loss", or with validation data "validation_loss" or "validation_" and the name of a metric. Which way
        is better follows from it.
    patience : int, >= 1
    min_delta : float, >= 0
        What the best value must be surpassed by, to count as an improvement.
    relative : bool
        Whether min_delta is to be multiplied by |best value|.
    restore_best : bool
        Whether the fit is to end with the parameters, optimizer state and step count of the best epoch, for
        whatever reason it ends, unless it raises. Its history keeps all epochs.
    """

    restore_best: bool

    def __init__(
        self,
        monitor: str = "validation_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        relative: bool = False,
        restore_best: bool = False,
    ) -> None:
        kept = flag("restore_best", restore_best)
        super().__init__(monitor, patience, min_delta, relative, restore_best=kept)

    def begin(self, columns: Columns, reason: str = "early_stopping") -> Function:
        """Return what is called after each epoch, and stops for this reason."""
        plateau = self.plateau(columns)

        def on_epoch_end(state: EpochState) -> None:
            plateau.look(state.metrics)
            if plateau.length == 0 and self.restore_best:
                state.keep()
            if plateau.length >= self.patience:
                state.stop(reason)

        return on_epoch_end


class ReduceLROnPlateau(Watching):
    """Multiply the learning rate by `factor` whenever a column has not improved for `patience` epochs.

    As Keras does, without a cooldown; PyTorch waits one epoch longer. A schedule ends with the first change.
    `LevenbergMarquardt` has no learning rate, and is refused.

    Parameters
    ----------
    monitor, patience, min_delta, relative
        As for `EarlyStopping`.
    factor : float, > 0 and < 1
    min_learning_rate : float, >= 0
        Where it ends.
    """

    factor: float
    min_learning_rate: float

    def __init__(
        self,
        monitor: str = "validation_loss",
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 0.0,
        relative: bool = False,
        min_learning_rate: float = 0.0,
    ) -> None:
        super().__init__(
            monitor,
            patience,
            min_delta,
            relative,
            factor=number("factor", factor, above=0, below=1),
            min_learning_rate=number("min_learning_rate", min_learning_rate, at_least=0),
        )

    def check(self, argument: str, optimizer: Optimizer) -> None:
        if not optimizer.has_learning_rate:
            raise ParameterError(
                f"{argument} is {self} with the optimizer {optimizer}, expected one that has a learning rate"
            )

    def begin(self, columns: Columns) -> Function:
        plateau = self.plateau(columns)

        def on_epoch_end(state: EpochState) -> None:
            plateau.look(state.metrics)
            if plateau.length >= self.patience:
                plateau.length = 0
                rate = max(self.factor * state.learning_rate, self.min_learning_rate)
                if 0 < rate < state.learning_rate:
                    state.learning_rate = rate

        return on_epoch_end


class Plateau:
    """How many epochs a column of the history has not improved."""

    def __init__(self, monitor: str, columns: Columns, min_delta: float, relative: bool) -> None:
        self._column = monitor
        self._sign = -1 if choice("monitor", monitor, columns) else 1
        self._min_delta, self._relative = min_delta, relative
        self._best: float | None = None
        self.length = 0

    def look(self, metrics: Mapping[str, float]) -> None:
        """Take note of an epoch; NaN and infinity are no improvement."""
        value = self._sign * metrics[self._column]
        best = self._best
        needed = self._min_delta * (abs(best) if self._relative and best is not None else 1)
        if isfinite(value) and (best is None or best - value > needed):
            self._best, self.length = value, 0
        else:
            self.length += 1


def at_minimum(gradient_tol: float) -> Function:
    """Return the callback that stops when no element of the gradient is larger in magnitude."""

    def on_epoch_end(state: EpochState) -> None:
        gradients = state._engine.gradients
        largest = max(float(gradients.max()), -float(gradients.min()))  # without a temporary vector
        if largest <= gradient_tol:  # NaN goes on
            state.stop("gradient_tol")

    return on_epoch_end


Callbacks: TypeAlias = Function | OnEpochEnd | Sequence[Function | OnEpochEnd]


def begin(callbacks: Any, columns: Columns, optimizer: Optimizer) -> list[Function]:
    """Return the functions that one callback or a sequence of them stand for in a fit that measures these."""
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
