"""`Probe`: one network with the numbers that it has now, and the data to inspect it with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastbp import _core
from fastbp._base.sparse import Inputs, Rows, check_rows, dense
from fastbp._data.sample_weights import Weights, resolve_weights
from fastbp._engine.stepwise import weight_of
from fastbp._model.rows import scaling_numbers
from fastbp.inspect._output import Block, Output
from fastbp.losses import CustomLoss, SumLoss, one_hot
from fastbp.metrics import slices
from fastbp.network import Network, check_network

if TYPE_CHECKING:
    from fastbp._core.tapes import Tape
    from fastbp._engine.passes import PassesClass
    from fastbp._engine.protocol import Engine

Array: TypeAlias = NDArray[Any]

quietly = np.errstate(all="ignore")  # overflow and NaN show in the result, without warnings


class Examples(NamedTuple):
    """Checked data: inputs, targets, and the weights of the loss."""

    X: Rows  # (n, n_in)
    y: Array  # (n, n_targets), or labels (n,)
    w: NDArray[np.float64]  # (n, 1) or (n, n_targets), 0 for what is absent or unknown
    weight: float  # sum of the weights of the rows
    is_weighted: bool  # otherwise all weights are 1

    def __len__(self) -> int:
        return len(self.X)


class Probe:
    """The passes over a network, whose parameters are copied: training goes on without changing them.

    Parameters
    ----------
    net : Network
        The network, of either engine.
    dtype : dtype, optional
        float32 or float64, to compute in. Default: that of the network.
    parameters : array (P,), optional
        Numbers to use instead of the network's.
    """

    def __init__(
        self, net: Network, *, dtype: DTypeLike | None = None, parameters: Array | None = None
    ) -> None:
        check_network(net)
        model = net._model
        self.net, self.architecture, self.checks = net, model.architecture, model.checks
        self.layers, self.loss = model.architecture.layers, model.architecture.loss
        self._calls_functions = isinstance(self.loss, CustomLoss) or any(
            layer.activation.is_custom for layer in self.layers
        )
        self.dtype = np.dtype(model.architecture.dtype if dtype is None else dtype)
        if parameters is None:
            parameters = model.guard.reading(model.engine.parameters.copy)
        self.parameters = np.ascontiguousarray(parameters, self.dtype)
        self.passes = _passes_class(model.engine)(self.layers, self.parameters)
        self.output = Output(self.loss, self.passes, self.layers)
        scalings = scaling_numbers(model.scaling, model.target_scaling, self.loss)
        self.input_scaling, self.target_scaling = scalings

    def owns(self, array: Array) -> bool:
        """Tell whether an array shares memory with the network's own numbers."""
        return self.net._model.engine.shares_memory(array)

    # ---- data

    def inputs(self, X: Inputs) -> Rows:
        """Return checked inputs (n, n_in)."""
        return self.checks.inputs("X", X)

    def examples(
        self,
        X: Inputs,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        name: str = "X",
        y_name: str = "y",
    ) -> Examples:
        """Return checked data; errors as of `Network.evaluate`, with these names for X and y."""
        X, y = self.checks.examples(X, y, name, y_name)
        weights = resolve_weights(self.checks, y, sample_weight, None)
        weight = weight_of(X, weights, None)
        return Examples(X, y, _dense_weights(weights, len(X)), weight, weights is not None)

    def divisor(self, weight: float) -> float:
        """Return the divisor of the loss for rows of this total weight."""
        if isinstance(self.loss, SumLoss):
            return self.loss.divide_by(weight, self.layers[-1].n_out)
        return 1.0  # a custom loss has divided

    def slices(self, n: int, width: int = 1) -> list[slice]:
        """Return n rows in blocks, shorter ones for arrays with `width` numbers per row and unit."""
        widest = width * max(max(layer.n_in, layer.n_out) for layer in self.layers)
        return slices(n, min(4096, max(512 // width, 65536 // widest // 64 * 64, 1)))

    @quietly
    def scaled_inputs(self, X: Rows) -> Array:
        """Return inputs (m, n_in), dense, as the network computes with them."""
        check_rows(X)
        return self._apart(_scaled(dense(X), self.input_scaling, self.dtype))

    def _apart(self, rows: Array) -> Array:
        """Return the rows, or a copy if functions of the user could free their memory."""
        return rows.copy() if self._calls_functions else rows

    def blocks(self, examples: Examples, most: int | None = None) -> Iterator[Block]:
        """Yield the examples in blocks of at most `most` rows; None: all for a custom loss, else many."""
        n = len(examples)
        if most is None and isinstance(self.loss, CustomLoss):
            most = n  # it need not be a sum over rows
        for rows in self.slices(n) if most is None else slices(n, most):
            x = self.scaled_inputs(examples.X[rows])
            t, w = self._targets(examples.y[rows]), examples.w[rows].astype(self.dtype)
            yield Block(rows, x, t, w, examples.is_weighted)

    @quietly
    def _targets(self, y: Array) -> Array:
        _core.check_memory(y)
        if isinstance(self.loss, CustomLoss):
            if self.target_scaling is not None:
                return _scaled(y, self.target_scaling, self.dtype)
            return np.array(y, self.dtype if y.dtype.kind == "f" else y.dtype.newbyteorder("="))
        if y.ndim == 1:
            known = self.loss.known(y)
            return one_hot(np.where(known, y, 0), self.layers[-1].n_out, self.dtype)
        return self._apart(_scaled(y, self.target_scaling, self.dtype))

    # ---- derivatives

    @quietly
    def deltas(
        self, block: Block, divisor: float | Array, errors: list[Array] | None = None
    ) -> tuple[Tape, list[Array]]:
        """Take a block forward and backward; return what was computed, and dJ/dz of every layer.

        Append dJ/dy of the hidden layers to `errors`, the last of them first.
        """
        tape = self.passes.forward(block.x)
        delta = self.output.delta(tape, block, divisor)
        return tape, self.passes.backward(tape, delta, errors)

    def gradients(self, examples: Examples) -> Array:
        """Return dJ/dW and dJ/db (P,) of the loss over all examples, without penalties."""
        out, divisor = np.zeros_like(self.parameters), self.divisor(examples.weight)
        for block in self.blocks(examples):
            self.passes.add_gradients(*self.deltas(block, divisor), out)
        return out


def _passes_class(engine: Engine) -> PassesClass:
    """Return the passes that go with an engine."""
    if engine.isa == "numpy":
        from fastbp.reference.passes import Passes  # only the reference needs it

        return Passes
    native: PassesClass = _core.load("passes").Passes
    return native


def _dense_weights(weights: Weights | None, n: int) -> NDArray[np.float64]:
    """Return weights (n, 1) of rows, or (n, n_targets) of targets; 0 for absent rows."""
    if weights is None:
        return np.ones((n, 1))
    values = np.ones(n) if weights.values is None else weights.values
    dense = values.reshape(n, -1)
    if weights.rows is None:
        return dense
    present = np.zeros_like(dense)
    present[weights.rows] = dense[weights.rows]
    return present


def _scaled(rows: Array, scaling: Any, dtype: np.dtype[Any]) -> Array:
    """Return (rows - mean) inverse_scale, computed in float64, in the dtype to compute in."""
    if scaling is not None:
        mean, inverse_scale, *_ = scaling
        rows = (rows - mean) * inverse_scale
    return np.require(rows, dtype, ["C", "A"])  # the native passes read no misaligned numbers
