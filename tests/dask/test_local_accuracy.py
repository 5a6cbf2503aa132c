"""Local mode, which averages networks that were trained apart, learns as well as training on one machine."""

import numpy as np
import pytest

import fastbp
import fastbp.dask
from fashion_mnist import FOLDERS, find, load
from fastbp.datasets import load_digits, stratified_split

SEEDS = range(3)
WITHIN = 0.005


@pytest.fixture(autouse=True)
def time_limit():
    """Let tests here take longer than those on clusters may: nothing waits."""


def accuracies(train, network, X_test, y_test):
    """Return the accuracy on rows held out, per seed."""
    nets = [network(seed) for seed in SEEDS]
    for net in nets:
        train(net)
    return [net.evaluate(X_test, y_test)["accuracy"] for net in nets]


def compare(network, X, X_test, y, y_test, *, shards, epochs, batch_size, **local):
    """Check that the mean accuracy of local mode is near that of one machine, with as many epochs."""
    apart = accuracies(
        lambda net: fastbp.dask.fit(
            None, net, X, y, shards=shards, mode="local", epochs=epochs, batch_size=batch_size, **local
        ),
        network,
        X_test,
        y_test,
    )
    alone = accuracies(
        lambda net: net.fit(X, y, epochs=epochs, batch_size=batch_size), network, X_test, y_test
    )
    assert np.mean(apart) > np.mean(alone) - WITHIN, (apart, alone)
    return alone


def test_digits():
    X, y = load_digits()
    X, X_test, y, y_test = stratified_split(X / np.float32(16), y, test_fraction=0.3, seed=0)

    def network(seed):
        return fastbp.Network(
            [64, 64, 10],
            activation="relu",
            loss="cross_entropy",
            optimizer=fastbp.Adam(0.003),
            seed=seed,
        )

    alone = compare(network, X, X_test, y, y_test, shards=4, epochs=100, batch_size=16)
    assert np.mean(alone) > 0.965


@pytest.mark.slow
def test_fashion_mnist():
    try:
        X, X_test, y, y_test = load(find(*FOLDERS))
    except FileNotFoundError as missing:
        pytest.skip(str(missing).splitlines()[0])

    def network(seed):
        return fastbp.Network([784, 128, 10], activation="relu", loss="cross_entropy", seed=seed)

    alone = compare(network, X, X_test, y, y_test, shards=4, epochs=10, batch_size=128, local_steps=100)
    assert np.mean(alone) > 0.87
