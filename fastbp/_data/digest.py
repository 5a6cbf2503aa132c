"""Digests of arrays, by which a fit that continues from a file knows its data again."""

from __future__ import annotations

import hashlib

import numpy as np

from fastbp._base.sparse import Rows, SparseRows
from fastbp._core import check_memory
from fastbp._data.checks import blocks
from fastbp._data.sample_weights import Weights


def digest(array: Rows | None) -> str:
    """Return 32 hex digits for dtype, shape and values of an array; "none" for None.

    The values count by their bytes, so 0.0 is not -0.0. Memory layout and byte order do not count: a view,
    a copy and a memory map of the same numbers have the same digest. Large arrays are read in blocks.

    The digest of sparse rows is another one than that of the same array with all its zeros. It is the same
    whether a matrix is CSR or CSC, and its entries sorted or not.

    Parameters
    ----------
    array : ndarray of real numbers, or SparseRows, with one or more rows
    """
    if array is None:
        return "none"
    if isinstance(array, SparseRows):
        first, end = (int(array.starts[i]) for i in (0, -1))
        parts = array.starts - first, array.columns[first:end], array.values[first:end]
        return f"sparse {array.shape} {' '.join(digest(part) for part in parts)}"
    dtype = array.dtype.newbyteorder("<")
    found = hashlib.blake2b(f"{dtype.str} {array.shape}".encode(), digest_size=16)
    for _, block in blocks(array):
        check_memory(array)  # a signal handler may have run
        found.update(np.ascontiguousarray(block, dtype).data)
    return found.hexdigest()


def digest_of_weights(weights: Weights | None) -> str:
    """Return a digest of the weights of rows, and of which of them count."""
    return "none" if weights is None else f"{digest(weights.values)} {digest(weights.rows)}"
