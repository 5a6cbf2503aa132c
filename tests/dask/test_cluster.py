"""`ClusterExecutor`: results, errors and what is left of it on a cluster; its arguments."""

import asyncio
import os
import threading

import numpy as np
import pytest

import fastbp
from fastbp import _core
from fastbp.dask._cluster import executor_of
from fastbp.dask._executor import Load, SerialExecutor
from helpers import shard_calls
from helpers.waiting import wait

distributed = pytest.importorskip("distributed", reason="needs distributed: pip install fastbp[dask]")

N = 5
FACTORS = [(0.5 + i,) for i in range(N)]


@pytest.fixture
def executors():
    """A function that returns the executor of a client; all are closed at the end."""
    made = []

    def executor(client, isa=None, **options):
        made.append(executor_of(client, isa, **options))
        return made[-1]

    yield executor
    for one in made:
        one.close()


def shards(executor, n=N, rows=100):
    return executor.place([Load(shard_calls.shard, (i, rows)) for i in range(n)])


def same(results, expected):
    return [one.tobytes() for one in results] == [one.tobytes() for one in expected]


def products(executor, handles, common):
    return executor.call(shard_calls.product, handles, FACTORS, (common,))


def tasks(client):
    """Return the keys that the scheduler knows, besides those of no interest to users."""
    return client.run_on_scheduler(lambda dask_scheduler: sorted(map(str, dask_scheduler.tasks)))


@pytest.mark.parametrize("size", [3, 100_000])
def test_results_are_those_of_one_process(client, executors, size):
    """What is common goes with each call if it is small, and by way of one worker if it is large."""
    common = np.linspace(0, 1, size)
    serial = executor_of(None, None)
    expected = products(serial, shards(serial), common)
    executor = executors(client)
    handles = shards(executor)
    for _ in range(2):
        assert same(products(executor, handles, common), expected)
    backwards = executor.call(shard_calls.product, handles[::-1], FACTORS[::-1], (common,))
    assert same(backwards[::-1], expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_of_one_process(executors, threads):
    """The cluster may be threads of the caller's process, too."""
    serial = executor_of(None, None)
    expected = products(serial, shards(serial), np.ones(10_000))
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=threads, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        executor = executors(client)
        assert same(products(executor, shards(executor), np.ones(10_000)), expected)
        executor.close()


def test_none_is_this_process():
    executor = executor_of(None, None)
    assert isinstance(executor, SerialExecutor)
    assert executor.isa == _core.isa()
    assert executor_of(None, "numpy").isa == "numpy"


def test_functions_of_a_script(cluster_of, executors):
    """What cannot be imported by its name is sent as a whole."""
    executor = executors(cluster_of(2))
    handles = executor.place([Load(lambda i: i, (i,)) for i in range(3)])
    assert executor.call(lambda a, b, c: (a, b, c), handles, [(1,), (2,), (3,)], ("c",)) == [
        (0, 1, "c"),
        (1, 2, "c"),
        (2, 3, "c"),
    ]


def test_delayed_arguments(cluster_of, executors):
    dask = pytest.importorskip("dask.delayed")
    base = dask.delayed(np.arange)(4)
    loads = [Load(lambda k, x, y: (k, (x + y).tolist()), (i, base + i, base)) for i in range(2)]
    expected = [(0, [0, 2, 4, 6]), (1, [1, 3, 5, 7])]
    for executor in (executors(cluster_of(2)), executors(None)):
        assert executor.call(lambda shard: shard, executor.place(loads), [()] * 2) == expected


def test_large_data_leave_the_scheduler(cluster_of, executors):
    """Arrays of the caller's are with the workers, and once; a warning would be an error here."""
    client = cluster_of(2)
    executor = executors(client)
    large = np.arange(300_000.0)
    handles = executor.place([Load(np.negative, (large,)), Load(np.negative, (large + 1,))])
    assert executor.call(shard_calls.product, handles, [(1.0,)] * 2)[1][0] == -1.0
    wait(lambda: len(tasks(client)) == 2)
    held = client.run(lambda dask_worker: [str(key) for key in dask_worker.data])
    assert sorted(key for keys in held.values() for key in keys) == tasks(client)


def test_no_calls(cluster_of, executors):
    executor = executors(cluster_of(1))
    assert executor.call(shard_calls.product, [], []) == []


def test_the_first_error_in_order(client, executors):
    """The third call fails first, the second one later: the error is the one that one process meets."""
    executor = executors(client)
    handles = shards(executor)
    own = [(None,), (1, 0.3), (2,), (None,), (None, 1.0)]
    names = [f"shard {i} of 5" for i in range(N)]
    with pytest.raises(ArithmeticError, match="call 1") as caught:
        executor.call(shard_calls.failing, handles, own, names=names)
    assert caught.value.__notes__ == ["in shard 1 of 5"]
    assert any(entry.name == "failing" for entry in caught.traceback)
    assert executor.call(shard_calls.failing, handles, [(None,)] * N) == [
        float(shard_calls.shard(i)[0]) for i in range(N)
    ]
    wait(lambda: len(tasks(executor._client)) == N)


def test_a_loader_that_raises(cluster_of, executors):
    executor = executors(cluster_of(2))
    loads = [Load(shard_calls.shard, (0,)), *(Load(shard_calls.failing_shard, (i,)) for i in (1, 2))]
    handles = executor.place(loads)
    with pytest.raises(OSError, match="no file 1") as caught:
        executor.call(shard_calls.process, handles, [()] * 3, names=["a", "b", "c"])
    assert caught.value.__notes__ == ["in b"]


def test_a_call_that_would_end_its_process(cluster_of, executors):
    """It is an error, and the workers live."""
    client = cluster_of(2)
    before = client.run(os.getpid)
    executor = executors(client)
    with pytest.raises(RuntimeError, match="SystemExit was raised on a worker: 3"):
        executor.call(shard_calls.leaving, shards(executor), [()] * N)
    assert client.run(os.getpid) == before


def test_what_cannot_be_sent(cluster_of, executors):
    """The error says so, and what Python says; the executor goes on."""
    executor, lock = executors(cluster_of(2)), threading.Lock()
    message = "cannot be sent to them.* TypeError: cannot pickle '_thread.lock'"
    with pytest.raises(fastbp.ParameterError, match=message):
        executor.place([Load(lambda: lock, ())])
    with pytest.raises(fastbp.ParameterError, match=message):
        executor.call(lambda shard: lock, shards(executor), [()] * N)
    products(executor, shards(executor), 1.0)


def test_a_task_calls_a_cluster(cluster_of):
    """A task on the only thread there is leaves it to the calls that it waits for, and takes it back."""
    client = cluster_of(1)

    def inside():
        executor = executor_of(distributed.get_client(), None)
        try:
            results = products(executor, shards(executor), 1.0)
        finally:
            executor.close()
        return results, distributed.threadpoolexecutor.thread_state.proceed

    def seceded():
        with distributed.worker_client() as own:
            executor = executor_of(own, None)
            results = products(executor, shards(executor), 1.0)
            executor.close()
            return results, True

    serial = executor_of(None, None)
    expected = products(serial, shards(serial), 1.0)
    for task in (inside, seceded):
        results, proceed = client.submit(task, pure=False).result(timeout=30)
        assert same(results, expected)
        assert proceed


def test_nothing_is_left(client, executors):
    """After a round only shards are there; after `close`, which may be repeated, nothing."""
    executor = executors(client)
    handles = shards(executor)
    products(executor, handles, np.ones(10_000))
    wait(lambda: len(tasks(client)) == N)
    executor.close()
    executor.close()
    wait(lambda: tasks(client) == [])
    with pytest.raises(fastbp.exceptions.ShardError, match="closed"):
        products(executor, handles, 1.0)


def test_close_of_a_lost_cluster(executors):
    cluster = distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=":0")
    client = distributed.Client(cluster)
    executor = executors(client)
    shards(executor)
    client.close()
    cluster.close()
    executor.close()


@pytest.mark.parametrize(
    ("client", "message"),
    [("tcp://127.0.0.1:1", "client is str, expected distributed.Client, or None"), (3, "client is int")],
)
def test_what_is_no_client(client, message):
    with pytest.raises(fastbp.ParameterError, match=message):
        executor_of(client, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_retries": -1}, "max_retries is -1, expected an integer >= 0"),
        ({"timeout": 0}, "timeout is 0, expected a finite number > 0"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(fastbp.ParameterError, match=message):
        executor_of(None, None, **options)


def test_a_client_that_is_closed(cluster_of):
    client = distributed.Client(cluster_of(1).cluster, set_as_default=False)
    client.close()
    with pytest.raises(fastbp.ParameterError, match="client is closed"):
        executor_of(client, None)


def test_a_client_that_is_asynchronous(cluster_of):
    address = cluster_of(1).scheduler.address

    async def use():
        async with distributed.Client(address, asynchronous=True, set_as_default=False) as client:
            executor_of(client, None)

    with pytest.raises(fastbp.ParameterError, match="client is asynchronous"):
        asyncio.run(use())


def test_calls_from_several_threads(cluster_of, executors):
    """Fits in several threads may share an executor."""
    executor = executors(cluster_of(2))
    handles = shards(executor)
    serial = executor_of(None, None)
    expected = [products(serial, shards(serial), float(i)) for i in range(3)]
    found = [None] * 3

    def work(i):
        found[i] = [products(executor, handles, float(i)) for _ in range(3)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(timeout=60)
    for results, wanted in zip(found, expected, strict=True):
        assert all(same(one, wanted) for one in results)
