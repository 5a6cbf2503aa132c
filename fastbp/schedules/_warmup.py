"""Warm-up before a schedule, and learning rates that are functions of the epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastbp._base import arguments
from fastbp._base.fields import checked_by, integer
from fastbp.exceptions import ParameterError
from fastbp.schedules._base import STEPS, Constant, LearningRate, Schedule, check_rate


def _followed(argument: str, learning_rate: Any) -> LearningRate:
    """Return what may follow a warm-up; ParameterError for another warm-up."""
    if isinstance(learning_rate, Warmup):
        raise ParameterError(f"{argument} is {learning_rate}, expected one without a warm-up")
    return check_rate(argument, learning_rate)


class Warmup(Schedule):
    """Raise the rate linearly in the first steps, then follow a schedule from its own step 0.

    Step k < steps has the rate f (k + 1) / (steps + 1), where f is the first rate of what follows, or for a
    function of the epoch its rate in the present epoch. A later step k has the rate of step k - steps of what
    follows.

    The same as PyTorch's SequentialLR of LinearLR(1 / (steps + 1), total_iters=steps) and the other
    scheduler, with the milestone `steps`.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
        What follows the warm-up.
    steps : int, >= 0 and < 2**53
        Steps of the warm-up.

    Raises
    ------
    ParameterError
        An argument is not as above, or a warm-up follows a warm-up. A call with a step raises it if a
        function of the epoch follows.

    References
    ----------
    P. Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour, 2017.
    """

    learning_rate: LearningRate = checked_by(  # type: ignore[assignment]
        _followed, "float, > 0, or a schedule, or a function of the epoch"
    )
    steps: int = integer(at_least=0, below=STEPS)

    row = ""

    @property
    def following(self) -> Schedule:
        """The schedule after the warm-up; ParameterError if it is a function of the epoch."""
        if goes_by_epoch(self):
            raise ParameterError(
                f"learning_rate is {self.learning_rate} in a Warmup, expected a number or a schedule: what a "
                "function returns depends on the epoch, not on the step"
            )
        return in_epoch(self.learning_rate, 0)

    @property
    def parameters(self) -> tuple[float, ...]:
        """The numbers of the row of what follows."""
        return self.following.parameters

    @property
    def reached(self) -> dict[str, float]:
        return self.following.reached | {"the first rate": self(0)}

    def check_dtype(self, dtype: np.dtype[Any]) -> None:
        """Refuse rates that dtype cannot hold, those of a function only when it has returned them."""
        if isinstance(self.learning_rate, Constant):
            self.learning_rate.check_dtype(dtype)
        elif not goes_by_epoch(self):
            super().check_dtype(dtype)

    def __call__(self, step: int) -> float:
        return warmed(self.following, self.steps, step)

    def rates(self, steps: range) -> list[float]:
        warm = [step for step in steps if step < self.steps]
        later = steps[len(warm) :]
        after = range(later.start - self.steps, later.stop - self.steps, later.step)
        return [*map(self, warm), *self.following.rates(after)]


def warmed(schedule: Callable[[int], float], warmup: int, step: int) -> float:
    """Return the rate of a step if `warmup` steps come before the schedule."""
    if step < warmup:
        return schedule(0) * (step + 1) / (warmup + 1)
    return schedule(step - warmup)


def without_warmup(learning_rate: LearningRate) -> LearningRate:
    """Return a learning rate, or what follows its warm-up."""
    return learning_rate.learning_rate if isinstance(learning_rate, Warmup) else learning_rate


def goes_by_epoch(learning_rate: LearningRate) -> bool:
    """Tell whether a learning rate is a function of the epoch, perhaps after a warm-up."""
    return not isinstance(without_warmup(learning_rate), float | Schedule)


def in_epoch(learning_rate: LearningRate, epoch: int) -> Schedule:
    """Return the schedule of an epoch's steps; ParameterError if a function returns no rate for it."""
    if isinstance(learning_rate, Warmup) and goes_by_epoch(learning_rate):
        return Warmup(in_epoch(learning_rate.learning_rate, epoch), learning_rate.steps)
    if isinstance(learning_rate, Schedule):
        return learning_rate
    if isinstance(learning_rate, float):
        return Constant(learning_rate)
    return Constant(arguments.number(f"learning_rate({epoch})", learning_rate(epoch), at_least=0))
