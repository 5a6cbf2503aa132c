"""Losses that are computed from the logits z, with dJ/dz = h - t; `fastbp.losses` has the other formulas."""

# mypy: no-warn-return-any

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def _cross_entropy(z: Array, t: Array) -> Array:
    top = z.max(axis=1, keepdims=True)  # subtracted, so that no exponential exceeds 1
    log_sum = np.log(np.exp(z - top).sum(axis=1, dtype=np.float64, keepdims=True))
    distances = np.subtract(top, z, dtype=np.float64)
    return log_sum + (t * distances).sum(axis=1, keepdims=True)  # (m, 1): the t of a row add up to 1


JOINT: dict[str, Callable[[Array, Array], Array]] = {
    "poisson": lambda z, t: np.exp(z) - t * z,
    "binary_cross_entropy": lambda z, t: np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z))),
    "cross_entropy": _cross_entropy,
}
