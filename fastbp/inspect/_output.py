"""The end of the network: the loss, and its derivatives by the last weighted sums z."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.elementwise import STEP
from fastbp._core.tapes import Tape
from fastbp._data.sample_weights import counted
from fastbp._engine.passes import Passes
from fastbp.layers import Layer
from fastbp.losses import CustomLoss, Loss, SumLoss

Array: TypeAlias = NDArray[Any]


class Block(NamedTuple):
    """Some rows of the data, as the network computes with them."""

    rows: slice  # of the data
    x: Array  # (m, n_in) inputs in the network's scaling and dtype
    t: Array  # (m, n_targets) targets in its scaling and dtype; of a custom loss as its function gets them
    w: Array  # (m, 1) weights of the rows, or (m, n_targets) of single targets; 0: absent or unknown
    is_weighted: bool  # otherwise all weights are 1


class Output:
    """The loss of a network together with its output activation.

    J is the sum of the losses over `divisor`, which may differ from row to row, (m, 1).
    """

    def __init__(self, loss: Loss, passes: Passes, layers: Sequence[Layer]) -> None:
        self.loss = loss
        self._passes, self._last, self._activation = passes, len(layers) - 1, layers[-1].activation
        # then delta = h - t: cross entropy with softmax, and the like
        self.is_joined = loss.activation not in (None, "identity")

    def delta(self, tape: Tape, block: Block, divisor: float | Array) -> Array:
        """Return dJ/dz (m, n_out) of the last layer."""
        if not self.is_joined:
            return self._passes.chain(tape, self._last, self.slopes(tape, block, divisor))
        return self._shared(tape.h - self.expected(block), block, divisor)

    def curvature(
        self, tape: Tape, block: Block, divisor: float, d_z: Array, *, gauss_newton: bool = False
    ) -> Array:
        """Return how `delta` changes if the last z changes by d_z (m, n_out).

        With `gauss_newton`, only by the second derivative of the loss: the outputs count as linear, or z
        where the loss is joined with its activation.
        """
        d_h = self._passes.chain(tape, self._last, d_z)
        if self.is_joined:  # delta = (h - t) w / divisor
            return self._shared(d_h, block, divisor)
        if isinstance(self.loss, SumLoss):
            slope = self.slopes(tape, block, divisor)
            d_slope = self._passes.loss_curvature(self.loss, tape.h, self.expected(block), d_h)
            d_slope = self._shared(d_slope, block, divisor)
        else:
            slope, d_slope = self._custom_slopes(tape.h, block.t, d_h)
        d_delta = self._passes.chain(tape, self._last, d_slope)
        if not gauss_newton:
            d_delta += self._bent(tape, slope, d_z, d_h)
        return d_delta

    def _bent(self, tape: Tape, slope: Array, d_z: Array, d_h: Array) -> Array:
        """Return dJ/dh (m, n_out) times the change of the activation's derivative along d_z."""
        if self._activation.name == "softmax":  # delta = h (slope - <h, slope>)
            inner, d_inner = (_inner(a, slope) for a in (tape.h, d_h))
            bent: Array = d_h * (slope - inner) - tape.h * d_inner
            return bent
        bent = slope * self._passes.second(tape, self._last) * d_z
        return bent

    def _custom_slopes(self, h: Array, t: Array, d_h: Array) -> tuple[Array, Array]:
        """Return dJ/dh of a custom loss, and its change along d_h by central differences in float64."""
        assert isinstance(self.loss, CustomLoss)
        slope = self.loss.measure(h.copy(), t.copy())[1]
        length = float(np.abs(d_h).max(initial=0))
        if not 0 < length < np.inf:
            return np.asarray(slope, h.dtype), np.zeros_like(h)
        step = STEP * max(1.0, float(np.abs(h).max())) / length
        ahead, behind = (
            self.loss.measure(np.add(h, sign * step * d_h, dtype=np.float64), t.copy())[1] for sign in (1, -1)
        )
        return np.asarray(slope, h.dtype), ((ahead - behind) / (2 * step)).astype(h.dtype)

    def slopes(self, tape: Tape, block: Block, divisor: float | Array) -> Array:
        """Return dJ/dh (m, n_out) of the outputs."""
        if isinstance(self.loss, CustomLoss):
            d_h = self.loss.measure(tape.h.copy(), block.t.copy())[1]
            return np.ascontiguousarray(d_h, tape.h.dtype)
        assert isinstance(self.loss, SumLoss)
        return self._shared(self.loss.slopes(tape.h, self.expected(block)), block, divisor)

    def expected(self, block: Block) -> Array:
        """Return the values (m, n_out) that outputs are compared with."""
        assert isinstance(self.loss, SumLoss)
        return self.loss.expected(block.t)

    def weights(self, block: Block) -> Array:
        """Return weights for outputs, (m, 1) or (m, n_out)."""
        assert isinstance(self.loss, SumLoss)
        return self.loss.repeated(block.w) if block.w.shape[1] > 1 else block.w

    def _shared(self, terms: Array, block: Block, divisor: float | Array) -> Array:
        """Return terms times their weights, divided; may overwrite them."""
        if block.is_weighted:
            terms = counted(terms, self.weights(block))
        terms /= divisor
        return terms


def _inner(a: Array, b: Array) -> Array:
    """Return the inner product of each row of a and b, (m, 1)."""
    products: Array = (a * b).sum(axis=1, keepdims=True)
    return products
