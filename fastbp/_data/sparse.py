"""SciPy's sparse matrices as rows that the engines take: checked, with sorted columns, none of them twice.

No method of SciPy runs on a matrix of the user: its compiled code follows any index, so a wrong one would end
the process. The attributes are read once. What they say of themselves, such as `has_sorted_indices`, is not
believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import index
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._base.arrays import as_array, base_array
from fastbp._base.sparse import SparseRows
from fastbp.exceptions import DataError, DTypeError, ShapeError

Array: TypeAlias = NDArray[Any]
Starts: TypeAlias = NDArray[np.int64]
Indices: TypeAlias = NDArray[np.int32]

FORMATS = {"csr_matrix": True, "csr_array": True, "csc_matrix": False, "csc_array": False}  # whether by row
BLOCK = 1 << 20  # entries between two chances for signals such as Ctrl-C
MOST = np.iinfo(np.int32).max  # rows or columns, where their indices are stored


class Compressed(NamedTuple):
    """Entries in groups, by row (CSR) or by column (CSC).

    The entries of group i are those from starts[i] to starts[i + 1]; `indices` are their columns or rows.
    """

    starts: Starts  # (groups + 1,)
    indices: Indices  # (all entries,)
    ascends: bool  # the indices of each group ascend, none of them twice


def sparse_rows(argument: str, matrix: Any, n_columns: int) -> SparseRows:
    """Return the rows of a SciPy matrix or array in the format CSR or CSC.

    Columns and starts are copies. The values are a view of the matrix, or a copy if the entries had to be
    sorted. Duplicate entries are added up in their dtype, as `toarray` does.

    Parameters
    ----------
    argument : str
        Name of the matrix in error messages.
    matrix : object
        An object with a method `toarray`.
    n_columns : int, >= 1
        The number of columns that is expected.

    Raises
    ------
    DTypeError
        It is no such matrix, or its entries or indices have a wrong dtype.
    ShapeError
        Its shape, or that of one of its arrays, is wrong.
    DataError
        An index or a start is wrong.
    """
    is_by_row = _is_by_row(argument, matrix)
    shape, indptr, indices, values = _parts(argument, matrix)
    if len(shape) != 2 or shape[1] != n_columns:
        given = f"{shape[1]} columns" if len(shape) == 2 else f"shape {shape}"
        expected = f"{n_columns} (the network's inputs)" if len(shape) == 2 else f"(rows, {n_columns})"
        raise ShapeError(f"{argument} has {given}, expected {expected}")
    n_rows, _ = shape
    groups, members = (n_rows, n_columns) if is_by_row else (n_columns, n_rows)
    starts = _starts(argument, indptr, groups, min(len(indices), len(values)))
    values = values[: starts[-1]]
    found = _compressed(argument, starts, indices, members, "columns" if is_by_row else "rows")
    order = None  # in which the matrix has the entries
    if not is_by_row:
        rows, order = _turned(argument, found, n_rows)
    elif found.ascends:
        rows = found
    else:  # sort by column, then by row: each time, the order of the time before stays within a group
        by_column, first = _turned(argument, found, n_columns)
        rows, second = _turned(argument, by_column, n_rows)
        order = first[second]
    if order is not None:
        values = _taken(values, order)
    if not found.ascends:
        rows, values = _added_up(rows, values)
    return SparseRows(values, rows.indices, rows.starts, (n_rows, n_columns))


def _is_by_row(argument: str, matrix: Any) -> bool:
    """Tell whether this is CSR; it is CSC if not."""
    kind = type(matrix)
    for base in kind.__mro__:
        if str(base.__module__).startswith("scipy.sparse"):
            if base.__name__ in FORMATS:
                return FORMATS[base.__name__]
            raise DTypeError(f"{argument} is a {kind.__name__}, expected CSR or CSC: use its tocsr()")
    raise DTypeError(
        f"{argument} is a sparse {kind.__name__}, expected a dense array: use its toarray(). "
        "Of sparse matrices, those of SciPy in the format CSR or CSC are read"
    )


def _parts(argument: str, matrix: Any) -> tuple[tuple[int, ...], Array, Array, Array]:
    """Return shape, indptr, indices and data of the matrix, each array a view that belongs to the call."""
    try:
        shape = tuple(map(index, matrix.shape))
        parts = {name: getattr(matrix, name) for name in ("indptr", "indices", "data")}
    except MemoryError:
        raise
    except Exception as error:  # of a class of the user
        raise DTypeError(
            f"{argument} is a {type(matrix).__name__} that cannot be read: "
            f"{type(error).__name__}: {error!s:.200}"
        ) from error
    if min(shape, default=0) < 0:
        raise ShapeError(f"{argument} has shape {shape}, expected no negative number")
    held: list[Array] = []
    for name, part in parts.items():
        if not issubclass(type(part), np.ndarray):
            raise DTypeError(f"{argument}.{name} is a {type(part).__name__}, expected an array")
        read = as_array if name == "data" else base_array
        array = read(f"{argument}.{name}", part)
        if name != "data" and array.dtype.kind not in "iu":
            raise DTypeError(f"{argument}.{name} has dtype {array.dtype!s:.60}, expected integers")
        if array.ndim != 1:
            raise ShapeError(f"{argument}.{name} has shape {array.shape}, expected one dimension")
        held.append(array)
    indptr, indices, values = held
    return shape, indptr, indices, values


def _starts(argument: str, indptr: Array, groups: int, entries: int) -> Starts:
    """Return a checked copy of indptr, which may leave out some of the last of so many entries."""
    if len(indptr) != groups + 1:
        raise ShapeError(
            f"{argument}.indptr has {len(indptr)} elements, expected {groups + 1}, one more than "
            "rows (CSR) or columns (CSC)"
        )
    _core.check_memory(indptr)
    starts = np.array(indptr, np.int64)
    descends = starts[1:] < starts[:-1]
    if starts[0] != 0:
        raise DataError(f"{argument}.indptr[0] is {indptr[0]}, expected 0")
    if descends.any():
        i = int(descends.argmax())
        raise DataError(
            f"{argument}.indptr[{i + 1}] is {indptr[i + 1]}, expected at least the one before it, {indptr[i]}"
        )
    if starts[-1] > entries:
        raise DataError(
            f"{argument}.indptr[{groups}] is {starts[-1]}, expected at most {entries}, the number of entries "
            f"in {argument}.indices and {argument}.data"
        )
    return starts


def _compressed(argument: str, starts: Starts, indices: Array, members: int, what: str) -> Compressed:
    """Return a checked copy of the indices, each of which is one of so many rows or columns."""
    _check_size(argument, members)
    copy = np.empty(starts[-1], np.int32)
    ascends = True
    for part in _blocks(0, len(copy)):
        _core.check_memory(indices)  # a signal handler may have run
        number = np.int32 if indices.dtype == np.int32 else np.int64
        block = np.require(indices[part], number, ["C", "A"])
        position, block_ascends = _core.take_columns(block, starts, copy, part.start, members)
        if position >= 0:
            raise DataError(
                f"{argument}.indices[{position}] is {indices[position]}, expected 0 to {members - 1}, "
                f"for {members} {what}"
            )
        ascends = ascends and block_ascends
    return Compressed(starts, copy, ascends)


def _check_size(argument: str, n: int) -> None:
    if n > MOST:
        raise ShapeError(f"{argument} has {n} rows or columns, expected at most {MOST} in this format")


def _turned(argument: str, given: Compressed, members: int) -> tuple[Compressed, NDArray[np.int64]]:
    """Return the entries by row if they were by column, or the other way round, and the order of the old.

    Entries of a new group stay in order, so its indices ascend, but one may be there twice.
    """
    _check_size(argument, len(given.starts) - 1)
    entries = len(given.indices)
    starts = np.zeros(members + 1, np.int64)
    indices, order = np.empty(entries, np.int32), np.empty(entries, np.int64)
    for part in _blocks(0, entries):
        np.add.at(starts, given.indices[part] + np.int64(1), 1)
    np.cumsum(starts, out=starts)
    free = starts[:-1].copy()
    for part in _blocks(0, entries):
        _core.place_entries(given.starts, given.indices, free, indices, order, part.start, part.stop)
    return Compressed(starts, indices, given.ascends), order


def _taken(values: Array, order: NDArray[np.int64]) -> Array:
    """Return the values in this order."""
    taken = np.empty(len(order), values.dtype)
    for part in _blocks(0, len(order)):
        _core.check_memory(values)
        taken[part] = values[order[part]]
    return taken


@np.errstate(all="ignore")  # overflow is found where numbers have to be finite
def _added_up(rows: Compressed, values: Array) -> tuple[Compressed, Array]:
    """Return the entries with duplicates, which are side by side, added up in order."""
    starts, columns, _ = rows
    is_new = np.ones(len(columns) + 1, bool)  # and one past the last
    np.not_equal(columns[1:], columns[:-1], out=is_new[1:-1])
    is_new[starts] = True
    place = np.cumsum(is_new) - 1  # of each entry in the result
    added = np.zeros(place[-1], values.dtype)
    np.add.at(added, place[:-1], values)
    return Compressed(place[starts], columns[is_new[:-1]], True), added


def _blocks(first: int, end: int) -> Iterator[slice]:
    """Yield slices of these entries."""
    for at in range(first, end, BLOCK):
        yield slice(at, min(at + BLOCK, end))


# ---- moments -----------------------------------------------------------------------------------------------


def sparse_moments(X: SparseRows) -> tuple[Array, int, Array, Array]:
    """Return the parts of `fastbp._data.scaling.Moments` of X (n, columns), n >= 1, zeros included.

    As for an array, sums are of differences from the first row, in float64. A second pass sums the squares
    around the mean, and corrects the mean by what is left. The elements of a column that are no entries are
    0, so they count at once.
    """
    n, n_columns = X.shape
    first, end = int(X.starts[0]), int(X.starts[-1])
    origin = X[:1].toarray()[0].astype(np.float64)  # (columns,)
    count, sums, rest, squares = np.zeros((4, n_columns))
    with np.errstate(all="ignore"):
        for columns, x in _differences(X, first, end, origin):
            count += np.bincount(columns, minlength=n_columns)
            sums += np.bincount(columns, x, n_columns)
        zeros = n - count  # elements of each column that are no entries
        mean = (sums - zeros * origin) / n  # of the differences
        for columns, x in _differences(X, first, end, origin):
            x -= mean[columns]
            rest += np.bincount(columns, x, n_columns)
            squares += np.bincount(columns, np.square(x), n_columns)
        zero = -origin - mean
        rest += zeros * zero
        squares += zeros * np.square(zero)
        return origin, n, mean + rest / n, squares


def _differences(X: SparseRows, first: int, end: int, origin: Array) -> Iterator[tuple[Indices, Array]]:
    """Yield the entries in blocks: their columns, and their differences from the origin of the column."""
    for part in _blocks(first, end):
        _core.check_memory(X.values)  # a signal handler may have run
        columns = X.columns[part]
        yield columns, X.values[part] - origin[columns]


def bounds(X: SparseRows, column: int) -> tuple[float, float]:
    """Return the least and the greatest element of a column."""
    entries = slice(X.starts[0], X.starts[-1])
    found = X.values[entries][X.columns[entries] == column].astype(np.float64)
    if len(found) < len(X):
        found = np.append(found, 0.0)
    return float(found.min()), float(found.max())
