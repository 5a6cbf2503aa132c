"""Losses of distributions: several outputs describe what is known about each target.

The outputs of a target stand side by side: those of the first target, then those of the second, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastbp._base import arguments
from fastbp._base.fields import checked_by
from fastbp._base.shown import shown
from fastbp.exceptions import ParameterError
from fastbp.losses._base import Array, SumLoss


class GaussianNLL(SumLoss):
    """Negative log-likelihood of normal distributions: the mean of 1/2 (s + (y - m)^2 exp(-s)).

    The network learns how far its predictions can be off. It has two outputs per target, the mean m and the
    logarithm s of the variance: outputs 0, 2, ... are means, and outputs 1, 3, ... log variances. The mean is
    over samples and targets, without the constant 1/2 log(2 pi). The output activation is the identity, so s
    is any number, and the variance exp(s) is above 0.

    `predict` returns both, (n, 2 n_targets); `mean_and_std` takes them apart. Metrics measure the means.
    Targets should have a variance of about 1; `Network.adapt` scales them.

    References
    ----------
    D. A. Nix and A. S. Weigend, Estimating the mean and variance of the target probability distribution,
    1994.
    """

    name = "gaussian_nll"
    activation = "identity"

    @property
    def outputs_per_target(self) -> int:
        return 2

    def terms(self, h: Array, t: Array) -> Array:
        """Return ((y - m)^2 exp(-s), s) per target: their mean over all outputs is J."""
        r, _ = _standardized(h, t)
        terms = h.copy()
        terms[:, ::2] = r * r
        return terms

    def slopes(self, h: Array, t: Array) -> Array:
        r, inverse = _standardized(h, t)
        slopes = np.empty_like(h)
        slopes[:, ::2] = 2 * r * inverse
        slopes[:, 1::2] = 1 - r * r
        return slopes

    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        d, inverse = _standardized(h, t)
        r_mean, r_variance = r[:, ::2], r[:, 1::2]
        products = np.empty_like(h)
        products[:, ::2] = inverse * (2 * (inverse * r_mean - d * r_variance))  # 2 inverse may be infinite
        products[:, 1::2] = d * (d * r_variance - inverse * (2 * r_mean))
        return products

    def mean_and_std(self, output: ArrayLike) -> tuple[Array, Array]:
        """Return the means and the standard deviations exp(s / 2) that outputs stand for.

        Parameters
        ----------
        output : array_like (n, 2 n_targets), or (2 n_targets,) for one row
            Outputs of the network, as `predict` returns them.

        Returns
        -------
        tuple of arrays (n, n_targets), or (n_targets,) for one row
        """
        h = self._grouped(output)
        with np.errstate(all="ignore"):
            return h[..., 0].copy(), np.exp(h[..., 1] / 2)

    def estimate(self, output: Array) -> Array:
        return output[..., ::2]

    def output_scaling(self, mean: Array, scale: Array) -> tuple[Array, Array]:
        """Return (factor, offset), both (n_out,): the raw output is factor * output + offset.

        It goes with the raw target, scale * target + mean, both (n_targets,): log variances grow by
        2 log(scale).
        """
        factor, offset = np.ones(2 * len(scale)), np.empty(2 * len(scale))
        factor[::2], offset[::2], offset[1::2] = scale, mean, 2 * np.log(scale)
        return factor, offset


def _standardized(h: Array, t: Array) -> tuple[Array, Array]:
    """Return r = (m - y) exp(-s / 2) and that factor, both (m, n_targets).

    The factor is finite, so that an s far below 0 does not make a NaN where m = y.
    """
    inverse = np.minimum(np.exp(-0.5 * h[:, 1::2]), np.finfo(h.dtype).max)
    return (h[:, ::2] - t[:, ::2]) * inverse, inverse


def _check_levels(argument: str, levels: Any) -> tuple[float, ...]:
    """Return the levels of quantiles as a tuple: between 0 and 1, each above the one before, at least one."""
    try:
        given = [] if isinstance(levels, (str, bytes)) else list(levels)
    except TypeError:
        given = []
    if not given:
        raise ParameterError(f"{argument} is {shown(levels)}, expected a list of numbers between 0 and 1")
    kept = [arguments.number(f"{argument}[{i}]", q, above=0, below=1) for i, q in enumerate(given)]
    for i in range(1, len(kept)):
        if kept[i] <= kept[i - 1]:
            raise ParameterError(
                f"{argument}[{i}] is {kept[i]:g} after {kept[i - 1]:g}, expected each above the one before"
            )
    # The tuple itself if nothing changed: scikit-learn's `clone` expects a constructor to keep its arguments.
    return levels if type(levels) is tuple and all(map(is_, levels, kept)) else tuple(kept)


class Quantiles(SumLoss):
    """Pinball losses of several quantiles: the mean over all outputs of `Quantile` with the q of the output.

    The network has an output per target and quantile: all quantiles of the first target, then those of the
    second, and so on. With the quantiles 0.1, 0.5 and 0.9, 80 % of the targets should lie between the first
    and the last output of their group, and the middle one is the median. Nothing keeps the outputs of a group
    in ascending order; where few data make them cross, sort them.

    `predict` returns all outputs, (n, n_targets n_quantiles); `split` takes them apart. Metrics measure the
    quantile nearest to the median, the lower one of two.

    Parameters
    ----------
    quantiles : list of float, > 0 and < 1, ascending
        The quantiles q to learn, at least one; kept as a tuple.

    References
    ----------
    R. Koenker and G. Bassett, Regression quantiles, 1978.
    """

    name = "quantiles"
    quantiles: Sequence[float] = checked_by(
        _check_levels, "list of float, > 0 and < 1, ascending", default=(0.1, 0.5, 0.9)
    )

    @property
    def output_parameters(self) -> tuple[float, ...]:
        return tuple(self.quantiles)

    @property
    def outputs_per_target(self) -> int:
        return len(self.output_parameters)

    def check_dtype(self, dtype: np.dtype[np.floating[Any]]) -> None:
        """Refuse quantiles that dtype cannot hold, or cannot tell from each other or from 0 and 1."""
        rounded = [
            arguments.held(f"quantiles[{i}]", q, dtype, self) for i, q in enumerate(self.output_parameters)
        ]
        try:
            _check_levels("quantiles", rounded)
        except ParameterError as error:
            raise ParameterError(f"{self} is refused in {dtype}, which rounds its numbers: {error}") from None

    def terms(self, h: Array, t: Array) -> Array:
        r, q = h - t, self._levels(h)
        return np.maximum(-q * r, (1 - q) * r)

    def slopes(self, h: Array, t: Array) -> Array:
        r, q = h - t, self._levels(h)
        return np.where(r > 0, 1 - q, np.where(r < 0, -q, r))

    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        return np.zeros_like(h)

    def _levels(self, h: Array) -> Array:
        """Return the q of each output, (n_out,)."""
        q = np.array(self.output_parameters, h.dtype)
        return np.tile(q, h.shape[1] // len(q))

    def split(self, output: ArrayLike) -> Array:
        """Return outputs with an axis of quantiles.

        Parameters
        ----------
        output : array_like (n, n_targets n_quantiles), or (n_targets n_quantiles,) for one row
            Outputs of the network, as `predict` returns them.

        Returns
        -------
        array (n, n_targets, n_quantiles), or (n_targets, n_quantiles) for one row
        """
        return self._grouped(output)

    def estimate(self, output: Array) -> Array:
        nearest = int(np.argmin(np.abs(np.array(self.output_parameters) - 0.5)))
        return output[..., nearest :: self.outputs_per_target]

    def output_scaling(self, mean: Array, scale: Array) -> tuple[Array, Array]:
        """Return (factor, offset), both (n_out,): the raw output is factor * output + offset.

        It goes with the raw target, scale * target + mean, both (n_targets,).
        """
        return np.repeat(scale, self.outputs_per_target), np.repeat(mean, self.outputs_per_target)
