"""Fixtures of tests on a cluster of processes, each of which has a time limit."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.clusters import cluster, within
from helpers.waiting import wait

LIMIT = 60
REASON = "needs distributed: pip install fastbp[dask]"


@pytest.fixture(autouse=True)
def time_limit():
    """No test hangs: it fails after a minute, wherever it waits."""
    with within(LIMIT):
        yield


class Clusters:
    """The clusters that tests of this folder share; no test kills their workers."""

    def __init__(self):
        self._stack, self._clients = contextlib.ExitStack(), {}

    def client(self, workers, threads=1):
        """Return a client of a cluster of so many processes."""
        if (workers, threads) not in self._clients:
            self._clients[workers, threads] = self._stack.enter_context(cluster(workers, threads))[1]
        return self._clients[workers, threads]

    def close(self):
        self._clients.clear()
        self._stack.close()


CLUSTERS = Clusters()


def pytest_runtest_teardown(item, nextitem):
    """Close the clusters after the last test of this folder: other tests measure memory and time."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        CLUSTERS.close()


@pytest.fixture
def cluster_of():
    """A function that returns a client of a cluster of so many processes, which tests share."""
    pytest.importorskip("distributed", reason=REASON)
    return CLUSTERS.client


@pytest.fixture(params=[1, 2, 3])
def client(cluster_of, request):
    """A client of a cluster of 1, 2 and 3 worker processes."""
    return cluster_of(request.param)


@pytest.fixture
def mortal():
    """A client of a cluster of 2 processes of this test alone, which may kill them; a nanny starts others."""
    pytest.importorskip("distributed", reason=REASON)
    with cluster(2) as (_, client):
        yield client


@pytest.fixture
def da():
    """Arrays of Dask, computed in this thread."""
    dask = pytest.importorskip("dask", reason="Dask is not installed: pip install fastbp[dask]")
    array = pytest.importorskip("dask.array", reason="Dask is not installed: pip install fastbp[dask]")
    with dask.config.set(scheduler="synchronous"):
        yield array


@pytest.fixture
def in_this_process(monkeypatch):
    """Let estimators work in this process, also while the cluster of other tests is there."""
    from fastbp.dask import DaskMLPClassifier, DaskMLPRegressor

    for kind in (DaskMLPClassifier, DaskMLPRegressor):
        monkeypatch.setattr(kind, "client_", property(lambda estimator: estimator.client))


@pytest.fixture
def bare(tmp_path):
    """A `Bare`: a scheduler in a process of its own, to which a test adds workers without a nanny."""
    distributed = pytest.importorskip("distributed", reason=REASON)
    with contextlib.ExitStack() as stack:
        yield Bare(distributed, tmp_path / "scheduler.json", stack)


class Bare:
    """A scheduler in a process of its own, and processes of workers that nobody starts again."""

    def __init__(self, distributed, file, stack):
        self._stack = stack
        self.scheduler = self._start("dask_scheduler", "--port=0", f"--scheduler-file={file}")
        wait(lambda: file.is_file() and file.read_text().endswith("\n}"))  # which is not written at once
        self.address = json.loads(file.read_text())["address"]
        self.client = stack.enter_context(distributed.Client(self.address, timeout=5))

    def worker(self, path=(), **environment):
        """Start a worker, wait until it has joined, and return its process."""
        before = self.client.nthreads().keys()
        process = self._start(
            "dask_worker", self.address, "--no-nanny", "--nthreads=1", path=path, environment=environment
        )
        wait(lambda: self.client.nthreads().keys() - before)
        return process

    def kill(self, process):
        """Kill a process, and wait until it is gone."""
        process.kill()
        process.wait()

    def _start(self, module, *arguments, path=(), environment=None):
        python_path = os.pathsep.join([*map(str, path), *filter(None, sys.path)])
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"distributed.cli.{module}", *arguments, "--dashboard-address=:0"],
            env=os.environ | {"PYTHONPATH": python_path} | (environment or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._stack.callback(self.kill, process)
        return process
