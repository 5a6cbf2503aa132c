"""How large the optimizer's next step is, and how large the curvature of the loss lets it be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._data.sample_weights import Weights
from fastbp._model import Model
from fastbp.exceptions import DataError
from fastbp.inspect._curvature import Curvature
from fastbp.inspect._lanczos import extreme_eigenpairs
from fastbp.inspect._probe import Examples, Probe
from fastbp.layers import split, trained
from fastbp.optimizers import SGD

if TYPE_CHECKING:
    from fastbp.network import Network

Array: TypeAlias = NDArray[Any]

BATCH = 256  # rows of the step that is tried
CURVED = 512  # rows on which the curvature is measured
PRODUCTS = 10  # with the Hessian, at most
ENOUGH = 1e-3  # error of its largest eigenvalue, relative to it, at which fewer do


class Step(NamedTuple):
    """The next step of the optimizer."""

    ratios: list[float]  # |change of W| / |W| of each layer
    ratio: float  # of the weights of all trained layers together
    rate: float
    curvature: float  # largest eigenvalue of the Hessian by the trained parameters, for SGD; else NaN
    momentum: float


def next_step(net: Network, probe: Probe, examples: Examples, gradient: Array) -> Step:
    """Return what the next step would change, without changing the network.

    gradient (P,) is that of all examples. A copy makes one step on some of the rows.
    """
    model, optimizer = net._model, net.optimizer
    nothing = [math.nan] * len(probe.layers)
    if not model.is_trainable or not model.makes_steps or not np.isfinite(gradient).all():
        return Step(nothing, math.nan, math.nan, math.nan, 0.0)
    rate = net.learning_rate
    change = _tried(model, examples)
    ratios, ratio = (nothing, math.nan) if change is None else _ratios(probe, change)
    if not isinstance(optimizer, SGD):
        return Step(ratios, ratio, rate, math.nan, 0.0)
    curvature = _largest_eigenvalue(probe, some_rows(examples, CURVED), _factors(probe))
    return Step(ratios, ratio, rate, curvature, optimizer.momentum)


def _ratios(probe: Probe, change: Array) -> tuple[list[float], float]:
    """Return |change of W| / |W| per layer, and of all trained weights together."""
    pairs = [
        (float(np.linalg.norm(d_W.astype(np.float64))), float(np.linalg.norm(W.astype(np.float64))))
        for (W, _), (d_W, _) in zip(
            split(probe.parameters, probe.layers), split(change, probe.layers), strict=True
        )
    ]
    is_trained = [layer.trainable for layer in probe.layers]
    changed, present = (
        math.hypot(*(pair[k] for pair, flag in zip(pairs, is_trained, strict=True) if flag)) for k in (0, 1)
    )
    return [_over(*pair) for pair in pairs], _over(changed, present)


def _over(change: float, size: float) -> float:
    return change / size if size else math.inf if change else 0.0


def _tried(model: Model, examples: Examples) -> Array | None:
    """Return the change (P,) by one step of a copy; None if it cannot be made."""
    some = some_rows(examples, BATCH)
    rows = np.flatnonzero(some.w.any(axis=1))
    if not rows.size:
        return None
    copy = Model.from_state(model.guard.reading(model.state), model.engine_class)
    before = copy.engine.parameters.copy()
    values = np.ascontiguousarray(some.w[:, 0] if some.w.shape[1] == 1 else some.w)
    weights = None if (some.w == 1).all() else Weights(values, None if len(rows) == len(some) else rows)
    with np.errstate(all="ignore"):
        copy.trainer.train_on_batch(some.X, some.y, weights)
        change: Array = copy.engine.parameters - before
    return change if np.isfinite(change).all() else None


def some_rows(examples: Examples, most: int) -> Examples:
    """Return at most so many examples, at equal distances."""
    n = len(examples)
    if n <= most:
        return examples
    rows = np.arange(most) * n // most
    w = examples.w[rows]
    return Examples(examples.X[rows], examples.y[rows], w, float(w.mean(axis=1).sum()), examples.is_weighted)


def _factors(probe: Probe) -> Array:
    """Return the learning-rate factor of each parameter (P,), 0 where it is frozen."""
    factors = np.zeros(len(probe.parameters))
    for part, factor in trained(probe.layers):
        factors[part] = factor
    return factors


def _largest_eigenvalue(probe: Probe, examples: Examples, factors: Array) -> float:
    """Return the largest eigenvalue of D^(1/2) H D^(1/2) by the trained parameters; NaN if H is not finite.

    D are their learning-rate factors. So few products find it to a few percent, from below.
    """
    (trained_ones,) = factors.nonzero()
    roots, curvature = np.sqrt(factors[trained_ones]), Curvature(probe, examples)

    def product(v: Array) -> Array:
        whole = np.zeros(len(factors))
        whole[trained_ones] = roots * v
        found: Array = roots * curvature.hessian(whole)[trained_ones]
        return found

    try:
        found = extreme_eigenpairs(product, len(roots), 0, 1, tol=ENOUGH, max_products=PRODUCTS, seed=0)
    except DataError:
        return math.nan
    return float(found.values[0])
