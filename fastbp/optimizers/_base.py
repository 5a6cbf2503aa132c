"""What an optimizer is: `fastbp.optimizers` lists those that there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields, replace
from typing import Any, ClassVar, TypedDict

import numpy as np

from fastbp._base.arguments import held, number
from fastbp._base.value import Value
from fastbp.exceptions import ParameterError
from fastbp.schedules import Constant, LearningRate, Schedule, checked, in_epoch


class Clipping(TypedDict, total=False):
    """What every optimizer of `fastbp.optimizers` takes besides its own parameters, by keyword."""

    clip_norm: float | None
    clip_value: float | None


class Optimizer(Value, ABC):
    """How gradients change the parameters: a row of the engines' optimizer tables, and its numbers.

    Parameters
    ----------
    learning_rate : float, > 0
    clip_norm : float, > 0, optional
        Gradients of a larger norm |g|, over all parameters, are scaled by clip_norm / (|g| + 1e-6).
    clip_value : float, > 0, optional
        Elements of the gradient are cut to [-clip_value, clip_value]; before clip_norm, where both are given.

    References
    ----------
    R. Pascanu et al., On the difficulty of training recurrent neural networks, 2013: clip_norm.
    """

    full_batch: ClassVar[bool] = False  # whether every step needs the gradient of all rows
    why_full_batch: ClassVar[str] = "relates a step to the one before, which must be of the same rows"
    fits_only: ClassVar[bool] = False  # whether it has no steps by themselves
    has_learning_rate: ClassVar[bool] = True
    learning_rate: LearningRate
    clip_norm: float | None
    clip_value: float | None

    def __init__(
        self,
        learning_rate: LearningRate,
        *,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        **own: float | bool,
    ) -> None:
        """Check and set what all optimizers have, and set the fields of one's `own`, which are checked."""
        self._set(
            learning_rate=checked(learning_rate),
            clip_norm=None if clip_norm is None else number("clip_norm", clip_norm, above=0),
            clip_value=None if clip_value is None else number("clip_value", clip_value, above=0),
            **own,
        )

    def check_dtype(self, dtype: np.dtype[Any]) -> None:
        super().check_dtype(dtype)
        if isinstance(self.learning_rate, Constant):  # as the number it stands for
            held("learning_rate", self.base_rate, dtype, self, positive=True)

    @property
    def goes_by_epoch(self) -> bool:
        """Whether the learning rate is a function of the epoch."""
        return not isinstance(self.learning_rate, float | Schedule)

    def schedule(self, epoch: int) -> Schedule:
        """Return the rates of an epoch's steps; ParameterError if a function of the epoch gives none."""
        return in_epoch(self.learning_rate, epoch)

    @property
    def base_rate(self) -> float:
        """The learning rate that the schedule changes."""
        return self.schedule(0).learning_rate

    @property
    @abstractmethod
    def row(self) -> str:
        """The row of the engines' optimizer tables."""

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        """The numbers of the row, in its order: the learning rate, then the class's own fields."""
        common = Optimizer.__dataclass_fields__
        own = (getattr(self, field.name) for field in fields(self) if field.name not in common)
        return (self.base_rate, *own)

    def check(self, architecture: Any, batch_rows: int, rows: int) -> None:
        """Refuse to train such an `Architecture` in batches of `batch_rows` of the rows; ParameterError."""
        if self.full_batch and batch_rows < rows:
            raise ParameterError(
                f"batch_size is {batch_rows} for {rows} rows, expected batch_size=None: "
                f"{type(self).__name__} {self.why_full_batch}"
            )

    def check_step(self, call: str) -> None:
        """Refuse a call that makes one step where there are none by themselves."""
        if self.fits_only:
            raise ParameterError(
                f"optimizer is {self}, which works in fit alone, expected another for {call}"
            )

    def with_learning_rate(self, rate: float) -> Optimizer:
        """Return the same with another learning rate."""
        return replace(self, learning_rate=rate)


def fraction(argument: str, value: float) -> float:
    """Return a number >= 0 and < 1."""
    return number(argument, value, at_least=0, below=1)


def positive(argument: str, value: float) -> float:
    """Return a number that is not 0 in float32 either, so that idle weights do not lead to 0 / 0."""
    return number(argument, value, at_least=2**-126)


def moments(beta1: float, beta2: float, epsilon: float) -> dict[str, float]:
    """Return the checked fields that Adam and its variants share."""
    return {
        "beta1": fraction("beta1", beta1),
        "beta2": fraction("beta2", beta2),
        "epsilon": positive("epsilon", epsilon),
    }
