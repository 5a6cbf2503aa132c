"""`fit`: trains a network on shards, in this process or on a cluster."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Literal

from fastbp import _core
from fastbp._data.sample_weights import ClassWeight
from fastbp._model import NOTHING, Model
from fastbp._training import train
from fastbp._training.fit import Fit
from fastbp._training.options import Options
from fastbp.callbacks import Callbacks
from fastbp.dask._census import census
from fastbp.dask._cluster import check_first, executor_of
from fastbp.dask._data import ShardData
from fastbp.dask._evaluation import validation_of
from fastbp.dask._executor import Executor
from fastbp.dask._plan import Mode, Plan
from fastbp.dask._rounds import Shards
from fastbp.dask._shards import loads_of
from fastbp.history import History
from fastbp.metrics import Metrics
from fastbp.network import Network

if TYPE_CHECKING:
    from os import PathLike

    from fastbp._training.resuming import Found


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
    target: Any = None,
    weight: str | None = None,
    max_retries: int = 3,
    timeout: float = 300.0,
) -> History:
    """Train a network on shards of data, by the workers of a Dask cluster or in this process.

    The network stays in this process. Each round sends its numbers to the workers as arguments, and what
    comes back is added up here, in the order of the shards. So results depend on the arguments and on the
    instruction set that all machines share, and on nothing else: they are the same bits for any number of
    workers and threads, wherever and however often a shard is computed, and for ``client=None``. Callbacks,
    validation, checkpoints and the progress bar are those of `Network.fit`.

    A round has one task per shard. Beside their work, it costs about ten milliseconds, and two per task.
    Where a round has less work than that, one machine is faster. Rows are not split off from shards, so there
    is no `validation_split`.

    Parameters
    ----------
    client : distributed.Client or None
        The cluster. None: all is done in this process, one shard after the other.
    net : Network
    X, y : dask arrays, dask data frames, lists with one entry per shard, or arrays
        Inputs and targets. Chunks of rows, partitions or entries are the shards: arrays, frames or delayed
        objects. Chunks may have unknown sizes, and shards may be empty. What is in memory is cut into
        `shards` parts of consecutive rows. Frames are read by name, as in `Network.fit`.
    epochs, sample_weight, class_weight, metrics, callbacks, tol, patience, gradient_tol
        As for `Network.fit`; sample weights come in the same shards as X. With ``mode="local"``,
        `on_batch_end` is called after each round.
    batch_size : int, >= 1, or None
        Rows per step: of all shards together, or with ``mode="local"`` of each. None: all rows in one batch.
    mode : "synchronous" or "local"
        "synchronous": a round is one step of the optimizer on a batch with rows of all shards. "local": in a
        round all shards train for several steps from the same parameters and optimizer state, and both are
        then averaged, weighted by the rows. This is another algorithm with far fewer rounds, for slow
        connections.
    shards : int or list, optional
        Number of parts that X and y in memory are cut into; default: 8, or fewer for fewer rows. It decides
        the results, the cluster does not. Or, in place of X and y, a list of what each shard is read from by
        a worker: a callable ``() -> (X, y)`` or ``() -> (X, y, sample_weight)``; a delayed object with such a
        value; or files that all workers can open: .npz with the arrays X, y and perhaps sample_weight; a pair
        or triple of .npy, mapped into memory; or Parquet, a file or a folder.
    local_steps : int, >= 1, optional
        Number of steps in a round with ``mode="local"``; a round ends with the epoch at the latest. Default:
        all steps of an epoch.
    shuffle : bool
        Whether to visit the rows of each shard in a new random order in every epoch, which the network's
        seed, the shard and the epoch determine.
    validation_data, validation_shards : optional
        Data to measure loss and metrics on after epochs, as X and y or like `shards`.
    validation_every, max_seconds, verbose, resume
        As for `Network.fit`. A fit that continues needs the same shards, but not the same cluster.
    target : str or list of str, optional
        Column or columns of the targets in Parquet files. All others are inputs, or those that are called
        like the network's `feature_names`.
    weight : str, optional
        Column of the sample weights in Parquet files.
    max_retries : int, >= 0
        How often, in a round, the task of a shard is submitted again after it was lost with its workers. Dask
        gives up a task when so many workers have died with it as its option
        "distributed.scheduler.allowed-failures" says and one more: 4 by default.
    timeout : float, > 0
        Seconds for which there may be no worker that can compute.

    Returns
    -------
    History
        The epochs of this call; they are also appended to the network's `history`.

    Raises
    ------
    ShapeError, DTypeError, DataError, ParameterError
        An argument is not as above, or data are not as for `Network.fit`; the error names the shard. The
        optimizer is Levenberg-Marquardt. With ``mode="local"``: the optimizer needs full batches, there is a
        `gradient_tol`, or a callback keeps a moving average of the parameters over the steps.
    ShardError
        A shard was lost too often, or there were no workers. The network has the numbers of the last round.
    ModelFileError, DivergenceError, BusyError
        As for `Network.fit`.

    Notes
    -----
    With the gradient g_i and the total weight w_i of the rows of shard i in a batch, a synchronous step goes
    along sum_i (w_i / sum_j w_j) g_i, or along sum_i g_i if the loss is a sum, computed in float64; penalties
    are added once. A loss function of your own has to return the mean over the rows that it gets. A batch has
    rows of the shards in proportion to their sizes, by Webster's method. In a fit of one shard the bits are
    those of `Network.fit`. Each shard has its own random numbers for dropout and noise.

    Networks of `fastbp.reference` multiply by NumPy's BLAS, whose last bits can depend on its threads.

    See Also
    --------
    fastbp.Network.fit : Trains on one machine.
    """
    check_first(client, net)
    model: Model = net._model
    model.check_trainable()
    options = Options(
        epochs=epochs,
        tol=tol,
        patience=patience,
        gradient_tol=gradient_tol,
        max_seconds=max_seconds,
        verbose=verbose,
    )
    plan = Plan.checked(mode, batch_size, shuffle, local_steps)
    saved = None if resume is None else train.saved_fit(model, resume)
    executor = executor_of(client, model.engine.isa, max_retries, timeout)
    try:
        return _train(
            model,
            net,
            executor,
            plan,
            options,
            saved,
            callbacks,
            {
                "X": X,
                "y": y,
                "sample_weight": sample_weight,
                "shards": shards,
                "target": target,
                "weight": weight,
                "class_weight": class_weight,
            },
            {
                "validation_data": validation_data,
                "validation_shards": validation_shards,
                "metrics": metrics,
                "every": validation_every,
                "epochs": options.epochs,
                "target": target,
                "weight": weight,
            },
        )
    finally:
        executor.close()


def _train(model: Model, net: Network, executor: Executor, *arguments: Any) -> History:
    """Do a fit, for whose time the model's engine computes on the instruction set of all machines."""
    one = _prepared(model, net, executor, *arguments)
    engine, isa = model.engine, executor.isa

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


def _prepared(
    model: Model,
    net: Network,
    executor: Executor,
    plan: Plan,
    options: Options,
    saved: Found | None,
    callbacks: Callbacks | None,
    data_arguments: dict[str, Any],
    validation_arguments: dict[str, Any],
) -> Fit:
    """Return a fit whose arguments are checked and whose shards are loaded."""
    plan.check_callbacks(callbacks)
    checks = copy(model.checks)
    if saved is not None:
        checks.feature_names = saved.model.feature_names or checks.feature_names
    handles = executor.place(loads_of(executor, checks, **data_arguments))
    found = census(executor, handles)
    data = ShardData(Shards(executor, handles, found.rows, found.digests), plan)
    validation = validation_of(executor, model, **validation_arguments, names=found.names)
    return train.fit_of(
        model, net, data, validation, options, callbacks=callbacks, saved=saved, names=found.names
    )
