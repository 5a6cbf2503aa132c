"""Curvature of the loss: products of its Hessian, and of the Gauss-Newton matrix, with vectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arrays import as_array
from fastbp._base.sparse import Inputs
from fastbp._core.tapes import Tape
from fastbp.exceptions import DataError, ShapeError
from fastbp.inspect._output import Block
from fastbp.inspect._probe import Examples, Probe, quietly
from fastbp.layers import split
from fastbp.network import Network

Array: TypeAlias = NDArray[Any]

KEPT_BYTES = 1 << 27  # of passes that are kept for the next product


@quietly
def hessian_vector_product(
    net: Network, X: Inputs, y: ArrayLike, vector: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Array:
    """Return H v, where H is the Hessian of the loss by all parameters, without computing H.

    The product is exact: it is the derivative of the gradient along v, by the R operator (Pearlmutter, Fast
    exact multiplication by the Hessian, 1994), for about the cost of three gradients. It needs f''(z) and the
    second derivative of the loss; those of your own losses, and of activations without `second_derivative`,
    are central differences of the first ones. At a kink, such as that of relu at 0, f'' counts as 0.

    Parameters
    ----------
    net : Network
    X, y : array_like, or sparse for X
        Inputs (n, n_in) and targets as for `fit`.
    vector : array_like, shape (P,)
        Direction, in the order of `Network.parameters`.
    sample_weight : array_like, shape (n,) or (n, n_targets), optional
        Weights of the loss, as for `evaluate`.

    Returns
    -------
    array, shape (P,)
        Of the loss of all rows together, with the penalties l2 of layers that are not frozen, without dropout
        and noise. All parameters count as variables.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above, or as for `evaluate`.
    BusyError
        Another thread is changing the network.
    """
    probe = Probe(net)
    return Curvature(probe, probe.examples(X, y, sample_weight)).hessian(vector)


@quietly
def gauss_newton_product(
    net: Network, X: Inputs, y: ArrayLike, vector: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Array:
    """Return G v, where G = J^T L J is the generalized Gauss-Newton matrix of the loss.

    J (n n_out, P) are the derivatives of the outputs by the parameters, L those of the loss by the outputs,
    second order; where the loss is joined with the output activation, as cross entropy with softmax, the
    outputs are the last weighted sums z (Schraudolph, Fast curvature matrix-vector products, 2002). For
    convex losses G has no negative eigenvalue, and it is what is left of the Hessian where the network is
    linear in its parameters.

    Parameters, result and errors are those of `hessian_vector_product`.
    """
    probe = Probe(net)
    return Curvature(probe, probe.examples(X, y, sample_weight)).gauss_newton(vector)


class Work(NamedTuple):
    """A block of rows with what the passes that do not depend on the vector computed."""

    block: Block
    tape: Tape
    deltas: list[Array]
    errors: list[Array]


class Curvature:
    """Products with the Hessian and the Gauss-Newton matrix of one loss, at `parameters` or those of the net.

    Passes that do not depend on the vector are kept for the next product, if they are small enough.
    """

    def __init__(self, probe: Probe, examples: Examples) -> None:
        self.probe, self._examples = probe, examples
        self._divisor = self.probe.divisor(self._examples.weight)
        per_row = sum(layer.n_in + 4 * layer.n_out for layer in self.probe.layers) * self.probe.dtype.itemsize
        self._keeps = len(self._examples) * per_row <= KEPT_BYTES
        self._kept: list[Work] = []

    def hessian(self, vector: ArrayLike) -> Array:
        """Return H v (P,)."""
        vector = self._checked(vector)
        probe, out = self.probe, self._penalties(vector)
        for block, tape, deltas, errors in self._work():
            tangents = probe.passes.tangents(tape, vector)
            d_delta = probe.output.curvature(tape, block, self._divisor, tangents.z[-1])
            probe.passes.add_hessian_product(tape, deltas, errors, tangents, d_delta, vector, out)
        return out

    def gauss_newton(self, vector: ArrayLike) -> Array:
        """Return G v (P,)."""
        vector = self._checked(vector)
        probe, out = self.probe, self._penalties(vector)
        for block, tape, _, _ in self._work():
            d_z = probe.passes.tangents(tape, vector).z[-1]
            delta = probe.output.curvature(tape, block, self._divisor, d_z, gauss_newton=True)
            probe.passes.add_gradients(tape, probe.passes.backward(tape, delta), out)
        return out

    def _work(self) -> Iterator[Work]:
        """Yield the blocks of rows with their passes."""
        if self._kept:
            yield from self._kept
            return
        for block in self.probe.blocks(self._examples):
            errors: list[Array] = []
            tape, deltas = self.probe.deltas(block, self._divisor, errors)
            work = Work(block, tape, deltas, errors)
            if self._keeps:
                self._kept.append(work)
            yield work

    def _checked(self, vector: ArrayLike) -> Array:
        shape = self.probe.parameters.shape
        array = as_array("vector", vector)
        if array.shape != shape:
            raise ShapeError(f"vector has shape {array.shape}, expected {shape} as the parameters have")
        with np.errstate(all="ignore"):  # checked next
            array = np.require(array, self.probe.dtype, ["C", "A"])
        if not np.isfinite(array).all():
            raise DataError(f"vector has NaN or infinity in {self.probe.dtype}, expected finite numbers")
        return array

    def _penalties(self, vector: Array) -> Array:
        """Return what the penalties l2 / 2 |W|^2 of the layers that are not frozen add to the product."""
        out = np.zeros_like(vector)
        parts = zip(
            split(out, self.probe.layers), split(vector, self.probe.layers), self.probe.layers, strict=True
        )
        for (W, _), (V, _), layer in parts:
            if layer.trainable and layer.l2:
                W[:] = V * (layer.l2 / (self._examples.weight if layer.divide_penalty else 1))
        return out
