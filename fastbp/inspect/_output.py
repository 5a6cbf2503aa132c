"""The end of the network: the loss, and its derivatives by the last weighted sums z."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._engine.passes import Passes, Tape
from fastbp.losses import CustomLoss, Loss, SumLoss

Array: TypeAlias = NDArray[Any]


class Output:
    """The loss of a network together with its output activation.

    Targets t (m, n_targets) and weights w, (m, 1) per row or (m, n_targets), are as `Probe.blocks` makes
    them; targets of weight 0 are unknown. With a custom loss, t is what its function gets, and w is not read.
    """

    def __init__(self, loss: Loss, passes: Passes, layers: int) -> None:
        self.loss = loss
        self._passes, self._last = passes, layers - 1
        # then delta = h - t: cross entropy with softmax, and the like
        self.is_joined = loss.activation not in (None, "identity")

    def delta(self, tape: Tape, t: Array, w: Array, divisor: float) -> Array:
        """Return dJ/dz (m, n_out) of the last layer; J is the sum of the losses over `divisor`."""
        if not self.is_joined:
            return self._passes.chain(tape, self._last, self.slopes(tape, t, w, divisor))
        delta = counted(tape.h - self.expected(t), self.weights(w))
        delta /= divisor
        return delta

    def slopes(self, tape: Tape, t: Array, w: Array, divisor: float) -> Array:
        """Return dJ/dh (m, n_out) of the outputs; J is the sum of the losses over `divisor`."""
        if isinstance(self.loss, CustomLoss):
            d_h = self.loss.measure(tape.h.copy(), t.copy())[1]
            return np.ascontiguousarray(d_h, tape.h.dtype)
        assert isinstance(self.loss, SumLoss)
        slopes = counted(self.loss.slopes(tape.h, self.expected(t)), self.weights(w))
        slopes /= divisor
        return slopes

    def expected(self, t: Array) -> Array:
        """Return the values (m, n_out) that outputs are compared with."""
        assert isinstance(self.loss, SumLoss)
        return self.loss.expected(t)

    def weights(self, w: Array) -> Array:
        """Return weights for outputs, (m, 1) or (m, n_out)."""
        assert isinstance(self.loss, SumLoss)
        return self.loss.repeated(w) if w.shape[1] > 1 else w


def counted(terms: Array, w: Array) -> Array:
    """Return terms times their weights w; 0 where a weight is 0, even if the term is NaN or infinite."""
    products: Array = np.where(w == 0, w.dtype.type(0), w * terms)
    return products
