"""`Part`: the rows of one shard, checked, in the memory of the process that works on them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._base.philox import SHARD, raw
from fastbp._base.sparse import Rows, SparseRows
from fastbp._data.checks import InputChecks
from fastbp._data.digest import digest, digest_of_weights
from fastbp._data.sample_weights import ClassWeight, Weights, resolve_weights
from fastbp.exceptions import ShapeError

Array: TypeAlias = NDArray[Any]
Digests: TypeAlias = tuple[str, str, str]  # of X, y and the weights


class Part:
    """The rows of one shard.

    Parameters
    ----------
    X, y : arrays (n, n_in), (n, n_targets) or (n,), or None
        Checked; X may be `SparseRows`. None: the shard has no rows, or none with a weight.
    weights : Weights, optional
    names : tuple of str, optional
        Names of the columns of X.

    Attributes
    ----------
    n_rows : int
        Number of rows with a nonzero weight, which are those that are trained on.
    """

    def __init__(
        self, X: Rows | None, y: Array | None, weights: Weights | None, names: tuple[str, ...] | None = None
    ) -> None:
        self.X, self.y, self.weights, self.names = X, y, weights, names
        self.n_rows = 0 if X is None else len(X) if weights is None else weights.n_rows
        self._order: tuple[tuple[int, int], Array] | None = None
        self._digests: Digests | None = None

    def order(self, seed: int, epoch: int) -> Array:
        """Return the rows to train on in the order of an epoch, (n_rows,); the last order is kept."""
        kept = self._order
        if kept is None or kept[0] != (seed, epoch):
            order = np.asarray(_core.permutation(seed, epoch, self.n_rows))
            if self.weights is not None and self.weights.rows is not None:
                order = self.weights.rows[order]
            self._order = kept = (seed, epoch), order
        return kept[1]

    def digests(self) -> Digests:
        """Return digests of X, y and the weights; they are kept."""
        if self._digests is None:
            self._digests = digest(self.X), digest(self.y), digest_of_weights(self.weights)
        return self._digests

    def __sizeof__(self) -> int:
        """Return the bytes of all arrays: what Dask knows of the memory that a shard takes."""
        held: list[Array | None] = [self.y]
        if isinstance(self.X, SparseRows):
            held += [self.X.values, self.X.columns, self.X.starts]
        elif self.X is not None:
            held.append(self.X)
        if self.weights is not None:
            held += [self.weights.values, self.weights.rows]
        return object.__sizeof__(self) + sum(array.nbytes for array in held if array is not None)

    def __reduce__(self) -> tuple[Any, ...]:
        return Part, (self.X, self.y, self.weights, self.names)


def shard_seed(seed: int, shard: int) -> int:
    """Return the seed of a shard's order of rows, dropout and noise; that of the first is the network's."""
    return seed if shard == 0 else int(raw(seed, SHARD, 0, shard, 1)[0])


def part_of(
    X: Any, y: Any, sample_weight: Any, checks: InputChecks, class_weight: ClassWeight | None = None
) -> Part:
    """Return the part with these rows, which may be none; arguments and errors are those of `Network.fit`."""
    names = checks.names_for(X)
    if is_empty(X, y, sample_weight):
        return Part(None, None, None, names)
    X, y = checks.examples(X, y, names=names)
    weights = resolve_weights(checks, y, sample_weight, class_weight, may_be_none=True)
    if weights is not None and weights.n_rows == 0:
        return Part(None, None, None, names)
    return Part(X, y, weights, names)


def is_empty(X: Any, y: Any, sample_weight: Any = None) -> bool:
    """Tell whether there are no rows; those that are None do not count.

    Raises
    ------
    ShapeError
        One of the arrays has no rows, and another has.
    """
    given = {"X": X, "y": y, "sample_weight": sample_weight}
    rows = {name: _n_rows(value) for name, value in given.items() if value is not None}
    empty = [name for name, n in rows.items() if n == 0]
    for name, n in rows.items():
        if empty and n:
            raise ShapeError(f"{name} has {n} rows, expected 0, for 0 rows of {empty[0]}")
    return bool(empty)


def _n_rows(value: Any) -> int | None:
    """Return the number of rows of an array, a frame or a sequence; None if it does not tell."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return shape[0] if shape else None
    return len(value) if hasattr(type(value), "__len__") else None
