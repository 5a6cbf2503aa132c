"""Averages of the weights over the steps or epochs of a fit."""

from __future__ import annotations

from abc import abstractmethod

from fastbp._base.fields import integer, number
from fastbp.callbacks._base import Callback, Columns, Watcher
from fastbp.exceptions import ParameterError
from fastbp.optimizers import GradientOptimizer, Optimizer


class WeightAveraging(Callback):
    """Base class of the callbacks that average the parameters; the fit itself does it.

    Training goes on from the raw parameters. At the end of each epoch the mean takes their place, for the
    validation, for the callbacks' `on_epoch_end` and for what they keep, and at the end of the fit for good.
    A fit that diverges without a kept epoch returns to raw parameters.
    """

    @property
    @abstractmethod
    def decay(self) -> float | None:
        """Share of the old mean in the new one, after each step; None: ends of epochs count the same."""

    @property
    @abstractmethod
    def start_epoch(self) -> int:
        """Index of the first epoch of the fit that counts."""

    def check(self, argument: str, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, GradientOptimizer):
            raise ParameterError(
                f"{argument} is {self} with the optimizer {optimizer}, expected a gradient optimizer, such "
                "as adam"
            )

    def begin(self, columns: Columns) -> Watcher:
        """Return an object without hooks."""
        return Watcher()


class ExponentialMovingAverage(WeightAveraging):
    """Leave training as it is, but predict with a moving average of the parameters over the steps.

    After each step, average := decay average + (1 - decay) parameters; the first step copies the parameters.
    As PyTorch's AveragedModel with get_ema_avg_fn. Polyak and Juditsky, Acceleration of stochastic
    approximation by averaging (1992). `WeightAveraging` tells where the average is used.

    Parameters
    ----------
    decay : float, >= 0 and < 1
        About 1 / (1 - decay) of the last steps count: 1000 with 0.999.

    Raises
    ------
    ParameterError
        The decay is not as above; from `fit`: the optimizer is `LevenbergMarquardt`, or a second callback
        averages.
    """

    decay: float = number(default=0.999, at_least=0, below=1)

    @property
    def start_epoch(self) -> int:
        """Index of the first epoch of the fit that counts."""
        return 0


class StochasticWeightAveraging(WeightAveraging):
    """Leave training as it is, but predict with the mean of the parameters at the ends of epochs.

    As PyTorch's AveragedModel. Izmailov et al., Averaging weights leads to wider optima and better
    generalization (2018). `WeightAveraging` tells where the mean is used. Before the first epoch that counts
    ends, there is no mean: the network has the raw parameters, also after a fit that is shorter.

    Parameters
    ----------
    start_epoch : int, >= 0
        Index of the first epoch of the fit whose end counts. Training should be close to a minimum there,
        and the learning rate not too small.

    Raises
    ------
    ParameterError
        As for `ExponentialMovingAverage`.
    """

    start_epoch: int = integer(default=0, at_least=0)

    @property
    def decay(self) -> None:
        """None: all ends of epochs count the same."""
        return None
