"""Base class of schedules, and what an optimizer takes as its learning rate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import numpy as np

from fastbp._base import arguments
from fastbp._base.arguments import held
from fastbp._base.fields import number
from fastbp._base.value import Value

STEPS = 2**53  # below which float64 counts them


class Schedule(Value, ABC):
    """A learning rate for each step: ``schedule(k)`` is the rate of step k, counted from 0.

    Attributes
    ----------
    learning_rate : float
        The rate that the schedule changes.
    row : str
        Name of its row in the engines' table; "" for `Warmup`, which comes before a row.
    """

    row: ClassVar[str]
    formula: ClassVar[Callable[..., float]]  # (step, learning_rate, *parameters) -> rate, as in the row
    learning_rate: float = number(above=0)

    @property
    @abstractmethod
    def parameters(self) -> tuple[float, ...]:
        """The numbers of the row, in its order."""

    @property
    def reached(self) -> dict[str, float]:
        """The positive rates at the start, soon after it and at the end, by formula."""
        return {"learning_rate": self.learning_rate}

    def check_dtype(self, dtype: np.dtype[Any]) -> None:
        """Refuse rates that dtype cannot hold; they are computed in float64."""
        for name, rate in self.reached.items():
            held(name, rate, dtype, self, positive=True)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        return self.formula(step, self.learning_rate, *self.parameters)

    def rates(self, steps: range) -> list[float]:
        """Return the learning rates of these steps."""
        formula, numbers = self.formula, (self.learning_rate, *self.parameters)
        return [formula(step, *numbers) for step in steps]


#: What an optimizer takes as its learning rate: a number, a schedule, or a function of the number of epochs
#: done so far.
LearningRate: TypeAlias = float | Schedule | Callable[[int], float]


class Constant(Schedule):
    """The same rate at every step: a number as a schedule, or a function of the epoch within one epoch.

    Parameters
    ----------
    learning_rate : float, >= 0
    """

    row = "constant"
    learning_rate: float = number(at_least=0)

    def check_dtype(self, dtype: np.dtype[Any]) -> None:
        """Refuse a rate that is too large for dtype; functions and callbacks may let it fall to 0."""
        if self.learning_rate > 1:
            super().check_dtype(dtype)

    @property
    def parameters(self) -> tuple[float, ...]:
        return ()

    @staticmethod
    def formula(step: int, learning_rate: float) -> float:
        return learning_rate


def check_rate(argument: str, learning_rate: Any) -> LearningRate:
    """Return what an optimizer takes as learning rate; ParameterError if it is nothing of the kind."""
    function = callable(learning_rate) and not isinstance(learning_rate, type)
    rate: LearningRate = learning_rate if function else arguments.number(argument, learning_rate, above=0)
    return rate
