"""The common part of trainers that call functions of the user."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from numpy.typing import NDArray

from fastbp._base.sparse import Rows
from fastbp._data.sample_weights import Weights
from fastbp._engine.stepwise import StepwiseRun
from fastbp.losses import Loss

if TYPE_CHECKING:
    from fastbp._engine.protocol import Engine, InputScaling, Run, RunOptions, TargetScaling

Array: TypeAlias = NDArray[Any]


class FunctionTrainer(ABC):
    """Trains in steps of two calls: the gradients, which call functions of the user, then the update.

    If a function raises, or the loss is not finite, the network is left as before the step.
    """

    def __init__(self, engine: Engine, loss: Loss) -> None:
        self.loss_function, self._engine = loss, engine

    @abstractmethod
    def loss_and_gradients(
        self, X: Rows, y: Array, weights: Weights | None = None, rows: Array | None = None
    ) -> float:
        """Return the loss of the rows in `rows` (None: all with a nonzero weight); store its gradients."""

    def train_on_batch(
        self, X: Rows, y: Array, weights: Weights | None = None, rows: Array | None = None
    ) -> float:
        """Do one step on these rows if their loss is finite; return the loss before the step."""
        loss = self.loss_and_gradients(X, y, weights, rows)
        if isfinite(loss):
            self._engine.update()
        return loss

    def begin(self, X: Rows, y: Array, **options: Unpack[RunOptions]) -> Run:
        """Return a run that calls `train_on_batch` for each batch."""
        return StepwiseRun(self, self._engine.apart(X), self._engine.apart(y), **options)

    def set_scaling(self, inputs: InputScaling | None, targets: TargetScaling | None) -> None:
        """Scale inputs and targets from now on."""
        self._engine.set_scaling(inputs, targets)
