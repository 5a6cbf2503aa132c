"""The passes of `fastbp.inspect` in NumPy; `fastbp._engine.passes.Passes` documents their interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._core.tapes import Tangents, Tape
from fastbp.layers import Layer, split
from fastbp.losses import SumLoss
from fastbp.reference.activations import chain, second, slope, value

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
    def backward(self, tape: Tape, delta: Array, errors: list[Array] | None = None) -> list[Array]:
        """Return dJ/dz (m, n_out) of every layer, from that of the last one; keep dJ/dy in `errors`."""
        deltas = [delta]
        for layer in reversed(range(1, len(self.layers))):
            error = deltas[0] @ self.weights[layer][0].T
            deltas.insert(0, self.chain(tape, layer - 1, error))
            if errors is not None:
                errors.append(error)
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

    @_quietly
    def write_jacobian(self, tape: Tape, out: Array) -> None:
        """Write the derivatives of outputs by inputs to out (m, n_out, n_in), output by output."""
        for output in range(self.layers[-1].n_out):
            unit = np.zeros_like(tape.h)
            unit[:, output] = 1
            delta = self.chain(tape, len(self.layers) - 1, unit)
            out[:, output] = self.d_inputs(self.backward(tape, delta)[0])

    # ---- the R operator: derivatives along a direction V, c of the parameters (B. A. Pearlmutter, Fast exact
    # ---- multiplication by the Hessian, 1994)

    @_quietly
    def tangents(self, tape: Tape, vector: Array) -> Tangents:
        """Return R{z} = x V + c + R{x} W and R{y} = f'(z) R{z} of every layer."""
        tangents = Tangents([], [])
        for layer, (V, c) in enumerate(split(vector, self.layers)):
            d_z = tape.x[layer] @ V
            if c.size:
                d_z += c
            if layer > 0:
                d_z += tangents.x[-1] @ self.weights[layer][0]
            tangents.z.append(d_z)
            tangents.x.append(self.chain(tape, layer, d_z))  # the Jacobian of softmax is symmetric
        return tangents

    @_quietly
    def second(self, tape: Tape, layer: int) -> Array:
        """Return f''(z) (m, n_out) of a layer."""
        return second(self.layers[layer].activation, tape.z[layer], tape.x[layer + 1])

    @_quietly
    def loss_curvature(self, loss: SumLoss, h: Array, t: Array, r: Array) -> Array:
        """Return the second derivative of the sum of losses by h, times a direction r (m, n_out)."""
        product: Array = loss.curvatures(h, t, r)
        return product

    @_quietly
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
        """Add R{dJ/dW} = x^T R{delta} + R{x}^T delta and R{dJ/db} = 1^T R{delta} to out (P,)."""
        directions, sums = split(vector, self.layers), split(out, self.layers)
        for layer in reversed(range(len(self.layers))):
            d_W, d_b = sums[layer]
            d_W += tape.x[layer].T @ d_delta
            d_b += d_delta.sum(axis=0)[: d_b.size]
            if layer > 0:
                d_W += tangents.x[layer - 1].T @ deltas[layer]
                d_error = d_delta @ self.weights[layer][0].T + deltas[layer] @ directions[layer][0].T
                d_delta = self.chain(tape, layer - 1, d_error)
                d_delta += errors[-layer] * self.second(tape, layer - 1) * tangents.z[layer - 1]


if TYPE_CHECKING:
    _conforms: PassesClass = Passes
