"""The passes of `fastbp.inspect` in NumPy; `fastbp._engine.passes.Passes` documents their interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._engine.passes import Tape
from fastbp.layers import Layer, split
from fastbp.reference.activations import chain, slope, value

if TYPE_CHECKING:
    from fastbp._engine.passes import PassesClass

Array: TypeAlias = NDArray[Any]

_quietly = np.errstate(all="ignore")  # overflow shows in the result


class Passes:
    """Forward and backward passes over fixed parameters (P,)."""

    def __init__(self, layers: Sequence[Layer], parameters: Array) -> None:
        self.layers = tuple(layers)
        self.weights = split(parameters, self.layers)

    @_quietly
    def forward(self, x: Array) -> Tape:
        """Take inputs (m, n_in) through all layers."""
        tape = Tape([x], [], [])
        for (W, b), layer in zip(self.weights, self.layers, strict=True):
            z = tape.x[-1] @ W
            if b.size:
                z += b
            y = value(layer.activation, z)
            tape.x.append(y)
            tape.z.append(z)
            tape.slopes.append(np.asarray(slope(layer.activation, z, y), z.dtype))
        return tape

    @_quietly
    def chain(self, tape: Tape, layer: int, d_y: Array) -> Array:
        """Return dJ/dz (m, n_out) of a layer from dJ/dy."""
        activation = self.layers[layer].activation
        if activation.is_custom:  # its function was called in the forward pass
            return d_y * tape.slopes[layer]
        return chain(activation, tape.z[layer], tape.x[layer + 1], d_y.copy())

    @_quietly
    def backward(self, tape: Tape, delta: Array) -> list[Array]:
        """Return dJ/dz (m, n_out) of every layer, from that of the last one."""
        deltas = [delta]
        for layer in reversed(range(1, len(self.layers))):
            deltas.insert(0, self.chain(tape, layer - 1, deltas[0] @ self.weights[layer][0].T))
        return deltas

    @_quietly
    def d_inputs(self, delta: Array) -> Array:
        """Return dJ/dx (m, n_in) from dJ/dz of the first layer."""
        d_x: Array = delta @ self.weights[0][0].T
        return d_x

    @_quietly
    def add_gradients(self, tape: Tape, deltas: list[Array], out: Array) -> None:
        """Add dJ/dW = x^T delta and dJ/db = 1^T delta of all layers to out (P,)."""
        for (d_W, d_b), x, delta in zip(split(out, self.layers), tape.x[:-1], deltas, strict=True):
            d_W += x.T @ delta
            d_b += delta.sum(axis=0)[: d_b.size]  # none without a bias

    @_quietly
    def write_gradients(self, tape: Tape, deltas: list[Array], out: Array) -> None:
        """Write x_i^T delta_i and delta_i of each row i to out (m, P)."""
        for i, row in enumerate(out):
            for (d_W, d_b), x, delta in zip(split(row, self.layers), tape.x[:-1], deltas, strict=True):
                d_W[:] = np.outer(x[i], delta[i])
                d_b[:] = delta[i, : d_b.size]


if TYPE_CHECKING:
    _conforms: PassesClass = Passes
