"""Checks of numbers in memory-mapped files, which a fit reads only a batch at a time."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._base.sparse import Rows
from fastbp._data.checks import InputChecks, check_finite, is_deferred

Array: TypeAlias = NDArray[Any]


def to_train_on(
    checks: InputChecks, X: Any, y: Any, names: tuple[str, ...] | None = None, *, may_defer: bool = True
) -> tuple[Rows, Array, DeferredChecks | None]:
    """Return X and y like `InputChecks.examples`, and what to check in each batch of them before its step."""
    if not may_defer or not (_core.is_mapped(X) or _core.is_mapped(y)):
        return *checks.examples(X, y, names=names), None
    X, y = checks.examples(X, y, names=names, may_defer=True)
    deferred = is_deferred(X), checks.defers_targets and is_deferred(y)
    return X, y, DeferredChecks(*deferred, checks.dtype, checks.loss.nan_option) if any(deferred) else None


class DeferredChecks(NamedTuple):
    """Which arrays of a fit are still to be checked for NaN and infinity: each batch before its step.

    Parameters
    ----------
    X, y : bool
        Whether these numbers have not been checked.
    dtype : dtype
        That of the network, in which they must be finite.
    nan_option : str
        How targets may be NaN, for the error.
    """

    X: bool
    y: bool
    dtype: np.dtype[Any]
    nan_option: str = ""

    def check(self, X: Any, y: Array, rows: slice | Array) -> None:
        """Check some rows of the data: a slice with a start, or their indices (m,).

        Raises
        ------
        DataError
            A number is not finite. The error names its row in the data and its column.
        """
        if self.X:
            self._check("X", X, rows)
        if self.y:
            self._check("y", y, rows, self.nan_option)

    def _check(self, argument: str, array: Array, rows: slice | Array, nan_option: str = "") -> None:
        found = array[rows]
        if isinstance(rows, slice):
            check_finite(argument, found, self.dtype, nan_option=nan_option, first=rows.start)
            return
        position = _core.first_nonfinite(found, self.dtype)
        if position >= 0:
            i = position * len(found) // found.size
            row = found[i : i + 1]
            check_finite(argument, row, self.dtype, nan_option=nan_option, first=int(rows[i]))
