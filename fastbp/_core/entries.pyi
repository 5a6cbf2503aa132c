"""Indices of sparse matrices: their checks, and sorting of entries."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def take_columns(
    indices: NDArray[Any], starts: NDArray[np.int64], columns: NDArray[np.int32], first: int, n_columns: int
) -> tuple[int, bool]: ...
def place_entries(
    starts: NDArray[np.int64],
    columns: NDArray[np.int32],
    free: NDArray[np.int64],
    rows: NDArray[np.int32],
    order: NDArray[np.int64],
    first: int,
    end: int,
) -> None: ...
