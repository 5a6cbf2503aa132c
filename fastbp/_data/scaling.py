"""Mean and scale of the inputs, measured on data. A network that has them takes raw inputs."""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._data.checks import blocks
from fastbp.exceptions import DataError

Array: TypeAlias = NDArray[Any]

BLOCK = 1 << 16  # elements converted to float64 at once
LEAST_SCALE = sqrt(np.finfo(np.float64).tiny)  # squares of smaller numbers are no longer normal


class Scaling(NamedTuple):
    """Mean that is subtracted from each input, and scale that divides it: (n_in,) float64, read-only."""

    mean: Array
    scale: Array

    def __reduce__(self) -> Any:
        return fixed, (self.mean, self.scale)


def fixed(mean: Array, scale: Array) -> Scaling:
    """Return the pair as a `Scaling`, and make both vectors read-only."""
    mean.flags.writeable = scale.flags.writeable = False
    return Scaling(mean, scale)


def checked(found: Any, n_in: int) -> Scaling:
    """Return the scaling of a copied network with `n_in` inputs; DataError if it is not valid."""
    mean, scale = (np.array(vector, np.float64) for vector in found)
    if not mean.shape == scale.shape == (n_in,) or not np.isfinite(mean + scale).all() or scale.min() <= 0:
        raise DataError(
            f"scaling has the shapes {mean.shape} and {scale.shape}, or numbers that cannot scale, "
            f"expected finite vectors ({n_in},), the second above 0"
        )
    return fixed(mean, scale)


def measure(X: Array) -> Scaling:
    """Return the mean and the standard deviation of each column of X (n, n_in), finite; n >= 1.

    The sums are of differences from the first row, in float64, so that an offset costs no digits. Sums of
    blocks are combined (Chan, Golub and LeVeque 1983, The American Statistician 37: 242). A constant column
    has the scale 1, and its mean is exactly its value.

    Raises
    ------
    DataError
        The squares overflow.
    """
    origin = X[0].astype(np.float64)  # (n_in,)
    mean, squares = np.zeros_like(origin), np.zeros_like(origin)  # of the differences; M2 = sum (x - mean)^2
    with np.errstate(all="ignore"):
        for n, block in blocks(X, BLOCK):  # n rows came before it
            x = block - origin  # (rows, n_in)
            m, share = x.mean(axis=0), len(x) / (n + len(x))
            x -= m
            shift = m - mean
            squares += np.square(x, out=x).sum(axis=0) + np.square(shift) * (n * share)
            mean += shift * share
        scale = np.sqrt(squares / len(X))
    wrong = ~np.isfinite(scale)
    if wrong.any():
        j = int(wrong.argmax())
        raise DataError(
            f"X[:, {j}] spreads too far, from {X[:, j].min():g} to {X[:, j].max():g}, "
            "expected squares that fit in float64"
        )
    return fixed(origin + mean, np.where(scale < LEAST_SCALE, 1.0, scale))
