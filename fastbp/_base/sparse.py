"""Rows of a sparse matrix, as the engines take them in place of an array (n, columns)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._core import check_memory

Array: TypeAlias = NDArray[Any]


class SparseRows:
    """Rows of numbers of which only the entries are stored; all other elements are 0 (CSR).

    Nobody else has `columns` and `starts`, so code of the user cannot change them during a call.

    Parameters
    ----------
    values : ndarray (all entries,) of real numbers
        The entries, row by row; the user's numbers, as a view that belongs to the call.
    columns : ndarray (all entries,) int32, C-contiguous
        The column of each entry, >= 0 and below shape[1]; ascending within a row, none of them twice.
    starts : ndarray (n + 1,) int64, C-contiguous
        The entries of row i are those from starts[i] to starts[i + 1]; ascending, the last one at most the
        number of all entries.
    shape : tuple of int
        Number of rows n, and of columns.
    """

    __slots__ = ("columns", "shape", "starts", "values")
    ndim = 2

    def __init__(
        self, values: Array, columns: NDArray[np.int32], starts: NDArray[np.int64], shape: tuple[int, int]
    ) -> None:
        self.values, self.columns, self.starts, self.shape = values, columns, starts, shape

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the entries."""
        return self.values.dtype

    @property
    def size(self) -> int:
        """Number of elements, zeros included."""
        return self.shape[0] * self.shape[1]

    @property
    def n_entries(self) -> int:
        """Number of entries in these rows."""
        return int(self.starts[-1] - self.starts[0])

    def position(self, entry: int) -> tuple[int, int]:
        """Return row and column of the entry with this index among `values`."""
        return int(np.searchsorted(self.starts, entry, side="right")) - 1, int(self.columns[entry])

    def __getitem__(self, rows: slice | Array) -> SparseRows:
        """Return a slice of the rows, as a view without a step, or the rows with these indices, as a copy."""
        if isinstance(rows, slice):
            first, end, step = rows.indices(len(self))
            assert step == 1
            starts = self.starts[first : max(first, end) + 1]
            return SparseRows(self.values, self.columns, starts, (len(starts) - 1, self.shape[1]))
        check_memory(self.values)
        counts = np.diff(self.starts)[rows]  # (rows,)
        starts = np.concatenate([[0], np.cumsum(counts)])  # (rows + 1,)
        at = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], counts)  # of each entry
        return SparseRows(self.values[at], self.columns[at], starts, (len(counts), self.shape[1]))

    def copy(self) -> SparseRows:
        """Return the same rows with entries of their own."""
        return SparseRows(self.values.copy(), self.columns, self.starts, self.shape)

    def toarray(self) -> Array:
        """Return the rows as an array (n, columns) of the entries' dtype."""
        check_memory(self.values)
        dense = np.zeros(self.shape, self.dtype)
        rows = np.repeat(np.arange(len(self)), np.diff(self.starts))  # of each entry
        entries = slice(self.starts[0], self.starts[-1])
        dense[rows, self.columns[entries]] = self.values[entries]
        return dense

    def to_scipy(self) -> Any:
        """Return the rows as a `scipy.sparse.csr_array`; they came from SciPy, so it is installed."""
        first, end = self.starts[[0, -1]]
        parts = self.values[first:end], self.columns[first:end], self.starts - first
        return import_module("scipy.sparse").csr_array(parts, shape=self.shape)


#: Inputs, (n, n_in): what `InputChecks.inputs` returns and the engines take.
Rows: TypeAlias = Array | SparseRows
AnyRows = TypeVar("AnyRows", Array, SparseRows, Rows)


def numbers_of(X: Rows) -> Array:
    """Return the array with the numbers of X: X itself, or the entries of sparse rows."""
    return X.values if isinstance(X, SparseRows) else X


def dense(X: Rows) -> Array:
    """Return X as an array (n, columns): X itself, or all elements of sparse rows."""
    return X.toarray() if isinstance(X, SparseRows) else X


def for_user(X: Rows) -> Inputs:
    """Return X as the public functions take it: X itself, or sparse rows as a matrix of SciPy."""
    return X.to_scipy() if isinstance(X, SparseRows) else X


def check_rows(X: Rows) -> None:
    """Raise DataError if the memory of X was resized or reshaped since the call began."""
    check_memory(numbers_of(X))


# ---- what the user gives -----------------------------------------------------------------------------------

if TYPE_CHECKING:  # the import takes less time without them

    class SparseMatrix(Protocol):
        """A matrix or array of SciPy, in the format CSR or CSC."""

        @property
        def shape(self) -> tuple[int, ...]:
            """Number of rows and of columns."""

        def toarray(self) -> Any:
            """Return all elements as an array."""

    #: X as the public functions take it.
    Inputs: TypeAlias = ArrayLike | SparseMatrix
else:
    Inputs = ArrayLike


def as_rows(array: AnyRows) -> AnyRows:
    """Return the array or sparse rows (n, columns), or for one row (columns,) its view (1, columns)."""
    return array if array.ndim == 2 or isinstance(array, SparseRows) else array[None]
