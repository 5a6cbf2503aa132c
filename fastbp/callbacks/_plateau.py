"""The callbacks that watch a column of the history: early stopping, and lower learning rates on a plateau."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, isnan, nan
from zlib import crc32

from fastbp._base import arguments
from fastbp._base.fields import flag, integer, number, one_of, text
from fastbp.callbacks._base import Callback, Columns, Watcher
from fastbp.callbacks._state import EpochState
from fastbp.exceptions import ParameterError
from fastbp.optimizers import GradientOptimizer, Optimizer

MODES = ("auto", "min", "max")


class EarlyStopping(Callback):
    """Stop when a column of the history has not improved for `patience` epochs.

    Epochs in which the column was not measured do not count.

    Parameters
    ----------
    monitor : str
        Name of the column: "loss" or, with validation data, "validation_loss" or "validation_" and the name
        of a metric.
    patience : int, >= 1
        Number of epochs without improvement after which the fit stops.
    min_delta : float, >= 0
        An improvement is a value that is better than the best one by more than this.
    relative : bool
        Whether min_delta is multiplied by |best value|.
    restore_best : bool
        Whether the fit ends with the parameters, optimizer state and step count of the best epoch, whatever
        ends it; after an error also with the learning rate of that epoch. The history keeps all complete
        epochs. Of several callbacks that restore, `fit` refuses all but one.
    mode : "auto" or "min" or "max"
        Whether lower or higher is better; "auto": lower for losses, for metrics as their
        `greater_is_better`.
    baseline : float, optional
        Epochs whose value is not better than this, by more than min_delta, count as epochs without
        improvement.
    start_from_epoch : int, >= 0
        Number of epochs at the start that do not count.
    resume : bool
        Whether the next fit of the network with an equal callback goes on with the best value and the number
        of epochs without improvement, instead of starting again. `reset` and setting the optimizer forget
        them. With restore_best, it starts again if the parameters are no longer those of the best epoch,
        because another call has changed them.
    """

    monitor: str = text(default="validation_loss")
    patience: int = integer(default=10, at_least=1)
    min_delta: float = number(default=0.0, at_least=0)
    relative: bool = flag(default=False)
    restore_best: bool = flag(default=False)
    mode: str = one_of(*MODES, default="auto")
    baseline: float | None = number(default=None)
    start_from_epoch: int = integer(default=0, at_least=0)
    resume: bool = flag(default=False)

    @property
    def restores(self) -> bool:
        """Whether it decides which epoch the fit ends with."""
        return self.restore_best

    def begin(self, columns: Columns, reason: str = "early_stopping") -> Stopping:
        """Return the object with the hooks to call; `reason` becomes `history.stopped`."""
        return Stopping(self, columns, reason)


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by `factor` whenever a column has not improved for `patience` epochs.

    As in Keras; PyTorch waits one epoch longer. The first change ends a schedule. `LevenbergMarquardt` has no
    learning rate: ParameterError. Epochs in which the column was not measured do not count.

    Parameters
    ----------
    monitor : str
        Name of the column, as for `EarlyStopping`.
    factor : float, > 0 and < 1
        What the rate is multiplied by.
    patience : int, >= 1
        Number of epochs without improvement after which the rate is lowered.
    min_delta : float, >= 0
        An improvement is a value that is better than the best one by more than this.
    relative : bool
        Whether min_delta is multiplied by |best value|.
    min_learning_rate : float, >= 0
        The lowest rate.
    cooldown : int, >= 0
        Number of epochs after a reduction in which those without improvement do not count, as in PyTorch;
        Keras counts one of them.
    mode : "auto" or "min" or "max"
        Whether lower or higher is better, as for `EarlyStopping`.
    resume : bool
        Whether the next fit of the network with an equal callback goes on counting, as the lower rate also
        stays. `reset` and setting the optimizer forget the count.
    """

    monitor: str = text(default="validation_loss")
    factor: float = number(default=0.1, above=0, below=1)
    patience: int = integer(default=10, at_least=1)
    min_delta: float = number(default=0.0, at_least=0)
    relative: bool = flag(default=False)
    min_learning_rate: float = number(default=0.0, at_least=0)
    cooldown: int = integer(default=0, at_least=0)
    mode: str = one_of(*MODES, default="auto")
    resume: bool = flag(default=True)

    def check(self, argument: str, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, GradientOptimizer):
            raise ParameterError(
                f"{argument} is {self} with the optimizer {optimizer}, expected one that has a learning rate"
            )

    def begin(self, columns: Columns) -> Watcher:
        return Reduction(self, columns)


class Plateau(Watcher):
    """Counter of the epochs since a column improved: `state` has the "best" value and the number "waited".

    Parameters
    ----------
    chosen : EarlyStopping or ReduceLROnPlateau
    columns : mapping
        What the fit measures, each with whether greater is better.
    """

    def __init__(self, chosen: EarlyStopping | ReduceLROnPlateau, columns: Columns) -> None:
        super().__init__()
        if chosen.monitor == "validation_loss" and chosen.monitor not in columns:
            raise ParameterError(
                "monitor is 'validation_loss' without validation data, expected validation_data, "
                f"validation_split, or one of: {', '.join(columns)}"
            )
        greater = arguments.choice("monitor", chosen.monitor, columns)
        self._column = chosen.monitor
        self._sign = -1 if (greater if chosen.mode == "auto" else chosen.mode == "max") else 1
        self._min_delta, self._relative = chosen.min_delta, chosen.relative
        self.state["best"], self.state["waited"] = nan, 0

    @property
    def waited(self) -> int:
        """Number of epochs since the last improvement."""
        return int(self.state["waited"])

    @property
    def has_best(self) -> bool:
        """Whether an epoch had a value."""
        return not isnan(float(self.state["best"]))

    def improves(self, metrics: Mapping[str, float]) -> bool:
        """Tell whether an epoch has the best value so far, and remember it; NaN and infinity are none."""
        value = metrics[self._column]
        best = float(self.state["best"])
        better = isfinite(value) and (isnan(best) or self.beats(value, best))
        if better:
            self.state["best"] = value
        return better

    def beats(self, value: float, other: float) -> bool:
        """Tell whether a value is better than another one by more than min_delta."""
        return self._sign * (other - value) > self._min_delta * (abs(other) if self._relative else 1)


class Stopping(Plateau):
    """The `EarlyStopping` of one fit."""

    def __init__(self, chosen: EarlyStopping, columns: Columns, reason: str) -> None:
        super().__init__(chosen, columns)
        self._chosen, self._reason = chosen, reason
        self.state["epochs"] = self.state["kept"] = 0

    def on_fit_begin(self, state: EpochState) -> None:
        """Keep the start of a fit that resumes, if it still is the best epoch, as the last fit left it."""
        if not self._chosen.restore_best or not self.has_best or state.is_resumed:
            return  # a checkpoint has the epoch that was kept
        if self.state["kept"] == checksum(state):
            state.keep()
        else:
            self.state["best"], self.state["waited"] = nan, 0

    def on_epoch_end(self, state: EpochState) -> None:
        """Count the epoch; stop if there were enough without improvement."""
        chosen, seen = self._chosen, int(self.state["epochs"])
        self.state["epochs"] = seen + 1
        if seen < chosen.start_from_epoch or self._column not in state.measured:
            return
        self.state["waited"] = self.waited + 1
        if self.improves(state.metrics):
            if chosen.baseline is None or self.beats(state.metrics[self._column], chosen.baseline):
                self.state["waited"] = 0
            if chosen.restore_best:
                if chosen.resume:
                    self.state["kept"] = checksum(state)
                state.keep()  # with what is remembered here
        if self.waited >= chosen.patience:
            state.stop(self._reason)


def checksum(state: EpochState) -> int:
    """Return a number that tells whether the network's parameters have changed."""
    return crc32(state.network.parameters.tobytes())


class Reduction(Plateau):
    """The `ReduceLROnPlateau` of one fit."""

    def __init__(self, chosen: ReduceLROnPlateau, columns: Columns) -> None:
        super().__init__(chosen, columns)
        self._chosen = chosen
        self.state["cooldown"] = 0

    def on_epoch_end(self, state: EpochState) -> None:
        """Count the epoch; lower the learning rate if there were enough without improvement."""
        chosen, cooldown = self._chosen, int(self.state["cooldown"])
        if self._column not in state.measured:
            return
        self.state["waited"] = 0 if self.improves(state.metrics) or cooldown else self.waited + 1
        self.state["cooldown"] = max(cooldown - 1, 0)
        if self.waited >= chosen.patience:
            self.state["waited"], self.state["cooldown"] = 0, chosen.cooldown
            rate = max(chosen.factor * state.learning_rate, chosen.min_learning_rate)
            if 0 < rate < state.learning_rate:
                state.learning_rate = rate
