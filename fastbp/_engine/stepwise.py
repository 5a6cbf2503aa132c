"""A training run in Python, one call per step: for the reference engine and custom losses."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.philox import permutation, permutation_of_blocks
from fastbp._base.sparse import Rows, check_rows
from fastbp._core import check_memory, checked_progress
from fastbp._data.sample_weights import Weights
from fastbp.losses import Loss

if TYPE_CHECKING:
    from fastbp._data.mapped import DeferredChecks

Array: TypeAlias = NDArray[Any]


class BatchTrainer(Protocol):
    """An object that can train on a batch of some rows of the data."""

    @property
    def loss_function(self) -> Loss:
        """The loss that is trained on."""

    def train_on_batch(
        self, X: Rows, y: Array, weights: Weights | None = None, rows: Array | None = None
    ) -> float:
        """Do one step on these rows (None: all with a nonzero weight); return the loss before it."""


class RunInSteps(ABC):
    """A training run, see `fastbp._engine.protocol.Run`, whose steps are calls from Python.

    The loss of an epoch is the mean of its batch losses, weighted by the total weight of their rows, or their
    sum if the loss is a sum.
    """

    converged = False
    columns: ClassVar[dict[str, NDArray[np.float64]]] = {}
    steps_per_epoch: int

    def __init__(self, loss: Loss, epochs: int) -> None:
        self._is_sum = loss.divisor == "one"
        self.epoch = self.step = 0
        self._sum = self._weight = 0.0
        self.losses = np.zeros(epochs)
        self.batch_loss = math.nan

    @property
    def progress(self) -> tuple[int, int, float, float]:
        """Complete epochs, steps in the present one, and sum and weight of the losses of these steps."""
        if self.step == 0:
            return self.epoch, 0, 0.0, 0.0
        return self.epoch, self.step, float(self._sum), self._weight

    def advance(self, until_epoch: int, seconds: float) -> bool:
        """Train until `until_epoch` epochs are complete or the time is up; False after a loss not finite."""
        deadline = time.perf_counter() + seconds
        while self.epoch < until_epoch:
            self.batch_loss = self._train()
            if not math.isfinite(self.batch_loss):
                return False
            if time.perf_counter() >= deadline:
                break
        return True

    @abstractmethod
    def _train(self) -> float:
        """Do one step; return its loss."""

    def _count(self, loss: float, weight: float) -> None:
        """Count a step whose batch had this loss and this weight."""
        weight = 1.0 if self._is_sum else weight
        if self.step == 0:
            self._sum = self._weight = 0.0
        self._sum += weight * loss
        self._weight += weight
        self.step += 1

    def _end_epoch(self) -> None:
        """Count the epoch, whose last step has just been counted."""
        self.losses[self.epoch] = self._sum if self._is_sum else self._sum / self._weight
        self.epoch, self.step = self.epoch + 1, 0


class StepwiseRun(RunInSteps):
    """A training run over arrays whose steps are calls of `train_on_batch`.

    X and y share no memory with the network.
    """

    def __init__(
        self,
        trainer: BatchTrainer,
        X: Rows,
        y: Array,
        *,
        weights: Weights | None = None,
        batch_size: int,
        shuffle: bool,
        seed: int,
        first_epoch: int,
        epochs: int,
        stored: bool,  # each step stores its gradient anyway
        block_rows: int = 0,
        checks: DeferredChecks | None = None,
    ) -> None:
        super().__init__(trainer.loss_function, epochs)
        self._trainer, self._X, self._y, self._weights = trainer, X, y, weights
        self._batch_size, self._shuffle = batch_size, shuffle
        self._seed, self._first_epoch = seed, first_epoch
        self._block_rows, self._checks = block_rows, checks
        self._rows = None if weights is None else weights.rows  # to train on; None: all
        self._n = len(X if self._rows is None else self._rows)
        self.steps_per_epoch = -(-self._n // batch_size)

    def resume(self, progress: tuple[int, int, float, float]) -> None:
        """Continue a run of the same rows and options, whose `progress` this was."""
        self.epoch, self.step, self._sum, self._weight = checked_progress(self, progress)
        self.losses[: self.epoch] = math.nan
        if self.step > 0:
            self._draw_order()

    def _draw_order(self) -> None:
        """Set the order of the rows in the present epoch; None: as they are."""
        self._order = self._rows
        if self._shuffle:
            which = self._seed, self._first_epoch + self.epoch, self._n
            rows = self._block_rows
            order = permutation_of_blocks(*which, rows) if rows else permutation(*which)
            self._order = order if self._rows is None else self._rows[order]

    def _train(self) -> float:
        """Do one step; return its loss."""
        if self.step == 0:
            self._draw_order()
        X, y, weights, rows = self._X, self._y, self._weights, None
        check_rows(X)
        for array in (y, None if weights is None else weights.values):
            if array is not None:
                check_memory(array)
        batch = slice(self.step * self._batch_size, (self.step + 1) * self._batch_size)
        if self._order is not None:
            rows = self._order[batch]
        else:  # views, not copies
            X, y, weights = X[batch], y[batch], weights and weights.part(batch)
        if self._checks is not None:
            self._checks.check(self._X, self._y, batch if rows is None else rows)
        loss = self._trainer.train_on_batch(X, y, weights, rows)
        self._count(loss, weight_of(X, weights, rows))
        if self.step == self.steps_per_epoch:
            self._end_epoch()
        return loss


def weight_of(X: Rows, weights: Weights | None, rows: Array | None) -> float:
    """Return the total weight of these rows of X; without weights each row counts 1.

    None: all rows, or all with a nonzero weight.
    """
    return float(len(X if rows is None else rows)) if weights is None else weights.total(rows)
