"""`ShardData`: shards as the data of a fit."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from fastbp._base.philox import some_rows
from fastbp._base.shown import shown
from fastbp._model import Model
from fastbp._training.data import Data
from fastbp.callbacks import Sample
from fastbp.dask._local import LocalRun, steps_of
from fastbp.dask._rounds import Plan, Rounds, Shards
from fastbp.dask._synchronous import SynchronousRun
from fastbp.dask._tasks import digests, rows_at
from fastbp.exceptions import ParameterError
from fastbp.optimizers import GradientOptimizer

if TYPE_CHECKING:
    from fastbp._training.options import Options

Mode: TypeAlias = Literal["synchronous", "local"]

RUNS: dict[str, Callable[..., Rounds]] = {"synchronous": SynchronousRun, "local": LocalRun}


class ShardData(Data):
    """The shards of a fit, and how steps are made from them.

    Parameters
    ----------
    shards : Shards
        At least one has rows.
    mode : "synchronous" or "local"
    plan : Plan
        Its arguments are checked.
    """

    def __init__(self, shards: Shards, mode: Mode, plan: Plan) -> None:
        self._shards, self._mode, self._plan = shards, mode, plan
        self.isa = shards.executor.isa
        self._total = sum(shards.rows)
        self._batch_size = self._total if plan.batch_size is None else min(plan.batch_size, self._total)
        is_local = mode == "local"
        self.steps_per_epoch = max(steps_of(shards, plan)) if is_local else -(-self._total // self._batch_size)
        self.options = {"mode": mode, "batch_size": plan.batch_size, "shuffle": plan.shuffle}
        self.options |= {"local_steps": plan.local_steps, "rows of the shards": list(shards.rows)}

    def check(self, model: Model, options: Options) -> None:
        """Raise ParameterError unless the optimizer and the options go with the mode and the batches."""
        optimizer = model.optimizer
        if not isinstance(optimizer, GradientOptimizer):
            raise ParameterError(
                f"optimizer is {optimizer} in fastbp.dask.fit, expected one that makes steps along gradients, "
                "such as adam"
            )
        if self._mode == "local":
            self._check_local(optimizer, options)
            return
        if options.gradient_tol is not None and self._batch_size < self._total:
            raise ParameterError(
                f"gradient_tol is {options.gradient_tol} with batch_size={self._plan.batch_size} for "
                f"{self._total} rows, expected batch_size=None: only the full-batch gradient goes to 0 at the "
                "minimum"
            )
        optimizer.check(model.architecture, self._batch_size, self._total)

    def _check_local(self, optimizer: GradientOptimizer, options: Options) -> None:
        if options.gradient_tol is not None:
            raise ParameterError(
                f"gradient_tol is {options.gradient_tol} with mode='local', expected None: no one has the "
                "gradient of all rows"
            )
        if optimizer.full_batch:
            raise ParameterError(
                f"optimizer is {optimizer} with mode='local', expected mode='synchronous': "
                f"{type(optimizer).__name__} {optimizer.why_full_batch}"
            )

    def begin(self, model: Model, options: Options, first_epoch: int) -> Rounds:
        """Return a run of the mode; nothing is computed yet."""
        plan = self._plan
        plan = plan._replace(shuffle=plan.shuffle and plan.batch_size is not None)  # one batch needs no order
        run = RUNS[self._mode](model, self._shards, plan, self.isa, first_epoch, options.epochs)
        self._ends = [run.close]
        return run

    def digests(self) -> dict[str, str]:
        """Return a digest of each argument that has data."""
        which = self._with_rows()
        found = self._shards.call(digests, which, [()] * len(which))
        names = "X", "y", "sample_weight or class_weight"
        return {
            name: blake2b(" ".join(texts).encode(), digest_size=16).hexdigest()
            for name, texts in zip(names, zip(*found, strict=True), strict=True)
        }

    def sample(self, seed: int, rows: int) -> Sample | None:
        """Return up to so many of the rows that are trained on, from all shards."""
        at, ends = some_rows(seed, self._total, rows), np.cumsum(self._shards.rows)
        cuts = np.split(at, np.searchsorted(at, ends[:-1]))
        own = [cut - end + n for cut, end, n in zip(cuts, ends, self._shards.rows, strict=True)]
        which = [i for i in self._with_rows() if len(own[i])]
        found = self._shards.call(rows_at, which, [(own[i],) for i in which])
        Xs, ys, weights = zip(*found, strict=True)
        return _stacked(Xs), np.concatenate(ys), _together(weights, ys)

    def _with_rows(self) -> list[int]:
        return [i for i, n in enumerate(self._shards.rows) if n]


def _stacked(Xs: tuple[Any, ...]) -> Any:
    """Return the rows of arrays, or of SciPy's sparse arrays, in one."""
    if isinstance(Xs[0], np.ndarray):
        return np.concatenate(Xs)
    from fastbp._base.optional import scipy

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


def checked_mode(mode: Any) -> Mode:
    """Return the argument `mode` of a fit."""
    if isinstance(mode, str) and mode in RUNS:
        return "local" if mode == "local" else "synchronous"
    raise ParameterError(f"mode is {shown(mode)}, expected 'synchronous' or 'local'")
