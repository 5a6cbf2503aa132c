"""Engines of the reference without a network around them, and data for them."""

import numpy as np

from fastbp.layers import Layer
from fastbp.reference import Engine


def make_engine(sizes, hidden, output, loss, rng, dtype=np.float64):
    """Return an engine with random parameters, from these activations and this loss."""
    functions = [hidden] * (len(sizes) - 2) + [output]
    layers = tuple(map(Layer, sizes[:-1], sizes[1:], functions))
    n_parameters = sum((layer.n_in + 1) * layer.n_out for layer in layers)
    return Engine(layers, loss, rng.normal(0, 0.8, n_parameters).astype(dtype))


def make_data(loss, rows, n_in, n_out, rng):
    """Return inputs (rows, n_in) and targets that the loss takes; rows of probabilities for cross_entropy."""
    X, n_targets = rng.normal(size=(rows, n_in)), n_out // loss.outputs_per_target
    if loss.name == "cross_entropy":
        return X, rng.dirichlet(np.ones(n_out), rows)
    if loss.name == "hinge":
        return X, rng.choice([-1.0, 1.0], (rows, n_targets))
    is_number = loss.activation in (None, "identity")
    draw = rng.normal if is_number else rng.uniform  # probabilities; counts need not be whole
    return X, draw(size=(rows, n_targets))
