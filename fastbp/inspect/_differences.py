"""Numerical derivatives of a loss by single parameters, with what rounding and kinks do to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.elementwise import STEP

Array: TypeAlias = NDArray[np.float64]

EPSILON = float(np.finfo(np.float64).eps)
LEAST_STEP = 1e-12  # whose last part is still more than a rounding error of 1
SHRINK = 8.0  # from one step to the next smaller one
TRIES = 4  # steps per parameter, at most
EXACT = 1e-7  # relative error at which no smaller step is tried
TELLS = 1e-3  # share of a derivative that rounding errors may have for a smaller step to count
NUDGES, NUDGE = 6, 1e-12  # pairs of points around the parameters that show rounding errors; their distance


class Difference(NamedTuple):
    """A numerical derivative beside a computed one."""

    value: float
    step: float  # half the distance of the two points
    rounding: float  # largest rounding error of the value
    is_kink: bool  # the loss has no derivative there: those of both sides differ


class Sides(NamedTuple):
    """Slopes to both sides of a point, at one step."""

    ahead: float
    behind: float
    central: float
    step: float
    rounding: float  # of the slopes, at most


class Differences:
    """Central differences of a loss by single parameters.

    Parameters
    ----------
    loss : callable
        Returns the loss at `parameters`, a float.
    parameters : array (P,), float64
        Written in place, and restored.
    step : float, > 0
        First step, times max(1, |w|).
    """

    def __init__(self, loss: Callable[[], float], parameters: Array, step: float = STEP) -> None:
        self._loss, self._parameters, self._step = loss, parameters, step
        self.loss = loss()
        self._rounding = self._measured_rounding()

    def _measured_rounding(self) -> float:
        """Return about the largest rounding error of the loss near the parameters.

        Between two close points on both sides, the loss is a straight line; rounding bends it.
        """
        random, own, largest = np.random.default_rng(0), self._parameters.copy(), 0.0
        try:
            for _ in range(NUDGES):
                nudge = NUDGE * np.maximum(1, np.abs(own)) * random.choice([-1.0, 1.0], own.size)
                self._parameters[:] = own + nudge
                ahead = self._loss()
                self._parameters[:] = own - nudge
                largest = max(largest, abs((ahead - self.loss) - (self.loss - self._loss())))
        finally:
            self._parameters[:] = own
        return max(largest, EPSILON * abs(self.loss))

    def _sides(self, index: int, step: float) -> Sides:
        own = float(self._parameters[index])
        above, below = own + step, own - step
        try:
            self._parameters[index] = above
            up = self._loss()
            self._parameters[index] = below
            down = self._loss()
        finally:
            self._parameters[index] = own
        ahead, behind = (up - self.loss) / (above - own), (self.loss - down) / (own - below)
        return Sides(ahead, behind, (up - down) / (above - below), step, 2 * self._rounding / step)

    def by(self, index: int, gradient: float) -> Difference:
        """Return the numerical derivative by a parameter beside the computed one.

        Smaller steps are tried while the two differ, because a kink or strong curvature may lie within a
        step. A derivative that is wrong stays so at each of them.
        """
        step = self._step * max(1.0, abs(float(self._parameters[index])))
        tried: list[Sides] = []
        for _ in range(TRIES):
            sides = self._sides(index, step)
            if tried and not sides.rounding <= TELLS * max(abs(gradient), abs(sides.central)):
                break
            tried.append(sides)
            if relative_error(gradient, sides.central, sides.rounding) <= EXACT:
                break
            step /= SHRINK
        last = tried[-1]
        error = relative_error(gradient, last.central, last.rounding)
        is_kink = error > EXACT and len(tried) > 1 and _is_kink(tried[-2], last, gradient)
        return Difference(last.central, last.step, last.rounding, is_kink)


def relative_error(computed: float, numerical: float, rounding: float = 0.0) -> float:
    """Return |a - n| / max(|a|, |n|), without what rounding may explain of |a - n|; inf if one is not finite.

    If rounding may explain it all, the error counts as at most `EXACT`.
    """
    if not np.isfinite(computed) or not np.isfinite(numerical):
        return np.inf
    difference, largest = abs(computed - numerical), max(abs(computed), abs(numerical))
    if difference == 0:
        return 0.0
    return (difference - rounding) / largest if difference > rounding else min(difference / largest, EXACT)


def _is_kink(before: Sides, last: Sides, gradient: float) -> bool:
    """Tell whether the slopes of both sides stay apart as the step shrinks, the gradient between them."""
    gap = abs(last.ahead - last.behind)
    if not gap > max(abs(before.ahead - before.behind) / 2, 4 * last.rounding):
        return False  # it shrinks like the step, or it is rounding
    slack = last.rounding + EXACT * abs(gradient)
    low, high = sorted((last.ahead, last.behind))
    return low - slack <= gradient <= high + slack
