"""What kind of derivative an activation has, found by calling it: `slope_facts`."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp.activations import Activation
from fastbp.inspect._diagnosis.thresholds import limit

Array: TypeAlias = NDArray[Any]

GRID = np.linspace(-8, 8, 321)  # where an activation is called, 0 included


class SlopeFacts(NamedTuple):
    """The derivative f' of an activation from -8 to 8."""

    largest: float  # |f'|; around 0, if f' grows without bound
    is_constant: bool
    is_zero: bool
    is_sigmoidal: bool  # f' fades on both sides, but not just below and above 0


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
        is_sigmoidal=bool(
            faded[0]
            and faded[-1]
            and not faded[(GRID >= -1) & (GRID < 0)].all()
            and not faded[(GRID > 0) & (GRID <= 1)].all()
        ),
    )


def consists_of_steps(activation: Activation) -> bool:
    """Tell whether the derivative is 0 but for a few jumps."""
    with np.errstate(all="ignore"):
        slopes = np.asarray(activation.derivative(GRID.copy()))
    return float(np.mean(slopes == 0)) > 0.9
