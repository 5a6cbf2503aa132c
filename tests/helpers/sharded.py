"""A training on shards that has all that may depend on where it is computed: order, dropout, noise."""

import numpy as np

import fastbp
import fastbp.dask

SIZES = (50, 0, 31, 7)  # rows of each shard
FEATURES, CLASSES = 6, 3


def shards(seed=0, sizes=SIZES):
    """Return X, labels and sample weights of each shard; some weights are 0."""
    rng = np.random.default_rng(seed)
    slopes = rng.normal(size=(FEATURES, CLASSES))
    found = []
    for n in sizes:
        X = rng.normal(size=(n, FEATURES)).astype(np.float32)
        weights = rng.uniform(0.5, 2, size=n) * (rng.uniform(size=n) > 0.1)
        found.append((X, (X @ slopes).argmax(axis=1), weights))
    return found


def network(seed=3, units=16):
    """Return a network with dropout and noise."""
    layers = [FEATURES, fastbp.Dense(units, dropout=0.2), fastbp.Dense(units, "tanh", l2=1e-3), CLASSES]
    schedule = fastbp.schedules.Cosine(0.01, steps=500)
    return fastbp.Network(
        layers, loss="cross_entropy", optimizer=fastbp.Adam(schedule), input_noise=0.1, seed=seed
    )


def train(client, net, mode, *, parts=None, loads=None, **options):
    """Train on shards that are in memory, or on those that functions load; return the history."""
    options = {"epochs": 4, "batch_size": 16, "shuffle": True} | options
    if loads is None:
        X, y, weights = map(list, zip(*(parts or shards()), strict=True))
        return fastbp.dask.fit(client, net, X, y, sample_weight=weights, mode=mode, **options)
    return fastbp.dask.fit(client, net, shards=loads, mode=mode, **options)


class Read:
    """A function that reads a shard from a file, as long as that is there."""

    def __init__(self, path):
        self._path = path

    def __call__(self):
        with np.load(self._path) as arrays:
            return arrays["X"], arrays["y"], arrays["weights"]
