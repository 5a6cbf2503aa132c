"""Training on a Python loss: it is called between the forward and the backward pass of an engine."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._base.sparse import Rows
from fastbp._data.sample_weights import Weights
from fastbp._engine.function_trainer import FunctionTrainer
from fastbp._engine.inference import predict
from fastbp.exceptions import DataError
from fastbp.losses import CustomLoss

if TYPE_CHECKING:
    from fastbp._engine.protocol import Engine, InputScaling, TargetScaling

Array: TypeAlias = NDArray[Any]


class CustomLossTrainer(FunctionTrainer):
    """Computes a `CustomLoss` and trains on it, over an engine whose own loss is never used.

    Sample weights are refused before they get here, so `weights` is None in every call. If the targets are
    scaled, the function gets scaled targets and the outputs in their units.
    """

    loss_function: CustomLoss

    def __init__(self, engine: Engine, loss: CustomLoss, n_out: int) -> None:
        super().__init__(engine, loss)
        self._n_out, self._dtype = n_out, engine.parameters.dtype
        self._scaling: TargetScaling | None = None

    def loss(self, X: Rows, y: Array, weights: Weights | None = None) -> float:
        """Return the loss over all rows."""
        output = np.empty((len(X), self._n_out), self._dtype)
        predict(self._engine, X, output, raw=False)
        _core.check_memory(y)
        return self.loss_function(output, self._targets(y))

    def loss_and_gradients(
        self, X: Rows, y: Array, weights: Weights | None = None, rows: Array | None = None
    ) -> float:
        """Return the loss of the rows in `rows` (None: all rows) and store its gradients in the engine."""
        x, t = (X, y) if rows is None else (X[rows], y[rows])
        output = self._engine.forward(x, raw=False)
        loss, returned = self.loss_function.measure(output, self._targets(t))
        with np.errstate(all="ignore"):  # overflow is refused below
            d_output = np.ascontiguousarray(returned, output.dtype)
        if d_output.dtype != returned.dtype and isfinite(loss) and not np.isfinite(d_output).all():
            raise DataError(
                f"the loss {self.loss_function} returned a d_output with {abs(returned).max():g}, "
                f"expected numbers that are finite in {output.dtype}, the network's dtype"
            )
        self._engine.backward(d_output, d_input=False)
        return loss + self._engine.penalty

    def set_scaling(self, inputs: InputScaling | None, targets: TargetScaling | None) -> None:
        """Scale inputs and targets from now on."""
        super().set_scaling(inputs, targets)
        self._scaling = targets

    def _targets(self, y: Array) -> Array:
        """Return a copy, which the function may write to, with floats in the network's dtype."""
        with np.errstate(all="ignore"):
            if self._scaling is not None:
                mean, inverse_scale, *_ = self._scaling
                return ((y - mean) * inverse_scale).astype(self._dtype)
            return np.array(y, self._dtype if y.dtype.kind == "f" else y.dtype.newbyteorder("="))
