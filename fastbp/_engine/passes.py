"""The interface of the passes over a network, from which `fastbp.inspect` builds its derivatives.

Shapes: m rows, a layer has n_in inputs and n_out units, P parameters in all. Arrays are C-contiguous and of
the parameters' dtype. Lists have one entry per layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from numpy.typing import NDArray

from fastbp._core.tapes import Tangents, Tape
from fastbp.layers import Layer
from fastbp.losses import SumLoss

Array: TypeAlias = NDArray[Any]


class Passes(Protocol):
    """Forward and backward passes over a network with fixed parameters, without dropout and noise."""

    weights: list[tuple[Array, Array]]  #: W (n_in, n_out) and b, (n_out,) or (0,), per layer

    def forward(self, x: Array) -> Tape:
        """Take inputs (m, n_in), in the network's scaling, through all layers."""

    def chain(self, tape: Tape, layer: int, d_y: Array) -> Array:
        """Return dJ/dz (m, n_out) of a layer from dJ/dy; d_y stays as it is."""

    def backward(self, tape: Tape, delta: Array, errors: list[Array] | None = None) -> list[Array]:
        """Return dJ/dz (m, n_out) of every layer, from `delta`, that of the last one.

        Append dJ/dy (m, n_out) of the hidden layers to `errors`, the last of them first.
        """

    def d_inputs(self, delta: Array) -> Array:
        """Return dJ/dx (m, n_in) from dJ/dz of the first layer."""

    def add_gradients(self, tape: Tape, deltas: list[Array], out: Array) -> None:
        """Add dJ/dW and dJ/db of all layers, summed over the rows, to out (P,)."""

    def write_gradients(self, tape: Tape, deltas: list[Array], out: Array) -> None:
        """Write dJ/dW and dJ/db of each row to out (m, P)."""

    def write_jacobian(self, tape: Tape, out: Array) -> None:
        """Write the derivatives of the outputs by the inputs to out (m, n_out, n_in)."""

    def tangents(self, tape: Tape, vector: Array) -> Tangents:
        """Return how the tape changes along a direction (P,) of the parameters."""

    def second(self, tape: Tape, layer: int) -> Array:
        """Return f''(z) (m, n_out) of a layer that is not a softmax."""

    def loss_curvature(self, loss: SumLoss, h: Array, t: Array, r: Array) -> Array:
        """Return the second derivative of the sum of losses by h (m, n_out), times a direction r."""

    def add_hessian_product(
        self,
        tape: Tape,
        deltas: list[Array],
        errors: list[Array],
        tangents: Tangents,
        d_delta: Array,
        vector: Array,
        out: Array,
    ) -> None:
        """Add the change of the gradient along `vector` (P,) to out (P,).

        `deltas` and `errors` are those of `backward`, d_delta (m, n_out) is the change of the last delta.
        """


class PassesClass(Protocol):
    """The constructor of passes."""

    def __call__(self, layers: Sequence[Layer], parameters: Array) -> Passes:
        """Return passes over `parameters` (P,), contiguous and of float32 or float64."""
