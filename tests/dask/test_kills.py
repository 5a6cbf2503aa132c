"""SIGKILL of workers at random moments of a fit: the same bits, no hang; late workers; loads that fail."""

import os
import random
import signal
import threading
from contextlib import suppress
from time import perf_counter, sleep

import numpy as np
import pytest

from fastbp import DataError
from helpers.clusters import cluster, grow, processes, within
from helpers.sharded import Read, network, shards, train

pytest.importorskip("distributed", reason="Dask is not installed")
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")

LIMIT = 60  # seconds that a fit whose worker was killed may take; without kills it takes about one
SIZES = (400, 300, 200, 100)
OPTIONS = {"synchronous": {"epochs": 2, "batch_size": 32}, "local": {"epochs": 15, "local_steps": 5}}


@pytest.fixture(scope="module")
def two_workers():
    """Two workers, each of which is started again by its nanny when it was killed."""
    with cluster(2) as (_, client):
        yield client


def fit(client, mode, state_of):
    """Return the state after a fit, and when it began and ended."""
    net, start = network(), perf_counter()
    with within(LIMIT):
        train(client, net, mode, parts=shards(sizes=SIZES), max_retries=10, **OPTIONS[mode])
    return state_of(net), start, perf_counter()


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_worker_changes_no_bit(two_workers, kills, state_of):
    """Each kill has a cluster of its own: a nanny gives up if the worker dies again while it starts."""
    moments, met, attempts = random.Random(kills), 0, 0
    expected = {mode: fit(None, mode, state_of)[0] for mode in OPTIONS}
    times = {mode: fit(two_workers, mode, state_of)[1:] for mode in OPTIONS}
    while met < kills:  # some come when the fit is over
        assert attempts < 3 * kills
        mode = [*OPTIONS][attempts % 2]
        attempts += 1
        start, end = times[mode]
        with cluster(2) as (_, client):
            victim = moments.choice(sorted(processes(client).values()))
            killer = Killer(victim, moments.uniform(0, 0.9 * (end - start)))
            found, _, end = fit(client, mode, state_of)
            killer.join()
        assert found == expected[mode], (attempts, mode)
        met += killer.moment < end


class Killer(threading.Thread):
    """A thread that kills a process after some seconds; `moment` is when it did."""

    def __init__(self, process, seconds):
        super().__init__()
        self._process, self._seconds = process, seconds
        self.start()

    def run(self):
        sleep(self._seconds)
        self.moment = perf_counter()
        kill(self._process)


def kill(process):
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


@pytest.fixture
def files(tmp_path):
    """The files of four shards."""
    paths = [tmp_path / f"shard{i}.npz" for i in range(len(SIZES))]
    for path, (X, y, weights) in zip(paths, shards(sizes=SIZES), strict=True):
        np.savez(path, X=X, y=y, weights=weights)
    return paths


def test_a_worker_that_joins_late_changes_no_bit(state_of):
    expected, net = network(), network()
    parts = shards(sizes=SIZES)
    train(None, expected, "synchronous", parts=parts)
    with cluster(1) as (started, client):

        def join(state):
            if len(state.history) == 1:
                grow(started, client, 2)

        with within(LIMIT):
            train(client, net, "synchronous", parts=parts, callbacks=join)
        assert len(processes(client)) == 2
    assert state_of(net) == state_of(expected)


def test_a_load_that_fails_names_the_shard(two_workers, files, state_of):
    net = network()
    before = state_of(net)
    files[2].unlink()
    with pytest.raises(FileNotFoundError) as caught, within(LIMIT):
        train(two_workers, net, "synchronous", loads=[*map(Read, files)])
    assert "shard 3 of 4" in " ".join(caught.value.__notes__)
    assert state_of(net) == before


def test_a_load_that_fails_when_it_is_repeated_leaves_the_last_round(two_workers, files, state_of):
    """All workers are killed after an epoch, and with them the shards; the file of one is gone."""
    net, loads = network(), [*map(Read, files)]
    left = []

    def lose(state):
        left.append(state_of(net))
        if len(state.history) == 2:
            files[2].unlink()
            for process in processes(two_workers).values():
                kill(process)

    two_workers.wait_for_workers(2, timeout=60)
    with pytest.raises(FileNotFoundError) as caught, within(LIMIT):
        train(two_workers, net, "local", loads=loads, epochs=9, callbacks=lose, max_retries=10)
    assert "shard 3 of 4" in " ".join(caught.value.__notes__)
    assert len(left) == 2
    assert state_of(net) == left[-1]

    two_workers.wait_for_workers(2, timeout=60)
    with within(LIMIT):  # it can go on, on shards that are there
        history = train(two_workers, net, "local", loads=[loads[i] for i in (0, 1, 3)])
    assert len(history) == 4
    assert len(net.history) == 6


class Changing:
    """Loads a shard whose rows are in another order in each process, as by an unseeded shuffle."""

    def __call__(self):
        X, y, _ = shards(sizes=(400,))[0]
        order = np.random.default_rng(os.getpid()).permutation(len(X))
        return X[order], y[order]


def test_a_load_that_returns_other_data_when_it_is_repeated_is_an_error():
    net, left = network(), []

    def lose(state):
        left.append(net.parameters.copy())
        for process in processes(client).values() if len(left) == 1 else ():
            kill(process)

    loads = [Changing(), Changing()]
    with cluster(1) as (_, client), within(LIMIT), pytest.raises(DataError, match="has other data") as caught:
        train(client, net, "local", loads=loads, callbacks=lose)
    assert "in shard 1 of 2" in caught.value.__notes__
    assert net.parameters.tobytes() == left[-1].tobytes()
