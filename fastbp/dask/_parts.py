"""`Part`: the rows of one shard, checked, in the memory of the process that works on them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._base.philox import SHARD, raw
from fastbp._base.sparse import Rows
from fastbp._data.sample_weights import Weights

Array: TypeAlias = NDArray[Any]


class Part:
    """The rows of one shard.

    Parameters
    ----------
    X, y : arrays (n, n_in), (n, n_targets) or (n,), or None
        Checked; X may be `SparseRows`. None: the shard has no rows.
    weights : Weights, optional

    Attributes
    ----------
    n_rows : int
        Number of rows with a nonzero weight, which are those that are trained on.
    """

    def __init__(self, X: Rows | None, y: Array | None, weights: Weights | None) -> None:
        self.X, self.y, self.weights = X, y, weights
        self.n_rows = 0 if X is None else len(X) if weights is None else weights.n_rows
        self._order: tuple[tuple[int, int], Array] | None = None

    def order(self, seed: int, epoch: int) -> Array:
        """Return the rows to train on in the order of an epoch, (n_rows,); the last order is kept."""
        kept = self._order
        if kept is None or kept[0] != (seed, epoch):
            order = np.asarray(_core.permutation(seed, epoch, self.n_rows))
            if self.weights is not None and self.weights.rows is not None:
                order = self.weights.rows[order]
            self._order = kept = (seed, epoch), order
        return kept[1]

    def __reduce__(self) -> tuple[Any, ...]:
        return Part, (self.X, self.y, self.weights)


def shard_seed(seed: int, shard: int) -> int:
    """Return the seed of a shard's order of rows, dropout and noise; that of the first is the network's."""
    return seed if shard == 0 else int(raw(seed, SHARD, 0, shard, 1)[0])
