"""One contract: any number of workers and threads gives the bits of the same program run serially."""

import pytest

from helpers.clusters import cluster, grow, within
from helpers.sharded import Loaded, network, shards, train

pytest.importorskip("distributed", reason="Dask is not installed")

MODES = ("synchronous", "local")
VALIDATION = shards(seed=1, sizes=(20, 13))
LIMIT = 120


def trained(client, mode, state_of, **options):
    """Return all that a training changes in a network, as a value."""
    net = network()
    options = {"validation_shards": [Loaded(X, y) for X, y, _ in VALIDATION]} | options
    with within(LIMIT):
        history = train(client, net, mode, **options)
    assert len(history) == 4
    return state_of(net)


@pytest.fixture(scope="module", params=[1, 2], ids="{} threads".format)
def growing(request):
    """A cluster of one worker, with one or two threads, that can grow."""
    with cluster(1, threads=request.param) as (started, client):
        yield started, client


def test_workers_and_threads_change_no_bit(growing, state_of):
    started, client = growing
    serial = {mode: trained(None, mode, state_of) for mode in MODES}
    assert serial["synchronous"] != serial["local"]
    for workers in (1, 2, 3):
        grow(started, client, workers)
        for mode in MODES:
            assert trained(client, mode, state_of) == serial[mode], (workers, mode)


def test_a_cluster_that_reads_the_rows_itself_changes_no_bit(growing, state_of):
    """Delayed objects and callables hold the same shards as lists of arrays."""
    from dask import delayed

    _, client = growing
    parts = shards()
    loads = [Loaded(*part) for part in parts]
    X, y, weights = ([delayed(each) for each in arrays] for arrays in zip(*parts, strict=True))
    expected = network()
    train(None, expected, "synchronous")
    for options in ({"loads": loads}, {"parts": [*zip(X, y, weights, strict=True)]}):
        net = network()
        with within(LIMIT):
            train(client, net, "synchronous", **options)
        assert state_of(net) == state_of(expected), [*options]
