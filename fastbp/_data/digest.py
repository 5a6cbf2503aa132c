"""Digests of arrays, by which a fit that continues from a file knows its data again."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp._core import check_memory
from fastbp._data.checks import blocks
from fastbp._data.sample_weights import Weights


def digest(array: NDArray[Any] | None) -> str:
    """Return 32 hex digits for dtype, shape and values of an array; "none" for None.

    The values count by their bytes, so 0.0 is not -0.0. Memory layout and byte order do not count: a view,
    a copy and a memory map of the same numbers have the same digest. Large arrays are read in blocks.

    Parameters
    ----------
    array : ndarray of real numbers, with one or more rows
    """
    if array is None:
        return "none"
    dtype = array.dtype.newbyteorder("<")
    found = hashlib.blake2b(f"{dtype.str} {array.shape}".encode(), digest_size=16)
    for _, block in blocks(array):
        check_memory(array)  # a signal handler may have run
        found.update(np.ascontiguousarray(block, dtype).data)
    return found.hexdigest()


def digest_of_weights(weights: Weights | None) -> str:
    """Return a digest of the weights of rows, and of which of them count."""
    return "none" if weights is None else f"{digest(weights.values)} {digest(weights.rows)}"
