"""The order of the rows with shuffle="blocks": what it is, the same in both engines, and after a stop."""

import numpy as np
import pytest

import fastbp
from fastbp._base.philox import block_rows, permutation_of_blocks
from fastbp._data.sample_weights import Weights
from helpers.inside import begun, engine_of

# rows, rows per block, rows per batch: short last blocks and batches, batches over many blocks, one block
CASES = [(n, rows, batch) for n in (1, 2, 23, 24) for rows in (1, 5, 8, 23, 100) for batch in (1, 4, 7, 23)]


def spelled(network_class, n, rows, batch_size, *, weights=None, progress=None, epochs=2):
    """Return the rows that a run visits, step by step: sorted, because a step adds up its batch.

    The gradient of half_sse by b is -target in sum, and every target has a bit of its own.
    """
    net = network_class([1, 1], loss="half_sse", optimizer=fastbp.SGD(1e-300), dtype="float64", seed=9)
    net.parameters[:] = 0
    X, y = np.zeros((n, 1)), 2.0 ** np.arange(n)[:, None]
    options = {"batch_size": batch_size, "epochs": epochs, "first_epoch": 4, "stored": True}
    run = begun(net, X, y, block_rows=rows, weights=weights, **options)
    if progress:
        run.resume(progress)
    steps = []
    while run.epoch < epochs:
        net.parameters[:] = 0
        assert run.advance(epochs, 0.0)
        total = round(-engine_of(net).gradients[-1])
        steps.append([i for i in range(n) if total >> i & 1])
    return steps


def expected(n, rows, batch_size, kept=None):
    """Return the same from the definition of the order."""
    steps = []
    for epoch in (4, 5):
        order = permutation_of_blocks(9, epoch, n, rows)
        order = order if kept is None else kept[order]
        steps += [sorted(order[i : i + batch_size].tolist()) for i in range(0, n, batch_size)]
    return steps


def test_both_engines_visit_the_rows_in_this_order(network_class):
    for n, rows, batch_size in CASES:
        assert spelled(network_class, n, rows, batch_size) == expected(n, rows, batch_size)


def test_a_resumed_run_goes_on_in_this_order(network_class):
    for n, rows, batch_size in CASES:
        steps, per_epoch = expected(n, rows, batch_size), -(-n // batch_size)
        for step in range(per_epoch):
            progress = (1, step, 0.5 if step else 0.0, 1.0 if step else 0.0)
            found = spelled(network_class, n, rows, batch_size, progress=progress)
            assert found == steps[per_epoch + step :], (n, rows, batch_size, step)


def test_blocks_are_of_the_rows_that_have_weights(network_class):
    kept = np.array([0, 2, 3, 7, 8, 11, 12, 15, 19, 20, 22])
    found = spelled(network_class, 23, 4, 3, weights=Weights(None, kept))
    assert found == expected(11, 4, 3, kept)


@pytest.mark.parametrize(("n", "rows"), [(23, 5), (24, 6), (3, 5), (7, 1)])
def test_each_block_stays_together(n, rows):
    blocks_first = set()
    for epoch in range(40):
        order = permutation_of_blocks(1, epoch, n, rows)
        assert sorted(order) == list(range(n))
        visited = (order // rows).tolist()
        runs = [b for b, before in zip(visited, [None, *visited], strict=False) if b != before]
        assert sorted(runs) == list(range(-(-n // rows)))  # each block is one run
        blocks_first.add(runs[0])
    assert len(blocks_first) == -(-n // rows)


def test_rows_in_a_block_are_in_another_order_in_each_epoch_and_block():
    n, rows = 40, 20
    within = set()
    for seed in range(3):
        for epoch in range(3):
            order = permutation_of_blocks(seed, epoch, n, rows)
            within |= {tuple(order[:rows] % rows), tuple(order[rows:] % rows)}
    assert len(within) == 3 * 3 * 2


def test_the_order_of_blocks_never_changes_between_versions():
    assert permutation_of_blocks(0, 0, 10, 4).tolist() == [1, 3, 0, 2, 8, 9, 7, 6, 5, 4]


def test_blocks_have_about_a_million_numbers():
    assert [block_rows(n) for n in (1, 3, 784, 1024, 100_000)] == [2**20, 349_525, 1337, 1024, 1024]


def test_shuffling_all_rows_is_another_order(make, data):
    nets = [make() for _ in range(2)]
    for net, shuffle in zip(nets, [True, "blocks"], strict=True):
        net.fit(*data, batch_size=5, shuffle=shuffle)
    assert (nets[0].parameters != nets[1].parameters).any()


def test_both_engines_learn_the_same(data):
    nets = [
        network_class([4, 5, 2], seed=3, dtype="float64")
        for network_class in (fastbp.Network, fastbp.reference.Network)
    ]
    losses = [net.fit(*data, epochs=3, batch_size=5, shuffle="blocks").loss for net in nets]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)


@pytest.mark.parametrize("shuffle", ["block", "", 1, 0, None, b"blocks", ["blocks"]])
def test_other_values_are_refused(make, data, shuffle):
    with pytest.raises(fastbp.ParameterError, match=r"^shuffle is .*, expected True or False, or 'blocks'$"):
        make().fit(*data, shuffle=shuffle)


def test_one_batch_needs_no_order(make, data):
    nets = [make() for _ in range(2)]
    for net, shuffle in zip(nets, [False, "blocks"], strict=True):
        net.fit(*data, batch_size=None, shuffle=shuffle)
    assert (nets[0].parameters == nets[1].parameters).all()
