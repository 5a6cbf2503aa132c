"""Small networks and data to cross-validate."""

import numpy as np

import fastbp

HALVES = [(range(30), range(30, 60)), (range(30, 60), range(30))]  # folds of 60 rows


def labeled(rng):
    """60 rows of four inputs, with labels of three classes that follow from them."""
    X = rng.normal(size=(60, 4)) * [1, 10, 0.1, 3] + [0, 5, 0, -2]
    return X, np.argmax(X @ rng.normal(size=(4, 3)) / [1, 2, 3], axis=1)


def measured(rng):
    """60 rows of four inputs, with two targets of large scale."""
    X = rng.normal(size=(60, 4))
    return X, np.tanh(X @ rng.normal(size=(4, 2))) * 300 + [1000, -5]


def classifier(seed):
    """A network for `labeled`."""
    return fastbp.Network([4, 8, 3], loss="cross_entropy", seed=seed)


def regressor(seed):
    """A network for `measured`."""
    return fastbp.Network([4, 8, 2], activation="tanh", dtype="float64", seed=seed)
