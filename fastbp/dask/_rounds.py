"""A training run whose steps are rounds of calls on shards: what both modes have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import nan
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import NDArray

from fastbp._core import checked_progress
from fastbp._engine.stepwise import RunInSteps
from fastbp._model import Model
from fastbp.dask._executor import Executor, names_of_shards
from fastbp.dask._parts import Digests, Part, shard_seed
from fastbp.dask._plan import Plan
from fastbp.dask._setting import PackedSetting, Setting, models
from fastbp.exceptions import DataError

Array: TypeAlias = NDArray[Any]


class Shards(NamedTuple):
    """The shards of a fit, and what calls functions on them."""

    executor: Executor
    handles: Sequence[Any]
    rows: tuple[int, ...]  #: Number of rows of each shard with a nonzero weight; 0: it gets no calls.
    digests: tuple[Digests | None, ...]  #: Those of each shard, if it may be loaded again.

    def call(
        self,
        function: Callable[..., Any],
        which: Sequence[int],
        own: Sequence[tuple[Any, ...]],
        common: tuple[Any, ...] = (),
    ) -> list[Any]:
        """Return the results of calls on these shards, in their order."""
        names = names_of_shards(len(self.handles))
        handles = [self.handles[i] for i in which]
        own = [(self.digests[i], arguments) for i, arguments in zip(which, own, strict=True)]
        return self.executor.call(on_same, handles, own, (function, *common), [names[i] for i in which])


def on_same(
    part: Part, digests: Digests | None, own: tuple[Any, ...], function: Callable[..., Any], *common: Any
) -> Any:
    """Return ``function(part, *own, *common)``; DataError if the part is not what it was at first."""
    if digests is not None and part.digests() != digests:
        raise DataError(
            "the shard was loaded again, after its worker was lost, and has other data than at first: "
            "expected the same rows in the same order"
        )
    return function(part, *own, *common)


class Rounds(RunInSteps):
    """A training run over shards; see `fastbp._engine.protocol.Run`.

    All numbers are those of the model, which a round changes at its end.

    Parameters
    ----------
    model : Model
    shards : Shards
    plan : Plan
    setting : Setting
        What workers compute with.
    first_epoch : int
        Number of epochs of the network before the run.
    epochs : int
    """

    def __init__(
        self,
        model: Model,
        shards: Shards,
        plan: Plan,
        setting: Setting,
        first_epoch: int,
        epochs: int,
    ) -> None:
        super().__init__(model.architecture.loss, epochs)
        self._model, self._shards, self._plan = model, shards, plan
        self._packed, self._first_epoch = PackedSetting(setting), first_epoch
        self._seeds = [shard_seed(model.seed, i) for i in range(len(shards.rows))]
        self.steps_per_epoch = plan.steps_per_epoch(shards.rows)

    def resume(self, progress: tuple[int, int, float, float]) -> None:
        """Continue a run of the same shards and options, whose `progress` this was."""
        self.epoch, self.step, self._sum, self._weight = checked_progress(self, progress)
        self.losses[: self.epoch] = nan

    def close(self) -> None:
        """Let go of what this process has made to compute with."""
        models.forget(self._packed)

    @property
    def _epoch(self) -> int | None:
        """The present epoch of the network; None if it does not shuffle the rows."""
        return self._first_epoch + self.epoch if self._plan.is_random else None

    def _end_round(self, loss: float, weight: float, steps: int) -> None:
        """Count a round of so many steps, whose rows had this loss and this weight."""
        self._count(loss, weight)
        self.step += steps - 1
        if self.step == self.steps_per_epoch:
            self._end_epoch()


def added(numbers: Iterable[float]) -> float:
    """Return the sum of numbers, each added to those before it.

    `sum` corrects rounding errors since Python 3.12, so its bits depend on the version of Python.
    """
    total = 0.0
    for number in numbers:
        total += number
    return total
