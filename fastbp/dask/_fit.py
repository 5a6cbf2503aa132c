"""`fit`: trains a network on shards, in this process or on a cluster."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Literal

from fastbp import _core
from fastbp._base.arguments import flag, integer
from fastbp._data.sample_weights import ClassWeight
from fastbp._model import NOTHING, Model
from fastbp._training import train
from fastbp._training.fit import Fit
from fastbp._training.options import Options
from fastbp.callbacks import Callbacks, WeightAveraging
from fastbp.dask._census import census
from fastbp.dask._cluster import executor_of
from fastbp.dask._data import Mode, ShardData, checked_mode
from fastbp.dask._evaluation import validation_of
from fastbp.dask._executor import Executor
from fastbp.dask._rounds import Plan, Shards
from fastbp.dask._shards import loads_of
from fastbp.exceptions import ParameterError
from fastbp.history import History
from fastbp.metrics import Metrics
from fastbp.network import Network, check_network

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

    The network stays in this process: each round sends its numbers to the workers as arguments, and what
    comes back is added up here, in the order of the shards. So results depend on the arguments alone, and
    are the same bits with any number of workers and threads, wherever and however often a shard is computed,
    and with ``client=None``. All else is as for `Network.fit`: callbacks, validation, checkpoints, the progress bar.

    A round takes a task per shard, each about a millisecond beside the work; where a round has less work,
    one machine is faster.

    Parameters
    ----------
    client : distributed.Client or None
        The cluster. None: all is done in this process, one shard after the other.
    net : Network
    X, y : dask arrays, dask data frames, lists with one entry per shard, or arrays
        Inputs and targets; the chunks or partitions are the shards.
    epochs, shuffle, sample_weight, class_weight, metrics, callbacks, tol, patience, gradient_tol
        As for `Network.fit`; sample weights come in the same shards as X. The order of the rows is drawn from
        the network's seed, the shard and the epoch, for each shard alone.
    batch_size : int, >= 1, or None
        Rows per step: of all shards together, or with ``mode="local"`` of each. None: all rows, in order.
    mode : "synchronous" or "local"
        "synchronous": a round is one step of the optimizer on a batch of all shards, each of which has its share of
        the rows and computes their gradient. "local": in a round, all shards train for several steps from
        the same parameters and optimizer state, and both are then averaged, weighted by the rows. That is
        another algorithm, with far fewer rounds: for slow networks.
    shards : int, or list of callables or paths, optional
        Number of shards into which arrays are cut; or what the shards are read from, in place of X and y.
    local_steps : int, >= 1, optional
        Number of steps in a round, with ``mode="local"``; a round ends with the epoch at the latest. Default:
        all steps of an epoch.
    validation_data, validation_shards : optional
        Data to measure loss and metrics on after epochs: as for `Network.fit`, or in shards like X, y and
        `shards`.
    validation_every, max_seconds, verbose, resume
        As for `Network.fit`. A fit that continues needs the same shards and mode, but not the same cluster.
    target, weight : str, optional
        Names of the columns of targets and sample weights in data frames and Parquet files.
    max_retries : int, >= 0
        How often the task of a shard is submitted again after its worker was lost.
    timeout : float, > 0
        Seconds to wait if the cluster has no workers.

    Returns
    -------
    History
        The epochs of this call; they are also appended to the network's `history`.

    Raises
    ------
    ShapeError, DTypeError, DataError, ParameterError
        An argument is not as above, or data are not as for `Network.fit`; the error names the shard. Levenberg-
        Marquardt trains on one machine alone. With ``mode="local"``: the optimizer needs full batches,
        `gradient_tol` is given, or a callback keeps a moving average of the parameters over the steps.
    ShardError
        A shard was lost too often, or there are no workers. The network has the numbers after the last round.
    ModelFileError, DivergenceError, BusyError
        As for `Network.fit`.

    Notes
    -----
    With g_i and w_i the gradient and the total weight of the rows of shard i in a batch, synchronous steps
    are along sum_i (w_i / sum_j w_j) g_i, or the sum of the g_i for losses that are sums, computed in float64;
    penalties are added once. A batch has rows of the shards by their sizes, by Webster's method. With one
    shard, the numbers are those of `Network.fit`, bit for bit; on more, dropout and noise are drawn from the
    shard's seed.

    See Also
    --------
    fastbp.Network.fit : Trains on one machine.
    """
    check_network(net)
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
    saved = train.saved_fit(model, resume)
    executor = executor_of(client, model.engine.isa, max_retries, timeout)
    try:
        data, names = _data(
            executor, model, saved, plan, X, y, sample_weight, shards, target, weight, class_weight
        )
        validation = validation_of(
            executor,
            model,
            validation_data,
            validation_shards,
            metrics,
            every=validation_every,
            epochs=options.epochs,
            names=names,
        )
        one = train.fit_of(
            model, net, data, validation, options, callbacks=callbacks, saved=saved, names=names
        )
        return _trained(model, one, executor.isa)
    finally:
        executor.close()
