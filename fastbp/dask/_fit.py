"""`fit`: trains a network on shards, in this process or on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike

from fastbp import _core
from fastbp._base.arguments import flag, integer
from fastbp._data.sample_weights import ClassWeight
from fastbp._model import NOTHING, Model
from fastbp._training import train
from fastbp._training.fit import Fit
from fastbp._training.options import Options
from fastbp._training.validation import held_out
from fastbp.callbacks import Callbacks, WeightAveraging
from fastbp.dask._data import Mode, ShardData, checked_mode
from fastbp.dask._executor import Executor, SerialExecutor
from fastbp.dask._rounds import Plan, Shards
from fastbp.dask._shards import loads_of
from fastbp.exceptions import ParameterError
from fastbp.history import History
from fastbp.metrics import Metrics
from fastbp.network import Network, check_network

if TYPE_CHECKING:
    from os import PathLike


def fit(
    client: Any,
    net: Network,
    X: Any = None,
    y: Any = None,
    *,
    epochs: int = 1,
    batch_size: int | None = 32,
    mode: Mode = "synchronous",
    shards: Any = None,
    local_steps: int | None = None,
    shuffle: bool = True,
    sample_weight: Any = None,
    class_weight: ClassWeight | None = None,
    validation_data: Any = None,
    validation_shards: Any = None,
    validation_every: int = 1,
    metrics: Metrics | None = None,
    callbacks: Callbacks | None = (),
    tol: float | None = None,
    patience: int = 10,
    gradient_tol: float | None = None,
    max_seconds: float | None = None,
    verbose: int | Literal["auto"] = 0,
    resume: str | PathLike[str] | None = None,
    target: str | None = None,
    weight: str | None = None,
    max_retries: int = 3,
    timeout: float = 300.0,
) -> History:
    """Train.
    """
    check_network(net)
    model: Model = net._model
    model.check_trainable()
    mode = checked_mode(mode)
    plan = Plan(
        None if batch_size is None else integer("batch_size", batch_size, at_least=1),
        flag("shuffle", shuffle),
        None if local_steps is None else integer("local_steps", local_steps, at_least=1),
    )
    executor = SerialExecutor(_isa_of(model))
    try:
        loads = loads_of(model, X, y, sample_weight, class_weight, shards)
        handles = executor.place(loads)
        rows = executor.call(lambda part: part.n_rows, handles, [()] * len(handles))
        data = ShardData(Shards(executor, handles, tuple(rows)), mode, plan)
        options = Options(epochs=epochs, tol=tol, patience=patience, gradient_tol=gradient_tol,
                          max_seconds=max_seconds, verbose=verbose)
        saved = train.saved_fit(model, resume)
        validation = held_out(model, validation_data, None, metrics, every=validation_every, epochs=options.epochs)
        one = train.fit_of(model, net, data, validation, options, callbacks=callbacks, saved=saved, names=None)
        return _trained(model, one, executor.isa)
    finally:
        executor.close()


def _isa_of(model: Model) -> str | None:
    """Return the instruction set of the model's engine; None: it has none."""
    return model.engine.isa if isinstance(model.engine, _core.Engine) else None


def _trained(model: Model, one: Fit, isa: str) -> History:
    """Do a fit, for whose time the model's engine computes on this instruction set."""
    engine = model.engine

    def work() -> History:
        own = engine.isa
        if not isinstance(engine, _core.Engine) or own == isa:
            return one.run()
        try:
            engine.use_isa(isa)
            return one.run()
        finally:
            _core.to_the_end(engine.use_isa, (own,))

    history: History = model.guard.writing("fit", NOTHING, work, undo=one.recover)
    return history
