"""Inputs and targets to train on, as a loss takes them."""

import numpy as np


def problem(sizes, rows, loss="mse", seed=0):
    """Return inputs (rows, sizes[0]) and targets, in float32: both dtypes learn from the same values."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, sizes[0])).astype(np.float32)
    return X, targets(rng, rows, sizes[-1], loss, np.float32)


def targets(rng, rows, n_out, loss, dtype=np.float64):
    """Return labels (rows,) for cross_entropy, -1 and 1 for hinge, else numbers from 0 to 1 (rows, n_out)."""
    if loss == "cross_entropy":
        return rng.integers(0, n_out, rows)
    if loss == "hinge":
        return rng.choice([-1, 1], (rows, n_out))
    return rng.random((rows, n_out)).astype(dtype)
