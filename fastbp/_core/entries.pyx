"""Indices of sparse matrices: their checks, and sorting of entries."""

import numpy as np

from fastbp.exceptions import DTypeError, ShapeError

cimport numpy as cnp
from libc.stdint cimport int32_t, int64_t

from fastbp._core.arrays cimport check_memory, is_plain

ctypedef fused index_t:
    int32_t
    int64_t


cdef int64_t copied(const index_t *indices, int32_t *columns, const int64_t *starts, int64_t row, int64_t first,
                    int64_t end, int64_t n_columns, bint *ascends) noexcept nogil:
    """Do the work of `take_columns`; return the position of the first index out of range, or -1."""
    cdef int64_t k, column, last = columns[first - 1] if first > 0 else -1
    for k in range(first, end):
        column = indices[k - first]
        if column < 0 or column >= n_columns:
            return k
        if column <= last:  # right only where a row starts
            while starts[row] < k:
                row += 1
            if starts[row] != k:
                ascends[0] = False
        columns[k] = <int32_t> column
        last = column
    return -1


cdef const int64_t *starts_of(cnp.ndarray starts, cnp.ndarray columns, int64_t first, int64_t end) except NULL:
    """Return the starts of rows (n + 1,); raise ShapeError unless they and entries `first` to `end` fit the columns."""
    if not is_plain(starts, cnp.NPY_INT64) or not is_plain(columns, cnp.NPY_INT32) or starts.size == 0:
        raise ShapeError(f"starts and columns are {starts.dtype} and {columns.dtype}, expected int64 and int32")
    cdef const int64_t *found = <const int64_t *> cnp.PyArray_DATA(starts)
    if not 0 <= first <= end <= columns.size or found[0] != 0 or found[starts.size - 1] != columns.size:
        raise ShapeError(f"entries {first} to {end} of {columns.size}, expected some of them, and starts of them all")
    return found


def take_columns(cnp.ndarray indices not None, cnp.ndarray starts not None, cnp.ndarray columns not None,
                 int64_t first, int64_t n_columns):
    """Copy the column indices of the entries from `first` on to `columns`, which holds those before.

    Parameters
    ----------
    indices : ndarray (k,) of int32 or int64, C-contiguous
    starts : ndarray (n + 1,) of int64
        Where each row starts among all entries; ascending from 0, the last one is `len(columns)`.
    columns : ndarray (all entries,) of int32
    first : int
        Number of entries before these.
    n_columns : int, at most 2^31 - 1

    Returns
    -------
    position : int
        The first entry whose index is not one of 0 ... n_columns - 1, or -1.
    ascends : bool
        Whether these indices ascend within each row, without repetition.
    """
    cdef int64_t end = first + indices.size, position
    cdef const int64_t *start = starts_of(starts, columns, first, end)
    cdef int64_t row = np.searchsorted(starts, first)
    cdef int32_t *out = <int32_t *> cnp.PyArray_DATA(columns)
    cdef bint ascends = True
    check_memory(indices)  # last: what comes before may collect garbage, which runs finalizers
    if is_plain(indices, cnp.NPY_INT32):
        with nogil:
            position = copied(<const int32_t *> cnp.PyArray_DATA(indices), out, start, row, first, end, n_columns,
                              &ascends)
    elif is_plain(indices, cnp.NPY_INT64):
        with nogil:
            position = copied(<const int64_t *> cnp.PyArray_DATA(indices), out, start, row, first, end, n_columns,
                              &ascends)
    else:
        raise DTypeError(f"indices have dtype {indices.dtype}, expected int32 or int64, C-contiguous")
    return position, ascends


def place_entries(cnp.ndarray starts not None, cnp.ndarray columns not None, cnp.ndarray free not None,
                  cnp.ndarray rows not None, cnp.ndarray order not None, int64_t first, int64_t end):
    """Sort the entries from `first` to `end` by column; within a column they stay in order.

    Parameters
    ----------
    starts, columns : ndarray (n + 1,) of int64, (all entries,) of int32
        As `take_columns` leaves them.
    free : ndarray (columns,) of int64
        The next free place of each column, which this moves on.
    rows, order : ndarray (all entries,) of int32, of int64
        The row and the old place of each entry, which go to its new place.
    """
    cdef const int64_t *start = starts_of(starts, columns, first, end)
    cdef const int32_t *column = <const int32_t *> cnp.PyArray_DATA(columns)
    if not (is_plain(free, cnp.NPY_INT64) and is_plain(rows, cnp.NPY_INT32) and is_plain(order, cnp.NPY_INT64)
            and rows.size == order.size == columns.size):
        raise ShapeError("free, rows and order do not fit the columns")
    cdef int64_t *next = <int64_t *> cnp.PyArray_DATA(free)
    cdef int32_t *row_at = <int32_t *> cnp.PyArray_DATA(rows)
    cdef int64_t *order_at = <int64_t *> cnp.PyArray_DATA(order)
    cdef int64_t k, to, row = np.searchsorted(starts, first, "right") - 1
    with nogil:
        for k in range(first, end):
            while start[row + 1] <= k:
                row += 1
            to = next[column[k]]
            next[column[k]] = to + 1
            row_at[to] = <int32_t> row
            order_at[to] = k
