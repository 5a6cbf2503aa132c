"""The NumPy engine: what correctness means, and the page to read back-propagation on.

A layer computes z = x W + b and y = f(z). One step of training is five functions, in this order::

    gather    take a batch's rows, in the dtype of the parameters
    forward   x -> (z, y) of every layer, kept for the way back
    loss      one observed error J, and how it changes with the last z
    backward  the share of every unit, delta = dJ/dz, and from it that of every weight, dJ/dW = x^T delta
    update    the optimizer's step down that slope

Shapes: m rows in a batch, a layer has n_in inputs and n_out outputs, P parameters in all.
"""

# mypy: no-warn-return-any

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp.activations import Activation
from fastbp.exceptions import ShapeError
from fastbp.layers import Layer, split
from fastbp.losses import Loss, one_hot
from fastbp.network import Network as _Network
from fastbp.optimizers import Optimizer
from fastbp.random import permutation

Array: TypeAlias = NDArray[Any]
Tape: TypeAlias = list[Array]  # what forward leaves for backward: x, then z and y of every layer

# ---- activations: function and derivative side by side -----------------------------------------------------


def _sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def _softplus(z: Array) -> Array:
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _softmax(z: Array) -> Array:
    y: Array = np.exp(z - z.max(axis=-1, keepdims=True))
    y /= y.sum(axis=-1, keepdims=True)
    return y


_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _normal_cdf(z: Array) -> Array:
    return 0.5 * _erfc(-math.sqrt(0.5) * z).astype(z.dtype)  # erfc, for 1 + erf would lose the left tail


def _gelu_slope(z: Array) -> Array:
    return _normal_cdf(z) + z * (math.sqrt(0.5 / math.pi) * np.exp(-0.5 * z * z))


def _gelu_tanh_cdf(z: Array) -> Array:
    """Return (1 + tanh u) / 2, u = sqrt(2 / pi) (z + 0.044715 z^3), as sigmoid(2 u) for the left tail."""
    return _sigmoid(math.sqrt(8 / math.pi) * z * (1 + 0.044715 * z * z))


def _gelu_tanh_slope(z: Array) -> Array:
    s = _gelu_tanh_cdf(z)
    return s + s * (1 - s) * z * math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * z * z)


def _mish_slope(z: Array) -> Array:
    t = np.tanh(_softplus(z))
    return t + z * (1 - t * t) * _sigmoid(z)


SELU_SCALE, SELU_FLOOR = 1.0507009873554805, 1.0507009873554805 * 1.6732632423543772


class Row(NamedTuple):
    """y = function(z, a) and dy/dz = derivative(z, y, a) with the row's parameter a; NaN comes out as NaN."""

    function: Callable[[Array, float], Array]
    derivative: Callable[[Array, Array, float], Array]


# A derivative uses y alone where it can; that of a clipping is the sign of what is positive between the ends.
# Softmax has its Jacobian's diagonal here. A step has no slope, hence no signal to learn from: it predicts.
# fmt: off
ACTIVATIONS: dict[str, Row] = {
    "identity":     Row(lambda z, a: z,                           lambda z, y, a: np.ones_like(y)),
    "sigmoid":      Row(lambda z, a: _sigmoid(z),                 lambda z, y, a: y * (1 - y)),
    "log_sigmoid":  Row(lambda z, a: -_softplus(-z),              lambda z, y, a: -np.expm1(y)),
    "tanh":         Row(lambda z, a: np.tanh(z),                  lambda z, y, a: 1 - y * y),
    "relu":         Row(lambda z, a: np.maximum(z, 0),            lambda z, y, a: np.sign(y)),
    "relu6":        Row(lambda z, a: np.clip(z, 0, 6),            lambda z, y, a: np.sign(y * (6 - y))),
    "leaky_relu":   Row(lambda z, a: np.where(z > 0, z, a * z),
                        lambda z, y, a: np.where(y <= 0, a, np.sign(y))),
    "elu":          Row(lambda z, a: np.where(z > 0, z, a * np.expm1(z)),
                        lambda z, y, a: np.where(y > 0, 1, y + a)),
    "selu":         Row(lambda z, a: np.where(z > 0, SELU_SCALE * z, SELU_FLOOR * np.expm1(z)),
                        lambda z, y, a: np.where(y > 0, SELU_SCALE, y + SELU_FLOOR)),
    "celu":         Row(lambda z, a: np.where(z > 0, z, a * np.expm1(z / a)),
                        lambda z, y, a: np.where(y > 0, 1, 1 + y / a)),
    "gelu":         Row(lambda z, a: z * _normal_cdf(z),          lambda z, y, a: _gelu_slope(z)),
    "gelu_tanh":    Row(lambda z, a: z * _gelu_tanh_cdf(z),       lambda z, y, a: _gelu_tanh_slope(z)),
    "silu":         Row(lambda z, a: z * _sigmoid(z),
                        lambda z, y, a: _sigmoid(z) + y * _sigmoid(-z)),
    "mish":         Row(lambda z, a: z * np.tanh(_softplus(z)),   lambda z, y, a: _mish_slope(z)),
    "softplus":     Row(lambda z, a: _softplus(z),                lambda z, y, a: -np.expm1(-y)),
    "softsign":     Row(lambda z, a: z / (1 + np.abs(z)),         lambda z, y, a: np.square(1 - np.abs(y))),
    "hard_sigmoid": Row(lambda z, a: np.clip(z / 6 + 0.5, 0, 1),  lambda z, y, a: np.sign(y * (1 - y)) / 6),
    "hard_swish":   Row(lambda z, a: z * np.clip(z / 6 + 0.5, 0, 1),
                        lambda z, y, a: np.where(z <= -3, 0, np.where(z >= 3, 1, z / 3 + 0.5))),
    "hard_tanh":    Row(lambda z, a: np.clip(z, -1, 1),           lambda z, y, a: np.sign(1 - y * y)),
    "sine":         Row(lambda z, a: np.sin(z),                   lambda z, y, a: np.cos(z)),
    "gaussian":     Row(lambda z, a: np.exp(-z * z),              lambda z, y, a: -2 * z * y),
    "softmax":      Row(lambda z, a: _softmax(z),                 lambda z, y, a: y * (1 - y)),
    "step":         Row(lambda z, a: np.heaviside(z, 1),          lambda z, y, a: np.zeros_like(y)),
}
# fmt: on


def chain(activation: Activation, z: Array, y: Array, d_y: Array) -> Array:
    """Return dJ/dz from dJ/dy, both (m, n_out), by the chain rule; may overwrite d_y."""
    if activation.name == "softmax":  # every z of a row moves every y of it
        return y * (d_y - (y * d_y).sum(axis=1, keepdims=True))
    d_y *= ACTIVATIONS[activation.name].derivative(z, y, activation.alpha)
    return d_y


# ---- losses that come from the logits z, where the joint delta is simply h - t; the others: fastbp.losses --


def _cross_entropy(z: Array, t: Array) -> Array:
    top = z.max(axis=1, keepdims=True)  # less which no exponential exceeds 1
    log_sum = np.log(np.exp(z - top).sum(axis=1, dtype=np.float64))
    return log_sum + (t * np.subtract(top, z, dtype=np.float64)).sum(axis=1)  # the t of a row add up to 1


JOINT: dict[str, Callable[[Array, Array], Array]] = {
    "binary_cross_entropy": lambda z, t: np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z))),
    "cross_entropy": _cross_entropy,
}

# ---- optimizers: parameters p, gradient g, state vectors s, step number t = 1, 2, ...; in place ------------


def _flush(state: Array) -> None:
    """Clear subnormal numbers: the state of an idle weight would slow down every later step."""
    state[np.abs(state) < np.finfo(state.dtype).smallest_normal] = 0


def _sgd(p: Array, g: Array, s: Array, t: int, learning_rate: float) -> None:
    p -= learning_rate * g


def _momentum(p: Array, g: Array, s: Array, t: int, learning_rate: float, momentum: float) -> None:
    s *= momentum
    s += g
    _flush(s)
    p -= learning_rate * s[0]


def _nesterov(p: Array, g: Array, s: Array, t: int, learning_rate: float, momentum: float) -> None:
    s *= momentum
    s += g
    _flush(s)
    p -= learning_rate * (g + momentum * s[0])


def _adam(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
    learning_rate, beta1, beta2, epsilon = parameters
    m, v = s
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * (g * g)
    _flush(s)
    step = np.sqrt(v)
    step /= math.sqrt(1 - beta2**t)
    step += epsilon
    np.divide(m, step, out=step)
    p -= learning_rate / (1 - beta1**t) * step


OPTIMIZERS: dict[str, tuple[int, Callable[..., None]]] = {
    "sgd": (0, _sgd),
    "momentum": (1, _momentum),
    "nesterov": (1, _nesterov),
    "adam": (2, _adam),
}

# ---- the engine --------------------------------------------------------------------------------------------

_quietly = np.errstate(over="ignore", invalid="ignore", divide="ignore")  # the loss tells


class Engine:
    """Layers, a loss and the parameters (P,) of float32 or float64, which it reads and writes in place.

    Per layer they are W (n_in, n_out) in C order, then b (n_out,). All arithmetic has their dtype.
    """

    isa = "numpy"

    def __init__(self, layers: Sequence[Layer], loss: Loss, parameters: Array) -> None:
        self.layers = tuple(layers)
        self.loss_function = loss
        self.parameters = parameters
        self.gradients = np.zeros_like(parameters)  # (P,) dJ/dW and dJ/db, in the same order
        self._weights = split(self.parameters, self.layers)
        self._d_weights = split(self.gradients, self.layers)
        self._tape: Tape = []
        widest = max(max(layer.n_in, layer.n_out) for layer in self.layers)
        self._block_rows = min(4096, max(512, 65536 // widest // 64 * 64))

    def set_optimizer(self, optimizer: Optimizer) -> None:
        """Use this optimizer from now on, with a fresh state."""
        n_states, self._rule = OPTIMIZERS[optimizer.row]
        self._hyperparameters = optimizer.hyperparameters
        self.state = np.zeros((n_states, self.parameters.size), self.parameters.dtype)
        self.t = 0

    # ---- a step of training: gather, forward, loss, backward, update

    @_quietly
    def train_on_batch(self, X: Array, y: Array, rows: Array | None = None) -> float:
        """Do one step on a batch, all rows or those of an index; return its loss before the update."""
        loss = self.loss_and_gradients(X, y, rows)
        self.update()
        return loss

    @_quietly
    def loss_and_gradients(self, X: Array, y: Array, rows: Array | None = None) -> float:
        """Return a batch's loss and leave its `gradients`; blocks of rows add up in their order."""
        divisor = self.loss_function.divide_by(len(X if rows is None else rows), self.layers[-1].n_out)
        total = 0.0
        for i, (x, t) in enumerate(self._gather(X, y, rows)):
            tape = self._forward(x)
            error, delta = self._loss(tape, t, divisor)
            self._backward(tape, delta, add=i > 0)
            total += error
        return total / divisor

    def _gather(self, X: Array, y: Array, rows: Array | None = None) -> Iterator[tuple[Array, Array]]:
        """Yield inputs (m, n_in) and targets (m, n_out), in the dtype of the parameters, block by block."""
        dtype, n_out = self.parameters.dtype, self.layers[-1].n_out
        for block in self._blocks(X if rows is None else rows):
            at = block if rows is None else rows[block]
            t = one_hot(y[at], n_out, dtype) if y.ndim == 1 else np.asarray(y[at], dtype)
            yield np.asarray(X[at], dtype), t

    def _forward(self, x: Array) -> Tape:
        """Apply every layer to x (m, n_in); return [x, z, y, z, y, ...]: a y is the x of the next layer."""
        tape = [x]
        for (W, b), (_, _, f) in zip(self._weights, self.layers, strict=True):
            z = tape[-1] @ W  # (m, n_out)
            z += b
            tape += [z, ACTIVATIONS[f.name].function(z, f.alpha)]
        return tape

    def _loss(self, tape: Tape, t: Array, divisor: int) -> tuple[float, Array]:
        """Compare the output with the target (m, n_out); return the sum of the errors and delta = dJ/dz."""
        z, h = tape[-2:]
        if self.loss_function.name in JOINT:
            terms, delta = JOINT[self.loss_function.name](z, t), h - t
        else:
            terms, d_h = self.loss_function.terms(h, t), self.loss_function.slopes(h, t)
            delta = chain(self.layers[-1].activation, z, h, d_h)
        delta /= divisor
        return float(terms.sum(dtype=np.float64)), delta

    def _backward(self, tape: Tape, delta: Array, *, add: bool = False) -> Array:
        """Carry delta = dJ/dz (m, n_out) from the last layer back to the first, leaving dJ/dW and dJ/db."""
        for i in reversed(range(len(self.layers))):
            x, (W, _), (d_W, d_b) = tape[2 * i], self._weights[i], self._d_weights[i]
            if add:
                d_W += x.T @ delta
                d_b += delta.sum(axis=0)
            else:
                np.matmul(x.T, delta, out=d_W)
                np.sum(delta, axis=0, out=d_b)
            if i > 0:
                delta = chain(self.layers[i - 1].activation, tape[2 * i - 1], x, delta @ W.T)
        return delta

    @_quietly
    def update(self) -> None:
        """Do one step of the optimizer along the gradients."""
        self.t += 1
        self._rule(self.parameters, self.gradients, self.state, self.t, *self._hyperparameters)

    # ---- the parts of it, for predictions and for a loss of the user's own

    @_quietly
    def predict(self, X: Array, out: Array) -> None:
        """Write the outputs of X (n, n_in) to out (n, n_out)."""
        for block in self._blocks(X):
            out[block] = self._forward(np.asarray(X[block], out.dtype))[-1]

    def predict_plain(self, X: Any, out: Any, guard: Any) -> None:
        """Leave it to `predict`: the native engine has a short cut for few rows in plain arrays here."""

    @_quietly
    def loss(self, X: Array, y: Array) -> float:
        """Return the loss over all rows."""
        total = sum(self._loss(self._forward(x), t, 1)[0] for x, t in self._gather(X, y))
        return total / self.loss_function.divide_by(len(X), self.layers[-1].n_out)

    @_quietly
    def forward(self, X: Array, out: Array) -> None:
        """Write the outputs of X (n, n_in) to out (n, n_out), and keep what backward needs."""
        self._tape = self._forward(np.array(X, out.dtype))
        out[:] = self._tape[-1]

    @_quietly
    def backward(self, d_output: Array, d_input: Array) -> None:
        """Go back from dJ/doutput (n, n_out) to `gradients` and to d_input = dJ/dX (n, n_in)."""
        if not self._tape or len(self._tape[0]) != len(d_output):
            raise ShapeError(f"d_output has {len(d_output)} rows, expected those of the last forward")
        z, h = self._tape[-2:]
        delta = self._backward(self._tape, chain(self.layers[-1].activation, z, h, d_output.copy()))
        np.matmul(delta, self._weights[0][0].T, out=d_input)

    def begin(self, X: Array, y: Array, **options: Any) -> Run:
        """Return a `Run` over X and y with these options, not a step done yet."""
        return Run(self, X, y, **options)

    def _blocks(self, rows: Array) -> list[slice]:
        return [slice(i, i + self._block_rows) for i in range(0, len(rows), self._block_rows)]


@dataclass
class Run:
    """Training under way: `epoch` epochs are complete, `step` steps of the next one done.

    `losses` (epochs,) has each epoch's mean of batch losses, weighted by their rows, or the sum of sums.
    """

    engine: Engine
    X: Array
    y: Array
    _: KW_ONLY
    batch_size: int
    shuffle: bool
    seed: int
    first_epoch: int
    epochs: int
    stored: bool  # steps leave their gradient in engine.gradients; here they always do

    def __post_init__(self) -> None:
        self.epoch = self.step = 0
        self.steps_per_epoch = -(-len(self.X) // self.batch_size)
        self.losses = np.zeros(self.epochs)

    def advance(self, until_epoch: int, seconds: float) -> bool:
        """Train until so many epochs are done or time is up, one step at least; False: a loss not finite."""
        deadline = time.perf_counter() + seconds
        while self.epoch < until_epoch:
            if not math.isfinite(self._train()):
                return False
            if time.perf_counter() >= deadline:
                break
        return True

    def _train(self) -> float:
        """Do one step; return its loss."""
        X, y, n = self.X, self.y, len(self.X)
        if self.step == 0 and self.shuffle:
            self._order = permutation(self.seed, self.first_epoch + self.epoch, n)
        start, stop = self.step * self.batch_size, min((self.step + 1) * self.batch_size, n)
        if self.shuffle:
            loss = self.engine.train_on_batch(X, y, self._order[start:stop])
        else:
            loss = self.engine.train_on_batch(X[start:stop], y[start:stop])
        share = 1 if self.engine.loss_function.divisor == "one" else (stop - start) / n
        self.losses[self.epoch] += share * loss
        self.step += 1
        if self.step == self.steps_per_epoch:
            self.epoch, self.step = self.epoch + 1, 0
        return loss


class Network(_Network):
    """`fastbp.Network` over the NumPy engine: what the native core is tested against, as a whole."""

    _engine_class = Engine
