"""`ShardData`: shards as the data of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._base.optional import scipy
from fastbp._base.philox import some_rows
from fastbp._model import Model
from fastbp._training.data import Data
from fastbp.callbacks import Sample
from fastbp.dask._census import digests
from fastbp.dask._local import LocalRun
from fastbp.dask._plan import Plan
from fastbp.dask._rounds import Rounds, Shards
from fastbp.dask._synchronous import SynchronousRun
from fastbp.dask._tasks import rows_at

if TYPE_CHECKING:
    from fastbp._engine.protocol import Run
    from fastbp._training.options import Options


class ShardData(Data):
    """The shards of a fit, and how steps are made from them.

    Parameters
    ----------
    shards : Shards
        At least one has rows.
    plan : Plan
    """

    def __init__(self, shards: Shards, plan: Plan) -> None:
        self._shards, self._plan = shards, plan
        self.isa = shards.executor.isa
        self.steps_per_epoch = plan.steps_per_epoch(shards.rows)
        self.options = {**plan._asdict(), "rows of the shards": list(shards.rows)}

    def check(self, model: Model, options: Options) -> None:
        """Raise ParameterError unless the optimizer and the options go with the plan."""
        self._plan.check(model, sum(self._shards.rows), options.gradient_tol)

    def begin(self, model: Model, options: Options, first_epoch: int) -> Run:
        """Return a run of the mode; nothing is computed yet."""
        run_class = LocalRun if self._plan.mode == "local" else SynchronousRun
        run: Rounds = run_class(model, self._shards, self._plan, first_epoch, options.epochs)
        self._ends = [run.close]
        return run

    def digests(self) -> dict[str, str]:
        """Return a digest of each argument that has data."""
        return digests(self._shards.executor, self._shards.handles)

    def sample(self, seed: int, rows: int) -> Sample | None:
        """Return up to so many of the rows that are trained on, from all shards."""
        at, ends = some_rows(seed, sum(self._shards.rows), rows), np.cumsum(self._shards.rows)
        cuts = np.split(at, np.searchsorted(at, ends[:-1]))
        own = [cut - end + n for cut, end, n in zip(cuts, ends, self._shards.rows, strict=True)]
        which = [i for i, rows_of_shard in enumerate(own) if len(rows_of_shard)]
        found = self._shards.call(rows_at, which, [(own[i],) for i in which])
        Xs, ys, weights = zip(*found, strict=True)
        return _stacked(Xs), np.concatenate(ys), _together(weights, ys)


def _stacked(Xs: tuple[Any, ...]) -> Any:
    """Return the rows of arrays, or of SciPy's sparse arrays, in one."""
    if isinstance(Xs[0], np.ndarray):
        return np.concatenate(Xs)
    return scipy("sparse", "sample").vstack(Xs)


def _together(weights: tuple[Any, ...], ys: tuple[Any, ...]) -> Any:
    """Return the weights of all rows; those of a shard may be None, for 1."""
    if all(one is None for one in weights):
        return None
    columns = max(0 if one is None or one.ndim == 1 else one.shape[1] for one in weights)
    found = [np.ones(len(y)) if one is None else one for one, y in zip(weights, ys, strict=True)]
    if columns:
        found = [np.broadcast_to(one.reshape(len(one), -1), (len(one), columns)) for one in found]
    return np.concatenate(found)
