"""Mean and scale of inputs and targets, measured on data. A network that has them takes raw data."""

from __future__ import annotations

from math import sqrt
from numbers import Real
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.arguments import flag, number
from fastbp._base.arrays import as_array
from fastbp._base.sparse import Rows, SparseRows
from fastbp._data.checks import InputChecks, blocks
from fastbp.exceptions import DataError, ParameterError, ShapeError

Array: TypeAlias = NDArray[Any]

BLOCK = 1 << 16  # elements converted to float64 at once
LEAST_SCALE = sqrt(np.finfo(np.float64).tiny)  # squares of smaller numbers are no longer normal


class Scaling(NamedTuple):
    """Mean that is subtracted from each column, and scale that divides it: (columns,) float64, read-only."""

    mean: Array
    scale: Array

    def __reduce__(self) -> Any:
        return fixed, (self.mean, self.scale)


def fixed(mean: Array, scale: Array) -> Scaling:
    """Return the pair as a `Scaling`, and make both vectors read-only."""
    mean.flags.writeable = scale.flags.writeable = False
    return Scaling(mean, scale)


def checked(found: Any, columns: int) -> Scaling:
    """Return the scaling of so many columns of a copied network; DataError if it is not valid."""
    mean, scale = (np.array(vector, np.float64) for vector in found)
    right = mean.shape == scale.shape == (columns,) and np.isfinite([mean, scale]).all()
    if not right or scale.min() < LEAST_SCALE:
        raise DataError(
            f"scaling has the shapes {mean.shape} and {scale.shape}, or numbers that cannot scale, "
            f"expected finite vectors ({columns},), the second at least {LEAST_SCALE:.3g}"
        )
    return fixed(mean, scale)


def of_data(checks: InputChecks, X: Any, y: Any, center: Any = True, scale: Any = None) -> tuple[Any, Any]:
    """Return the scalings that `Network.adapt` asks of `Model.scale`: new ones, None for None, ... for ..."""
    has_X, has_y = (data is not None and data is not ... for data in (X, y))
    check_choice(X is not ..., has_X, center, scale)
    X = checks.inputs("X", X) if has_X else X
    y = checks.scalable(y, len(X) if has_X else None) if has_y else y
    if has_X:
        X = measure(X) if center else without_mean(measure(X))
    elif scale is not None:
        X = factors(scale, checks.n_in, checks.feature_names)
    return X, measure(y, "y", skip_nan=checks.loss.takes_nan) if has_y else y


def check_choice(is_given: bool, has_X: bool, center: Any, scale: Any) -> None:
    """Raise ParameterError unless arguments of `Network.adapt` go together; X `is_given` if it is not ..."""
    if scale is not None and is_given:
        raise ParameterError("scale is given together with X, expected one of them")
    if not flag("center", center) and not has_X:
        raise ParameterError("center is False without X, expected X, whose standard deviation is measured")


def without_mean(found: Scaling) -> Scaling:
    """Return a scaling that only divides."""
    return fixed(np.zeros_like(found.mean), found.scale)


def factors(scale: Any, columns: int, names: tuple[str, ...] | None = None) -> Scaling:
    """Return the scaling that multiplies by `scale`: a number, or one per column (columns,).

    A pandas Series that is indexed by the `names` of the columns is read by name.

    Raises
    ------
    ParameterError, ShapeError, DTypeError
        It is something else, or a number is not positive, or its square or that of its inverse is not normal.
    """
    if isinstance(scale, Real):
        factor = np.full(columns, number("scale", scale, above=0))
    else:
        factor = as_array("scale", scale, names).astype(np.float64)
        if factor.shape != (columns,):
            raise ShapeError(
                f"scale has shape {factor.shape}, expected one number, or one per input: ({columns},)"
            )
    most = 1 / LEAST_SCALE
    wrong = ~((factor >= LEAST_SCALE) & (factor <= most))
    if wrong.any():
        j = int(wrong.argmax())
        place = "" if isinstance(scale, Real) else f"[{j}]"
        raise ParameterError(
            f"scale{place} is {factor[j]:g}, expected a number from {LEAST_SCALE:.3g} to {most:.3g}"
        )
    return fixed(np.zeros(columns), 1 / factor)


def of_copy(checks: InputChecks, inputs: Any, targets: Any) -> tuple[Scaling | None, Scaling | None]:
    """Return the scalings of a copied network; DataError if they do not go with it."""
    if targets is not None and not checks.loss.scales_targets:
        raise DataError(f"the targets are scaled, expected none with the loss {checks.loss.name!r}")
    return (
        None if inputs is None else checked(inputs, checks.n_in),
        None if targets is None else checked(targets, checks.n_targets),
    )


def measure(X: Rows, argument: str = "X", skip_nan: bool = False) -> Scaling:
    """Return the mean and the standard deviation of each column of X (n, columns), finite; n >= 1.

    A constant column has the scale 1, and its mean is exactly its value. With `skip_nan`, NaN is an unknown
    element, and a column is measured by those that are known.

    Raises
    ------
    DataError
        The squares overflow, or no element of a column is known.
    """
    return scaling_of(moments(X, argument, skip_nan), argument)


class Moments(NamedTuple):
    """Sums over rows, from which mean and standard deviation of each column follow.

    All are (columns,) float64, but n may be a number. They are those of differences from a row, so that an
    offset costs no digits.
    """

    origin: Array  #: The row, or NaN where no element is known.
    n: Any  #: Number of known elements.
    mean: Array  #: Mean of the differences.
    squares: Array  #: M2 = sum of (x - mean)^2.

    def joined(self, other: Moments) -> Moments:
        """Return the moments of both sets of rows (Chan, Golub and LeVeque 1983).

        The American Statistician 37: 242.
        """
        n = self.n + other.n
        with np.errstate(all="ignore"):
            share = other.n / np.maximum(n, 1)
            m = np.where(other.n > 0, other.origin - self.origin + other.mean, self.mean)
            m, origin = np.where(self.n > 0, m, other.mean), np.where(self.n > 0, self.origin, other.origin)
            shift = m - self.mean
            squares = self.squares + (other.squares + np.square(shift) * (self.n * share))
            return Moments(origin, n, self.mean + shift * share, squares)


def moments(X: Rows, argument: str = "X", skip_nan: bool = False) -> Moments:
    """Return the moments of X (n, columns), n >= 1; with `skip_nan`, NaN is an unknown element.

    Raises
    ------
    DataError
        The squares overflow.
    """
    if isinstance(X, SparseRows):
        from fastbp._data import sparse  # few need it

        found = Moments(*sparse.sparse_moments(X))
    else:
        found = _moments(X, skip_nan)
    wrong = ~np.isfinite(found.squares)
    if wrong.any():
        j = int(wrong.argmax())
        if isinstance(X, SparseRows):
            least, most = sparse.bounds(X, j)
        else:
            least, most = np.nanmin(X[:, j]), np.nanmax(X[:, j])
        raise _spreads(f"{argument}[:, {j}]", f", from {least:g} to {most:g}")
    return found


def _moments(X: Array, skip_nan: bool) -> Moments:
    """Return the moments of an array; the sums of blocks are joined."""
    origin = _first_known(X) if skip_nan else X[0].astype(np.float64)  # (columns,)
    zeros = np.zeros_like(origin)
    found = Moments(origin, 0, zeros, zeros)
    with np.errstate(all="ignore"):
        for _, block in blocks(X, BLOCK):
            x = np.subtract(block, origin, order="C")  # (rows, columns); the sums do not depend on the layout
            known: Any = ~np.isnan(x) if skip_nan else True
            n = known.sum(axis=0) if skip_nan else len(x)  # a number, or (columns,) if some are unknown
            mean = x.sum(axis=0, where=known) / np.maximum(n, 1)
            x -= mean
            squares = np.square(x, out=x).sum(axis=0, where=known)
            found = found.joined(Moments(origin, n, mean, squares))
    return found


def _first_known(X: Array) -> Array:
    """Return the first element of each column that is not NaN, (columns,) float64; NaN if there is none."""
    found: Array = X[0].astype(np.float64)
    for _, block in blocks(X, BLOCK):
        missing = np.isnan(found)
        if not missing.any():
            break
        first = np.isnan(block).argmin(axis=0)  # (columns,)
        found = np.where(missing, block[first, np.arange(len(first))], found)
    return found


def scaling_of(found: Moments, argument: str) -> Scaling:
    """Return mean and standard deviation of the columns; the errors are those of `measure`."""
    unknown = np.broadcast_to(found.n, found.mean.shape) == 0
    if unknown.any():
        raise DataError(f"{argument}[:, {unknown.argmax()}] has no known element, expected at least one")
    with np.errstate(all="ignore"):
        mean, scale = found.origin + found.mean, np.sqrt(found.squares / found.n)
    wrong = ~np.isfinite(scale)
    if wrong.any():
        raise _spreads(f"{argument}[:, {wrong.argmax()}]", " over the shards")
    return fixed(mean, np.where(scale < LEAST_SCALE, 1.0, scale))


def _spreads(column: str, where: str) -> DataError:
    return DataError(f"{column} spreads too far{where}, expected squares that fit in float64")
