"""`Columns`: the columns of a file by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.shown import shown
from fastbp.exceptions import DataError, ParameterError, ShapeError

Array: TypeAlias = NDArray[Any]

UNKNOWN = "(unknown)"  # the category of all values without a category of their own
MOST = 5  # names in a message
DTYPES = (np.dtype(np.float64), np.dtype(object))


class Columns(Mapping[str, Array]):
    """The columns of a file by name, in the order of the file.

    A column is a float64 array (n,) with NaN for missing values if all others are numbers, else an object
    array (n,) of strings with None for missing values.

    Parameters
    ----------
    columns : mapping of str to arrays
    path : str
        The file, for messages.
    lines : int64 array, shape (n,), optional
        The line in which each row begins, counted from 1; None if the file has no lines.

    Raises
    ------
    ParameterError
        An array is not a column as described.
    ShapeError
        The columns have different lengths.
    """

    def __init__(self, columns: Mapping[str, Array], path: str, lines: Array | None = None) -> None:
        self._columns, self.path, self._lines = dict(columns), path, lines
        for name, column in self._columns.items():
            if not isinstance(column, np.ndarray) or column.dtype not in DTYPES or column.ndim != 1:
                raise ParameterError(f"columns has {shown(column)}, expected a float64 or object array (n,)")
            if len(column) != len(next(iter(self._columns.values()))):
                raise ShapeError(f"columns has {len(column)} rows in {shown(name)}, expected the same in all")
        self.n_rows = len(next(iter(self._columns.values()), ()))

    def __getitem__(self, name: str) -> Array:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"<{self.n_rows} rows of {shown(self.path)}: {listed([*self])}>"

    def place(self, row: Any) -> str:
        """Return where a row is in the file: 'line 7', or 'row 5' of a file without lines."""
        return f"row {row}" if self._lines is None else f"line {self._lines[row]}"

    def error(self, name: str, row: Any, problem: str) -> DataError:
        """Return a DataError that names the file, the column and the place of a row, unless that is None."""
        where = self.path if row is None else f"{self.path}, {self.place(row)}"
        return DataError(f"{where}: column {shown(name)} {problem}")


def checked(columns: Any) -> Columns:
    """Return an argument that must be `Columns`."""
    if not isinstance(columns, Columns):
        raise ParameterError(f"columns is {shown(columns)}, expected Columns, as read_columns returns them")
    return columns


def is_text(column: Array) -> bool:
    """Tell whether a column holds strings."""
    return column.dtype == np.dtype(object)


def is_missing(column: Array) -> NDArray[np.bool_]:
    """Tell for each value (n,) of a column whether it is missing."""
    if is_text(column):
        return np.fromiter((value is None for value in column), np.bool_, len(column))
    return np.isnan(column)


def listed(names: Sequence[str]) -> str:
    """Return the names for a message, of many only the first."""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(map(shown, names[:MOST])) + more
