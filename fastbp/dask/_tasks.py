"""What runs on a worker in a fit: pure functions of a `Part`, and the network that they compute with."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._architecture import Architecture
from fastbp._base.sparse import check_rows
from fastbp._data.digest import digest, digest_of_weights
from fastbp._data.sample_weights import Weights
from fastbp._engine.function_trainer import FunctionTrainer
from fastbp._engine.stepwise import weight_of
from fastbp._model import Model
from fastbp.dask._parts import Part
from fastbp.optimizers import SGD, Optimizer

if TYPE_CHECKING:
    from fastbp._data.scaling import Scaling
    from fastbp._engine.protocol import EngineClass, Rates, Run, Trainer

Array: TypeAlias = NDArray[Any]

MOST_SETTINGS, MOST_MODELS = 4, 64  # that a process keeps, and models of each


class Setting(NamedTuple):
    """A network without its numbers and its learning rate, as a fit begins with it."""

    architecture: Architecture
    engine_class: EngineClass
    isa: str
    scaling: Scaling | None = None
    target_scaling: Scaling | None = None
    optimizer: Optimizer = SGD(1.0)  # which has no state, for those who only need gradients

    @classmethod
    def of(cls, model: Model, isa: str, *, with_optimizer: bool = False) -> Setting:
        """Return the setting of a model, to be computed on this instruction set."""
        setting = cls(model.architecture, model.engine_class, isa, model.scaling, model.target_scaling)
        return setting._replace(optimizer=model.optimizer.with_learning_rate(1.0)) if with_optimizer else setting

    def without_penalties(self) -> Setting:
        """Return the setting of the same network without l1 and l2."""
        layers = tuple(layer._replace(l1=0.0, l2=0.0) for layer in self.architecture.layers)
        return self._replace(architecture=self.architecture.__replace__(layers=layers))

    def new_model(self) -> Model:
        """Return a model with parameters and optimizer state of zeros."""
        optimizer = self.optimizer
        parts = self.architecture, 0, optimizer, optimizer, optimizer.schedule(0)
        model = Model.described(*parts, self.engine_class)
        if isinstance(model.engine, _core.Engine):
            model.engine.use_isa(self.isa)
        model.scale(self.scaling, self.target_scaling)
        return model

    def model(self, parameters: Array, seed: int) -> Model:
        """Return a new model with these parameters (P,) and this seed of dropout and noise."""
        model = self.new_model()
        model.engine.parameters[:], model.engine.seed = parameters, seed
        return model


class Packed:
    """A `Setting` on its way to workers: pickled once, and unpacked where no model of it is kept.

    Attributes
    ----------
    key : bytes
        Stands for the setting in all processes.
    """

    def __init__(self, setting: Setting | None, key: bytes = b"", pickled: bytes = b"") -> None:
        self._setting, self.key, self._pickled = setting, key or os.urandom(16), pickled

    @property
    def setting(self) -> Setting:
        """The setting."""
        if self._setting is None:
            import cloudpickle  # a package of Dask's, without which nothing is packed

            self._setting = cloudpickle.loads(self._pickled)
        assert self._setting is not None
        return self._setting

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._pickled:
            import cloudpickle  # which takes functions of the user's program by value

            self._pickled = cloudpickle.dumps(self._setting)
        return Packed, (None, self.key, self._pickled)


class Models:
    """Models that no task is using, by setting: a cache of one process, of bounded size.

    A task overwrites all numbers of the model that it borrows.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._idle: OrderedDict[bytes, list[Model]] = OrderedDict()  # the last one used longest ago first

    @contextmanager
    def borrowed(self, packed: Packed) -> Iterator[Model]:
        """Lend a model; one whose task fails is not kept."""
        with self._lock:
            idle = self._idle.get(packed.key)
            model = idle.pop() if idle else None
        model = packed.setting.new_model() if model is None else model
        yield model
        with self._lock:
            kept = self._idle.setdefault(packed.key, [])
            self._idle.move_to_end(packed.key)
            if len(kept) < MOST_MODELS:
                kept.append(model)
            if len(self._idle) > MOST_SETTINGS:
                self._idle.popitem(last=False)

    def forget(self, packed: Packed) -> None:
        """Let go of the models of a setting."""
        with self._lock:
            self._idle.pop(packed.key, None)


models = Models()


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
    packed: Packed,
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
    assert part.X is not None and part.y is not None
    rows = rows_of(part, seed, epoch, start, stop)
    with models.borrowed(packed) as model:
        engine = model.engine
        engine.parameters[:], engine.seed, engine.t = parameters, seed, t
        check_rows(part.X)
        _core.check_memory(part.y)
        loss = loss_and_gradients(model.trainer, part, rows)
        return Gradient(loss, weight_of(part.X, part.weights, rows), engine.gradients.copy())


def loss_and_gradients(trainer: Trainer, part: Part, rows: Array) -> float:
    """Return the loss of rows of a part, as one batch; leave its derivatives in `Engine.gradients`."""
    assert part.X is not None and part.y is not None
    if isinstance(trainer, FunctionTrainer):
        return trainer.loss_and_gradients(part.X, part.y, part.weights, rows)
    values = None if part.weights is None else part.weights.values
    return trainer.loss_and_gradients(part.X, part.y, Weights(values, rows))


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
    packed: Packed,
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
    assert part.X is not None and part.y is not None
    size = part.n_rows if batch_size is None else min(batch_size, part.n_rows)
    with models.borrowed(packed) as model:
        engine = model.engine
        engine.parameters[:], engine.state[:], engine.t = numbers
        engine.seed = seed
        engine.set_schedule(*rates)
        run = model.trainer.begin(
            part.X,
            part.y,
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
        weight, loss = weight_of(part.X, part.weights, rows), float(run.losses[0])
        if run.epoch == 0:
            _, _, loss, total = run.progress
            loss = loss if model.architecture.loss.divisor == "one" else loss / total
        return Trained(loss, weight, Numbers(engine.parameters.copy(), engine.state.copy(), engine.t))


def _advance(run: Run, steps: int) -> bool:
    """Do so many steps of a run of one epoch; return False if a loss is not finite."""
    if run.step + steps == run.steps_per_epoch:
        return run.advance(1, inf)
    return all(run.advance(1, 0.0) for _ in range(steps))


def digests(part: Part) -> tuple[str, str, str]:
    """Return digests of X, y and the weights of a part."""
    return digest(part.X), digest(part.y), digest_of_weights(part.weights)


def rows_at(part: Part, at: Array) -> tuple[Any, Array, Array | None]:
    """Return X, y and weights of some of the rows of a part that are trained on; None: all weigh 1."""
    assert part.X is not None and part.y is not None
    weights = part.weights
    if weights is not None and weights.rows is not None:
        at = weights.rows[at]
    X = part.X[at]
    values = None if weights is None or weights.values is None else weights.values[at]
    return (X if isinstance(X, np.ndarray) else X.to_scipy()), part.y[at], values
