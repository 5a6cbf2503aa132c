"""One contract: any number of workers and threads gives the bits of the same program run serially."""

import pytest

from helpers.sharded import network, shards, train
from helpers.shards import Loader

pytest.importorskip("distributed", reason="Dask is not installed")

MODES = ("synchronous", "local")
VALIDATION = shards(seed=1, sizes=(20, 13))


def trained(client, mode, state_of, **options):
    """Return all that a training changes in a network, as a value."""
    net = network()
    options = {"validation_shards": [Loader(X, y) for X, y, _ in VALIDATION]} | options
    history = train(client, net, mode, **options)
    assert len(history) == 4
    return state_of(net)


def test_workers_and_threads_change_no_bit(cluster_of, state_of):
    serial = {mode: trained(None, mode, state_of) for mode in MODES}
    assert serial["synchronous"] != serial["local"]
    for workers, threads in ((1, 1), (2, 1), (3, 1), (2, 2)):
        client = cluster_of(workers, threads)
        assert list(client.nthreads().values()) == [threads] * workers
        for mode in MODES:
            assert trained(client, mode, state_of) == serial[mode], (workers, threads, mode)


def test_a_cluster_that_reads_the_rows_itself_changes_no_bit(cluster_of, state_of):
    """Delayed objects and callables hold the same shards as lists of arrays."""
    from dask import delayed

    parts = shards()
    loads = [Loader(*part) for part in parts]
    X, y, weights = ([delayed(each) for each in arrays] for arrays in zip(*parts, strict=True))
    expected = network()
    train(None, expected, "synchronous")
    for options in ({"loads": loads}, {"parts": [*zip(X, y, weights, strict=True)]}):
        net = network()
        train(cluster_of(2, threads=2), net, "synchronous", **options)
        assert state_of(net) == state_of(expected), [*options]
