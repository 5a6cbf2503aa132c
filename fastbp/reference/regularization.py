"""Regularization in NumPy: dropout and noise, penalties of the weights, max-norm, clipping.

Random numbers depend only on the seed, the step t of the optimizer and a row's position in its batch, so they
can be drawn again. Each row starts with a new block of four words.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base import philox
from fastbp.layers import Layer

Array: TypeAlias = NDArray[Any]


def _words(seed: int, purpose: int, t: int, first: int, rows: int, n: int) -> NDArray[np.uint64]:
    """Return n random words per row, for `rows` rows of the batch, starting with row `first`."""
    blocks = -(-n // 4)
    return philox.raw(seed, purpose, 0, t, 4 * blocks * rows, first * blocks).reshape(rows, -1)[:, :n]


def noise(seed: int, t: int, first: int, shape: tuple[int, int], dtype: np.dtype[Any]) -> Array:
    """Return normal random numbers, two per word: cosines in a row's left half, sines in its right half.

    References
    ----------
    G. E. P. Box and M. E. Muller, A note on the generation of random normal deviates, 1958.
    """
    rows, n = shape
    words = _words(seed, philox.NOISE, t, first, rows, -(-n // 2))
    u, v = ((words >> np.uint64(shift) & np.uint64(2**24 - 1)).astype(dtype) / 2**24 for shift in (8, 40))
    radius, angle = np.sqrt(-2 * np.log1p(-u)), 2 * math.pi * v
    return np.hstack([radius * np.cos(angle), radius * np.sin(angle)])[:, :n]


def dropout(rate: float, seed: int, layer: int, t: int, first: int, shape: tuple[int, int]) -> Array:
    """Return the mask of a layer: 0 for dropped units, the inverse of the kept share for the others."""
    rows, n = shape
    kept = max(1, round((1 - rate) * 2**16))
    words = _words(seed, philox.DROPOUT + layer, t, first, rows, -(-n // 4))
    chances = np.ascontiguousarray(words, "<u8").view("<u2")[:, :n]
    return (chances < kept) * (2**16 / kept)


def _factors(layer: Layer, weight: float) -> tuple[float, float]:
    """Return l1 and l2 for a batch whose rows have this total weight, which divides them if asked for."""
    divisor = weight if layer.divide_penalty else 1
    return layer.l1 / divisor, layer.l2 / divisor


def penalty(W: Array, layer: Layer, weight: float) -> float:
    """Return what the weights (n_in, n_out) add to the loss of a batch: l1 |W|_1 + l2 / 2 |W|^2."""
    l1, l2 = _factors(layer, weight)
    W = W.astype(np.float64)
    return float(l1 * np.abs(W).sum() + l2 / 2 * np.square(W).sum())


def penalty_gradient(W: Array, layer: Layer, weight: float) -> Array:
    """Return the derivatives of `penalty` by the weights."""
    l1, l2 = _factors(layer, weight)
    return l1 * np.sign(W) + l2 * W


def scaled_norms(x: Array) -> tuple[Array, Array]:
    """Return each column's largest magnitude and its norm divided by that, so that no square overflows.

    The returned magnitude is at least the smallest normal number, so nothing is divided by 0.
    """
    x = x.astype(np.float64)
    scale = np.maximum(np.abs(x).max(axis=0), np.finfo(np.float64).tiny)
    return scale, np.sqrt(np.square(x / scale).sum(axis=0))


def limit_norms(W: Array, largest: float) -> None:
    """Scale the columns of W, the weights into each unit, down to the norm `largest`."""
    scale, norms = scaled_norms(W)
    shares = largest / scale / norms
    W *= np.where(shares < 1, shares, 1).astype(W.dtype)


def clip(gradients: Array, clip_value: float | None, clip_norm: float | None) -> Array:
    """Return the gradient (P,) that the optimizer sees: its elements limited, then its norm."""
    if clip_value is not None:
        gradients = np.clip(gradients, -clip_value, clip_value)
    if clip_norm is not None:
        scale, norm = scaled_norms(gradients)
        share = clip_norm / scale / (norm + 1e-6 / scale)
        gradients = gradients * np.minimum(1, share).astype(gradients.dtype)  # NaN stays
    return gradients
