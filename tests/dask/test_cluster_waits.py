"""Waits for a cluster end: in time, with an error that tells why, and without noise."""

import asyncio
import gc
import os
import signal
import threading
import time

import numpy as np
import pytest

from fastbp.dask import _workers
from fastbp.dask._cluster import executor_of
from fastbp.dask._executor import Load
from fastbp.exceptions import ShardError
from helpers import shard_calls
from helpers.waiting import wait

distributed = pytest.importorskip("distributed", reason="needs distributed: pip install fastbp[dask]")

N = 4
LARGE = np.arange(100_000.0)  # is not part of a graph


def placed(client, **options):
    """Return an executor and handles of its shards, which are loaded."""
    executor = executor_of(client, None, **options)
    handles = executor.place([Load(shard_calls.shard, (i,)) for i in range(N)])
    executor.call(shard_calls.process, handles, [()] * N)
    return executor, handles


def test_a_wait_that_ends_early_leaves_no_noise(cluster_of, caplog):
    """asyncio tells of no error that nobody has fetched, and the scheduler has no tasks left."""
    client = cluster_of(2)
    executor, handles = placed(client)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        executor.call(shard_calls.slow_process, handles, [(1.0,)] * N)
    executor.close()
    wait(lambda: not client.cluster.scheduler.tasks)
    gc.collect()
    client.sync(asyncio.sleep, 0.1)  # the event loop has had its turn
    assert [one for one in caplog.records if one.name == "asyncio"] == []


def test_no_worker_to_send_data_to(bare):
    """Data of many tasks do not wait for a worker one after the other, and not longer than the timeout."""
    worker = bare.worker()
    executor, handles = placed(bare.client, timeout=1.5)
    bare.kill(worker)
    for work in (
        lambda: executor.place([Load(np.negative, (LARGE,))] * N),
        lambda: executor.call(shard_calls.product, handles, [(1.0,)] * N, (LARGE,)),
    ):
        begun = time.monotonic()
        with pytest.raises(ShardError, match=r"no worker.* for 1\.5 s"):
            work()
        assert time.monotonic() - begun < 5
    executor.close()


def test_a_scheduler_that_does_not_answer(bare, monkeypatch):
    bare.worker()
    executor, handles = placed(bare.client)
    monkeypatch.setattr(_workers, "ANSWER", 1.0)
    bare.scheduler.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(ShardError, match="scheduler has not answered"):
            executor.call(shard_calls.product, handles, [(1.0,)] * N, (LARGE,))
    finally:
        bare.scheduler.send_signal(signal.SIGCONT)
    executor.close()


def test_a_client_that_is_closed_between_two_calls(bare):
    bare.worker()
    executor, _ = placed(bare.client)
    bare.client.close()
    with pytest.raises(ShardError, match=r"lost its scheduler \(it is closed\)"):
        executor.place([Load(shard_calls.shard, (0,))])
    executor.close()
