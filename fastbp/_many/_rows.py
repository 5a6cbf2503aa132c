"""Some rows of the user's data, as a copy of the same kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.arrays import as_array, frame_rows, names_of
from fastbp._base.shown import shown
from fastbp.exceptions import DataError, DTypeError, ShapeError

Index: TypeAlias = NDArray[np.intp]


class Source:
    """Data of which some rows are taken.

    Parameters
    ----------
    argument : str
        Name of the data in errors.
    data : array_like, data frame or sparse matrix, one entry per row
    columns : int, optional
        The number of columns that a sparse matrix must have; None: it is refused.

    Attributes
    ----------
    n_rows : int
    take : callable
        Returns a copy of the rows with these indices (m,): of a frame with names a frame, of a sparse matrix
        one in the format CSR, otherwise an array.

    Raises
    ------
    DTypeError, ShapeError, DataError
        NumPy cannot read the data, or there are no rows.
    """

    def __init__(self, argument: str, data: Any, columns: int | None = None) -> None:
        self.argument = argument
        self.take: Callable[[Index], Any]
        if columns is not None and type(data) is not np.ndarray and hasattr(type(data), "toarray"):
            from fastbp._data.sparse import sparse_rows  # few need it

            rows = sparse_rows(argument, data, columns)
            self.n_rows, self.take = len(rows), lambda index: rows[index].to_scipy()
        elif columns is not None and names_of(data) is not None:
            self.n_rows, self.take = len(data), lambda index: frame_rows(data, index)
        else:
            array = as_array(argument, data)
            if array.ndim == 0:
                raise ShapeError(f"{argument} is {shown(data)}, expected one entry per row")
            self.n_rows, self.take = len(array), lambda index: array[index]


def index_of(argument: str, rows: Any, n: int) -> Index:
    """Return the indices (m,) that an argument chooses among n rows, m >= 1; of a mask those that are True.

    Raises
    ------
    ShapeError, DTypeError, DataError
        They are no vector of integers or of n bools, there is none, or one of them is not in range.
    """
    array = as_array(argument, rows)
    if array.ndim != 1:
        raise ShapeError(f"{argument} has shape {array.shape}, expected (rows,): indices of rows")
    if array.dtype.kind == "b":
        if len(array) != n:
            raise ShapeError(f"{argument} has {len(array)} bools, expected {n}, one per row of X")
        array = np.flatnonzero(array)
    if len(array) == 0:
        raise ShapeError(f"{argument} has no rows, expected at least one")
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{argument} has dtype {array.dtype}, expected integers or bool: indices of rows")
    for extreme in (array.min(), array.max()):
        if not 0 <= extreme < n:
            raise DataError(f"{argument} has the row {extreme}, expected 0 to {n - 1}")
    return array.astype(np.intp)
