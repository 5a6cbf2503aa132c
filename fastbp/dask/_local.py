"""The local mode: every shard trains for some steps from the same numbers, which are then averaged."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._model import Model
from fastbp._model.rows import rates
from fastbp.dask._plan import Plan
from fastbp.dask._rounds import Rounds, Shards, added
from fastbp.dask._setting import Setting
from fastbp.dask._tasks import Numbers, Trained, train

Array: TypeAlias = NDArray[Any]


class LocalRun(Rounds):
    """A training run whose rounds are several steps of each shard.

    Steps are counted as those of the largest shard: an epoch has as many as it has batches, and t grows by
    as many as it does in a round. Shards that have no more rows in an epoch wait for its end.
    """

    def __init__(self, model: Model, shards: Shards, plan: Plan, first_epoch: int, epochs: int) -> None:
        self._steps = [plan.own_steps(n) for n in shards.rows]
        setting = Setting.of(model, shards.executor.isa, with_optimizer=True)
        super().__init__(model, shards, plan, setting, first_epoch, epochs)

    def _train(self) -> float:
        """Do one round; return its loss."""
        most = self.steps_per_epoch - self.step
        steps = min(self._plan.local_steps or most, most)
        found = self._trained(steps)
        weight = added(one.weight for one in found) or 1.0  # 0 if all have diverged
        shares = [one.weight / weight for one in found]
        factors = [1.0] * len(found) if self._is_sum else shares
        loss = added(factor * one.loss for factor, one in zip(factors, found, strict=True))
        if isfinite(loss):
            _core.to_the_end(self._put, (averaged([one.numbers for one in found], shares),))
        self._end_round(loss, weight, steps)
        if steps == self.steps_per_epoch:  # the only round of its epoch, whose loss is a mean already
            self.losses[self.epoch - 1] = loss
        return loss

    def _trained(self, steps: int) -> list[Trained]:
        """Let all shards that have rows left in this epoch do so many steps; return their results."""
        engine, own = self._model.engine, [min(steps, n - self.step) for n in self._steps]
        which = [i for i, n in enumerate(own) if n > 0]
        return self._shards.call(
            train,
            which,
            [(self._seeds[i], own[i]) for i in which],
            (
                self._packed,
                Numbers(engine.parameters.copy(), engine.state.copy(), engine.t),
                rates(self._model.schedule),
                self._plan.batch_size,
                self._epoch,
                self.step,
            ),
        )

    def _put(self, numbers: Numbers) -> None:
        """Let the model have these numbers; may be repeated if interrupted."""
        engine = self._model.engine
        engine.parameters[:], engine.state[:], engine.t = numbers


def averaged(found: Sequence[Numbers], shares: Sequence[float]) -> Numbers:
    """Return the averages of numbers, weighted by these shares, whose sum is 1; t is the largest."""
    return Numbers(
        average([one.parameters for one in found], shares),
        average([one.state for one in found], shares),
        max(one.t for one in found),
    )


def average(arrays: Sequence[Array], shares: Sequence[float]) -> Array:
    """Return sum_i share_i x_i, added in order in float64 and rounded once to the dtype of the arrays.

    It is computed as x_0 + sum_i share_i (x_i - x_0), and kept between the least and the largest x_i. So the
    average of equal numbers is that number, bit for bit, and that of numbers >= 0, such as mean squares, is
    not negative.
    """
    first = arrays[0].astype(np.float64)
    total, least, most = first.copy(), arrays[0], arrays[0]
    with np.errstate(all="ignore"):  # numbers that are not finite end the fit
        for array, share in zip(arrays[1:], shares[1:], strict=True):
            total += share * (array - first)
            least, most = np.minimum(least, array), np.maximum(most, array)
        return np.clip(total, least, most).astype(arrays[0].dtype)
