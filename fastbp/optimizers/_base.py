"""Base classes of optimizers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from fastbp._base.arguments import held
from fastbp._base.fields import checked_by, number
from fastbp._base.value import Value
from fastbp.exceptions import ParameterError
from fastbp.losses import Loss
from fastbp.schedules import Constant, LearningRate, Schedule
from fastbp.schedules._base import check_rate
from fastbp.schedules._warmup import goes_by_epoch, in_epoch, without_warmup

#: Lower bound of `epsilon`: the smallest normal number of float32, so that idle weights do not lead to 0 / 0.
TINY = 2.0**-126


class Trainable(Protocol):
    """The part of a network's architecture that tells an optimizer whether it can train it."""

    @property
    def loss(self) -> Loss:
        """The loss."""

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases."""

    def check_without(self, options: tuple[str, ...], user: str) -> None:
        """Raise ParameterError if a layer has one of these options, or if inputs get noise."""


class Optimizer(Value, ABC):
    """Rule by which a fit changes the parameters. The engines get a row of their tables, and its numbers."""

    full_batch: ClassVar[bool] = False  # whether every step needs all rows
    why_full_batch: ClassVar[str] = "relates a step to the one before, which must be of the same rows"

    if TYPE_CHECKING:  # fields in one subclass, None in the other

        @property
        def clip_norm(self) -> float | None: ...
        @property
        def clip_value(self) -> float | None: ...

    @property
    @abstractmethod
    def row(self) -> str:
        """Name of the row in the engines' optimizer tables."""

    @property
    @abstractmethod
    def hyperparameters(self) -> tuple[float, ...]:
        """Hyperparameters, in the order of the row in optimizers.def; the first is the learning rate."""

    @property
    def goes_by_epoch(self) -> bool:
        """Whether the learning rate is a function of the epoch."""
        return False

    @abstractmethod
    def schedule(self, epoch: int) -> Schedule:
        """Return the rates of an epoch's steps; ParameterError if a function of the epoch returns none."""

    @abstractmethod
    def with_learning_rate(self, rate: float) -> Self:
        """Return the same optimizer with another learning rate; ParameterError if it has none."""

    def check(self, architecture: Trainable, batch_rows: int, rows: int) -> None:
        """Raise ParameterError unless it can train such a network, in batches of `batch_rows` of the rows."""
        if self.full_batch and batch_rows < rows:
            raise ParameterError(
                f"batch_size is {batch_rows} for {rows} rows, expected batch_size=None: "
                f"{type(self).__name__} {self.why_full_batch}"
            )

    def check_step(self, call: str) -> None:
        """Raise ParameterError if single steps, as by this call, are not possible."""


def rate(default: float) -> Any:
    """Declare the learning rate, with its default."""
    return checked_by(check_rate, "float, > 0, or a schedule, or a function of the epoch", default=default)


class GradientOptimizer(Optimizer):
    """Optimizer whose step follows from the gradient of a batch and a learning rate.

    Its formula is a row of the engines' optimizer tables; its fields are the numbers of that row.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    clip_norm : float, > 0, optional
        Largest norm |g| of the gradient, over all parameters. A gradient with a larger norm is multiplied by
        clip_norm / (|g| + 1e-6).
    clip_value : float, > 0, optional
        Largest magnitude of an element of the gradient. Larger elements are cut to [-clip_value, clip_value],
        before clip_norm is applied.

    References
    ----------
    R. Pascanu et al., On the difficulty of training recurrent neural networks, 2013: clip_norm.
    """

    learning_rate: LearningRate = rate(0.01)
    clip_norm: float | None = number(default=None, above=0, kw_only=True)
    clip_value: float | None = number(default=None, above=0, kw_only=True)

    def check_dtype(self, dtype: np.dtype[Any]) -> None:
        super().check_dtype(dtype)
        if isinstance(
            without_warmup(self.learning_rate), Constant
        ):  # is checked like the number that it stands for
            held("learning_rate", self.base_rate, dtype, self, positive=True)

    @property
    def goes_by_epoch(self) -> bool:
        return goes_by_epoch(self.learning_rate)

    def schedule(self, epoch: int) -> Schedule:
        return in_epoch(self.learning_rate, epoch)

    @property
    def base_rate(self) -> float:
        """The learning rate that the schedule changes."""
        return in_epoch(without_warmup(self.learning_rate), 0).learning_rate

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        """The learning rate, then the fields of the subclass, in the order of the row in optimizers.def."""
        own = (getattr(self, name) for name in self._names if name not in GradientOptimizer._names)
        return (self.base_rate, *own)

    def with_learning_rate(self, rate: float) -> Self:
        return self.__replace__(learning_rate=rate)
