"""A loss of the user's own, between the two halves of a step: what it makes of either engine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._data.sample_weights import Weights
from fastbp._engine.inference import predict
from fastbp.exceptions import DataError
from fastbp.layers import Layer
from fastbp.losses import CustomLoss, mse

Array: TypeAlias = NDArray[Any]

if TYPE_CHECKING:
    from fastbp._engine.stepwise import Run
    from fastbp.reference.engine import Engine as Base
else:
    Base = object


@cache
def engine_class(base: type[Base]) -> type[Base]:
    """Return the engine class `base` with the steps of an `CustomLoss`."""
    return type(base.__name__, (CustomLossSteps, base), {})


class CustomLossSteps(Base):
    """All that an engine does with a loss: forward, the user's function, backward, of all rows of a batch."""

    loss_function: Any  # an CustomLoss, which is no sum of terms

    def __init__(self, layers: Sequence[Layer], loss: CustomLoss, parameters: Array, **options: Any) -> None:
        super().__init__(layers, mse, parameters, **options)  # of which only what has no loss is called
        self.loss_function = loss
        self._n_out = layers[-1].n_out

    def loss(self: Any, X: Array, y: Array) -> float:
        """Return the loss over all rows."""
        output = np.empty((len(X), self._n_out), self.parameters.dtype)
        predict(self, X, output)
        _core.check_memory(y)
        return self.loss_function(output, self._targets(y))  # type: ignore[no-any-return]

    def loss_and_gradients(
        self, X: Array, y: Array, weights: Weights | None = None, rows: Array | None = None
    ) -> float:
        """Fill the gradients with those of a batch, all rows or those of an index; return its loss.

        There are no `weights`: they are refused before.
        """
        x, t = (X, y) if rows is None else (X[rows], y[rows])
        output = self.forward(x)
        function: CustomLoss = self.loss_function
        loss, returned = function.measure(output, self._targets(t))
        with np.errstate(all="ignore"):  # what overflows is refused below
            d_output = np.ascontiguousarray(returned, output.dtype)
        if d_output.dtype != returned.dtype and isfinite(loss) and not np.isfinite(d_output).all():
            raise DataError(
                f"the loss {function} returned a d_output with {abs(returned).max():g}, "
                f"expected numbers that are finite in {output.dtype}, the network's dtype"
            )
        self.backward(d_output)
        return loss + self.penalty

    def train_on_batch(
        self, X: Array, y: Array, weights: Weights | None = None, rows: Array | None = None
    ) -> float:
        """Do one step on such a batch, unless its loss is not finite; return its loss before the update."""
        loss = self.loss_and_gradients(X, y, weights, rows)
        if isfinite(loss):
            self.update()
        return loss

    def begin(self, X: Array, y: Array, **options: Any) -> Run:
        """Return the reference's `Run`, step by step in Python, over this engine."""
        from fastbp._engine.stepwise import Run

        return Run(self, X, y, **options)

    def _targets(self, y: Array) -> Array:
        """Return a copy of them, which the function may write to: floats in the network's dtype."""
        with np.errstate(all="ignore"):
            return np.array(y, self.parameters.dtype if y.dtype.kind == "f" else y.dtype.newbyteorder("="))
