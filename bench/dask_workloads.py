"""What `bench_dask.py` trains, in each way; workers import this module, too.

`synchronous_round` and `local_round` say what the tasks of a mode send and compute, for the model in
`cluster_costs.py`.
"""

import warnings
from dataclasses import replace
from functools import partial
from operator import getitem
from time import perf_counter

import numpy as np

import fastbp
import fastbp.dask
from cluster_costs import Round
from fastbp.cli.bench import Workload
from workloads import MNIST, WIDE, adam

SHARDS = 4
QUICK = replace(MNIST, name="quick", optimizer=adam, batches=80)  # a step takes a tenth of a millisecond
SLOW = replace(WIDE, name="slow", batch_size=8192, batches=4)  # a step takes a tenth of a second
EPOCHS = 5  # per timing; the first one does not count


def shard(workload: Workload, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a shard, (n, n_in), and their labels, (n,)."""
    X, y = workload.data()
    return np.array_split(X, SHARDS)[i].copy(), np.array_split(y, SHARDS)[i].copy()


def rows(workload: Workload) -> int:
    """Return the number of rows of an epoch."""
    return workload.batch_size * workload.batches


def on_this_machine(workload: Workload, threads: int) -> list[float]:
    """Return the seconds of each epoch of `Network.fit`, but the first."""
    X, y = workload.data()
    with fastbp.threads(threads):
        history = workload.network().fit(X, y, epochs=EPOCHS, batch_size=workload.batch_size)
    return history.seconds[1:]


def on_workers(workload: Workload, mode: str, client) -> list[float]:
    """Return the seconds of each epoch of `fastbp.dask.fit`, but the first, whose time is that of loading."""
    history = fastbp.dask.fit(
        client,
        workload.network(),
        shards=[partial(shard, workload, i) for i in range(SHARDS)],
        mode=mode,
        epochs=EPOCHS,
        batch_size=workload.batch_size,
    )
    return history.seconds[1:]


def by_incremental(workload: Workload, client) -> list[float]:
    """Return the seconds of each pass of dask-ml's Incremental over scikit-learn's MLP, but the first.

    Its blocks are the shards; they are in the memory of the workers before the time begins.
    """
    from dask_ml.wrappers import Incremental
    from sklearn.neural_network import MLPClassifier

    mlp = MLPClassifier(
        workload.layers[1:-1],
        activation=workload.activation,
        alpha=0,
        batch_size=min(workload.batch_size, rows(workload) // SHARDS),  # a batch is within a block
        learning_rate_init=workload.optimizer.learning_rate,
        random_state=0,
    )
    model, classes, seconds = Incremental(mlp), range(workload.layers[-1]), []
    with client.as_current(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")  # it sends the weights in it
        X, y = blocks(workload, client)
        for _ in range(EPOCHS):
            start = perf_counter()
            model.partial_fit(X, y, classes=classes)
            seconds.append(perf_counter() - start)
    return seconds[1:]


def blocks(workload: Workload, client):
    """Return dask arrays of inputs and labels whose blocks are the shards, in the memory of the workers."""
    import dask.array as da
    from distributed import wait

    parts = [client.submit(shard, workload, i) for i in range(SHARDS)]
    wait(parts)
    lengths = client.gather(client.map(rows_of, parts))

    def joined(k, shape, dtype):
        taken = client.map(getitem, parts, [k] * SHARDS)
        arrays = zip(taken, lengths, strict=True)
        return da.concatenate([da.from_delayed(array, (n, *shape), dtype) for array, n in arrays])

    return joined(0, workload.layers[:1], np.float32), joined(1, (), np.int64)


def rows_of(part: tuple[np.ndarray, np.ndarray]) -> int:
    """Return the number of rows of a shard."""
    return len(part[1])


# ---- what the model has to know ----------------------------------------------------------------------------


def least_seconds(function, times: int = 5) -> float:
    """Return the least time that a call takes."""
    function()
    found = []
    for _ in range(times):
        start = perf_counter()
        function()
        found.append(perf_counter() - start)
    return min(found)


def synchronous_round(workload: Workload, tasks: int = SHARDS, size: int | None = None) -> Round:
    """Return the round of a step with so many tasks, timed on one thread; `size` is that of the batch."""
    X, y = workload.data()
    net, n = workload.network(), -(-(size or workload.batch_size) // tasks)
    with fastbp.threads(1):
        work = least_seconds(lambda: net.loss_and_gradients(X[:n], y[:n]))
        gradient = net.loss_and_gradients(X[:n], y[:n])[1]  # (P,)
        caller = least_seconds(lambda: summed([gradient] * tasks)) + update_seconds(workload)
    return Round(tasks, gradient.nbytes, gradient.nbytes, work, caller)


def local_round(workload: Workload, tasks: int = SHARDS, epochs: int = 1) -> Round:
    """Return the round of so many epochs of the rows of a shard, timed on one thread."""
    X, y = shard(workload, 0)
    net = workload.network()
    with fastbp.threads(1):
        work = least_seconds(lambda: net.fit(X, y, batch_size=workload.batch_size), times=2)
    # parameters and the two moments of Adam go both ways
    numbers = np.tile(net.parameters, 3)  # (3 P,)
    caller = least_seconds(lambda: summed([numbers] * tasks))
    return Round(tasks, numbers.nbytes, numbers.nbytes, epochs * work, caller)


def summed(arrays: list[np.ndarray]) -> np.ndarray:
    """Return the mean of arrays, added in double precision."""
    total = np.zeros(len(arrays[0]))
    for array in arrays:
        total += array / len(arrays)
    return total.astype(arrays[0].dtype)


def update_seconds(workload: Workload) -> float:
    """Return how long the optimizer takes: a step on one row less its gradient."""
    net, (X, y) = workload.network(), workload.data()
    step = least_seconds(lambda: net.train_on_batch(X[:1], y[:1]))
    return max(0.0, step - least_seconds(lambda: net.loss_and_gradients(X[:1], y[:1])))
