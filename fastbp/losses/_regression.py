"""Losses of numbers: squared, absolute and robust errors, quantiles, counts."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from fastbp._base.fields import number, one_of
from fastbp.losses._base import LOWEST_DENOMINATOR, LOWEST_LOG, Array, Divisor, SumLoss
from fastbp.losses._targets import AtLeast


class HalfSSE(SumLoss):
    """Half the sum of squared errors, 1/2 sum (h - y)^2 over samples and outputs.

    Parameters
    ----------
    reduction : "sum" or "mean"
        "mean" divides the sum over the samples by their number.
    """

    name = "half_sse"
    squares = 2
    reduction: Literal["sum", "mean"] = one_of("sum", "mean", default="sum")

    @property
    def divisor(self) -> Divisor:
        return "one" if self.reduction == "sum" else "rows"

    def terms(self, h: Array, t: Array) -> Array:
        r = h - t
        return 0.5 * r * r

    def slopes(self, h: Array, t: Array) -> Array:
        return h - t

    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        return r.copy()


class MSE(SumLoss):
    """Mean squared error: the mean of (h - y)^2 over samples and outputs."""

    name = "mse"
    squares = 1

    def terms(self, h: Array, t: Array) -> Array:
        r = h - t
        return r * r

    def slopes(self, h: Array, t: Array) -> Array:
        return 2 * (h - t)

    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        return 2 * r


class MAE(SumLoss):
    """Mean absolute error: the mean of |h - y| over samples and outputs. Its slope at 0 counts as 0."""

    name = "mae"

    def terms(self, h: Array, t: Array) -> Array:
        return abs(h - t)

    def slopes(self, h: Array, t: Array) -> Array:
        r = h - t
        return np.sign(r, out=r)

    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        return np.zeros_like(h)


class Huber(SumLoss):
    """Huber's loss of r = h - y: the mean of r^2 / 2 where |r| <= delta, else of delta (|r| - delta / 2).

    Parameters
    ----------
    delta : float, > 0
        Error beyond which the loss grows linearly, in the units of y.

    References
    ----------
    P. J. Huber, Robust estimation of a location parameter, 1964.
    """

    name = "huber"
    delta: float = number(default=1.0, above=0)

    @property
    def parameter(self) -> float:
        return self.delta

    def terms(self, h: Array, t: Array) -> Array:
        r = abs(h - t)
        return np.where(r <= self.delta, 0.5 * r * r, self.delta * (r - 0.5 * self.delta))

    def slopes(self, h: Array, t: Array) -> Array:
        r = h - t
        return np.clip(r, -self.delta, self.delta, out=r)

    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        error = abs(h - t)
        return np.where(error > self.delta, 0, np.where(error <= self.delta, 1, error)) * r


class LogCosh(SumLoss):
    """Log-cosh loss of r = h - y: the mean of log(cosh r), about r^2 / 2, or |r| - log(2) for large r."""

    name = "log_cosh"

    def terms(self, h: Array, t: Array) -> Array:
        r = abs(h - t)
        near = -0.5 * np.log1p(-np.square(np.tanh(r)))  # beside |r|, r^2 would be lost
        return np.where(r < 1, near, r + np.log1p(np.exp(-2 * r)) - math.log(2))

    def slopes(self, h: Array, t: Array) -> Array:
        r = h - t
        return np.tanh(r, out=r)

    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        e = np.exp(-2 * abs(h - t))
        products: Array = 4 * e / np.square(1 + e) * r  # 1 - tanh^2 would lose the tails
        return products


class Quantile(SumLoss):
    """Pinball loss: the mean of q (y - h) where h <= y, else (1 - q) (h - y), over samples and outputs.

    The best constant output is the q-quantile of y: with q = 0.9, 90 % of the targets lie below it. The slope
    at h = y counts as 0.

    Parameters
    ----------
    q : float, > 0 and < 1
        The quantile to learn.

    References
    ----------
    R. Koenker and G. Bassett, Regression quantiles, 1978.
    """

    name = "quantile"
    q: float = number(default=0.5, above=0, below=1)

    @property
    def parameter(self) -> float:
        return self.q

    def terms(self, h: Array, t: Array) -> Array:
        r = h - t
        return np.maximum(-self.q * r, (1 - self.q) * r)

    def slopes(self, h: Array, t: Array) -> Array:
        r = h - t
        return np.where(r > 0, 1 - self.q, np.where(r < 0, -self.q, r))

    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        return np.zeros_like(h)


class Poisson(SumLoss):
    """Poisson loss of counts y >= 0 with the expected values h: the mean of h - y log h over all elements.

    This is the negative log-likelihood without the terms that do not depend on h. The output activation is
    exponential, h = exp(z), and the loss is computed as exp(z) - y z.

    Parameters
    ----------
    outputs : "mean" or "sum"
        Whether the losses of a sample are averaged over the outputs or summed; over the samples they are
        averaged. "sum" is n_out times "mean", also where targets are unknown or each has its own weight.
    """

    name = "poisson"
    activation = "exponential"
    targets = AtLeast(0, "a count")
    outputs: Literal["mean", "sum"] = one_of("mean", "sum", default="mean", kw_only=True, is_quiet=True)

    @property
    def divisor(self) -> Divisor:
        return "rows" if self.outputs == "sum" else "elements"

    def terms(self, h: Array, t: Array) -> Array:
        logarithms: Array = np.maximum(np.log(h), LOWEST_LOG)
        return h - t * logarithms

    def slopes(self, h: Array, t: Array) -> Array:
        denominators: Array = np.maximum(h, LOWEST_DENOMINATOR)
        return 1 - t / denominators

    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        denominators: Array = np.maximum(h, LOWEST_DENOMINATOR)
        return t / denominators / denominators * r
