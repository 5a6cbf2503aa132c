"""What kind of derivative an activation has, found by calling it: `slope_facts`, `wrong_slopes`."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp.activations import Activation
from fastbp.inspect._thresholds import limit

Array: TypeAlias = NDArray[Any]

GRID = np.linspace(-8, 8, 321)  # where an activation is called, 0 included
STEP = 1e-5  # of the difference quotients, over max(1, |z|)
TOLERANCE = 1e-3  # of a derivative, over 1 + |f'|


class SlopeFacts(NamedTuple):
    """The derivative f' of an activation from -8 to 8."""

    largest: float  # |f'|; around 0, if f' grows without bound
    is_constant: bool
    is_zero: bool
    is_sigmoidal: bool  # f' fades on both sides, and 0 lies between


def slope_facts(activation: Activation) -> SlopeFacts:
    """Return what kind of derivative an activation has."""
    if activation.name == "softmax":  # a function of the whole row
        return SlopeFacts(0.25, is_constant=False, is_zero=False, is_sigmoidal=False)
    with np.errstate(all="ignore"):
        slopes = np.asarray(activation.derivative(GRID.copy()), np.float64)
    sizes = np.abs(slopes)
    largest = float(sizes.max())
    if largest > 1.5 * sizes[np.abs(GRID) <= 4].max():  # grows without bound
        largest = float(np.median(sizes[np.abs(GRID) <= 1]))
    faded = sizes < limit("saturated_slope") * largest
    return SlopeFacts(
        largest,
        is_constant=float(np.ptp(slopes)) <= 1e-12 * largest,
        is_zero=largest == 0,
        is_sigmoidal=bool(faded[0] and faded[-1] and not faded[np.abs(GRID) <= 0.25].any()),
    )


class WrongSlope(NamedTuple):
    """Where a derivative differs most from the difference quotient of its function."""

    share: float  # of the values of z where they part
    z: float
    derivative: float
    quotient: float


def wrong_slope(activation: Activation, z: Array) -> WrongSlope | None:
    """Compare a derivative with central differences at z (k,); None if it is right, or a kink is all.

    Only the derivatives of users are compared: those of the tables are tested.
    """
    if type(activation).derivative is Activation.derivative or not z.size:
        return None
    z = z.astype(np.float64)
    h = STEP * np.maximum(1, np.abs(z))
    with np.errstate(all="ignore"):
        slopes = np.asarray(activation.derivative(z.copy()), np.float64)
        below, here, above = (np.asarray(activation(z + k * h), np.float64) for k in (-1, 0, 1))
        quotient, left, right = (above - below) / (2 * h), (here - below) / h, (above - here) / h
        scale = 1 + np.abs(quotient)
        # at a kink, any slope between those of both sides is right
        is_smooth = np.abs(right - left) <= TOLERANCE * scale
        error = np.where(is_smooth & np.isfinite(quotient), np.abs(slopes - quotient) / scale, 0)
    error[np.isnan(error)] = np.inf
    share, worst = float(np.mean(error > TOLERANCE)), int(error.argmax())
    if share <= limit("wrong_slopes"):
        return None
    return WrongSlope(share, float(z[worst]), float(slopes[worst]), float(quotient[worst]))
