"""Losses: frozen values, callable on (output, target), with their gradient.

The output is what the network puts out, so the cross entropies take probabilities here. During training the
engines compute the pairs of `JOINT` from the logits instead, and take no logarithm of a rounded output.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fastbp.activations import Activation
from fastbp.exceptions import DataError, ParameterError, ShapeError, choice, number
from fastbp.loss import Array, Divisor, as_rows
from fastbp.loss import Loss as Loss
from fastbp.loss import OwnFunction as OwnFunction
from fastbp.loss import OwnLoss as OwnLoss
from fastbp.loss import SumLoss as SumLoss

# As in PyTorch's BCELoss: logarithms are at least -100, denominators at least 1e-12; all stays finite.
LOWEST_LOG = -100.0
LOWEST_DENOMINATOR = 1e-12


class HalfSSE(SumLoss):
    """Half the sum of squared errors, 1/2 sum (h - y)^2 over samples and outputs.

    Parameters
    ----------
    reduction : "sum" or "mean"
        "mean" divides by the number of samples.
    """

    name: ClassVar[str] = "half_sse"
    reduction: Literal["sum", "mean"]

    def __init__(self, reduction: Literal["sum", "mean"] = "sum") -> None:
        choice("reduction", reduction, {"sum": None, "mean": None})
        self._set(reduction=reduction)

    @property
    def divisor(self) -> Divisor:
        return "one" if self.reduction == "sum" else "rows"

    def terms(self, h: Array, t: Array) -> Array:
        r = h - t
        return 0.5 * r * r

    def slopes(self, h: Array, t: Array) -> Array:
        return h - t


class MSE(SumLoss):
    """Mean squared error: the mean of (h - y)^2 over samples and outputs."""

    name: ClassVar[str] = "mse"

    def terms(self, h: Array, t: Array) -> Array:
        r = h - t
        return r * r

    def slopes(self, h: Array, t: Array) -> Array:
        return 2 * (h - t)


class MAE(SumLoss):
    """Mean absolute error: the mean of |h - y| over samples and outputs. Its slope at 0 counts as 0."""

    name: ClassVar[str] = "mae"

    def terms(self, h: Array, t: Array) -> Array:
        return abs(h - t)

    def slopes(self, h: Array, t: Array) -> Array:
        r = h - t
        return np.sign(r, out=r)


class Huber(SumLoss):
    """Huber's loss of r = h - y: the mean of r^2 / 2 where |r| <= delta, else of delta (|r| - delta / 2).

    Parameters
    ----------
    delta : float, > 0
        The error from which the loss grows linearly, in the units of y.

    References
    ----------
    P. J. Huber, Robust estimation of a location parameter, 1964.
    """

    name: ClassVar[str] = "huber"
    delta: float

    def __init__(self, delta: float = 1.0) -> None:
        self._set(delta=number("delta", delta, above=0))

    @property
    def parameter(self) -> float:
        return self.delta

    def terms(self, h: Array, t: Array) -> Array:
        r = abs(h - t)
        return np.where(r <= self.delta, 0.5 * r * r, self.delta * (r - 0.5 * self.delta))

    def slopes(self, h: Array, t: Array) -> Array:
        r = h - t
        return np.clip(r, -self.delta, self.delta, out=r)


class LogCosh(SumLoss):
    """The mean of log(cosh(h - y)) over samples and outputs: r^2 / 2 near 0, |r| - log(2) far from it."""

    name: ClassVar[str] = "log_cosh"

    def terms(self, h: Array, t: Array) -> Array:
        r = abs(h - t)
        near = -0.5 * np.log1p(-np.square(np.tanh(r)))  # beside |r|, r^2 would be lost
        return np.where(r < 1, near, r + np.log1p(np.exp(-2 * r)) - math.log(2))

    def slopes(self, h: Array, t: Array) -> Array:
        r = h - t
        return np.tanh(r, out=r)


class Quantile(SumLoss):
    """The pinball loss: the mean of q (y - h) where h <= y, else (1 - q) (h - y), over samples and outputs.

    The best constant is the q-quantile of y: q = 0.9 learns what 90 % of the targets lie below. The slope at
    h = y counts as 0.

    Parameters
    ----------
    q : float, > 0 and < 1

    References
    ----------
    R. Koenker and G. Bassett, Regression quantiles, 1978.
    """

    name: ClassVar[str] = "quantile"
    q: float

    def __init__(self, q: float = 0.5) -> None:
        self._set(q=number("q", q, above=0, below=1))

    @property
    def parameter(self) -> float:
        return self.q

    def terms(self, h: Array, t: Array) -> Array:
        r = h - t
        return np.maximum(-self.q * r, (1 - self.q) * r)

    def slopes(self, h: Array, t: Array) -> Array:
        r = h - t
        return np.where(r > 0, 1 - self.q, np.where(r < 0, -self.q, r))


class Hinge(SumLoss):
    """The margin loss of classes y = -1 and 1: the mean of max(0, 1 - y h) over samples and outputs.

    The sign of h tells the class. The slope at y h = 1 counts as 0.

    References
    ----------
    C. Cortes and V. Vapnik, Support-vector networks, 1995.
    """

    name: ClassVar[str] = "hinge"

    def terms(self, h: Array, t: Array) -> Array:
        return np.maximum(1 - t * h, 0)

    def slopes(self, h: Array, t: Array) -> Array:
        margin = t * h
        return np.where(margin < 1, -t, np.where(margin >= 1, 0, h))


class Poisson(SumLoss):
    """Counts y >= 0 whose expected numbers are h: the mean of h - y log h over samples and outputs.

    It is minus the logarithm of their probability, without what h cannot change. The output activation is
    exponential, h = exp(z), and the loss is computed as exp(z) - y z.
    """

    name: ClassVar[str] = "poisson"

    def terms(self, h: Array, t: Array) -> Array:
        logarithms: Array = np.maximum(np.log(h), LOWEST_LOG)
        return h - t * logarithms

    def slopes(self, h: Array, t: Array) -> Array:
        denominators: Array = np.maximum(h, LOWEST_DENOMINATOR)
        return 1 - t / denominators


class BinaryCrossEntropy(SumLoss):
    """Cross entropy of independent yes/no outputs: the mean of -(y log h + (1 - y) log(1 - h)).

    One output tells two classes apart. Several are questions of their own, so that a row may have any number
    of labels: one column a label.
    """

    name: ClassVar[str] = "binary_cross_entropy"

    def terms(self, h: Array, t: Array) -> Array:
        yes: Array = np.maximum(np.log(h), LOWEST_LOG)
        no: Array = np.maximum(np.log1p(-h), LOWEST_LOG)
        return -(t * yes + (1 - t) * no)

    def slopes(self, h: Array, t: Array) -> Array:
        variance: Array = np.maximum(h * (1 - h), LOWEST_DENOMINATOR)
        return (h - t) / variance


class CrossEntropy(SumLoss):
    """Cross entropy of one class out of n_out: the mean of -sum_j s_j log h_j over the samples.

    The target is an integer label a row, or a row of probabilities y; s = (1 - label_smoothing) y +
    label_smoothing / n_out.

    Parameters
    ----------
    label_smoothing : float, >= 0 and < 1
        The share of every target that is spread over all classes, so that no logit is driven to infinity.

    References
    ----------
    C. Szegedy et al., Rethinking the Inception architecture for computer vision, 2016.
    """

    name: ClassVar[str] = "cross_entropy"
    label_smoothing: float

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self._set(label_smoothing=number("label_smoothing", label_smoothing, at_least=0, below=1))

    @property
    def parameter(self) -> float:
        return self.label_smoothing

    def expected(self, t: Array) -> Array:
        return t if self.label_smoothing == 0 else t + self.label_smoothing * (1 / t.shape[1] - t)

    @property
    def divisor(self) -> Divisor:
        return "rows"

    def terms(self, h: Array, t: Array) -> Array:
        logarithms: Array = np.maximum(np.log(h), LOWEST_LOG)
        return -t * logarithms

    def slopes(self, h: Array, t: Array) -> Array:
        denominators: Array = np.maximum(h, LOWEST_DENOMINATOR)
        return -t / denominators

    def _operands(self, output: NDArray[Any], target: NDArray[Any]) -> tuple[Array, Array]:
        h = as_rows(output)
        if target.shape == output.shape:
            return h, target.reshape(h.shape).astype(h.dtype, copy=False)
        if target.shape != output.shape[:-1] or target.dtype.kind not in "biu":
            raise ShapeError(
                f"target has shape {target.shape} and dtype {target.dtype}, "
                f"expected integer labels {output.shape[:-1]} or probabilities {output.shape}"
            )
        return h, one_hot(target.reshape(-1), h.shape[1], h.dtype)


def one_hot(labels: NDArray[np.integer[Any]], n_out: int, dtype: np.dtype[Any]) -> Array:
    """Return the (m, n_out) probabilities that integer labels (m,) stand for."""
    check_labels(labels, n_out)
    rows = np.zeros((len(labels), n_out), dtype)
    rows[np.arange(len(labels)), labels.astype(np.intp)] = 1
    return rows


def check_labels(labels: NDArray[np.integer[Any]], n_out: int) -> None:
    """Refuse integers (m,), m >= 1, that are no class labels of so many outputs."""
    for label in (labels.min(), labels.max()):
        if not 0 <= label < n_out:
            raise DataError(f"target has the label {label}, expected 0 to {n_out - 1} (the outputs)")


half_sse = HalfSSE()
mse = MSE()
mae = MAE()
huber = Huber()
log_cosh = LogCosh()
quantile = Quantile()
hinge = Hinge()
poisson = Poisson()
binary_cross_entropy = BinaryCrossEntropy()
cross_entropy = CrossEntropy()

#: Every loss with its default parameter, by name.
LOSSES: dict[str, SumLoss] = {
    loss.name: loss
    for loss in (
        half_sse,
        mse,
        mae,
        huber,
        log_cosh,
        quantile,
        hinge,
        poisson,
        binary_cross_entropy,
        cross_entropy,
    )
}

#: The losses that take the logarithm of the output, each with the one output activation that makes it: the
#: joint delta is (h - y) / divisor, and the loss comes from the logits. Other losses go with any activation.
JOINT: dict[str, str] = {
    "poisson": "exponential",
    "binary_cross_entropy": "sigmoid",
    "cross_entropy": "softmax",
}


def get(loss: str | Loss | OwnFunction) -> Loss:
    """Return the loss of that name, or of that function, or itself; ParameterError lists the names."""
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, type):
        raise ParameterError(f"loss is the class {loss.__name__}, expected a value: {loss.__name__}(...)")
    return OwnLoss(loss) if callable(loss) else choice("loss", loss, LOSSES)


def output_activation(loss: Loss) -> str:
    """Return the name of the output activation that goes with the loss unless the user names one."""
    return JOINT.get(loss.name, "identity")


def allowed(loss: Loss, activation: Activation) -> bool:
    """Tell whether the loss makes sense of what an output layer with this activation puts out."""
    return JOINT.get(loss.name, activation.name) == activation.name


def check_pair(loss: Loss, activation: Activation) -> None:
    """Raise ParameterError unless the pair is `allowed`."""
    if not allowed(loss, activation):
        raise ParameterError(
            f"output_activation is {activation.name!r} with the loss {loss.name!r}, "
            f"expected {JOINT[loss.name]!r} (the loss takes the logarithm of the output)"
        )
