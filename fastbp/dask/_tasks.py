"""What runs on workers in a fit: pure functions of a `Part`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._base.sparse import Rows, check_rows
from fastbp._data.sample_weights import Weights
from fastbp._engine.function_trainer import FunctionTrainer
from fastbp._engine.stepwise import weight_of
from fastbp.dask._parts import Part
from fastbp.dask._setting import PackedSetting, models
from fastbp.dask._worker import CancelledTaskError, is_cancelled

if TYPE_CHECKING:
    from fastbp._engine.protocol import Rates, Run, Trainer

Array: TypeAlias = NDArray[Any]

SLICE = 1.0  # seconds between two looks at whether a task was cancelled


class Gradient(NamedTuple):
    """The loss of some rows and its derivatives."""

    loss: float
    weight: float  #: Total weight of the rows.
    derivatives: Array  #: (P,), in the network's dtype.


def gradient(
    part: Part,
    seed: int,
    start: int,
    stop: int,
    packed: PackedSetting,
    parameters: Array,
    t: int,
    epoch: int | None,
) -> Gradient:
    """Return the gradient of the rows `start` to `stop` of a part, in its order of an epoch.

    Parameters
    ----------
    seed : int
        Seed of the shard.
    parameters : array (P,)
    t : int
        Number of optimizer steps done.
    epoch : int or None
        The epoch of the network; None: the rows are not shuffled.
    """
    X, y = examples_of(part)
    rows = rows_of(part, seed, epoch, start, stop)
    with models.borrowed(packed) as model:
        engine = model.engine
        engine.parameters[:], engine.seed, engine.t = parameters, seed, t
        loss = loss_and_gradients(model.trainer, X, y, part.weights, rows)
        return Gradient(loss, weight_of(X, part.weights, rows), engine.gradients.copy())


def examples_of(part: Part) -> tuple[Rows, Array]:
    """Return X and y of a part, which has rows; in this process they may be arrays of the user."""
    assert part.X is not None
    assert part.y is not None
    check_rows(part.X)
    _core.check_memory(part.y)
    return part.X, part.y


def loss_and_gradients(trainer: Trainer, X: Rows, y: Array, weights: Weights | None, rows: Array) -> float:
    """Return the loss of some rows as one batch; leave its derivatives in `Engine.gradients`."""
    if isinstance(trainer, FunctionTrainer):
        return trainer.loss_and_gradients(X, y, weights, rows)
    return trainer.loss_and_gradients(X, y, Weights(None if weights is None else weights.values, rows))


def rows_of(part: Part, seed: int, epoch: int | None, start: int, stop: int) -> Array:
    """Return the rows `start` to `stop` of a part in its order of an epoch; None: not shuffled."""
    if epoch is not None:
        return part.order(seed, epoch)[start:stop]
    if part.weights is not None and part.weights.rows is not None:
        return part.weights.rows[start:stop]
    return np.arange(start, stop, dtype=np.int64)


class Numbers(NamedTuple):
    """What steps of an optimizer change."""

    parameters: Array  #: (P,)
    state: Array  #: (vectors, P)
    t: int  #: Number of steps done.


class Trained(NamedTuple):
    """What some steps on a shard have led to."""

    loss: float  #: Mean over the rows of the steps, or the sum of sums; NaN or infinite: the last step's.
    weight: float  #: Total weight of the rows.
    numbers: Numbers


def train(
    part: Part,
    seed: int,
    steps: int,
    packed: PackedSetting,
    numbers: Numbers,
    rates: Rates,
    batch_size: int | None,
    epoch: int | None,
    done: int,
) -> Trained:
    """Do steps on the next rows of a part, in its order of an epoch, of which some are done.

    Parameters
    ----------
    seed : int
        Seed of the shard.
    steps : int
        Number of steps to do; there are as many up to the end of the epoch.
    numbers : Numbers
        Those of all shards, from which the steps start.
    rates : tuple
        The learning rates, as `Engine.set_schedule` takes them.
    batch_size : int or None
        Rows per step; None: all.
    epoch : int or None
        The epoch of the network; None: the rows are not shuffled.
    done : int
        Number of steps of this epoch that were done before.
    """
    X, y = examples_of(part)
    size = part.n_rows if batch_size is None else min(batch_size, part.n_rows)
    with models.borrowed(packed) as model:
        engine = model.engine
        engine.parameters[:], engine.state[:], engine.t = numbers
        engine.seed = seed
        engine.set_schedule(*rates)
        run = model.trainer.begin(
            X,
            y,
            weights=part.weights,
            batch_size=size,
            shuffle=epoch is not None,
            seed=seed,
            first_epoch=epoch or 0,
            epochs=1,
            stored=False,
        )
        if done:
            run.resume((0, done, 0.0, 0.0))
        if not _advance(run, steps):
            return Trained(run.batch_loss, 0.0, numbers)
        rows = rows_of(part, seed, epoch, done * size, min((done + steps) * size, part.n_rows))
        weight, loss = weight_of(X, part.weights, rows), float(run.losses[0])
        if run.epoch == 0:
            _, _, loss, total = run.progress
            loss = loss if model.architecture.loss.divisor == "one" else loss / total
        return Trained(loss, weight, Numbers(engine.parameters.copy(), engine.state.copy(), engine.t))


def _advance(run: Run, steps: int) -> bool:
    """Do so many steps of a run of one epoch; return False if a loss is not finite."""
    if run.step + steps < run.steps_per_epoch:
        return all(run.advance(1, 0.0) for _ in range(steps))
    while run.epoch == 0:
        if is_cancelled():
            raise CancelledTaskError
        if not run.advance(1, SLICE):
            return False
    return True


def rows_at(part: Part, at: Array) -> tuple[Any, Array, Array | None]:
    """Return X, y and weights of some of the rows of a part that are trained on; None: all weigh 1."""
    X, y = examples_of(part)
    weights = part.weights
    if weights is not None and weights.rows is not None:
        at = weights.rows[at]
    X = X[at]
    values = None if weights is None or weights.values is None else weights.values[at]
    return (X if isinstance(X, np.ndarray) else X.to_scipy()), y[at], values
