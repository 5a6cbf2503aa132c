"""Gradients of single rows: which examples teach most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp import _core
from fastbp._base.arguments import flag
from fastbp._base.arrays import base_array
from fastbp._base.sparse import Inputs, numbers_of
from fastbp._core.tapes import Tape
from fastbp.exceptions import DTypeError, ParameterError, ShapeError
from fastbp.inspect._output import Block
from fastbp.inspect._probe import Examples, Probe, quietly
from fastbp.losses import CustomLoss
from fastbp.network import Network

Array: TypeAlias = NDArray[Any]

BLOCK_BYTES = 1 << 26  # of the gradients of a block of rows


@quietly
def per_sample_gradients(net: Network, X: Inputs, y: ArrayLike, *, out: Array | None = None) -> Array:
    """Return the gradient of each row's own loss by all parameters.

    The loss of a row is that of `Network.evaluate` on this row alone. So the gradient of a mean over rows is
    the mean of these, and that of a sum their sum. A row without a known target has the gradient 0. Dropout,
    noise and penalties are off.

    Parameters
    ----------
    net : Network
    X, y : array_like, or sparse for X
        Inputs (n, n_in) and targets as for `fit`.
    out : array, shape (n, P), optional
        Array to write to: C-contiguous, of the network's dtype.

    Returns
    -------
    array, shape (n, P)
        Rows in the order of `Network.parameters`. `gradient_blocks` returns them block by block, for data
        whose gradients do not fit into memory.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above.
    BusyError
        Another thread is changing the network.
    """
    probe = Probe(net)
    examples = probe.examples(X, y)
    shape = len(examples), probe.parameters.size
    gradients = np.empty(shape, probe.dtype) if out is None else _checked_out(out, shape, probe, examples)
    for tape, deltas, rows in _own_deltas(probe, examples, _rows_of_gradients(probe)):
        _core.check_memory(gradients)  # functions of the user have run, which may resize `out`
        probe.passes.write_gradients(tape, deltas, gradients[rows])
    return gradients if out is None else out


def gradient_blocks(net: Network, X: Inputs, y: ArrayLike) -> Iterator[tuple[slice, Array]]:
    """Yield what `per_sample_gradients` returns by blocks: a slice of the rows, and their gradients.

    The arrays of earlier blocks stay as they are. Parameters and errors are those of `per_sample_gradients`;
    the arguments are checked when the first block is asked for.
    """
    probe = Probe(net)
    examples = probe.examples(X, y)
    for tape, deltas, rows in _own_deltas(probe, examples, _rows_of_gradients(probe)):
        gradients = np.empty((len(tape.x[0]), probe.parameters.size), probe.dtype)
        probe.passes.write_gradients(tape, deltas, gradients)
        yield rows, gradients


@quietly
def per_sample_gradient_norms(net: Network, X: Inputs, y: ArrayLike, *, per_layer: bool = False) -> Array:
    """Return the norm of each row's gradient, without computing the gradients.

    The gradient of a layer is the outer product of its inputs x and delta = dJ/dz, so the square of its norm
    is (|x|^2 + 1) |delta|^2, or |x|^2 |delta|^2 without a bias (Goodfellow, Efficient per-example gradient
    computations, 2015).

    Parameters
    ----------
    net : Network
    X, y : array_like, or sparse for X
        Inputs (n, n_in) and targets as for `fit`.
    per_layer : bool
        Whether to return the norms of each layer's part.

    Returns
    -------
    array, float64, shape (n,), or (n, layers)

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above, or as for `evaluate`.
    BusyError
        Another thread is changing the network.
    """
    per_layer = flag("per_layer", per_layer)
    probe = Probe(net)
    examples = probe.examples(X, y)
    squares = np.empty((len(examples), len(probe.layers)))
    for tape, deltas, rows in _own_deltas(probe, examples, None):
        for i, (layer, delta) in enumerate(zip(probe.layers, deltas, strict=True)):
            squares[rows, i] = (_squares(tape.x[i]) + layer.bias) * _squares(delta)
    return np.sqrt(squares if per_layer else squares.sum(axis=1))


def _own_deltas(
    probe: Probe, examples: Examples, most: int | None
) -> Iterator[tuple[Tape, list[Array], slice]]:
    """Yield the tape and dJ/dz of each row's own loss J, by blocks of at most `most` rows."""
    rows = 1 if isinstance(probe.loss, CustomLoss) else most
    for block in probe.blocks(examples, rows):
        yield *probe.deltas(block, _own_divisors(probe, block)), block.rows


def _own_divisors(probe: Probe, block: Block) -> float | Array:
    """Return the divisor of each row's own loss, from its known targets, (m, 1) or one for all rows."""
    if not block.is_weighted:
        return probe.divisor(1)
    weights = block.w.mean(axis=1, keepdims=True)
    own: Array = np.where(weights == 0, 1, [[probe.divisor(weight)] for weight in weights[:, 0]])
    return own.astype(weights.dtype)


def _rows_of_gradients(probe: Probe) -> int:
    """Return how many rows of gradients make a block."""
    return max(1, BLOCK_BYTES // probe.parameters.nbytes)


def _squares(rows: Array) -> NDArray[np.float64]:
    """Return the squared norm of each row (m,), computed in float64, where it does not overflow."""
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    return squares


def _checked_out(out: Any, shape: tuple[int, int], probe: Probe, examples: Examples) -> Array:
    """Return a view of `out`, checked."""
    if not isinstance(out, np.ndarray):
        raise DTypeError(f"out is a {type(out).__name__}, expected an array of {probe.dtype}")
    array = base_array("out", out)
    if array.dtype != probe.dtype:
        raise DTypeError(f"out has dtype {array.dtype}, expected {probe.dtype} (the network's)")
    if array.shape != shape:
        raise ShapeError(f"out has shape {array.shape}, expected {shape}")
    data = numbers_of(examples.X), examples.y
    is_taken = any(np.may_share_memory(array, each) for each in data) or probe.owns(array)
    if not array.flags.carray or is_taken:
        raise ParameterError(
            "out is strided, misaligned, read-only or shares memory with X, y, the parameters or the "
            "gradients, expected a C-contiguous, writable array with memory of its own"
        )
    return array
