"""How outputs and loss react to the inputs, and the derivatives of the loss by every unit."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.sparse import Inputs, as_rows
from fastbp.inspect._probe import Probe, quietly
from fastbp.network import Network

Array: TypeAlias = NDArray[Any]


@quietly
def jacobian(net: Network, X: Inputs) -> Array:
    """Return the derivative of every output by every input, for each row.

    Parameters
    ----------
    net : Network
    X : array_like or sparse, shape (n, n_in), or (n_in,) for one row
        Inputs as for `predict`.

    Returns
    -------
    array, shape (n, n_out, n_in), or (n_out, n_in) for one row
        d output / d input of `Network.predict`: by raw inputs and of raw outputs, if the network scales them.
        It takes n n_out n_in numbers.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above.
    BusyError
        Another thread is changing the network.
    """
    probe = Probe(net)
    found = probe.checks.query(X)
    X = as_rows(found)
    n_out, n_in = probe.layers[-1].n_out, probe.layers[0].n_in
    out = np.empty((len(X), n_out, n_in), probe.dtype)
    for part in probe.slices(len(X), width=n_out):
        probe.passes.write_jacobian(probe.passes.forward(probe.scaled_inputs(X[part])), out[part])
    if probe.target_scaling is not None:
        out *= probe.target_scaling[2][:, None]
    if probe.input_scaling is not None:
        out *= probe.input_scaling[1]
    return out[0] if found.ndim == 1 else out


@quietly
def input_gradients(
    net: Network, X: Inputs, y: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Array:
    """Return dJ/dX, the derivative of the loss by every input of every row.

    J is the loss of all rows of (X, y) together, as of `Network.evaluate`; where it is a mean over rows, the
    derivatives of a row have the factor 1 / n. Dropout and noise are off.

    Parameters
    ----------
    net : Network
    X, y : array_like, or sparse for X
        Inputs (n, n_in) and targets as for `fit`.
    sample_weight : array_like, shape (n,) or (n, n_targets), optional
        Weights of the loss, as for `evaluate`.

    Returns
    -------
    array, shape (n, n_in)
        By raw inputs, if the network scales them.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as for `evaluate`.
    BusyError
        Another thread is changing the network.
    """
    probe = Probe(net)
    examples = probe.examples(X, y, sample_weight)
    divisor = probe.divisor(examples.weight)
    out = np.empty((len(examples), probe.layers[0].n_in), probe.dtype)
    for block in probe.blocks(examples):
        _, deltas = probe.deltas(block, divisor)
        out[block.rows] = probe.passes.d_inputs(deltas[0])
    if probe.input_scaling is not None:
        out *= probe.input_scaling[1]
    return out


@quietly
def deltas(net: Network, X: Inputs, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> list[Array]:
    """Return dJ/dz of every unit for every row: the share of the error that back-propagation gives it.

    z = x W + b is the weighted sum of a unit, J the loss of all rows together, as of `Network.evaluate`. The
    sum over the rows is dJ/db, and x^T delta is dJ/dW of the layer (Rumelhart, Hinton and Williams, 1986).

    Parameters
    ----------
    net : Network
    X, y : array_like, or sparse for X
        Inputs (n, n_in) and targets as for `fit`.
    sample_weight : array_like, shape (n,) or (n, n_targets), optional
        Weights of the loss, as for `evaluate`.

    Returns
    -------
    list of arrays, shape (n, units)
        One array per layer, the output layer last.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as for `evaluate`.
    BusyError
        Another thread is changing the network.
    """
    probe = Probe(net)
    examples = probe.examples(X, y, sample_weight)
    divisor = probe.divisor(examples.weight)
    out = [np.empty((len(examples), layer.n_out), probe.dtype) for layer in probe.layers]
    for block in probe.blocks(examples):
        _, found = probe.deltas(block, divisor)
        for whole, part in zip(out, found, strict=True):
            whole[block.rows] = part
    return out
