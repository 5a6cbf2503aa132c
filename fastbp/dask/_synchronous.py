"""The synchronous mode: the gradient of each global batch is the sum over the shards, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._model import Model
from fastbp.dask._batches import counts_of
from fastbp.dask._plan import Plan
from fastbp.dask._rounds import Rounds, Shards, added
from fastbp.dask._setting import Setting
from fastbp.dask._tasks import Gradient, gradient
from fastbp.layers import Layer

Array: TypeAlias = NDArray[Any]


class SynchronousRun(Rounds):
    """A training run whose rounds are steps of the model's own engine.

    With the gradient g_i and the weight w_i of the rows of shard i, a step takes

        g = sum_i (w_i / sum_j w_j) g_i + (gradient of the penalties l1 and l2)

    computed in float64; for losses that are sums, it adds up the g_i as they are. If one shard has all rows,
    its gradient includes the penalties, so that the numbers are those of `Network.fit`.
    """

    def __init__(self, model: Model, shards: Shards, plan: Plan, first_epoch: int, epochs: int) -> None:
        self._total = sum(shards.rows)
        self._adds_penalties = max(shards.rows) < self._total
        setting = Setting.of(model, shards.executor.isa)
        if self._adds_penalties:
            setting = setting.without_penalties()
        super().__init__(model, shards, plan, setting, first_epoch, epochs)
        if model.engine.gradients is None:  # which plans make when they first need them
            model.engine.forward(np.zeros((1, model.architecture.n_in), model.architecture.dtype))

    def _train(self) -> float:
        """Do one step; return its loss."""
        engine, rows, size = self._model.engine, self._shards.rows, self._plan.batch_rows(self._total)
        starts, stops = (counts_of(rows, min((self.step + i) * size, self._total)) for i in range(2))
        which = [i for i in range(len(rows)) if starts[i] < stops[i]]
        found = self._shards.call(
            gradient,
            which,
            [(self._seeds[i], starts[i], stops[i]) for i in which],
            (self._packed, engine.parameters.copy(), engine.t, self._epoch),
        )
        weight = added(one.weight for one in found)
        loss = self._combine(found, weight)
        engine.update()  # as engines do; after a loss that is not finite, the fit goes back
        self._end_round(loss, weight, 1)
        return loss

    @np.errstate(all="ignore")  # what is not finite ends the fit
    def _combine(self, found: Sequence[Gradient], weight: float) -> float:
        """Return the loss of a batch of this weight; write its gradient to the engine."""
        shares = [1.0 if self._is_sum else one.weight / weight for one in found]
        loss = added(share * one.loss for share, one in zip(shares, found, strict=True))
        total = np.multiply(found[0].derivatives, shares[0], dtype=np.float64)  # no zeros before: -0.0 stays
        for share, one in zip(shares[1:], found[1:], strict=True):
            total += np.multiply(one.derivatives, share, dtype=np.float64)
        if self._adds_penalties:
            loss += add_penalties(self._model, weight, total)
        self._model.engine.gradients[:] = total
        return loss


def add_penalties(model: Model, weight: float, gradients: Array) -> float:
    """Return l1 |W|_1 + l2 / 2 |W|^2 of all layers that are trained, for a batch of this weight.

    Their derivatives are added to `gradients` (P,), float64.
    """
    architecture, loss = model.architecture, 0.0
    weights, slopes = architecture.split(model.engine.parameters), architecture.split(gradients)
    for layer, (W, _), (d_W, _) in zip(architecture.layers, weights, slopes, strict=True):
        if layer.trainable and (layer.l1 or layer.l2):
            l1, l2 = _factors(layer, weight)
            wide = W.astype(np.float64)
            loss += float(l1 * np.abs(wide).sum() + l2 / 2 * np.square(wide).sum())
            d_W += l1 * np.sign(wide) + l2 * wide
    return loss


def _factors(layer: Layer, weight: float) -> tuple[float, float]:
    divisor = weight if layer.divide_penalty else 1.0
    return layer.l1 / divisor, layer.l2 / divisor
