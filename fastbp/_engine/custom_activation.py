"""Training with activations that are Python functions."""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import NDArray

from fastbp._base.sparse import Rows
from fastbp._data.sample_weights import Weights
from fastbp._engine.function_trainer import FunctionTrainer

Array: TypeAlias = NDArray[Any]


class CustomActivationTrainer(FunctionTrainer):
    """Trains a network with a `CustomActivation`, which the engine calls in its passes."""

    def loss(self, X: Rows, y: Array, weights: Weights | None = None) -> float:
        """Return the loss over all rows, or over those with a nonzero weight."""
        return self._engine.loss(X, y, weights)

    def loss_and_gradients(
        self, X: Rows, y: Array, weights: Weights | None = None, rows: Array | None = None
    ) -> float:
        """Return the loss of the rows in `rows` (None: all with a nonzero weight); store its gradients."""
        if rows is not None:
            X, y = X[rows], y[rows]
            if weights is not None:
                weights = None if weights.values is None else Weights(weights.values[rows], None)
        return self._engine.loss_and_gradients(X, y, weights)
