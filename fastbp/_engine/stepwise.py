"""A training run in Python, one step after the other, over any engine."""

from __future__ import annotations

import math
import time
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.philox import permutation
from fastbp._core import check_memory
from fastbp._data.sample_weights import Weights

Array: TypeAlias = NDArray[Any]


@dataclass
class Run:
    """Training under way: `epoch` epochs are complete, `step` steps of the next one done.

    `losses` (epochs,) has each epoch's mean of batch losses by the weight of their rows, or the sum of sums.
    """

    engine: Any
    X: Array
    y: Array
    _: KW_ONLY
    weights: Weights | None = None
    batch_size: int
    shuffle: bool
    seed: int
    first_epoch: int
    epochs: int
    stored: bool  # steps leave their gradient in engine.gradients; here they always do
    converged: ClassVar[bool] = False  # of runs that can tell, like the next
    columns: ClassVar[dict[str, Array]] = {}

    def __post_init__(self) -> None:
        self.epoch = self.step = 0
        self.X, self.y = self.engine.apart(self.X), self.engine.apart(self.y)
        self._rows = None if self.weights is None else self.weights.rows  # to train on, None: all
        self._n = len(self.X if self._rows is None else self._rows)
        self.steps_per_epoch = -(-self._n // self.batch_size)
        self.losses = np.zeros(self.epochs)

    def advance(self, until_epoch: int, seconds: float) -> bool:
        """Train until so many epochs are done or time is up, one step at least; False: a loss not finite."""
        deadline = time.perf_counter() + seconds
        while self.epoch < until_epoch:
            if not math.isfinite(self._train()):
                return False
            if time.perf_counter() >= deadline:
                break
        return True

    def _train(self) -> float:
        """Do one step; return its loss."""
        if self.step == 0:
            self._sum = self._weight = 0.0
            self._order = self._rows
            if self.shuffle:
                order = permutation(self.seed, self.first_epoch + self.epoch, self._n)
                self._order = order if self._rows is None else self._rows[order]
        X, y, weights, rows = self.X, self.y, self.weights, None
        for array in (X, y) if weights is None else (X, y, weights.values):
            check_memory(array)
        batch = slice(self.step * self.batch_size, (self.step + 1) * self.batch_size)
        if self._order is not None:
            rows = self._order[batch]
        else:  # without a copy
            X, y, weights = X[batch], y[batch], weights and Weights(weights.values[batch], None)
        loss: float = self.engine.train_on_batch(X, y, weights, rows)
        is_sum = self.engine.loss_function.divisor == "one"
        weight = 1.0 if is_sum else weight_of(X, weights, rows)
        self._sum += weight * loss
        self._weight += weight
        self.step += 1
        if self.step == self.steps_per_epoch:
            self.losses[self.epoch] = self._sum if is_sum else self._sum / self._weight
            self.epoch, self.step = self.epoch + 1, 0
        return loss


def weight_of(X: Array, weights: Weights | None, rows: Array | None) -> float:
    """Return what these rows of X, or all of them, weigh together: each 1 where there are no weights."""
    if weights is None:
        return float(len(X if rows is None else rows))
    return float((weights.values if rows is None else weights.values[rows]).sum())
