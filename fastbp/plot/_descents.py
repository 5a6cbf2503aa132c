"""Gradient descent with several learning rates from one start, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.sparse import Inputs
from fastbp.exceptions import DivergenceError, ParameterError
from fastbp.inspect import hessian_eigenvalues
from fastbp.network import Network
from fastbp.optimizers import SGD

Doubles: TypeAlias = NDArray[np.float64]

FIRST_TRY = 1 / 16  # of 1 / (largest eigenvalue of the Hessian at the start)
FACTOR = 2**0.5  # between two rates that are tried
MOST_TRIES = 24
TOO_SMALL = (1 / 10, 1 / 30, 1 / 100, 1 / 300, 1 / 1000)  # of the rate that is right; the first that is slow

# A descent diverges if it was above its start and keeps less than this of the best one's fall.
KEPT = 0.1
ROUNDING = 1e-6  # part of a loss by which it may seem to rise
# It oscillates if, in the second half of the steps, the cosine of the angle between one step and the next is
# less than this, on an average weighted with the lengths of both,
BACK = -0.3
# and if this half has more than this of the length of the path.
OVER = 0.05
# Otherwise it is slow if it falls by less than this of the fall of the best one that does neither.
SLOW = 0.9
# It has converged if the last tenth of its steps brings less than this of its fall.
LAST = 0.01

WILD = ("diverged", "oscillates")


class Descent(NamedTuple):
    """One descent with a constant learning rate.

    Attributes
    ----------
    rate : float
        The learning rate.
    path : array, shape (k, P)
        The parameters before each step and after the last one.
    losses : array, shape (k,)
        The losses there; infinite only at the end.
    swings : bool
        Whether the second half of the steps goes back and forth.
    """

    rate: float
    path: Doubles
    losses: Doubles
    swings: bool

    @property
    def fall(self) -> float:
        """How far the loss fell; minus infinity if it is not finite."""
        last = float(self.losses[-1])
        return float(self.losses[0]) - last if np.isfinite(last) else -np.inf

    @property
    def lowest(self) -> Doubles:
        """The parameters (P,) with the lowest loss."""
        found: Doubles = self.path[self.losses.argmin()]
        return found


def verdicts(found: Sequence[Descent]) -> list[str]:
    """Return what became of each descent, by the constants above.

    It is one of "diverged" and "oscillates", which are `WILD`, and "slow", "converged" and "still falling".
    """
    best = max(each.fall for each in found)
    wild = [_wild(each, best) for each in found]
    calm = max((each.fall for each, name in zip(found, wild, strict=True) if not name), default=0.0)
    return [name or _pace(each, calm) for each, name in zip(found, wild, strict=True)]


def swings(path: Doubles) -> bool:
    """Return whether the second half of the steps of a path (k, P) goes back and forth, and is not over."""
    steps = np.diff(path, axis=0)
    steps /= max(np.abs(steps).max(initial=0), np.finfo(float).tiny)  # no squares overflow
    lengths = np.linalg.norm(steps, axis=1)
    late = len(steps) // 2
    if lengths[late:].sum() <= OVER * lengths.sum():
        return False
    products = np.sum(steps[late + 1 :] * steps[late:-1], axis=1)
    return bool(products.sum() < BACK * (lengths[late + 1 :] @ lengths[late:-1]))


def _wild(descent: Descent, best_fall: float) -> str:
    """Return "diverged", "oscillates", or "" for neither."""
    losses, fall = descent.losses, descent.fall
    rises = losses.max() > losses[0] + ROUNDING * abs(losses[0])
    if fall == -np.inf or (rises and fall < KEPT * best_fall):
        return "diverged"
    return "oscillates" if descent.swings else ""


def _pace(descent: Descent, best_fall: float) -> str:
    """Return what a descent that is neither makes of the fall that the best one of its kind has."""
    if descent.fall < SLOW * best_fall:
        return "slow"
    losses = descent.losses
    before = float(losses[-1 - max(len(losses) // 10, 1)])
    return "converged" if before - losses[-1] <= LAST * descent.fall else "still falling"


class Descents:
    """Makes descents of one network on all rows of its data.

    Parameters
    ----------
    net : Network
        It does not change.
    start : array, shape (P,)
        Where each descent begins.
    epochs : int
        Number of steps.
    """

    def __init__(
        self,
        net: Network,
        X: Inputs,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        start: NDArray[Any],
        epochs: int,
    ) -> None:
        self.data: dict[str, Any] = {"X": X, "y": y, "sample_weight": sample_weight}
        self.at_start, self.epochs = net.clone(), epochs
        self.at_start.parameters[:] = start

    @np.errstate(all="ignore")  # of the reference engine, in a descent that diverges
    def descend(self, rate: float) -> Descent:
        """Return the descent with this rate, which ends early if it diverges to infinity."""
        twin = self.at_start.clone()
        twin.optimizer = SGD(rate)
        path, losses = [twin.parameters.astype(np.float64)], []
        try:
            for _ in range(self.epochs):
                losses.append(twin.train_on_batch(**self.data))
                path.append(twin.parameters.astype(np.float64))
                if not np.isfinite(path[-1]).all():  # the loss may be finite: sigmoid(-inf) is 0
                    losses.append(np.inf)
                    break
            else:
                losses.append(twin.evaluate(**self.data, metrics=())["loss"])
        except DivergenceError:
            losses.append(np.inf)
        points, finite = np.array(path), np.isfinite(losses)
        return Descent(rate, points, np.where(finite, losses, np.inf), swings(points))

    def at_typical_rates(self) -> list[Descent]:
        """Return descents with four rates: too small, right, too large, diverging.

        The rates that are tried are geometric, and begin far below 1 / lambda, where lambda is the largest
        magnitude of an eigenvalue of the Hessian at the start. For a quadratic loss, descent is stable up to
        2 / lambda; for a network, the curvature changes on the way, so what became of each rate decides.
        Right is the one with the lowest loss at the end among those that neither oscillate nor diverge; too
        large is the last one that does not diverge, or one between right and diverging; too small is a part
        of right that is slow.
        """
        spectrum = hessian_eigenvalues(self.at_start, **self.data)
        curvature = float(np.abs(spectrum.values).max())
        if curvature == 0:
            raise ParameterError("rates is None where the loss has no curvature, expected learning rates")
        tried: list[Descent] = []
        names: list[str] = []
        while len(tried) < MOST_TRIES and "diverged" not in names:
            found = self.descend(FIRST_TRY * FACTOR ** len(tried) / curvature)
            tried.append(found._replace(path=found.path[:0]))  # all paths together could be large
            names = verdicts(tried)
        calm = [each for each, name in zip(tried, names, strict=True) if name not in WILD]
        best = max(calm or tried, key=lambda each: each.fall)
        right, (large, last) = best.rate, (each.rate for each in (tried[0], *tried)[-2:])
        if large <= right:
            large = (right * last) ** 0.5
        for part in TOO_SMALL:
            small = self.descend(part * right)
            if small.fall < SLOW * best.fall:
                break
        return [small, *map(self.descend, (right, large, last))]
