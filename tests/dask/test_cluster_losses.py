"""`ClusterExecutor` while workers die and join, when its scheduler is lost, and over many rounds."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import fastbp
from fastbp.dask._cluster import executor_of
from fastbp.dask._executor import Load
from helpers import shard_calls
from helpers.memory import resident_mb
from helpers.waiting import wait

distributed = pytest.importorskip("distributed", reason="needs distributed: pip install fastbp[dask]")

N = 4
FACTORS = [(0.5 + i,) for i in range(N)]


def rounds(executor, handles, n, seconds=0.02):
    """Return the results of n rounds, each of which uses those of the one before."""
    common = np.ones(10_000)
    for _ in range(n):
        results = executor.call(shard_calls.slow_product, handles, FACTORS, (common, seconds))
        common = common * 0.9 + np.sum(results, axis=0)[0]
    return [one.tobytes() for one in results]


def expected_of(n, rows):
    serial = executor_of(None, None)
    return rounds(serial, serial.place([Load(shard_calls.shard, (i, rows)) for i in range(N)]), n, 0.0)


class Killer:
    """Kills a process of a client's workers with SIGKILL at each of these times after it is entered."""

    def __init__(self, client, times):
        self.client, self.times, self.killed = client, times, 0
        self.random = random.Random(times[0])

    def __enter__(self):
        self.thread = threading.Thread(target=self._work)
        self.thread.start()
        return self

    def _work(self):
        begun = time.monotonic()
        for moment in self.times:
            time.sleep(max(0.0, begun + moment - time.monotonic()))
            while not (pids := self.client.run(os.getpid, on_error="ignore")):
                time.sleep(0.05)
            os.kill(self.random.choice(sorted(pids.values())), signal.SIGKILL)
            self.killed += 1

    def __exit__(self, *_):
        self.thread.join()


def killed_rounds(client, times, rows=100, n=50):
    with Killer(client, times) as killer:
        executor = executor_of(client, None)
        try:
            handles = executor.place([Load(shard_calls.shard, (i, rows)) for i in range(N)])
            results = rounds(executor, handles, n)
        finally:
            executor.close()
    assert killer.killed == len(times)
    assert results == expected_of(n, rows)


MOMENTS = random.Random(20).sample([i / 10 for i in range(1, 25)], 20)  # seconds


@pytest.mark.parametrize("moment", MOMENTS[:1])
def test_workers_that_a_nanny_starts_again(mortal, moment):
    killed_rounds(mortal, [moment])


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS[1:])
def test_workers_that_a_nanny_starts_again_often(mortal, moment):
    killed_rounds(mortal, [moment, moment + 0.7])


def test_a_worker_that_nobody_starts_again(bare):
    """Its shards are loaded by the other worker, from arrays of the caller's, too."""
    victim, _ = bare.worker(), bare.worker()
    executor = executor_of(bare.client, None)
    large = np.arange(200_000.0)
    handles = executor.place([Load(np.negative, (large + i,)) for i in range(N)])
    results = [rounds(executor, handles, 10)]
    bare.kill(victim)
    results.append(rounds(executor, handles, 10))
    executor.close()
    serial = executor_of(None, None)
    again = serial.place([Load(np.negative, (large + i,)) for i in range(N)])
    assert results == [rounds(serial, again, 10, 0.0)] * 2


def test_a_worker_that_joins_late(bare):
    """There is no worker when the fit begins to wait; the one that comes gets its tasks."""
    executors = []
    thread = threading.Thread(target=lambda: executors.append(executor_of(bare.client, None)))
    thread.start()
    bare.worker()
    thread.join(timeout=20)
    [executor] = executors
    handles = executor.place([Load(shard_calls.shard, (i,)) for i in range(N)])
    [alone] = set(executor.call(shard_calls.process, handles, [()] * N))
    bare.worker()
    wait(lambda: set(executor.call(shard_calls.slow_process, handles, [(0.2,)] * N)) > {alone})
    executor.close()


def test_no_worker_comes_back(bare):
    victim = bare.worker()
    executor = executor_of(bare.client, None, timeout=1.5)
    handles = executor.place([Load(shard_calls.shard, (i,)) for i in range(2)])
    executor.call(shard_calls.process, handles, [()] * 2)
    bare.kill(victim)
    with pytest.raises(fastbp.exceptions.ShardError, match=r"no worker.* for 1\.5 s .*shard 0, shard 1"):
        executor.call(shard_calls.process, handles, [()] * 2)
    executor.close()
    with pytest.raises(fastbp.exceptions.ShardError, match=r"awaited for the first task"):
        executor_of(bare.client, None, timeout=0.5)


def give_up_at_once(dask_scheduler):
    """By itself, Dask lets a task kill four workers before it gives up."""
    dask_scheduler.allowed_failures = 0


def test_a_call_that_always_kills_its_worker(mortal):
    """It is submitted again once, then the error names it; the executor goes on."""
    mortal.run_on_scheduler(give_up_at_once)
    executor = executor_of(mortal, None, max_retries=1)
    handles = executor.place([Load(shard_calls.shard, (i,)) for i in range(2)])
    names = ["shard 0 of 2", "shard 1 of 2"]
    message = r"shard 1 of 2 was lost with its workers 2 times \(max_retries=1"
    with pytest.raises(fastbp.exceptions.ShardError, match=message):
        executor.call(shard_calls.dying, handles, [(False,), (True,)], names=names)
    expected = [float(shard_calls.shard(i)[0]) for i in range(2)]
    assert executor.call(shard_calls.dying, handles, [(False,)] * 2) == expected
    executor.close()


def test_a_shard_whose_loading_killed_its_worker(mortal, tmp_path):
    """It is loaded again under a new key."""
    mortal.run_on_scheduler(give_up_at_once)
    executor = executor_of(mortal, None)
    flag = tmp_path / "once"
    handles = executor.place([Load(shard_calls.shard_that_kills_once, (flag, i)) for i in range(2)])
    assert executor.call(shard_calls.product, handles, [(1.0,)] * 2)[1][0] == shard_calls.shard(1)[0]
    assert flag.exists()
    executor.close()


def test_a_scheduler_that_is_lost(bare):
    """The error comes soon, and says how to go on."""
    bare.worker()
    executor = executor_of(bare.client, None)
    handles = executor.place([Load(shard_calls.shard, (i,)) for i in range(2)])
    threading.Timer(0.5, bare.scheduler.kill).start()
    begun = time.monotonic()
    with pytest.raises(fastbp.exceptions.ShardError, match=r"lost its scheduler.*checkpoint with resume="):
        rounds(executor, handles[:1] * N, 1000)
    assert time.monotonic() - begun < 10
    executor.close()


INTERRUPTED = """
    import sys, time
    from distributed import Client
    from fastbp.dask._cluster import executor_of
    from fastbp.dask._executor import Load
    from helpers import shard_calls

    with Client(sys.argv[1]) as client:
        executor = executor_of(client, None)
        handles = executor.place([Load(shard_calls.shard, (i,)) for i in range(4)])
        executor.call(shard_calls.process, handles, [()] * 4)
        try:
            executor.call(shard_calls.noting, handles, [(sys.argv[2], i, 2.0) for i in range(4)])
        except KeyboardInterrupt:
            executor.close()
            print("interrupted", flush=True)
            sys.stdin.readline()
"""


def test_interrupt_cancels_all_tasks(cluster_of, tmp_path):
    """While its process still runs, the scheduler has no tasks, and no call begins."""
    cluster = cluster_of(2).cluster
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", textwrap.dedent(INTERRUPTED), cluster.scheduler.address, tmp_path],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        wait(lambda: len(list(tmp_path.iterdir())) == 2)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        wait(lambda: not cluster.scheduler.tasks)
        process.communicate("end\n")
    assert process.returncode == 0
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow  # that of a fit is in test_flat_memory.py
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_memory_stays_flat(cluster_of):
    """Over 200 rounds that send and return 0.8 MB per call: here, where the scheduler is, and in workers."""
    client = cluster_of(2)

    def memory():
        return np.array([resident_mb(), *dict(sorted(client.run(resident_mb).items())).values()])

    executor = executor_of(client, None)
    handles = executor.place([Load(shard_calls.shard, (i, 100_000)) for i in range(2)])
    common = np.ones(100_000)
    for i in range(200):
        executor.call(shard_calls.product, handles, [(1.0,)] * 2, (common,))
        if i == 50:
            before = memory()
    grown = memory() - before
    assert grown.max() < 30, grown  # all that is sent would be 120 MB, all that is returned 240 MB
    executor.close()
