"""The NumPy engine, which defines what is correct: read back-propagation here.

A layer computes z = x W + b and y = f(z). One step of training is five functions, in this order::

    gather    take a batch's rows, in the dtype of the parameters
    forward   x -> (z, y) of every layer, kept for the backward pass
    loss      the error J, and its derivative by the last z
    backward  the derivative by each unit, delta = dJ/dz, and from it by each weight, dJ/dW = x^T delta
    update    the optimizer's step along the gradient

Shapes: m rows in a batch, a layer has n_in inputs and n_out outputs, P parameters in all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, Unpack

import numpy as np
from numpy.typing import NDArray

from fastbp._base.sparse import AnyRows, Rows, check_rows, dense, numbers_of
from fastbp._core import aligned_zeros, check_memory
from fastbp._data.sample_weights import Weights, counted
from fastbp._engine.stepwise import StepwiseRun, weight_of
from fastbp.exceptions import ShapeError
from fastbp.layers import Layer, split, trained
from fastbp.losses import SumLoss, one_hot
from fastbp.reference import regularization
from fastbp.reference.activations import chain, value
from fastbp.reference.losses import JOINT
from fastbp.reference.optimizers import OPTIMIZERS, flush
from fastbp.reference.schedules import SCHEDULES
from fastbp.schedules._warmup import warmed

if TYPE_CHECKING:
    from fastbp._engine.protocol import EngineClass, InputScaling, Rates, Run, RunOptions, TargetScaling

Array: TypeAlias = NDArray[Any]
Tape: TypeAlias = list[Array]  # what forward keeps for backward: x, then z and y of every layer

_quietly = np.errstate(all="ignore")  # overflow shows in the loss


class Setup(NamedTuple):
    """An optimizer with its initial state (states, P)."""

    rule: Callable[..., None]
    hyperparameters: tuple[float, ...]  # after the learning rate
    rates: Rates
    clip_value: float | None
    clip_norm: float | None
    state: Array


class Engine:
    """The engine in NumPy; `fastbp._engine.protocol.Engine` documents its interface.

    The parameters (P,) of float32 or float64 are read and written in place: per layer W (n_in, n_out) in C
    order, then b (n_out,) if it has one. All arithmetic uses their dtype.
    """

    isa = "numpy"

    def __init__(
        self,
        layers: Sequence[Layer],
        loss: SumLoss,
        parameters: Array,
        *,
        seed: int = 0,
        input_noise: float = 0.0,
    ) -> None:
        self.layers = tuple(layers)
        self.seed, self._input_noise = seed, input_noise
        self.loss_function = loss
        self.parameters = parameters
        self.gradients = aligned_zeros(parameters.size, parameters.dtype)  # (P,) dJ/dW, dJ/db per layer
        self._weights = split(self.parameters, self.layers)
        self._d_weights = split(self.gradients, self.layers)
        self._trained = trained(self.layers)
        self.state = np.empty((0, parameters.size), parameters.dtype)  # (states, P), of the optimizer
        self.t = 0
        self.memory: NDArray[np.float64] | None = None
        self.spare_arrays: tuple[Array, Array] | None = None
        self.penalty = 0.0
        self._tape: Tape = []
        self.set_scaling(None, None)
        self.set_average(None)
        widest = max(max(layer.n_in, layer.n_out) for layer in self.layers)
        # the twin of fbp_block_rows() in src_c/plan/task.c
        self._block_rows = min(4096, max(512, 65536 // widest // 64 * 64))

    def prepare_optimizer(
        self,
        row: str,
        hyperparameters: tuple[float, ...],
        schedule: Rates,
        clip_value: float | None = None,
        clip_norm: float | None = None,
    ) -> Setup:
        """Return what `install_optimizer` takes: a row of the optimizer table with a state of zeros."""
        n_states, rule = OPTIMIZERS[row]
        state = np.zeros((n_states, self.parameters.size), self.parameters.dtype)
        return Setup(rule, hyperparameters[1:], schedule, clip_value, clip_norm, state)

    def install_optimizer(self, setup: Setup) -> None:
        """Use a prepared optimizer from now on."""
        self._optimizer, self._rates, self.state = setup, setup.rates, setup.state
        self.t, self.memory = 0, None

    def set_schedule(self, row: str, rate: float, parameters: tuple[float, ...], warmup: int) -> None:
        """Take the learning rates of all later steps from a row of the schedule table."""
        self._rates = row, rate, parameters, warmup

    def set_training(self, trainable: tuple[bool, ...], factors: tuple[float, ...]) -> None:
        """Say for each layer whether later updates change it, and by what its learning rate is multiplied."""
        options = zip(self.layers, trainable, factors, strict=True)
        self.layers = tuple(
            layer._replace(trainable=flag, learning_rate_factor=factor) for layer, flag, factor in options
        )
        self._trained = trained(self.layers)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        row, rate, parameters, warmup = self._rates
        return warmed(lambda step: SCHEDULES[row](step, rate, *parameters), warmup, self.t)

    def shares_memory(self, rows: Rows) -> bool:
        """Tell whether an array, or the entries of sparse rows, overlap what a step writes."""
        array = numbers_of(rows)
        return any(np.may_share_memory(array, own) for own in (self.parameters, self.gradients, self.state))

    def apart(self, rows: AnyRows) -> AnyRows:
        """Return the rows, or a copy of those that share memory with what a step writes."""
        return rows.copy() if self.shares_memory(rows) else rows

    def set_average(self, average: Array | None, decay: float = 0, steps: int = 0) -> None:
        """Keep a moving average (P,) of the parameters from now on; the first of its steps copies them."""
        self._average, self._decay, self._later_decay = average, decay if steps else 0.0, decay

    def set_scaling(self, inputs: InputScaling | None, targets: TargetScaling | None) -> None:
        """Work on (X - mean) inverse_scale from now on, and on y likewise; on X and y themselves for None."""
        self._input_scaling, self._target_scaling = inputs, targets
        self._tape = []

    # ---- a step of training: gather, forward, loss, backward, update

    @_quietly
    def train_on_batch(
        self, X: Rows, y: Array, weights: Weights | None = None, rows: Array | None = None
    ) -> float:
        """Do one step on a batch, `rows` as below; return the loss before the step."""
        loss = self.loss_and_gradients(X, y, weights, rows)
        self.update()
        return loss

    @_quietly
    def loss_and_gradients(
        self, X: Rows, y: Array, weights: Weights | None = None, rows: Array | None = None
    ) -> float:
        """Return the loss of a batch, and leave its `gradients`; blocks of rows are added up in order.

        `rows` are the indices of the rows in the batch. None: all, or all with a nonzero weight.
        """
        X, y = self.apart(X), self.apart(y)
        total, weight = 0.0, weight_of(X, weights, rows)
        divisor = self.loss_function.divide_by(weight, self.layers[-1].n_out)
        for i, (x, t, w) in enumerate(self._gather(X, y, weights, rows)):
            tape = self._forward(x, i * self._block_rows)
            error, delta = self._loss(tape, t, w, divisor)
            self._backward(tape, delta, i * self._block_rows)
            total += error
        return total / divisor + self._penalty(weight)

    def _gather(
        self, X: Rows, y: Array, weights: Weights | None = None, rows: Array | None = None
    ) -> Iterator[tuple[Array, Array, Array]]:
        """Yield inputs (m, n_in), targets (m, n_targets) and weights in the parameters' dtype, by block.

        Weights are (m, 1), or (m, n_targets) if each target has its own; those of unknown targets are 0.
        """
        dtype, n_out = self.parameters.dtype, self.layers[-1].n_out
        if rows is None and weights is not None:
            rows = weights.rows
        for block in self._blocks(X if rows is None else rows):
            check_rows(X)
            check_memory(y)
            at = block if rows is None else rows[block]
            t = one_hot(y[at], n_out, dtype) if y.ndim == 1 else self._scaled(y[at], self._target_scaling)
            w = np.ones((len(t), 1), dtype)
            if weights is not None and weights.values is not None:
                w = weights.values[at].astype(dtype).reshape(len(t), -1)
            yield self._inputs(X[at]), t, w

    def _inputs(self, X: Rows) -> Array:
        """Return rows (m, n_in), dense, in the dtype of the parameters; scaled before that."""
        return self._scaled(dense(X), self._input_scaling)

    def _scaled(self, rows: Array, scaling: InputScaling | TargetScaling | None) -> Array:
        """Return (rows - mean) inverse_scale, computed in float64, in the dtype of the parameters."""
        if scaling is not None:
            mean, inverse_scale, *_ = scaling
            rows = (rows - mean) * inverse_scale
        return np.array(rows, self.parameters.dtype)  # a copy: activations may be code of the user

    def _raw(self, h: Array) -> Array:
        """Return outputs (m, n_out) in the units of raw targets: factor h + offset, computed in float64."""
        if self._target_scaling is None:
            return h
        _, _, factor, offset = self._target_scaling
        return (factor * h + offset).astype(h.dtype)

    def _forward(self, x: Array, first: int | None = None) -> Tape:
        """Apply every layer to x (m, n_in); return [x, z, y, z, y, ...]: each y is the x of the next layer.

        `first` is the index in its batch of the first row of x, in training, with noise and dropout.
        """
        if first is not None and self._input_noise:
            x = x + self._input_noise * regularization.noise(self.seed, self.t, first, x.shape, x.dtype)
        tape = [x]
        for i, (W, b) in enumerate(self._weights):
            f = self.layers[i].activation
            z = (tape[-1] if first is None else self._drop(i, tape[-1], first)) @ W  # (m, n_out)
            if self.layers[i].bias:
                z += b
            tape += [z, value(f, z)]
        return tape

    def _drop(self, i: int, x: Array, first: int) -> Array:
        """Apply dropout to x (m, n_in) of layer i, or to a derivative by it."""
        rate = self.layers[i - 1].dropout if i else 0.0
        if not rate:
            return x
        mask = regularization.dropout(rate, self.seed, i - 1, self.t, first, x.shape)
        dropped: Array = x * mask.astype(x.dtype)
        return dropped

    def _loss(self, tape: Tape, t: Array, w: Array, divisor: float) -> tuple[float, Array]:
        """Compare the output with the target (m, n_targets); return the sum of the errors and delta = dJ/dz.

        The errors are multiplied by weights (m, 1) of rows, or (m, n_targets) of single targets.
        """
        z, h = tape[-2:]
        t = self.loss_function.expected(t)
        if w.shape[1] > 1:
            w = self.loss_function.repeated(w)
        if self.loss_function.name in JOINT:
            terms, delta = JOINT[self.loss_function.name](z, t), counted(h - t, w)
        else:
            terms, d_h = self.loss_function.terms(h, t), counted(self.loss_function.slopes(h, t), w)
            delta = chain(self.layers[-1].activation, z, h, d_h)
        delta /= divisor
        return float(counted(terms, w).sum(dtype=np.float64)), delta

    def _backward(self, tape: Tape, delta: Array, first: int = 0) -> Array:
        """Carry delta = dJ/dz (m, n_out) from the last layer back to the first; write dJ/dW and dJ/db.

        The first rows of a batch set these, later rows add to them.
        """
        for i in reversed(range(len(self.layers))):
            y, (W, _), (d_W, d_b) = tape[2 * i], self._weights[i], self._d_weights[i]
            x = self._drop(i, y, first)
            if not self.layers[i].trainable:
                d_W[:] = d_b[:] = 0
            elif first:
                d_W += x.T @ delta
                d_b += delta.sum(axis=0)[: d_b.size]  # none without a bias
            else:
                np.matmul(x.T, delta, out=d_W)
                d_b[:] = delta.sum(axis=0)[: d_b.size]
            if i > 0:
                d_y = self._drop(i, delta @ W.T, first)
                delta = chain(self.layers[i - 1].activation, tape[2 * i - 1], y, d_y)
        return delta

    def _penalty(self, weight: float) -> float:
        """Return the penalties for a batch of this total weight, and add their derivatives to dJ/dW."""
        total = 0.0
        for (W, _), (d_W, _), layer in zip(self._weights, self._d_weights, self.layers, strict=True):
            if layer.trainable and (layer.l1 or layer.l2):
                total += regularization.penalty(W, layer, weight)
                d_W += regularization.penalty_gradient(W, layer, weight)
        return total

    @_quietly
    def update(self) -> None:
        """Do one step of the optimizer along the gradients."""
        optimizer = self._optimizer
        rate = self.learning_rate
        self.t += 1
        g = np.zeros_like(self.gradients)
        for part, _ in self._trained:
            g[part] = self.gradients[part]
        g = regularization.clip(g, optimizer.clip_value, optimizer.clip_norm)
        for part, factor in self._trained:
            numbers = rate * factor, *optimizer.hyperparameters
            optimizer.rule(self.parameters[part], g[part], self.state[:, part], self.t, *numbers)
        for (W, _), layer in zip(self._weights, self.layers, strict=True):
            if layer.trainable and layer.max_norm is not None:
                regularization.limit_norms(W, layer.max_norm)
        if self._average is not None:
            self._average += (1 - self._decay) * (self.parameters - self._average)
            flush(self._average)
            self._decay = self._later_decay

    # ---- its parts, for predictions and for losses that the user computes

    @_quietly
    def predict(self, X: Rows, out: Array, raw: bool = True) -> None:
        """Write the outputs of X (n, n_in) to out (n, n_out), raw or as the loss sees them."""
        for block in self._blocks(X):
            check_rows(X)
            h = self._forward(self._inputs(X[block]))[-1]
            check_memory(out)
            out[block] = self._raw(h) if raw else h

    def predict_plain(self, X: object, out: object, guard: object) -> None:
        """Return None: this engine has no faster way for few rows in plain arrays."""

    @_quietly
    def loss(self, X: Rows, y: Array, weights: Weights | None = None) -> float:
        """Return the loss over all rows, or over those with a nonzero weight."""
        total = sum(self._loss(self._forward(x), t, w, 1)[0] for x, t, w in self._gather(X, y, weights))
        return total / self.loss_function.divide_by(weight_of(X, weights, None), self.layers[-1].n_out)

    @_quietly
    def forward(self, X: Rows, raw: bool = True) -> Array:
        """Return the outputs (n, n_out) of X (n, n_in), as in `predict`; keep what backward needs."""
        check_rows(X)
        self._tape = self._forward(self._inputs(X).copy(), 0)
        self._is_raw = raw
        h = self._tape[-1].copy()
        return self._raw(h) if raw else h

    @_quietly
    def backward(self, d_output: Array, d_input: bool = True) -> Array:
        """From dJ/doutput (n, n_out) of the last forward, fill `gradients` and return dJ/dX (n, n_in).

        Without `d_input`, return no rows, (0, n_in).
        """
        if not self._tape or len(self._tape[0]) != len(d_output):
            raise ShapeError(f"d_output has {len(d_output)} rows, expected those of the last forward")
        z, h = self._tape[-2:]
        check_memory(d_output)
        d_h = d_output.copy()
        if self._is_raw and self._target_scaling is not None:
            d_h = (d_output * self._target_scaling[2]).astype(h.dtype)  # of factor h + offset
        delta = self._backward(self._tape, chain(self.layers[-1].activation, z, h, d_h))
        self.penalty = self._penalty(len(delta))
        dX: Array = delta[: len(delta) if d_input else 0] @ self._weights[0][0].T
        if self._input_scaling is not None:
            dX *= self._input_scaling[1]
        return dX

    @_quietly
    def normal_equations(self, X: Rows, y: Array, out: Array) -> None:
        """Write [J r]^T [J r] over all rows to out (P + 1, P + 1), for a loss of squares.

        J (n n_out, P) are the derivatives of the outputs by the parameters, r = h - y (n n_out,) the errors.
        """
        out[:] = 0
        for x, t, _ in self._gather(X, y):
            tape = self._forward(x)
            z, h = tape[-2:]
            for o in range(h.shape[1]):
                unit = np.zeros_like(h)
                unit[:, o] = 1
                J = self._jacobian(tape, chain(self.layers[-1].activation, z, h, unit))
                rows = np.hstack([J, (h - t)[:, o : o + 1]])
                out += rows.T @ rows

    def _jacobian(self, tape: Tape, delta: Array) -> Array:
        """Return the derivatives (m, P) of one output by the parameters, from those by z (m, n_out)."""
        parts: list[Array] = []
        for i in reversed(range(len(self.layers))):
            x, (W, _) = tape[2 * i], self._weights[i]
            d_b = delta[:, : self._weights[i][1].size]  # no columns without a bias
            parts = [(x[:, :, None] * delta[:, None, :]).reshape(len(x), -1), d_b, *parts]
            if i > 0:
                delta = chain(self.layers[i - 1].activation, tape[2 * i - 1], x, delta @ W.T)
        return np.hstack(parts)

    def begin(self, X: Rows, y: Array, **options: Unpack[RunOptions]) -> Run:
        """Return a training run over X and y; nothing is computed yet."""
        return StepwiseRun(self, self.apart(X), self.apart(y), **options)

    def _blocks(self, rows: Rows) -> list[slice]:
        return [slice(i, i + self._block_rows) for i in range(0, len(rows), self._block_rows)]


if TYPE_CHECKING:
    _conforms: EngineClass = Engine
