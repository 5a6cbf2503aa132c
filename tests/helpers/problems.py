"""Inputs and targets to train on, as a loss takes them."""

import numpy as np

from fastbp import losses
from fastbp.losses._targets import AtLeast, OneOf


def fitting(sizes, loss):
    """Return the sizes with the least number of outputs, not below theirs, that the loss can have."""
    loss = losses.get(loss)
    n_out = max(sizes[-1], 2 if loss.activation == "softmax" else 1)
    return (*sizes[:-1], -(-n_out // loss.outputs_per_target) * loss.outputs_per_target)


def problem(sizes, rows, loss="mse", seed=0):
    """Return inputs (rows, sizes[0]) and targets, in float32: both dtypes learn from the same values."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, sizes[0])).astype(np.float32)
    return X, targets(rng, rows, sizes[-1], loss, np.float32)


def targets(rng, rows, n_out, loss, dtype=np.float64):
    """Return targets that the loss accepts: labels (rows,), else its classes or numbers (rows, n_targets)."""
    loss = losses.get(loss)
    declared = loss.targets
    if declared.takes_labels:
        return rng.integers(0, n_out, rows)
    shape = rows, n_out // loss.outputs_per_target
    if isinstance(declared, OneOf):
        return rng.choice(declared.classes, shape)
    least = declared.minimum if isinstance(declared, AtLeast) else 0
    return (least + rng.random(shape)).astype(dtype)


def regression(rng, n=50, n_in=4, n_out=3):
    """Return normal random inputs (n, n_in) and targets (n, n_out)."""
    return rng.normal(size=(n, n_in)), rng.normal(size=(n, n_out))
